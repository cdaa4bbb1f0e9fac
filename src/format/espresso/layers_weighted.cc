// convolution, deconvolution, inner_product, batchnorm, pool and load_constant.
#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "format/espresso/layers.h"

namespace anemone::format::espresso {
namespace {

constexpr int64_t kMaxSize = int64_t{1} << 24;      // of channels and kernels
constexpr int64_t kMaxElements = int64_t{1} << 35;  // of weights

// [top, bottom, left, right]
Result<std::vector<int64_t>> Pads(LayerReader& layer) {
  std::vector<int64_t> pads;
  for (const char* key : {"pad_t", "pad_b", "pad_l", "pad_r"}) {
    ANEMONE_ASSIGN(const int64_t pad, layer.Int(key, 0, 0));
    pads.push_back(pad);
  }
  return pads;
}

void SetBorder(const std::vector<int64_t>& pads, nn::BorderAmounts* border) {
  for (size_t d = 0; d < 2; ++d) {
    auto* edge = border->add_borderamounts();
    edge->set_startedgesize(static_cast<uint64_t>(pads[2 * d]));
    edge->set_endedgesize(static_cast<uint64_t>(pads[2 * d + 1]));
  }
}

enum class PadMode : uint8_t { kGiven, kSame, kValid };

// How windows meet the border. Padding has a size of its own in one mode only.
Result<PadMode> PadModeOf(LayerReader& layer, const std::vector<int64_t>& pads) {
  ANEMONE_TRY(layer.Only({"pad_fill_mode", "pad_value"}, {0}));
  ANEMONE_TRY(layer.Only({"pad_mode"}, {0, 1, 2}));
  ANEMONE_ASSIGN(const int64_t mode, layer.Int("pad_mode", 0, 0));
  const bool padded = std::ranges::any_of(pads, [](int64_t pad) { return pad != 0; });
  if (mode != 0 && padded) return NotKnown("sizes of padding besides its 'pad_mode' {}", mode);
  return mode == 1 ? PadMode::kSame : mode == 2 ? PadMode::kValid : PadMode::kGiven;
}

template <typename Params>
Status SetPadding(LayerReader& layer, Params* params) {
  ANEMONE_ASSIGN(const auto pads, Pads(layer));
  ANEMONE_ASSIGN(const PadMode mode, PadModeOf(layer, pads));
  if (mode == PadMode::kSame) {
    params->mutable_same();
  } else {
    SetBorder(pads, params->mutable_valid()->mutable_paddingamounts());
  }
  return {};
}

// `y` and `x` of a parameter, in that order.
Status AddPair(LayerReader& layer, std::string_view y, std::string_view x,
               std::optional<int64_t> fallback, google::protobuf::RepeatedField<uint64_t>* sizes) {
  for (const std::string_view key : {y, x}) {
    ANEMONE_ASSIGN(const int64_t size, layer.Int(key, 1, fallback));
    sizes->Add(static_cast<uint64_t>(size));
  }
  return {};
}

Result<int64_t> Channels(LayerReader& layer, std::string_view key) {
  ANEMONE_ASSIGN(const int64_t channels, layer.Int(key, 1));
  if (channels > kMaxSize) return InvalidInput("its '{}' is {}", key, channels);
  return channels;
}

Status FillConvolution(LayerReader& layer, nn::ConvolutionLayerParams* params) {
  ANEMONE_TRY(layer.CheckCounts(1));
  ANEMONE_TRY(layer.Only({"n_parallel"}, {1}));
  ANEMONE_TRY(layer.Only({"has_batch_norm"}, {0}));
  ANEMONE_ASSIGN(const int64_t outputs, Channels(layer, "C"));
  ANEMONE_ASSIGN(const int64_t inputs, Channels(layer, "K"));
  ANEMONE_ASSIGN(const int64_t groups, layer.Int("n_groups", 1, 1));
  if (inputs % groups != 0 || outputs % groups != 0) {
    return InvalidInput("{} groups do not divide {} and {} channels", groups, inputs, outputs);
  }
  ANEMONE_TRY(AddPair(layer, "Ny", "Nx", {}, params->mutable_kernelsize()));
  ANEMONE_TRY(AddPair(layer, "stride_y", "stride_x", 1, params->mutable_stride()));
  ANEMONE_TRY(AddPair(layer, "dilation_y", "dilation_x", 1, params->mutable_dilationfactor()));
  params->set_outputchannels(static_cast<uint64_t>(outputs));
  params->set_kernelchannels(static_cast<uint64_t>(inputs / groups));
  params->set_ngroups(static_cast<uint64_t>(groups));
  const auto height = static_cast<int64_t>(params->kernelsize(0));
  const auto width = static_cast<int64_t>(params->kernelsize(1));
  const auto elements = ir::ElementCount({outputs, inputs / groups, height, width});
  if (!elements || *elements > kMaxElements) return InvalidInput("its weights are too many");
  ANEMONE_TRY(layer.TakeWeights(*elements, outputs, params->mutable_weights()));
  ANEMONE_ASSIGN(const bool biased, layer.TakeBiases(outputs, false, params->mutable_bias()));
  params->set_hasbias(biased);
  return {};
}

Status ConvertConvolution(LayerReader& layer) {
  nn::ConvolutionLayerParams params;
  ANEMONE_TRY(FillConvolution(layer, &params));
  ANEMONE_TRY(SetPadding(layer, &params));
  ANEMONE_ASSIGN(auto* made, layer.AddFused("fused_relu", "fused_tanh"));
  *made->mutable_convolution() = std::move(params);
  return {};
}

Status ConvertDeconvolution(LayerReader& layer) {
  nn::ConvolutionLayerParams params;
  ANEMONE_TRY(FillConvolution(layer, &params));
  if (params.kernelchannels() != 1 || params.ngroups() != params.outputchannels()) {
    return NotKnown("the order of the weights of a transposed convolution that mixes channels");
  }
  ANEMONE_ASSIGN(const auto pads, Pads(layer));
  ANEMONE_ASSIGN(const PadMode mode, PadModeOf(layer, pads));
  if (mode == PadMode::kSame)
    return NotKnown("how a transposed convolution crops its 'pad_mode' 1");
  SetBorder(pads, params.mutable_valid()->mutable_paddingamounts());
  // The shape of the output is checked in any case.
  layer.Ignore({"deconv_out_height", "deconv_out_width", "hint_fallback_from_metal"});
  if (params.weights().has_quantization()) {
    return NotKnown("the 8-bit weights of a transposed convolution");
  }
  // The specification counts the channels of a transposed kernel over all groups.
  params.set_kernelchannels(params.ngroups());
  params.set_isdeconvolution(true);
  ANEMONE_ASSIGN(auto* made, layer.AddFused("fused_relu", "fused_tanh"));
  *made->mutable_convolution() = std::move(params);
  return {};
}

Status ConvertInnerProduct(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(1));
  nn::InnerProductLayerParams params;
  ANEMONE_ASSIGN(const int64_t inputs, Channels(layer, "nB"));
  ANEMONE_ASSIGN(const int64_t outputs, Channels(layer, "nC"));
  if (inputs > kMaxElements / outputs) return InvalidInput("its weights are too many");
  params.set_inputchannels(static_cast<uint64_t>(inputs));
  params.set_outputchannels(static_cast<uint64_t>(outputs));
  ANEMONE_TRY(layer.Only({"has_prelu"}, {0}));
  ANEMONE_TRY(layer.TakeWeights(inputs * outputs, outputs, params.mutable_weights()));
  ANEMONE_ASSIGN(const bool biased, layer.TakeBiases(outputs, true, params.mutable_bias()));
  params.set_hasbias(biased);
  ANEMONE_ASSIGN(auto* made, layer.AddFused("has_relu", "has_tanh"));
  *made->mutable_innerproduct() = std::move(params);
  return {};
}

// One column of the table of [scale, shift, mean, variance] for each channel.
std::vector<float> Column(const std::vector<float>& table, size_t column) {
  std::vector<float> values;
  for (size_t i = column; i < table.size(); i += 4) values.push_back(table[i]);
  return values;
}

void SetFloats(const std::vector<float>& values, nn::WeightParams* weights) {
  weights->mutable_floatvalue()->Add(values.begin(), values.end());
}

Status ConvertBatchnorm(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(1));
  ANEMONE_ASSIGN(const int64_t channels, Channels(layer, "C"));
  ANEMONE_ASSIGN(const auto table, layer.Floats("blob_batchnorm_params", 4 * channels));
  ANEMONE_ASSIGN(const bool training, layer.Flag("training"));
  ANEMONE_ASSIGN(const bool of_instance, layer.Flag("training_instancenorm"));
  ANEMONE_ASSIGN(const float epsilon, layer.Number("training_eps", 0));
  layer.Ignore({"training_momentum"});
  const auto scale = Column(table, 0), shift = Column(table, 1);
  if (training != of_instance) {
    return NotKnown("which statistics it takes: 'training' is {}, 'training_instancenorm' {}",
                    training, of_instance);
  }
  if (of_instance) {
    if (epsilon <= 0) return NotKnown("its 'training_eps' is {}", epsilon);
    auto* params = layer.Add()->mutable_batchnorm();
    params->set_channels(static_cast<uint64_t>(channels));
    params->set_computemeanvar(true);
    params->set_instancenormalization(true);
    params->set_epsilon(epsilon);
    SetFloats(scale, params->mutable_gamma());
    SetFloats(shift, params->mutable_beta());
    return {};
  }
  const bool plain = std::ranges::all_of(Column(table, 2), [](float v) { return v == 0; }) &&
                     std::ranges::all_of(Column(table, 3), [](float v) { return v == 1; });
  if (!plain) return NotKnown("the epsilon with which it takes its stored mean and variance");
  auto* params = layer.Add()->mutable_scale();
  for (const uint64_t size : {static_cast<uint64_t>(channels), uint64_t{1}, uint64_t{1}}) {
    params->add_shapescale(size);
    params->add_shapebias(size);
  }
  params->set_hasbias(true);
  SetFloats(scale, params->mutable_scale());
  SetFloats(shift, params->mutable_bias());
  return {};
}

