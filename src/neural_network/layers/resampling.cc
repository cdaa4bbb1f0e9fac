// Padding, and the layers that give an image another size.
#include <algorithm>
#include <cmath>

#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"
#include "neural_network/windows.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;

Status EmitPadding(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 2));
  const nn::PaddingLayerParams& params = c.layer().padding();
  ANEMONE_ASSIGN(const auto pad, ReadBorder(params.paddingamounts()));
  float value = 0;
  std::string mode = "constant";
  if (params.has_reflection()) {
    mode = "reflect";
  } else if (params.has_replication()) {
    mode = "replicate";
  } else {
    value = params.constant().value();
  }
  const auto emit = [&](ir::Value* x) {
    return c.Op("pad", {{"x", x},
                        {"pad", ir::Ints(pad)},
                        {"mode", ir::Literal::String(mode)},
                        {"constant_val", ir::Literal::Fp32(value)}});
  };
  if (c.Rank(0) < 3) return c.Set(0, emit(c.Value(0)));
  return c.SetNchw(0, emit(c.Nchw(0)), 0);
}

// What is missing to the given sizes, where a size is given: [before, after] of each dimension.
ir::Value* MissingTo(LayerContext& c, ir::Value* sizes, size_t input) {
  ir::Value* shape = c.Op("shape", {{"x", c.Raw(input)}});
  const int64_t rank = c.Rank(input);
  shape = c.Op("reshape", {{"x", shape}, {"shape", ir::Ints({rank, 1})}});
  shape = c.Op("tile", {{"x", shape}, {"reps", ir::Ints({1, 2})}});
  shape = c.Op("reshape", {{"x", shape}, {"shape", ir::Ints({2 * rank})}});
  ir::Value* zero = c.Constant(ir::Literal::Int32(0), "zero");
  return c.Op("select", {{"cond", c.Binary("not_equal", sizes, zero)},
                         {"a", c.Binary("sub", sizes, shape)},
                         {"b", zero}});
}

Status EmitConstantPad(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 2));
  ANEMONE_TRY(c.CheckRank(0, 1));
  const nn::ConstantPaddingLayerParams& params = c.layer().constantpad();
  const auto emit = [&](ir::ArgInit pad) {
    return c.Set(0, c.Op("pad", {{"x", c.Value(0)},
                                 std::move(pad),
                                 {"mode", ir::Literal::String("constant")},
                                 {"constant_val", ir::Literal::Fp32(params.value())}}));
  };
  std::optional<std::vector<int64_t>> amounts;
  if (c.InputCount() == 2) {
    amounts = c.KnownInts(1);
    if (!amounts) {
      ir::Value* pad = c.Int(1);
      return emit({"pad", params.padtogivenoutputsizemode() ? MissingTo(c, pad, 0) : pad});
    }
  } else {
    ANEMONE_ASSIGN(amounts, CheckedSizes(params.padamounts(), "padAmounts", 0));
  }
  if (static_cast<int64_t>(amounts->size()) != 2 * c.Rank(0)) {
    return InvalidInput("{} amounts for rank {}", amounts->size(), c.Rank(0));
  }
  if (params.padtogivenoutputsizemode()) {
    for (size_t i = 0; i < amounts->size(); ++i) {
      if ((*amounts)[i] == 0) continue;
      const int64_t dim = c.Dims(0)[i / 2];
      if (dim == ir::kDynamic) return Unsupported("padding of an unknown size to a given one");
      if ((*amounts)[i] < dim) return InvalidInput("padding of {} to {}", dim, (*amounts)[i]);
      (*amounts)[i] -= dim;
    }
  }
  return emit({"pad", ir::Ints(*amounts)});
}

Result<std::vector<float>> Factors(const nn::UpsampleLayerParams& params) {
  std::vector<float> factors;
  if (params.fractionalscalingfactor_size() > 0) {
    factors.assign(params.fractionalscalingfactor().begin(),
                   params.fractionalscalingfactor().end());
  } else {
    ANEMONE_ASSIGN(const auto whole, CheckedSizes(params.scalingfactor(), "scalingFactor"));
    factors.assign(whole.begin(), whole.end());
  }
  if (factors.empty()) factors = {1, 1};
  if (factors.size() != 2) return InvalidInput("{} scaling factors, not 2", factors.size());
  for (const float factor : factors) {
    if (!(factor > 0 && factor <= 65536)) return InvalidInput("a scaling factor of {}", factor);
  }
  return factors;
}

Status EmitUpsample(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const nn::UpsampleLayerParams& params = c.layer().upsample();
  ANEMONE_ASSIGN(const auto factors, Factors(params));
  ir::Value* x = c.Nchw(0);
  ANEMONE_TRY(c.status());
  Args args = {{"x", x},
               {"scale_factor_height", ir::Literal::Fp32(factors[0])},
               {"scale_factor_width", ir::Literal::Fp32(factors[1])}};
  if (params.mode() == nn::UpsampleLayerParams::NN) {
    return c.SetNchw(0, c.Op("upsample_nearest_neighbor", std::move(args)), 0);
  }
  if (params.mode() != nn::UpsampleLayerParams::BILINEAR) {
    return InvalidInput("mode {} is unknown", static_cast<int>(params.mode()));
  }
  switch (params.linearupsamplemode()) {
    case nn::UpsampleLayerParams::DEFAULT: {
      // Sampled at i * old size / new size, which upsample_bilinear has from ios16 on.
      const ir::Shape& shape = x->type.shape();
      if (shape[2] == ir::kDynamic || shape[3] == ir::kDynamic) {
        return Unsupported("bilinear upsampling of mode DEFAULT of an image of any size");
      }
      const auto target = [&](size_t d) {
        return Int(static_cast<int64_t>(
            std::floor(static_cast<double>(shape[d]) * static_cast<double>(factors[d - 2]))));
      };
      return c.SetNchw(0,
                       c.Op("resize_bilinear", {{"x", x},
                                                {"target_size_height", target(2)},
                                                {"target_size_width", target(3)},
                                                {"sampling_mode", ir::Literal::String("DEFAULT")}}),
                       0);
    }
    case nn::UpsampleLayerParams::ALIGN_CORNERS_TRUE:
    case nn::UpsampleLayerParams::ALIGN_CORNERS_FALSE:
      args.push_back(
          {"align_corners", ir::Literal::Bool(params.linearupsamplemode() ==
                                              nn::UpsampleLayerParams::ALIGN_CORNERS_TRUE)});
      return c.SetNchw(0, c.Op("upsample_bilinear", std::move(args)), 0);
    default:
      return InvalidInput("linear mode {} is unknown",
                          static_cast<int>(params.linearupsamplemode()));
  }
}

