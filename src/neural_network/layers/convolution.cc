// convolution and convolution3d, both directions.
#include <algorithm>

#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"
#include "neural_network/windows.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;

// What both layers state, with one entry for each spatial dimension.
struct Convolution {
  std::vector<int64_t> kernel, strides, dilations;
  int64_t groups = 1, kernel_channels = 0, output_channels = 0;
  bool transposed = false;
  const nn::WeightParams* weights = nullptr;
  const nn::WeightParams* bias = nullptr;
  WindowPadding padding;
  std::vector<int64_t> output_shape;
};

std::vector<int64_t> Extents(const Convolution& conv) {
  std::vector<int64_t> extents;
  for (size_t d = 0; d < conv.kernel.size(); ++d) {
    extents.push_back((conv.kernel[d] - 1) * conv.dilations[d] + 1);
  }
  return extents;
}

// `same` of a transposed convolution gives size * stride elements: the border that is cut off a
// full one is split like the padding of the convolution that it undoes.
Result<WindowPadding> TransposedSame(const nn::SamePadding& same, const Convolution& conv) {
  if (same.asymmetrymode() == nn::SamePadding::BOTTOM_RIGHT_HEAVY) {
    return WindowPadding::Same(conv.kernel.size());
  }
  const std::vector<int64_t> extents = Extents(conv);
  WindowPadding padding;
  for (size_t d = 0; d < extents.size(); ++d) {
    const int64_t total = extents[d] - conv.strides[d];
    if (total < 0) {
      return Unsupported(
          "padding 'same', heavier at the top left, of a transposed convolution "
          "whose stride {} exceeds its kernel {}",
          conv.strides[d], extents[d]);
    }
    padding.pad.push_back(total - total / 2);
    padding.pad.push_back(total / 2);
  }
  return padding;
}

ir::Shape WeightShape(const Convolution& conv) {
  ir::Shape shape = conv.transposed
                        ? ir::Shape{conv.kernel_channels, conv.output_channels / conv.groups}
                        : ir::Shape{conv.output_channels, conv.kernel_channels};
  shape.insert(shape.end(), conv.kernel.begin(), conv.kernel.end());
  return shape;
}

// `x` is [N, C, spatial dimensions], `dynamic_weight` null for weights of the file.
ir::Value* EmitConv(LayerContext& c, const Convolution& conv, ir::Value* x,
                    ir::Value* dynamic_weight) {
  ir::Value* weight = dynamic_weight;
  if (weight == nullptr) {
    weight = c.Weights(*conv.weights, WeightShape(conv), "weight", conv.transposed ? 1 : 0);
  }
  Args args = {{"x", x},
               {"weight", weight},
               {"strides", ir::Ints(conv.strides)},
               {"dilations", ir::Ints(conv.dilations)},
               {"groups", ir::Literal::Int32(static_cast<int32_t>(conv.groups))},
               {"pad_type", ir::Literal::String(conv.padding.type)},
               {"pad", ir::Ints(conv.padding.pad)}};
  if (conv.bias != nullptr) {
    args.push_back({"bias", c.Weights(*conv.bias, {conv.output_channels}, "bias")});
  }
  if (!conv.output_shape.empty()) args.push_back({"output_shape", ir::Ints(conv.output_shape)});
  return c.Op(conv.transposed ? "conv_transpose" : "conv", std::move(args));
}

Status CheckGroups(const Convolution& conv) {
  if (conv.output_channels % conv.groups != 0) {
    return InvalidInput("{} groups do not divide {} output channels", conv.groups,
                        conv.output_channels);
  }
  return {};
}

Status EmitConvolution(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 2));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const nn::ConvolutionLayerParams& params = c.layer().convolution();
  Convolution conv;
  ANEMONE_ASSIGN(conv.kernel, TwoSizesOr(params.kernelsize(), "kernelSize", 3));
  ANEMONE_ASSIGN(conv.strides, TwoSizesOr(params.stride(), "stride", 1));
  ANEMONE_ASSIGN(conv.dilations, TwoSizesOr(params.dilationfactor(), "dilationFactor", 1));
  ANEMONE_ASSIGN(conv.groups, CheckedSize(std::max<uint64_t>(params.ngroups(), 1), "nGroups"));
  ANEMONE_ASSIGN(conv.kernel_channels, CheckedSize(params.kernelchannels(), "kernelChannels"));
  ANEMONE_ASSIGN(conv.output_channels, CheckedSize(params.outputchannels(), "outputChannels"));
  ANEMONE_TRY(CheckGroups(conv));
  conv.transposed = params.isdeconvolution();
  conv.weights = &params.weights();
  ir::Value* x = c.Nchw(0);
  ANEMONE_TRY(c.status());
  const ir::Shape dims = x->type.shape();
  if (params.has_same() && conv.transposed) {
    ANEMONE_ASSIGN(conv.padding, TransposedSame(params.same(), conv));
  } else if (params.has_same()) {
    ANEMONE_ASSIGN(conv.padding,
                   SamePaddingOf(params.same(), {dims[2], dims[3]}, Extents(conv), conv.strides));
  } else {
    ANEMONE_ASSIGN(conv.padding, ValidPaddingOf(params.valid()));
  }
  if (conv.transposed && params.outputshape_size() > 0) {
    ANEMONE_ASSIGN(const auto sizes, TwoSizesOr(params.outputshape(), "outputShape", 1));
    if (dims[0] == ir::kDynamic) return Unsupported("a given output shape with any batch size");
    conv.output_shape = {dims[0], conv.output_channels, sizes[0], sizes[1]};
  }
  // Weights that are an input come without a bias of the file.
  ir::Value* weight = nullptr;
  if (c.InputCount() == 2) {
    ANEMONE_TRY(c.CheckRank(1, 4));
    const ir::Shape wanted = WeightShape(conv);
    weight = c.Nchw(1);
    ANEMONE_TRY(c.status());
    if (!IsStatic(weight->type.shape())) weight = c.View(weight, wanted);
  }
  if (params.hasbias()) conv.bias = &params.bias();
  if (weight == nullptr || conv.bias == nullptr) {
    return c.SetNchw(0, EmitConv(c, conv, x, weight), 0);
  }
  ir::Value* bias = c.Weights(*conv.bias, {1, conv.output_channels, 1, 1}, "bias");
  conv.bias = nullptr;
  return c.SetNchw(0, c.Binary("add", EmitConv(c, conv, x, weight), bias), 0);
}

