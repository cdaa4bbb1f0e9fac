// Writes small ONNX files for tests: a message is a string of bytes, fields are appended in the
// order of the calls.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "ir/model.h"

namespace anemone::onnx::testing {

// One protobuf message under construction.
class Message {
 public:
  Message& Varint(int field, int64_t value) {
    Tag(field, 0);
    Raw(static_cast<uint64_t>(value));
    return *this;
  }
  Message& Text(int field, std::string_view text) {
    Tag(field, 2);
    Raw(text.size());
    bytes_ += text;
    return *this;
  }
  Message& Sub(int field, const Message& message) { return Text(field, message.bytes_); }
  Message& Float(int field, float value) {
    Tag(field, 5);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  Message& Varints(int field, const std::vector<int64_t>& values) {
    for (const int64_t value : values) Varint(field, value);
    return *this;
  }
  Message& PackedVarints(int field, const std::vector<int64_t>& values) {
    Message packed;
    for (const int64_t value : values) packed.Raw(static_cast<uint64_t>(value));
    return Sub(field, packed);
  }
  template <typename T>
  Message& Array(int field, const std::vector<T>& values) {
    return Text(field, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void Tag(int field, int type) {
    Raw(static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(type));
  }
  void Raw(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>((value & 0x7f) | 0x80);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

enum : int {
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kHalf = 10,
  kDouble = 11
};

inline Message TensorHead(std::string_view name, int type, const std::vector<int64_t>& dims) {
  Message tensor;
  tensor.PackedVarints(1, dims).Varint(2, type).Text(8, name);
  return tensor;
}
inline Message Floats(std::string_view name, const std::vector<int64_t>& dims,
                      const std::vector<float>& values) {
  return TensorHead(name, kFloat, dims).Array(9, values);
}
inline Message Int64s(std::string_view name, const std::vector<int64_t>& dims,
                      const std::vector<int64_t>& values) {
  return TensorHead(name, kInt64, dims).Array(9, values);
}

// Attributes.
inline Message AttrInt(std::string_view name, int64_t value) {
  return Message().Text(1, name).Varint(3, value).Varint(20, 2);
}
inline Message AttrFloat(std::string_view name, float value) {
  return Message().Text(1, name).Float(2, value).Varint(20, 1);
}
inline Message AttrString(std::string_view name, std::string_view value) {
  return Message().Text(1, name).Text(4, value).Varint(20, 3);
}
inline Message AttrInts(std::string_view name, const std::vector<int64_t>& values) {
  return Message().Text(1, name).Varints(8, values).Varint(20, 7);
}
inline Message AttrTensor(std::string_view name, const Message& tensor) {
  return Message().Text(1, name).Sub(5, tensor).Varint(20, 4);
}
inline Message AttrGraph(std::string_view name, const Message& graph) {
  return Message().Text(1, name).Sub(6, graph).Varint(20, 5);
}

inline Message MakeNode(std::string_view op, const std::vector<std::string>& inputs,
                        const std::vector<std::string>& outputs,
                        const std::vector<Message>& attributes = {}, std::string_view name = "",
                        std::string_view domain = "") {
  Message node;
  for (const auto& input : inputs) node.Text(1, input);
  for (const auto& output : outputs) node.Text(2, output);
  if (!name.empty()) node.Text(3, name);
  node.Text(4, op);
  for (const auto& attribute : attributes) node.Sub(5, attribute);
  if (!domain.empty()) node.Text(7, domain);
  return node;
}

// A dim: a size, or the name of an unknown one.
struct TestDim {
  TestDim(int64_t size) : value(size) {}                     // NOLINT: implicit by design
  TestDim(const char* symbol) : value(-1), param(symbol) {}  // NOLINT: implicit by design
  int64_t value;
  std::string param;
};

inline Message MakeValue(std::string_view name, int type, const std::vector<TestDim>& dims) {
  Message shape;
  for (const auto& dim : dims) {
    shape.Sub(1, dim.value >= 0 ? Message().Varint(1, dim.value) : Message().Text(2, dim.param));
  }
  return Message().Text(1, name).Sub(2, Message().Sub(1, Message().Varint(1, type).Sub(2, shape)));
}

struct GraphParts {
  std::vector<Message> nodes = {}, inputs = {}, outputs = {}, initializers = {};
};
inline Message MakeGraph(const GraphParts& parts) {
  Message graph;
  for (const auto& node : parts.nodes) graph.Sub(1, node);
  graph.Text(2, "g");
  for (const auto& tensor : parts.initializers) graph.Sub(5, tensor);
  for (const auto& input : parts.inputs) graph.Sub(11, input);
  for (const auto& output : parts.outputs) graph.Sub(12, output);
  return graph;
}
inline Message MakeModel(const Message& graph, int64_t opset = 17) {
  return Message().Varint(1, 8).Text(2, "test").Sub(7, graph).Sub(
      8, Message().Text(1, "").Varint(2, opset));
}
inline Bytes ToBytes(const Message& message) {
  return Bytes::Copy(message.bytes().data(), message.bytes().size());
}

// Types of the operations except constants, in order.
inline std::string Ops(const ir::Model& model) {
  std::string ops;
  for (const auto& operation : model.program.main()->block->operations()) {
    if (!operation->is_const()) ops += (ops.empty() ? "" : " ") + operation->type();
  }
  return ops;
}

}  // namespace anemone::onnx::testing