Status FillWindows(LayerReader& layer, nn::PoolingLayerParams* params) {
  ANEMONE_TRY(AddPair(layer, "size_y", "size_x", {}, params->mutable_kernelsize()));
  ANEMONE_TRY(AddPair(layer, "stride_y", "stride_x", 1, params->mutable_stride()));
  // 2: a last window that lies partly beyond the border counts.
  ANEMONE_TRY(layer.Only({"top_shape_style"}, {0, 2}));
  ANEMONE_ASSIGN(const int64_t style, layer.Int("top_shape_style", 0, 0));
  if (style == 0) return SetPadding(layer, params);
  ANEMONE_ASSIGN(const auto pads, Pads(layer));
  ANEMONE_ASSIGN(const PadMode mode, PadModeOf(layer, pads));
  if (mode == PadMode::kSame || pads[0] != pads[1] || pads[2] != pads[3]) {
    return NotKnown("its padding with 'top_shape_style' {}", style);
  }
  auto* amounts = params->mutable_includelastpixel();
  amounts->add_paddingamounts(static_cast<uint64_t>(pads[0]));
  amounts->add_paddingamounts(static_cast<uint64_t>(pads[2]));
  return {};
}

Status ConvertPool(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(1));
  nn::PoolingLayerParams params;
  ANEMONE_TRY(layer.Only({"avg_or_max"}, {0, 1, 2}));
  ANEMONE_ASSIGN(const int64_t kind, layer.Int("avg_or_max", 0));
  params.set_type(kind == 0   ? nn::PoolingLayerParams::AVERAGE
                  : kind == 1 ? nn::PoolingLayerParams::MAX
                              : nn::PoolingLayerParams::L2);
  ANEMONE_ASSIGN(const bool without_padding, layer.Flag("average_count_exclude_padding"));
  params.set_avgpoolexcludepadding(without_padding);
  ANEMONE_ASSIGN(const bool global, layer.Flag("is_global"));
  params.set_globalpooling(global);
  if (global) {
    layer.Ignore({"size_x", "size_y", "stride_x", "stride_y", "top_shape_style", "pad_mode",
                  "pad_fill_mode", "pad_value"});
    ANEMONE_TRY(layer.Only({"pad_t", "pad_b", "pad_l", "pad_r"}, {0}));
  } else {
    ANEMONE_TRY(FillWindows(layer, &params));
  }
  *layer.Add()->mutable_pooling() = std::move(params);
  return {};
}

