#include "onnx/model.h"

#include <fmt/core.h>

namespace anemone::onnx {
namespace {

struct ElementTypeRow {
  int32_t type;
  std::string_view name;
  DType dtype;
};

// Numbers 14 and 15 are complex, 17 to 20 and 23 on are the small floats and 2-bit integers; none
// has a dtype here.
constexpr ElementTypeRow kElementTypes[] = {
    {0, "undefined", DType::kInvalid},
    {1, "float", DType::kFp32},
    {2, "uint8", DType::kUInt8},
    {3, "int8", DType::kInt8},
    {4, "uint16", DType::kUInt16},
    {5, "int16", DType::kInt16},
    {6, "int32", DType::kInt32},
    {7, "int64", DType::kInt64},
    {8, "string", DType::kString},
    {9, "bool", DType::kBool},
    {10, "float16", DType::kFp16},
    {11, "double", DType::kFp64},
    {12, "uint32", DType::kUInt32},
    {13, "uint64", DType::kUInt64},
    {14, "complex64", DType::kInvalid},
    {15, "complex128", DType::kInvalid},
    {16, "bfloat16", DType::kBf16},
    {17, "float8e4m3fn", DType::kInvalid},
    {18, "float8e4m3fnuz", DType::kInvalid},
    {19, "float8e5m2", DType::kInvalid},
    {20, "float8e5m2fnuz", DType::kInvalid},
    {21, "uint4", DType::kUInt4},
    {22, "int4", DType::kInt4},
    {23, "float4e2m1", DType::kInvalid},
    {24, "float8e8m0", DType::kInvalid},
    {25, "uint2", DType::kUInt2},
    {26, "int2", DType::kInvalid},
};

}  // namespace

std::string ElementTypeName(int32_t type) {
  for (const auto& row : kElementTypes) {
    if (row.type == type) return std::string(row.name);
  }
  return fmt::format("element type {}", type);
}

DType ToDType(int32_t type) {
  for (const auto& row : kElementTypes) {
    if (row.type == type) return row.dtype;
  }
  return DType::kInvalid;
}

const Attribute* Node::Find(std::string_view attribute) const {
  for (const auto& candidate : attributes) {
    if (candidate.name == attribute) return &candidate;
  }
  return nullptr;
}

std::string Node::Place(size_t index) const {
  if (!origin.empty()) return origin;
  if (!name.empty()) return fmt::format("node '{}' ({})", name, op);
  for (const auto& output : outputs) {
    if (!output.empty()) return fmt::format("node {} ({}, makes '{}')", index, op, output);
  }
  return fmt::format("node {} ({})", index, op);
}

const Tensor* Graph::FindInitializer(std::string_view initializer) const {
  for (const auto& tensor : initializers) {
    if (tensor.name == initializer) return &tensor;
  }
  return nullptr;
}

int64_t Model::opset() const {
  const auto found = opsets.find("");
  return found == opsets.end() ? 0 : found->second;
}

}  // namespace anemone::onnx
