#include "ir/feature_shapes.h"

#include <algorithm>

namespace anemone::ir {
namespace {

bool Contains(const SizeRange& range, int64_t size) {
  return size >= range.lower && (!range.upper || size <= *range.upper);
}

std::string ToText(const SizeRange& range) {
  if (!range.upper) return fmt::format("{} or more", range.lower);
  if (*range.upper == range.lower) return fmt::format("{}", range.lower);
  return fmt::format("{} to {}", range.lower, *range.upper);
}

std::string ToText(const ImageFeature::Size& size) {
  return fmt::format("{}x{}", size.width, size.height);
}

bool Allows(const ArrayFeature& array, const Shape& shape) {
  if (!array.enumerated.empty()) {
    return std::ranges::find(array.enumerated, shape) != array.enumerated.end() ||
           shape == array.shape;
  }
  if (!array.shape_range.empty()) {
    return std::ranges::equal(shape, array.shape_range, [](int64_t size, const SizeRange& range) {
      return Contains(range, size);
    });
  }
  return array.shape.empty() || shape == array.shape;
}

int64_t ChannelsOf(const ImageFeature& image) {
  const bool color = image.color_space == ImageFeature::ColorSpace::kRgb ||
                     image.color_space == ImageFeature::ColorSpace::kBgr;
  return color ? 3 : 1;
}

bool Allows(const ImageFeature& image, const Shape& shape) {
  if (shape.size() < 3 || shape[shape.size() - 3] != ChannelsOf(image)) return false;
  const ImageFeature::Size size{shape[shape.size() - 1], shape[shape.size() - 2]};
  if (!image.enumerated.empty()) {
    return std::ranges::find(image.enumerated, size) != image.enumerated.end() ||
           size == image.size;
  }
  if (image.size_range) {
    return Contains(image.size_range->width, size.width) &&
           Contains(image.size_range->height, size.height);
  }
  return size == image.size;
}

std::string Describe(const ArrayFeature& array) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (!array.enumerated.empty()) {
    for (const Shape& shape : array.enumerated) add(ShapeToString(shape));
    return "one of " + text;
  }
  if (array.shape_range.empty()) return ShapeToString(array.shape);
  for (const SizeRange& range : array.shape_range) add(ToText(range));
  return "[" + text + "]";
}

std::string Describe(const ImageFeature& image) {
  const std::string layout = fmt::format("[1, {}, height, width] of ", ChannelsOf(image));
  if (!image.enumerated.empty()) {
    std::string text;
    for (const ImageFeature::Size& size : image.enumerated) {
      text += (text.empty() ? "" : ", ") + ToText(size);
    }
    return layout + "one of width x height " + text;
  }
  if (image.size_range) {
    return layout + fmt::format("width {}, height {}", ToText(image.size_range->width),
                                ToText(image.size_range->height));
  }
  return layout + "width x height " + ToText(image.size);
}

std::string RangeText(const SizeRange& range) {
  return fmt::format("({}..{})", range.lower,
                     range.upper ? std::to_string(*range.upper) : std::string("inf"));
}

// "1 x 3 x 28 x 28".
std::string SizesText(const Shape& shape) {
  std::string text;
  for (const int64_t size : shape) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

// Which rule `shape` breaks, in Core ML's words where it has some, which scripts look for.
std::string RuleBroken(const ArrayFeature& array, const Shape& shape) {
  if (!array.enumerated.empty()) {
    return fmt::format("MultiArray Shape ({}) was not in enumerated set of allowed shapes",
                       SizesText(shape));
  }
  if (array.shape_range.size() == shape.size()) {
    for (size_t i = 0; i < shape.size(); ++i) {
      if (!Contains(array.shape_range[i], shape[i])) {
        return fmt::format("Size ({}) of dimension ({}) is not in allowed range {}", shape[i], i,
                           RangeText(array.shape_range[i]));
      }
    }
  }
  return fmt::format("it has the shape {}", ShapeToString(shape));
}

std::string RuleBroken(const ImageFeature& image, const Shape& shape) {
  if (shape.size() < 3) return fmt::format("it has the shape {}", ShapeToString(shape));
  const ImageFeature::Size size{shape[shape.size() - 1], shape[shape.size() - 2]};
  if (!image.enumerated.empty()) {
    return fmt::format("Image size {} x {} was not in enumerated set of allowed sizes", size.width,
                       size.height);
  }
  if (image.size_range && !Contains(image.size_range->width, size.width)) {
    return fmt::format("Image width ({}) is not in allowed range {}", size.width,
                       RangeText(image.size_range->width));
  }
  if (image.size_range && !Contains(image.size_range->height, size.height)) {
    return fmt::format("Image height ({}) is not in allowed range {}", size.height,
                       RangeText(image.size_range->height));
  }
  return fmt::format("it has the shape {}", ShapeToString(shape));
}

// The interface's default for an input of `type`; nullopt when it does not say.
std::optional<Shape> DeclaredDefault(const Feature& feature, const Type& type) {
  Shape shape;
  if (const ArrayFeature* array = feature.array()) {
    shape = array->shape;
    if (shape.empty() && !array->enumerated.empty()) shape = array->enumerated.front();
    if (shape.empty()) {
      for (const SizeRange& range : array->shape_range) {
        shape.push_back(std::max<int64_t>(range.lower, 1));
      }
    }
  } else if (const ImageFeature* image = feature.image()) {
    if (!type.has_rank() || type.rank() < 3) return std::nullopt;
    shape = type.shape();
    const size_t rank = shape.size();
    for (size_t i = 0; i + 3 < rank; ++i) {
      if (shape[i] == kDynamic) shape[i] = 1;
    }
    shape[rank - 3] = ChannelsOf(*image);
    shape[rank - 2] = image->size.height;
    shape[rank - 1] = image->size.width;
  }
  if (!IsCompatible(Type::Tensor(type.dtype(), shape), type)) return std::nullopt;
  return shape;
}

Status ChooseShape(const Shape& shape, const Type& type, Feature* feature) {
  ANEMONE_TRY(CheckFeatureShape(*feature, shape));
  if (!IsCompatible(Type::Tensor(type.dtype(), shape), type)) {
    return Usage("the input is {}, which {} does not fit", type.ToString(), ShapeToString(shape));
  }
  if (auto* array = std::get_if<ArrayFeature>(&feature->type)) array->shape = shape;
  if (auto* image = std::get_if<ImageFeature>(&feature->type)) {
    image->size = {shape[shape.size() - 1], shape[shape.size() - 2]};
  }
  return {};
}

}  // namespace

const Feature* FindInputFeature(const Model& model, const Function& function,
                                std::string_view input) {
  const FunctionDescription* description = model.FindFunction(function.name);
  return description == nullptr ? nullptr : description->FindInput(input);
}

Status CheckFeatureShape(const Feature& feature, const Shape& shape) {
  const ArrayFeature* array = feature.array();
  const ImageFeature* image = feature.image();
  const bool allowed = array != nullptr   ? Allows(*array, shape)
                       : image != nullptr ? Allows(*image, shape)
                                          : true;
  if (allowed) return {};
  return Usage("{}; the model takes {}",
               array != nullptr ? RuleBroken(*array, shape) : RuleBroken(*image, shape),
               DescribeFeatureShapes(feature))
      .At("input '" + feature.name + "'");
}

std::string DescribeFeatureShapes(const Feature& feature) {
  if (const ArrayFeature* array = feature.array()) return Describe(*array);
  if (const ImageFeature* image = feature.image()) return Describe(*image);
  return "no tensor";
}

Result<Shape> DefaultInputShape(const Model& model, const Function& function, const Value& input) {
  if (input.type.is_static()) return input.type.shape();
  const Feature* feature = FindInputFeature(model, function, input.name);
  if (feature != nullptr) {
    if (auto shape = DeclaredDefault(*feature, input.type)) return std::move(*shape);
  }
  return Usage("input '{}' has the dynamic type {}, and the model declares no default shape",
               input.name, input.type.ToString())
      .Advise("give the input's values, or its shape as NAME:SHAPE");
}

Status ChooseInputShapes(const std::map<std::string, Shape>& shapes, Model* model) {
  for (const auto& [name, shape] : shapes) {
    bool found = false;
    std::string names;
    for (FunctionDescription& description : model->functions) {
      const Function* function = model->program.Find(description.name);
      if (function == nullptr) continue;
      for (const auto& input : function->inputs()) {
        if (input->type.is_state()) continue;
        names += (names.empty() ? "" : ", ") + input->name;
        if (input->name != name) continue;
        const auto feature = std::ranges::find(description.inputs, name, &Feature::name);
        if (feature == description.inputs.end()) continue;
        found = true;
        ANEMONE_TRY(ChooseShape(shape, input->type, &*feature));
      }
    }
    if (!found) return Usage("the model has no input '{}'", name).Advise("it has " + names);
  }
  return {};
}

}  // namespace anemone::ir
