#include "placement/segmenter_beliefs.h"

#include <algorithm>
#include <unordered_set>

namespace anemone::placement {
namespace {

// Bytes and operations for each microsecond, from the answers published for M4:
//   conv 3x3 64->64 at 32x32   ANE 4.67 us, BNNS 100.06: 75.5 MFLOP, 336 kB
//   conv 1x1 64->64 at 32x32   1.17, 21.62: 8.39 MFLOP, 270 kB
//   matmul 128x256x128         2.24, 11.12: 8.39 MFLOP, 164 kB
//   attention 1x8x128x64       7.18, 8.62: 524 kB
//   softmax, layer_norm        3.59, 4.31: 262 kB
//   relu                       2.62, 2.62: 262 kB
//   transpose                  3.81, 3.00: 262 kB
//   concat of channels         2.62, 22.79
//   upsample_bilinear x2       3.31, 499.64: 262144 results
struct Rates {
  double ane_bytes;
  double bnns_bytes;
};
constexpr double kAneFlops = 16.17e6;   // of convolutions and products
constexpr double kBnnsFlops = 754.5e3;  // of convolutions and products
constexpr Rates kMemory{73.02e3, 60.82e3};
constexpr Rates kConv{231.1e3, 12.50e3};
constexpr Rates kRelu{100.06e3, 100.06e3};
constexpr Rates kTranspose{68.80e3, 87.38e3};
constexpr Rates kConcat{100.06e3, 11.50e3};  // of result bytes
constexpr double kAneTextureBytes = 198.0e3;
constexpr double kBnnsBilinearElements = 524.7;
// The classic library: no answer is published; it is never faster than BNNS.
constexpr double kClassicFactor = 2.0;

// Attention alone was seen to go to the Neural Engine from about 2 million elements of each of
// query, key and value on (vx-lang/Vx issue 437): above that the estimate for the CPU must be at
// least this much higher. The size of the step is the smallest round one that explains it.
constexpr double kLargeAttentionBytes = 4 * 2 * 2.0e6;
constexpr double kLargeAttentionFactor = 2.0;

struct Pair {
  double ane;
  double bnns;
};

Pair Memory(double bytes, const Rates& rates) {
  return {bytes / rates.ane_bytes, bytes / rates.bnns_bytes};
}

Pair Roofline(double flops, double bytes, const Rates& rates) {
  return {std::max(flops / kAneFlops, bytes / rates.ane_bytes),
          std::max(flops / kBnnsFlops, bytes / rates.bnns_bytes)};
}

Pair Estimate(const Work& work, EstimateKind kind) {
  const auto bytes = static_cast<double>(work.bytes());
  const auto flops = static_cast<double>(work.flops);
  switch (kind) {
    case EstimateKind::kConv:
      return Roofline(flops, bytes, kConv);
    case EstimateKind::kMatmul:
      return Roofline(flops, bytes, kMemory);
    case EstimateKind::kRelu:
      return Memory(bytes, kRelu);
    case EstimateKind::kTranspose:
      return Memory(bytes, kTranspose);
    case EstimateKind::kConcat:
      return Memory(static_cast<double>(work.output_bytes), kConcat);
    case EstimateKind::kBilinear:
      return {bytes / kAneTextureBytes,
              static_cast<double>(work.output_elements) / kBnnsBilinearElements};
    case EstimateKind::kAttention: {
      Pair pair = Memory(bytes, kMemory);
      if (bytes >= kLargeAttentionBytes) pair.bnns *= kLargeAttentionFactor;
      return pair;
    }
    case EstimateKind::kMemory:
    case EstimateKind::kNone:
      break;
  }
  return Memory(bytes, kMemory);
}

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

// What only the classic library has, as far as anything is published: a plan with a segment of it.
bool ClassicOnly(const ir::Operation& operation) { return operation.type() == "band_part"; }

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

EngineEstimate EstimateEngines(const Work& work, const OpPlacement& placement,
                               const ir::Operation& operation) {
  const Pair pair = Estimate(work, placement.estimate);
  EngineEstimate estimate;
  if (placement.ane.expected) estimate.ane_us = pair.ane;
  if (!ClassicOnly(operation)) estimate.bnns_us = pair.bnns;
  estimate.classic_us = ClassicOnly(operation) ? pair.bnns : kClassicFactor * pair.bnns;
  return estimate;
}

}  // namespace anemone::placement
