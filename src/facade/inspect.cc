#include "facade/inspect.h"

#include <algorithm>
#include <unordered_set>

#include "exec/function_inputs.h"
#include "facade/convert.h"
#include "ir/arithmetic.h"
#include "ir/feature_shapes.h"

namespace anemone::facade {
namespace {

constexpr int64_t kWeightElements =
    10;  // as in coremltools: tensors with more elements go to weight.bin

int64_t LiteralBytes(const ir::Literal& literal) {
  return static_cast<int64_t>(literal.bytes().size());
}

}  // namespace

Result<Summary> Inspect(const ir::Model& model, const std::string& name) {
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(model, name));
  Summary summary;
  summary.spec_version = model.spec_version;
  summary.target = DeploymentTargetName(function->opset);
  summary.function = function->name;
  for (const auto& other : model.program.functions) summary.functions.push_back(other->name);
  std::unordered_set<const void*> seen;  // constants that share bytes count once
  ir::ForEachOperation(*function->block, [&](const ir::Operation& operation) {
    if (operation.is_const()) {
      const ir::Value& value = *operation.output();
      if (!value.type.is_tensor() || value.type.dtype() == DType::kString) return;
      if (value.literal->element_count() <= kWeightElements) return;
      if (!seen.insert(value.literal->bytes().data()).second) return;
      const int64_t bytes = LiteralBytes(*value.literal);
      summary.weights.push_back({value.name, value.type.ToString(), bytes});
      summary.weight_bytes += bytes;
      summary.parameters += value.literal->element_count();
      summary.weight_bytes_by_dtype[std::string(DTypeName(value.type.dtype()))] += bytes;
      return;
    }
    ++summary.operations;
    ++summary.operator_counts[operation.type()];
    OperatorRow row{operation.name(), operation.type(),
                    operation.outputs().empty() ? "" : operation.output()->type.ToString(),
                    ir::FlopsOf(operation, function->opset).value_or(-1), 0};
    for (const ir::Argument& argument : operation.arguments()) {
      for (const ir::Value* value : argument.values) {
        if (value->is_const()) row.weight_bytes += LiteralBytes(*value->literal);
      }
    }
    if (row.flops > 0) summary.flops += row.flops;
    summary.operators.push_back(std::move(row));
  });
  std::stable_sort(summary.weights.begin(), summary.weights.end(),
                   [](const WeightRow& a, const WeightRow& b) { return a.bytes > b.bytes; });
  return summary;
}

bool UsesHalf(const ir::Function& function) {
  bool half = false;
  ir::ForEachOperation(*function.block, [&](const ir::Operation& operation) {
    if (operation.is_const() || operation.type().starts_with("constexpr_")) return;
    for (const auto& output : operation.outputs())
      half |= output->type.is_tensor() && output->type.dtype() == DType::kFp16;
  });
  return half;
}

std::string DescribeFeature(const ir::Feature& feature) {
  if (const auto* array = feature.array()) {
    // A shape that is not declared is known at run time only.
    std::string text = fmt::format(
        "{}: {} {}", feature.name, DTypeName(array->dtype),
        array->shape.empty() ? std::string("of any shape") : ir::ShapeToString(array->shape));
    if (!array->enumerated.empty() || !array->shape_range.empty())
      text += fmt::format(" by default, takes {}", ir::DescribeFeatureShapes(feature));
    return text;
  }
  if (const auto* image = feature.image()) {
    const char* space = "rgb";
    if (image->color_space == ir::ImageFeature::ColorSpace::kBgr) space = "bgr";
    if (image->color_space == ir::ImageFeature::ColorSpace::kGrayscale) space = "grayscale";
    if (image->color_space == ir::ImageFeature::ColorSpace::kGrayscaleFp16)
      space = "grayscale fp16";
    return fmt::format("{}: image {}x{} {}", feature.name, image->size.width, image->size.height,
                       space);
  }
  if (const auto* state = std::get_if<ir::StateFeature>(&feature.type)) {
    return fmt::format("{}: state {} {}", feature.name, DTypeName(state->array.dtype),
                       ir::ShapeToString(state->array.shape));
  }
  if (const auto* scalar = std::get_if<ir::ScalarFeature>(&feature.type)) {
    static constexpr const char* kNames[] = {"int64", "double", "string"};
    return feature.name + ": " + kNames[static_cast<size_t>(*scalar)];
  }
  if (std::holds_alternative<ir::DictionaryFeature>(feature.type))
    return feature.name + ": dictionary";
  return feature.name + ": sequence";
}

}  // namespace anemone::facade
