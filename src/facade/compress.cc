#include "facade/compress.h"

#include <charconv>

#include "compress/apply.h"
#include "compress/half_storage.h"
#include "facade/convert.h"

namespace anemone::facade {
namespace {

Result<compress::Granularity> ParseGranularity(const std::string& text,
                                               compress::Granularity fallback) {
  using compress::Granularity;
  if (text.empty()) return fallback;
  for (const Granularity granularity : {Granularity::kPerTensor, Granularity::kPerChannel,
                                        Granularity::kPerGroupedChannel, Granularity::kPerBlock}) {
    if (text == compress::GranularityName(granularity)) return granularity;
  }
  return Usage("there is no granularity '{}'", text)
      .Advise("choose per_tensor, per_channel, per_grouped_channel or per_block");
}

Result<compress::OpConfig> LinearOf(const CompressOptions& options) {
  compress::LinearConfig linear;
  linear.mode = options.mode == "linear_asymmetric" ? compress::LinearMode::kAsymmetric
                                                    : compress::LinearMode::kSymmetric;
  const auto dtype = DTypeFromName(options.dtype);
  if (!dtype) {
    return Usage("weights cannot be quantized to '{}'", options.dtype)
        .Advise("choose int8, uint8, int4, uint4 or float16");
  }
  linear.dtype = *dtype;
  ANEMONE_ASSIGN(linear.granularity,
                 ParseGranularity(options.granularity, compress::Granularity::kPerChannel));
  if (options.block_size != 0) linear.block_size = options.block_size;
  linear.weight_threshold = options.weight_threshold;
  return compress::OpConfig(linear);
}

Result<compress::OpConfig> PaletteOf(const CompressOptions& options) {
  compress::PaletteConfig palette;
  if (options.palette == "kmeans") {
    palette.mode = compress::PaletteMode::kKMeans;
  } else if (options.palette == "uniform") {
    palette.mode = compress::PaletteMode::kUniform;
  } else if (options.palette == "unique") {
    palette.mode = compress::PaletteMode::kUnique;
  } else {
    return Usage("there is no palette '{}'", options.palette)
        .Advise("choose kmeans, uniform or unique");
  }
  const bool unique = palette.mode == compress::PaletteMode::kUnique;
  palette.nbits = options.nbits == 0 && !unique ? 4 : options.nbits;
  ANEMONE_ASSIGN(palette.granularity,
                 ParseGranularity(options.granularity, compress::Granularity::kPerTensor));
  palette.group_size = options.group_size;
  palette.cluster_dim = options.cluster_dim;
  palette.enable_per_channel_scale = options.per_channel_scale;
  palette.weight_threshold = options.weight_threshold;
  if (!options.lut_dtype.empty()) {
    const auto dtype = DTypeFromName(options.lut_dtype);
    if (!dtype) {
      return Usage("there are no tables of '{}'", options.lut_dtype).Advise("choose int8 or uint8");
    }
    palette.lut_dtype = *dtype;
  }
  return compress::OpConfig(palette);
}

Result<compress::OpConfig> PruneOf(const CompressOptions& options) {
  if (options.threshold) {
    if (options.target_sparsity || !options.nm.empty())
      return Usage("give one of --target-sparsity, --nm and --threshold");
    compress::ThresholdConfig threshold;
    threshold.threshold = *options.threshold;
    threshold.weight_threshold = options.weight_threshold;
    return compress::OpConfig(threshold);
  }
  compress::MagnitudeConfig magnitude;
  magnitude.target_sparsity = options.target_sparsity;
  magnitude.weight_threshold = options.weight_threshold;
  if (options.block_size != 0) magnitude.block_size = options.block_size;
  if (!options.nm.empty()) {
    std::pair<int64_t, int64_t> ratio;
    const char* end = options.nm.data() + options.nm.size();
    auto parsed = std::from_chars(options.nm.data(), end, ratio.first);
    const bool colon = parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == ':';
    if (colon) parsed = std::from_chars(parsed.ptr + 1, end, ratio.second);
    if (!colon || parsed.ec != std::errc() || parsed.ptr != end)
      return Usage("'{}' is no n:m ratio", options.nm).Advise("for example 2:4");
    magnitude.n_m_ratio = ratio;
  }
  if (!magnitude.target_sparsity && !magnitude.n_m_ratio)
    return Usage("pruning needs a measure").Advise("give --target-sparsity, --nm or --threshold");
  return compress::OpConfig(magnitude);
}

Status CompressToHalf(ir::Model& model, const CompressOptions& options, compress::Report* report) {
  if (!options.compute_float16) {
    ANEMONE_ASSIGN(*report, compress::StoreWeightsInHalf(model.program));
    return {};
  }
  const auto count = [&](int64_t* total) {
    for (const auto& function : model.program.functions) {
      ir::ForEachOperation(*function->block, [&](const ir::Operation& operation) {
        if (operation.is_const())
          *total += static_cast<int64_t>(operation.output()->literal->bytes().size());
      });
    }
  };
  count(&report->bytes_before);
  ConvertOptions convert;
  convert.target =
      model.program.main() != nullptr ? model.program.main()->opset : ir::Opset::kIOS15;
  convert.precision = Precision::kFloat16;
  ANEMONE_TRY(Convert(model, convert));
  count(&report->bytes_after);
  return {};
}

}  // namespace

Result<compress::Configuration> ConfigurationOf(const CompressOptions& options) {
  Result<compress::OpConfig> config = Internal("not set");
  if (options.mode == "linear" || options.mode == "linear_symmetric" ||
      options.mode == "linear_asymmetric") {
    config = LinearOf(options);
  } else if (options.mode == "palettize") {
    config = PaletteOf(options);
  } else if (options.mode == "prune") {
    config = PruneOf(options);
  } else {
    return Usage("there is no compression mode '{}'", options.mode)
        .Advise("choose linear, linear_symmetric, linear_asymmetric, palettize or prune");
  }
  if (!config.ok()) return config.status();
  compress::WeightStep step;
  step.global_config = std::move(config).value();
  step.joint_compression = options.joint;
  compress::Configuration configuration;
  configuration.weights.push_back(std::move(step));
  ANEMONE_TRY(compress::Check(configuration));
  return configuration;
}

Status Compress(ir::Model& model, const CompressOptions& options, compress::Report* report) {
  compress::Report local;
  compress::Report& out = report != nullptr ? *report : local;
  out = {};
  if (options.dtype == "float16" || options.dtype == "fp16")
    return CompressToHalf(model, options, &out);
  ANEMONE_ASSIGN(const compress::Configuration configuration, ConfigurationOf(options));
  ANEMONE_ASSIGN(out, compress::Apply(model, configuration,
                                      {.threads = options.threads,
                                       .cancelled = {},
                                       .progress = options.progress,
                                       .calibration = nullptr}));
  return {};
}

}  // namespace anemone::facade
