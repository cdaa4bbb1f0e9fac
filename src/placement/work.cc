#include "placement/work.h"

#include <optional>
#include <unordered_set>
#include <vector>

namespace anemone::placement {
namespace {

// Bytes of a tensor at run time; nullopt when it is dynamic. Sub-byte dtypes are packed.
std::optional<int64_t> TensorBytes(const ir::Type& type) {
  if (type.is_state()) return TensorBytes(type.elements()[0]);
  if (!type.is_tensor() || type.dtype() == DType::kString) return 0;
  const auto count = type.element_count();
  if (!count) return std::nullopt;
  const auto bytes = ByteSize(type.dtype(), *count);
  if (!bytes) return std::nullopt;
  return static_cast<int64_t>(*bytes);
}

// A constant, or a tensor that decompresses from constants: what is stored counts, and the
// elements of the result.
struct Stored {
  int64_t bytes = 0;
  int64_t elements = 0;
};
constexpr int kMaxChain = 8;

// Settings such as strides are not weights.
bool IsSetting(const ir::Value& value) {
  const DType dtype = value.type.dtype();
  return dtype == DType::kInt32 || dtype == DType::kBool || dtype == DType::kString;
}

std::optional<Stored> StoredBytes(const ir::Value& value, int depth = 0) {
  if (value.is_const()) {
    if (depth == 0 && (IsSetting(value) || value.type.rank() == 0)) return Stored{};
    return Stored{static_cast<int64_t>(value.literal->bytes().size()),
                  value.literal->element_count()};
  }
  const ir::Operation* producer = value.producer;
  if (producer == nullptr || !producer->is_constexpr() || depth > kMaxChain) return std::nullopt;
  Stored stored;
  for (const ir::Argument& argument : producer->arguments()) {
    for (const ir::Value* input : argument.values) {
      if (const auto inner = StoredBytes(*input, depth + 1)) stored.bytes += inner->bytes;
    }
  }
  stored.elements = value.type.element_count().value_or(0);
  return stored;
}

int64_t SaturatingAdd(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

}  // namespace

Work WorkOf(const ir::Operation& operation, ir::Opset opset) {
  Work work;
  work.known = operation.def() != nullptr;
  std::vector<ir::Type> outputs;
  for (const auto& output : operation.outputs()) {
    outputs.push_back(output->type);
    const auto bytes = TensorBytes(output->type);
    work.known = work.known && bytes.has_value();
    work.output_bytes = SaturatingAdd(work.output_bytes, bytes.value_or(0));
    work.output_elements =
        SaturatingAdd(work.output_elements,
                      output->type.is_tensor() ? output->type.element_count().value_or(0) : 0);
  }
  std::unordered_set<const ir::Value*> seen;  // a tensor given twice is read once
  for (const ir::Argument& argument : operation.arguments()) {
    for (const ir::Value* value : argument.values) {
      if (!seen.insert(value).second) continue;
      if (const auto stored = StoredBytes(*value)) {
        work.weight_bytes = SaturatingAdd(work.weight_bytes, stored->bytes);
        work.weight_elements = SaturatingAdd(work.weight_elements, stored->elements);
        continue;
      }
      const auto bytes = TensorBytes(value->type);
      work.known = work.known && bytes.has_value();
      work.input_bytes = SaturatingAdd(work.input_bytes, bytes.value_or(0));
    }
  }
  if (!work.known) return work;
  const ir::OpDef& def = *operation.def();
  if (def.cost != nullptr) {
    work.flops = def.cost(ir::OpArgs(operation, opset), outputs).flops;
  } else {
    work.flops = outputs.empty() ? 0 : outputs[0].element_count().value_or(0);
  }
  return work;
}

}  // namespace anemone::placement