Status ConvertLoadConstant(LayerReader& layer) {
  ANEMONE_TRY(layer.CheckCounts(0));
  ANEMONE_ASSIGN(const ir::Shape dims, layer.Dims(layer.tops().front()));
  int64_t count = 1;
  for (const char* key : {"n", "k", "h", "w"}) {
    ANEMONE_ASSIGN(const int64_t size, layer.Int(key, 1));
    if (size > kMaxElements / count) return InvalidInput("its elements are too many");
    count *= size;
  }
  if (ir::ElementCount(dims) != count) {
    return InvalidInput("it has {} elements, but its output is {}", count, ir::ShapeToString(dims));
  }
  layer.Ignore({"nd_rank"});
  ANEMONE_ASSIGN(const auto values, layer.Floats("constant_blob", count));
  auto* params = layer.Add()->mutable_loadconstantnd();
  for (const int64_t dim : dims) params->add_shape(static_cast<uint64_t>(dim));
  SetFloats(values, params->mutable_data());
  return {};
}

constexpr LayerRow kWeightedRows[] = {
    {"convolution", ConvertConvolution},
    {"deconvolution", ConvertDeconvolution},
    {"inner_product", ConvertInnerProduct},
    {"batchnorm", ConvertBatchnorm},
    {"pool", ConvertPool},
    {"load_constant", ConvertLoadConstant},
};

}  // namespace

std::span<const LayerRow> WeightedLayers() { return kWeightedRows; }

}  // namespace anemone::format::espresso
