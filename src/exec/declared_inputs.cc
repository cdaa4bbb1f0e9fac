#include "exec/declared_inputs.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "exec/function_inputs.h"

namespace anemone::exec {
namespace {

// The number of a default value; nullopt when there is none.
std::optional<double> DefaultOf(const ir::Feature& feature) {
  const ir::ArrayFeature* array = feature.array();
  if (!feature.optional || array == nullptr) return std::nullopt;
  if (const auto* i = std::get_if<int32_t>(&array->default_value)) return *i;
  if (const auto* f = std::get_if<float>(&array->default_value)) return *f;
  if (const auto* d = std::get_if<double>(&array->default_value)) return *d;
  return std::nullopt;
}

Result<Tensor> Filled(DType dtype, const ir::Shape& shape, double value) {
  ANEMONE_ASSIGN(Tensor tensor, Tensor::Allocate(StorageDType(dtype), shape));
  const auto count = static_cast<size_t>(tensor.count());
  switch (tensor.dtype()) {
    case DType::kFp32:
      std::fill_n(tensor.As<float>(), count, static_cast<float>(value));
      return tensor;
    case DType::kInt32:
      if (!(value >= INT32_MIN && value <= INT32_MAX) || value != std::trunc(value)) {
        return InvalidInput("the default value {} is not an int32", value);
      }
      std::fill_n(tensor.As<int32_t>(), count, static_cast<int32_t>(value));
      return tensor;
    default:
      return Unsupported("a default value of {} is not supported", DTypeName(dtype));
  }
}

}  // namespace

Result<DeclaredInputs> DeclaredInputs::Of(const ir::Model& model, const ir::Function& function) {
  DeclaredInputs declared;
  for (const auto& input : function.inputs()) {
    const ir::Feature* feature = ir::FindInputFeature(model, function, input->name);
    if (feature == nullptr || !input->type.is_tensor()) continue;
    if (!input->type.is_static()) declared.flexible_.push_back(feature);
    const auto value = DefaultOf(*feature);
    if (!value) continue;
    ANEMONE_ASSIGN(const ir::Shape shape, ir::DefaultInputShape(model, function, *input));
    ANEMONE_ASSIGN(Tensor filled, Filled(input->type.dtype(), shape, *value).At(input->name));
    declared.defaults_.emplace(input->name, std::move(filled));
  }
  return declared;
}

Status DeclaredInputs::CheckShapes(std::span<const BoundInput> inputs) const {
  for (const ir::Feature* feature : flexible_) {
    const BoundInput* input = FindInput(inputs, feature->name);
    if (input != nullptr) ANEMONE_TRY(ir::CheckFeatureShape(*feature, input->tensor.shape));
  }
  return {};
}

bool DeclaredInputs::LacksDefault(std::span<const BoundInput> inputs) const {
  return std::ranges::any_of(
      defaults_, [&](const auto& entry) { return FindInput(inputs, entry.first) == nullptr; });
}

}  // namespace anemone::exec
