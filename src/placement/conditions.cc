// What bars any operator from the Neural Engine, whatever it computes. The tensors that count are
// those that exist at run time: constants have no place.
#include <algorithm>
#include <vector>

#include "placement/place.h"

namespace anemone::placement {
namespace {

struct Tensor {
  std::string_view param;
  ir::Type type;
  bool output = false;

  std::string Describe() const {
    return fmt::format("{} '{}' {}", output ? "result" : "input", param, type.ToString());
  }
};

std::vector<Tensor> RuntimeTensors(const Query& query) {
  std::vector<Tensor> tensors;
  const ir::Operation* operation = query.args.operation();
  if (operation != nullptr) {
    for (const ir::Argument& argument : operation->arguments()) {
      if (!query.IsDynamic(argument.name)) continue;
      for (const ir::Value* value : argument.values) {
        if (!value->is_stored()) tensors.push_back({argument.name, value->type});
      }
    }
    for (const auto& output : operation->outputs())
      tensors.push_back({output->name, output->type, true});
  } else {
    for (const ir::Param& param : query.args.def().params) {
      if (!query.IsDynamic(param.name)) continue;
      for (size_t i = 0; i < query.args.Count(param.name); ++i)
        tensors.push_back({param.name, query.args.TypeOf(param.name, i)});
    }
    for (const ir::Type& output : query.outputs) tensors.push_back({"", output, true});
  }
  for (Tensor& tensor : tensors) {
    if (tensor.type.is_state()) tensor.type = tensor.type.elements()[0];
  }
  return tensors;
}

constexpr Evidence kTypedExecution{kCoremltools, Confidence::kDocumented};

std::optional<Verdict> CheckDType(const Tensor& tensor, const PlaceRule& rule) {
  switch (tensor.type.dtype()) {
    case DType::kFp32:
      return No("float32", kTypedExecution, "float32 arithmetic: " + tensor.Describe(),
                "convert with --compute-precision float16");
    case DType::kInt32:
      if (tensor.output && rule.int32_outputs_allowed) return std::nullopt;
      return No("int32", kMeasuredM4, "int32 arithmetic: " + tensor.Describe(),
                "compute it in float16 when the values stay within 2048, or at conversion time");
    case DType::kString:
      return No("string", kMeasuredM4, "strings: " + tensor.Describe());
    default:
      return std::nullopt;
  }
}

std::optional<Verdict> CheckShape(const Tensor& tensor, const Query& query) {
  const ir::Type& type = tensor.type;
  const Evidence evidence = query.evidence();
  if (!type.has_rank()) {
    return No("dynamic_rank", kStrings, "dynamic rank: " + tensor.Describe(), "fix the shapes");
  }
  if (type.rank() > 5) {
    return No("rank", kTables, fmt::format("rank {}: {}", type.rank(), tensor.Describe()),
              "reshape to at most 5 dimensions");
  }
  for (int i = 0; i < type.rank(); ++i) {
    const int64_t size = type.shape()[static_cast<size_t>(i)];
    if (size == ir::kDynamic) continue;
    // Width, height, and the depth of rank 5.
    const bool spatial = type.rank() > 2 && i >= type.rank() - (type.rank() == 5 ? 3 : 2);
    const int64_t limit = spatial ? query.chip.max_width_height : query.chip.max_dimension;
    if (size <= limit) continue;
    return No("dimension", evidence,
              fmt::format("dimension {} of {} is {} > {}", i, tensor.Describe(), size, limit),
              "split the tensor, or fold the long dimension into two");
  }
  if (type.is_static()) return std::nullopt;
  if (query.flexible == FlexibleShapes::kEnumerated) {
    return Maybe(
        "enumerated_shapes", true, {kCoremltools, Confidence::kDocumented},
        "enumerated shapes keep the Neural Engine unless an operator is dynamic in itself: " +
            tensor.Describe());
  }
  return No("dynamic_shape", {kApple, Confidence::kDocumented},
            "dynamic shape: " + tensor.Describe() +
                " (only the default shape of a range goes to the Neural Engine)",
            "fix the shape, enumerate up to 128 shapes, or from iOS 17.4 and macOS 14.4 on load "
            "with the hint reshapeFrequency infrequent");
}

// Whether any zero point of stored weights is another than 0.
bool HasZeroPoint(const ir::Operation& decompressor) {
  for (const std::string_view param : {"zero_point", "offset"}) {
    const ir::Value* value = decompressor.Input(param);
    const ir::Literal* literal = value == nullptr ? nullptr : value->literal.get();
    if (literal == nullptr) continue;
    const auto values = literal->AsDoubles();
    if (values && std::any_of(values->begin(), values->end(), [](double v) { return v != 0; })) {
      return true;
    }
  }
  return false;
}

// Weights in a form that the engine may not take.
std::optional<Verdict> CheckWeights(const Query& query) {
  if (query.args.operation() == nullptr) return std::nullopt;
  for (const ir::Argument& argument : query.args.operation()->arguments()) {
    for (const ir::Value* value : argument.values) {
      const ir::Operation* producer = value->producer;
      if (producer == nullptr || !producer->is_constexpr()) continue;
      if (HasPerBlockScales(*producer)) {
        return Maybe(
            "per_block_weights", false, {"coremltools issue 2510", Confidence::kMeasured},
            "weights with a scale for each block: seen on the CPU, as the engine takes one "
            "for each output channel or one for all",
            "compress with --granularity per_channel, or palettize");
      }
      if (HasZeroPoint(*producer)) {
        return Maybe("asymmetric_weights", true, kStrings,
                     "weights with a zero point: the compiler's messages refuse asymmetric "
                     "quantization",
                     "quantize symmetrically (mode linear_symmetric)");
      }
    }
  }
  return std::nullopt;
}

}  // namespace

bool HasPerBlockScales(const ir::Operation& decompressor) {
  const ir::Value* scale = decompressor.Input("scale");
  if (scale == nullptr || !scale->type.is_tensor()) return false;
  int64_t long_dims = 0;
  for (const int64_t size : scale->type.shape()) long_dims += size > 1 ? 1 : 0;
  return long_dims > 1;
}

std::optional<Verdict> CheckConditions(const Query& query, const PlaceRule& rule) {
  std::optional<Verdict> conditional;
  for (const Tensor& tensor : RuntimeTensors(query)) {
    if (tensor.type.is_list()) return No("list", kTables, "lists: " + tensor.Describe());
    if (!tensor.type.is_tensor()) return No("compound", kTables, "no tensor: " + tensor.Describe());
    if (!rule.own_dtypes) {
      if (auto barred = CheckDType(tensor, rule)) return barred;
    }
    if (auto barred = CheckShape(tensor, query)) {
      if (barred->support == Support::kUnsupported) return barred;
      if (!conditional) conditional = std::move(barred);
    }
  }
  return conditional ? std::move(conditional) : CheckWeights(query);
}

}  // namespace anemone::placement