Result<std::string> SamplingName(const nn::SamplingMode& mode) {
  switch (mode.samplingmethod()) {
    case nn::SamplingMode::STRICT_ALIGN_ENDPOINTS_MODE:
      return std::string("STRICT_ALIGN_CORNERS");
    case nn::SamplingMode::ALIGN_ENDPOINTS_MODE:
      return std::string("ALIGN_CORNERS");
    case nn::SamplingMode::UPSAMPLE_MODE:
      return std::string("DEFAULT");
    case nn::SamplingMode::ROI_ALIGN_MODE:
      return std::string("OFFSET_CORNERS");
    default:
      return InvalidInput("sampling method {} is unknown", static_cast<int>(mode.samplingmethod()));
  }
}

Result<std::vector<int64_t>> TargetSize(const google::protobuf::RepeatedField<uint64_t>& given) {
  if (given.empty()) return std::vector<int64_t>{1, 1};
  ANEMONE_ASSIGN(auto sizes, CheckedSizes(given, "targetSize"));
  if (sizes.size() != 2) return InvalidInput("targetSize has {} values, not 2", sizes.size());
  return sizes;
}

Status EmitResizeBilinear(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const nn::ResizeBilinearLayerParams& params = c.layer().resizebilinear();
  ANEMONE_ASSIGN(const auto sizes, TargetSize(params.targetsize()));
  ANEMONE_ASSIGN(const std::string mode, SamplingName(params.mode()));
  return c.SetNchw(0,
                   c.Op("resize_bilinear", {{"x", c.Nchw(0)},
                                            {"target_size_height", Int(sizes[0])},
                                            {"target_size_width", Int(sizes[1])},
                                            {"sampling_mode", ir::Literal::String(mode)}}),
                   0);
}

Result<std::string> BoxName(const nn::BoxCoordinatesMode& mode) {
  switch (mode.boxmode()) {
    case nn::BoxCoordinatesMode::CORNERS_HEIGHT_FIRST:
      return std::string("CORNERS_HEIGHT_FIRST");
    case nn::BoxCoordinatesMode::CORNERS_WIDTH_FIRST:
      return std::string("CORNERS_WIDTH_FIRST");
    case nn::BoxCoordinatesMode::CENTER_SIZE_HEIGHT_FIRST:
      return std::string("CENTER_SIZE_HEIGHT_FIRST");
    case nn::BoxCoordinatesMode::CENTER_SIZE_WIDTH_FIRST:
      return std::string("CENTER_SIZE_WIDTH_FIRST");
    default:
      return InvalidInput("box mode {} is unknown", static_cast<int>(mode.boxmode()));
  }
}

Status EmitCropResize(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, 2));
  ANEMONE_TRY(c.CheckRank(0, 5));
  ANEMONE_TRY(c.CheckRank(1, 5));
  const nn::CropResizeLayerParams& params = c.layer().cropresize();
  ANEMONE_ASSIGN(const auto sizes, TargetSize(params.targetsize()));
  ANEMONE_ASSIGN(const std::string mode, SamplingName(params.mode()));
  ANEMONE_ASSIGN(const std::string boxes, BoxName(params.boxindicesmode()));
  if (c.Dims(0)[0] != 1) {
    return InvalidInput("the images have the sequence length {}, not 1", c.Dims(0)[0]);
  }
  const float scale = params.spatialscale() == 0 ? 1 : params.spatialscale();
  return c.Set(0, c.Op("crop_resize", {{"x", c.Nchw(0)},
                                       {"roi", c.Value(1)},
                                       {"target_height", Int(sizes[0])},
                                       {"target_width", Int(sizes[1])},
                                       {"normalized_coordinates",
                                        ir::Literal::Bool(params.normalizedcoordinates())},
                                       {"spatial_scale", ir::Literal::Fp32(scale)},
                                       {"box_coordinate_mode", ir::Literal::String(boxes)},
                                       {"sampling_mode", ir::Literal::String(mode)}}));
}

constexpr LayerRow kResamplingRows[] = {
    {Layer::kPadding, "padding", EmitPadding, "pad"},
    {Layer::kConstantPad, "constantPad", EmitConstantPad, "pad; shape, tile, select, sub"},
    {Layer::kUpsample, "upsample", EmitUpsample,
     "upsample_nearest_neighbor, resize_bilinear, upsample_bilinear"},
    {Layer::kResizeBilinear, "resizeBilinear", EmitResizeBilinear, "resize_bilinear"},
    {Layer::kCropResize, "cropResize", EmitCropResize, "crop_resize"},
};

}  // namespace

std::span<const LayerRow> ResamplingLayers() { return kResamplingRows; }

}  // namespace anemone::neural_network
