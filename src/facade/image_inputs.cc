#include "facade/image_inputs.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/nearest_names.h"
#include "ir/builder.h"

namespace anemone::facade {
namespace {

using ColorSpace = ir::ImageFeature::ColorSpace;

ColorSpace ColorSpaceOf(const std::string& color) {
  if (color == "GRAY") return ColorSpace::kGrayscale;
  return color == "BGR" ? ColorSpace::kBgr : ColorSpace::kRgb;
}

// Where height, width and channels are in [1, channels, height, width] or [1, height, width,
// channels].
struct ImageLayout {
  size_t channels = 1;
  size_t height = 2;
  size_t width = 3;
  bool channels_last() const { return channels == 3; }
};

Result<ImageLayout> LayoutOf(const ir::Value& input, int64_t channels, const std::string& color) {
  const ir::Type& type = input.type;
  const bool may_be = type.is_tensor() && type.has_rank() && type.rank() == 4 &&
                      (type.shape()[0] == 1 || type.shape()[0] == ir::kDynamic);
  if (may_be && type.shape()[1] == channels) return ImageLayout{};
  if (may_be && type.shape()[3] == channels) return ImageLayout{3, 1, 2};
  return Usage(
             "an image of {} is [1, {}, height, width] or [1, height, width, {}], but the input "
             "is {}",
             color, channels, channels, type.ToString())
      .At("input " + input.name)
      .Advise("choose another --color, or fix the shape with --input " + input.name + ":1x" +
              std::to_string(channels) + "x224x224");
}

ir::SizeRange RangeOf(const ir::ArrayFeature& array, size_t dimension) {
  return array.shape_range[dimension];
}

// The interface of the image, from that of the array.
Result<ir::ImageFeature> ImageFeatureOf(const ir::Value& input, const ir::ArrayFeature& array,
                                        const ImageLayout& layout, ColorSpace color) {
  ir::ImageFeature image;
  image.color_space = color;
  const ir::Shape& shape = array.shape.size() == 4 ? array.shape : input.type.shape();
  image.size = {shape[layout.width], shape[layout.height]};
  if (image.size.width < 1 || image.size.height < 1) {
    return Usage("its size is open, and nothing says a default one")
        .At("input " + input.name)
        .Advise("fix it with --input");
  }
  for (const ir::Shape& each : array.enumerated)
    image.enumerated.push_back({each[layout.width], each[layout.height]});
  if (array.shape_range.size() == 4) {
    image.size_range =
        ir::ImageFeature::Range{RangeOf(array, layout.width), RangeOf(array, layout.height)};
  }
  return image;
}

// One number for each channel.
Result<std::vector<double>> Channels(const std::vector<double>& given, int64_t channels,
                                     double absent, std::string_view option) {
  const auto count = static_cast<size_t>(channels);
  if (given.empty()) return std::vector<double>(count, absent);
  if (given.size() == 1) return std::vector<double>(count, given[0]);
  if (given.size() == count) return given;
  return Usage("{} numbers for {} channel{}", given.size(), channels, channels == 1 ? "" : "s")
      .At(std::string(option));
}

// (pixel - shift) * factor for each channel, which is (pixel * scale - mean) / std: the addition
// first, because the factor then folds into a convolution whatever its padding is.
struct PixelArithmetic {
  std::vector<double> shift;
  std::vector<double> factor;
};

Result<PixelArithmetic> ArithmeticOf(const ConvertOptions& options, int64_t channels) {
  ANEMONE_ASSIGN(const auto mean, Channels(options.mean, channels, 0, "mean"));
  ANEMONE_ASSIGN(const auto deviation, Channels(options.deviation, channels, 1, "std"));
  if (!options.scale && !(options.mean.empty() && options.deviation.empty())) {
    return Usage("a mean or deviation says nothing without the scale of the numbers it is of")
        .At("scale")
        .Advise(
            "--scale 1 when they are of pixels from 0 to 255 (as 123.7), --scale 0.003921568627451 "
            "when they are of numbers from 0 to 1 (as 0.485)");
  }
  const double scale = options.scale.value_or(1);
  PixelArithmetic arithmetic;
  for (size_t c = 0; c < mean.size(); ++c) {
    arithmetic.shift.push_back(mean[c] / scale);
    arithmetic.factor.push_back(scale / deviation[c]);
  }
  return arithmetic;
}

ir::Literal PerChannelLiteral(const std::vector<double>& values) {
  return ir::Literal::Fp32s(std::vector<float>(values.begin(), values.end()),
                            {1, static_cast<int64_t>(values.size()), 1, 1});
}

bool AnyOtherThan(const std::vector<double>& values, double neutral) {
  return std::ranges::any_of(values, [&](double value) { return value != neutral; });
}

// Rewrites the uses of the input; its type becomes float32, channels first.
Status PutInFront(ir::Function& function, ir::Value& input, const ImageLayout& layout,
                  const PixelArithmetic& arithmetic) {
  const ir::UseMap uses = ir::FindUses(function);
  const DType dtype = input.type.dtype();
  const ir::Shape shape = input.type.shape();
  const ir::Shape first = {shape[0], shape[layout.channels], shape[layout.height],
                           shape[layout.width]};
  input.type = ir::Type::Tensor(DType::kFp32, first);
  ir::Builder builder(function, nullptr, 0);
  ir::Value* value = &input;
  if (AnyOtherThan(arithmetic.shift, 0)) {
    value = builder.Op("sub", {{"x", value}, {"y", PerChannelLiteral(arithmetic.shift)}},
                       input.name + "_less_mean");
  }
  if (AnyOtherThan(arithmetic.factor, 1)) {
    value = builder.Op("mul", {{"x", value}, {"y", PerChannelLiteral(arithmetic.factor)}},
                       input.name + "_scaled");
  }
  if (layout.channels_last()) {
    value = builder.Op("transpose", {{"x", value}, {"perm", ir::Ints({0, 2, 3, 1})}},
                       input.name + "_channels_last");
  }
  if (dtype != DType::kFp32) {
    value = builder.Op(
        "cast", {{"x", value}, {"dtype", ir::Literal::String(std::string(DTypeName(dtype)))}},
        input.name + "_" + std::string(DTypeName(dtype)));
  }
  ANEMONE_TRY(builder.status());
  if (value == &input) return {};
  const auto found = uses.find(&input);
  if (found == uses.end()) return {};
  for (const ir::Use& use : found->second) {
    if (use.operation != nullptr) {
      use.operation->arguments()[use.argument].values[use.index] = value;
    } else {
      use.block->outputs()[use.index] = value;
    }
  }
  return {};
}

Status DeclareImageInput(ir::Function& function, ir::FunctionDescription& description,
                         const std::string& name, const ConvertOptions& options) {
  std::vector<std::string_view> known;
  for (const ir::Feature& feature : description.inputs) known.push_back(feature.name);
  const auto feature = std::ranges::find(description.inputs, name, &ir::Feature::name);
  const auto input =
      std::ranges::find_if(function.inputs(), [&](const auto& each) { return each->name == name; });
  if (feature == description.inputs.end() || input == function.inputs().end()) {
    return Usage("there is no input '{}'", name)
        .At("image_input")
        .Advise(SuggestNames(name, known, "inputs"));
  }
  if (feature->image() != nullptr) return Usage("it is an image already").At("input " + name);
  const ir::ArrayFeature* array = feature->array();
  const ColorSpace color = ColorSpaceOf(options.color);
  const int64_t channels = color == ColorSpace::kGrayscale ? 1 : 3;
  ANEMONE_ASSIGN(const ImageLayout layout, LayoutOf(**input, channels, options.color));
  if (array == nullptr) return Usage("it is not an array").At("input " + name);
  ANEMONE_ASSIGN(const PixelArithmetic arithmetic, ArithmeticOf(options, channels));
  ANEMONE_ASSIGN(ir::ImageFeature image, ImageFeatureOf(**input, *array, layout, color));
  ANEMONE_TRY(PutInFront(function, **input, layout, arithmetic).At("input " + name));
  feature->type = std::move(image);
  return {};
}

}  // namespace

Status DeclareImageInputs(ir::Model& model, const ConvertOptions& options) {
  if (options.image_input.empty()) {
    if (!options.scale && options.mean.empty() && options.deviation.empty()) return {};
    return Usage("scale, mean and std are of an image input, and none is named")
        .At("image_input")
        .Advise("name it with --image-input");
  }
  for (const std::string& name : options.image_input) {
    for (const auto& function : model.program.functions) {
      const auto description =
          std::ranges::find(model.functions, function->name, &ir::FunctionDescription::name);
      if (description == model.functions.end())
        return Usage("the model does not describe its inputs").At("image_input");
      ANEMONE_TRY(DeclareImageInput(*function, *description, name, options));
    }
  }
  return {};
}

}  // namespace anemone::facade