// A size of convolution3d, which stores them as int32.
Result<int64_t> Size3d(int32_t size, std::string_view what, int64_t least = 1) {
  if (size < least) return InvalidInput("{} is {}", what, size);
  return int64_t{size};
}

Status EmitConvolution3d(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 5));
  const nn::Convolution3DLayerParams& params = c.layer().convolution3d();
  Convolution conv;
  for (const int32_t size : {params.kerneldepth(), params.kernelheight(), params.kernelwidth()}) {
    ANEMONE_ASSIGN(const int64_t checked, Size3d(size, "a kernel size"));
    conv.kernel.push_back(checked);
  }
  for (const int32_t size : {params.stridedepth(), params.strideheight(), params.stridewidth()}) {
    ANEMONE_ASSIGN(const int64_t checked, Size3d(size, "a stride"));
    conv.strides.push_back(checked);
  }
  for (const int32_t size :
       {params.dilationdepth(), params.dilationheight(), params.dilationwidth()}) {
    ANEMONE_ASSIGN(const int64_t checked, Size3d(size, "a dilation"));
    conv.dilations.push_back(checked);
  }
  ANEMONE_ASSIGN(conv.groups, Size3d(std::max(params.ngroups(), 1), "nGroups"));
  ANEMONE_ASSIGN(const int64_t input_channels, Size3d(params.inputchannels(), "inputChannels"));
  ANEMONE_ASSIGN(conv.output_channels, Size3d(params.outputchannels(), "outputChannels"));
  ANEMONE_TRY(CheckGroups(conv));
  conv.transposed = params.isdeconvolution();
  if (input_channels % conv.groups != 0) {
    return InvalidInput("{} groups do not divide {} input channels", conv.groups, input_channels);
  }
  conv.kernel_channels = conv.transposed ? input_channels : input_channels / conv.groups;
  conv.weights = &params.weights();
  if (params.hasbias()) conv.bias = &params.bias();
  switch (params.paddingtype()) {
    case nn::Convolution3DLayerParams::CUSTOM:
      for (const int32_t size : {params.custompaddingfront(), params.custompaddingback(),
                                 params.custompaddingtop(), params.custompaddingbottom(),
                                 params.custompaddingleft(), params.custompaddingright()}) {
        ANEMONE_ASSIGN(const int64_t checked, Size3d(size, "a padding", 0));
        conv.padding.pad.push_back(checked);
      }
      break;
    case nn::Convolution3DLayerParams::VALID:
      conv.padding = WindowPadding::Valid(3);
      break;
    case nn::Convolution3DLayerParams::SAME:
      conv.padding = WindowPadding::Same(3);
      break;
    default:
      return InvalidInput("padding type {} is unknown", static_cast<int>(params.paddingtype()));
  }
  ir::Value* x = c.Value(0);
  ANEMONE_TRY(c.status());
  if (conv.transposed && params.outputshape_size() > 0) {
    ANEMONE_ASSIGN(const auto sizes, CheckedSizes(params.outputshape(), "outputShape"));
    if (sizes.size() != 3) return InvalidInput("outputShape has {} values, not 3", sizes.size());
    if (c.Dims(0)[0] == ir::kDynamic) {
      return Unsupported("a given output shape with any batch size");
    }
    conv.output_shape = {c.Dims(0)[0], conv.output_channels, sizes[0], sizes[1], sizes[2]};
  }
  return c.Set(0, EmitConv(c, conv, x, nullptr));
}

constexpr LayerRow kConvolutionRows[] = {
    {Layer::kConvolution, "convolution", EmitConvolution, "conv, conv_transpose",
     "a transposed one with padding SAME, TOP_LEFT_HEAVY and a stride beyond its kernel"},
    {Layer::kConvolution3D, "convolution3d", EmitConvolution3d, "conv, conv_transpose"},
};

}  // namespace

std::span<const LayerRow> ConvolutionLayers() { return kConvolutionRows; }

}  // namespace anemone::neural_network
