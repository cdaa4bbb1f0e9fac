#include "exec/declared_inputs.h"

#include <algorithm>

#include "exec/session_inputs.h"

namespace anemone::exec {
namespace {

bool Contains(const ir::SizeRange& range, int64_t size) {
  return size >= range.lower && (!range.upper || size <= *range.upper);
}

std::string RangeText(const ir::SizeRange& range) {
  return fmt::format("({}..{})", range.lower,
                     range.upper ? std::to_string(*range.upper) : std::string("inf"));
}

// "1 x 3 x 28 x 28".
std::string SizesText(const ir::Shape& shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

Status CheckArray(const ir::ArrayFeature& array, const ir::Shape& given) {
  if (!array.enumerated.empty()) {
    if (given == array.shape ||
        std::ranges::find(array.enumerated, given) != array.enumerated.end())
      return {};
    std::string allowed;
    for (const ir::Shape& shape : array.enumerated)
      allowed += (allowed.empty() ? "" : ", ") + SizesText(shape);
    return Usage("MultiArray Shape ({}) was not in enumerated set of allowed shapes",
                 SizesText(given))
        .Advise("the allowed ones are " + allowed);
  }
  if (array.shape_range.empty() || array.shape_range.size() != given.size()) return {};
  for (size_t i = 0; i < given.size(); ++i) {
    if (!Contains(array.shape_range[i], given[i])) {
      return Usage("Size ({}) of dimension ({}) is not in allowed range {}", given[i], i,
                   RangeText(array.shape_range[i]));
    }
  }
  return {};
}

Status CheckImage(const ir::ImageFeature& image, const ir::Shape& given) {
  if (given.size() != 4) return {};
  const ir::ImageFeature::Size size{.width = given[3], .height = given[2]};
  if (!image.enumerated.empty()) {
    if (size == image.size || std::ranges::find(image.enumerated, size) != image.enumerated.end())
      return {};
    std::string allowed;
    for (const auto& each : image.enumerated) {
      allowed += fmt::format("{}{} x {}", allowed.empty() ? "" : ", ", each.width, each.height);
    }
    return Usage("Image size {} x {} was not in enumerated set of allowed sizes", size.width,
                 size.height)
        .Advise("the allowed ones (width x height) are " + allowed);
  }
  if (image.size_range) {
    if (!Contains(image.size_range->width, size.width)) {
      return Usage("Image width ({}) is not in allowed range {}", size.width,
                   RangeText(image.size_range->width));
    }
    if (!Contains(image.size_range->height, size.height)) {
      return Usage("Image height ({}) is not in allowed range {}", size.height,
                   RangeText(image.size_range->height));
    }
  }
  return {};
}

bool IsFlexible(const ir::Feature& feature) {
  if (const auto* array = feature.array())
    return !array->enumerated.empty() || !array->shape_range.empty();
  const auto* image = feature.image();
  return image != nullptr && (!image->enumerated.empty() || image->size_range.has_value());
}

std::optional<double> DefaultOf(const ir::ArrayFeature& array) {
  if (const auto* value = std::get_if<int32_t>(&array.default_value)) return *value;
  if (const auto* value = std::get_if<float>(&array.default_value)) return *value;
  if (const auto* value = std::get_if<double>(&array.default_value)) return *value;
  return std::nullopt;
}

Result<Tensor> Filled(DType dtype, const ir::Shape& shape, double value) {
  ANEMONE_ASSIGN(Tensor tensor, Tensor::Allocate(dtype, shape));
  const auto count = static_cast<size_t>(tensor.count());
  if (dtype == DType::kFp32) {
    std::fill_n(tensor.As<float>(), count, static_cast<float>(value));
    return tensor;
  }
  const Bytes packed =
      ir::PackInts(std::vector<int64_t>(count, static_cast<int64_t>(value)), dtype);
  std::copy_n(packed.data(), packed.size(), tensor.As<std::byte>());
  return tensor;
}

}  // namespace

DeclaredInputs DeclaredInputs::Of(const ir::Model& model, const ir::Function& function) {
  DeclaredInputs declared;
  const ir::FunctionDescription* description = model.FindFunction(function.name);
  if (description == nullptr) return declared;
  for (const ir::Feature& feature : description->inputs) {
    if (IsFlexible(feature)) declared.flexible_.push_back(feature);
    const auto* array = feature.array();
    if (!feature.optional || array == nullptr) continue;
    const std::optional<double> value = DefaultOf(*array);
    if (!value) continue;
    for (const auto& input : function.inputs()) {
      if (input->name != feature.name || !input->type.is_tensor()) continue;
      declared.optional_.push_back(
          {feature.name, StorageDType(input->type.dtype()), array->shape, *value});
    }
  }
  return declared;
}

Status DeclaredInputs::Check(std::span<const BoundInput> inputs) const {
  for (const ir::Feature& feature : flexible_) {
    const BoundInput* given = FindInput(inputs, feature.name);
    if (given == nullptr) continue;
    const ir::Shape& shape = given->tensor.shape;
    Status status = feature.array() != nullptr ? CheckArray(*feature.array(), shape)
                                               : CheckImage(*feature.image(), shape);
    if (!status.ok()) return std::move(status).At("input '" + feature.name + "'");
  }
  return {};
}

bool DeclaredInputs::Lacks(std::span<const BoundInput> inputs) const {
  return std::any_of(optional_.begin(), optional_.end(), [&](const Optional& optional) {
    return FindInput(inputs, optional.name) == nullptr;
  });
}

Result<std::map<std::string, Tensor>> DeclaredInputs::Defaults(
    std::span<const BoundInput> inputs) const {
  std::map<std::string, Tensor> defaults;
  for (const Optional& optional : optional_) {
    if (FindInput(inputs, optional.name) != nullptr) continue;
    ANEMONE_ASSIGN(defaults[optional.name], Filled(optional.dtype, optional.shape, optional.value));
  }
  return defaults;
}

}  // namespace anemone::exec
