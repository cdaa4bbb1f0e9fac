#include "facade/compress.h"

#include <charconv>

#include "compress/apply.h"
#include "compress/configuration_json.h"
#include "compress/half_storage.h"
#include "compress/linear_quantization.h"
#include "compress/magnitude_pruning.h"
#include "compress/palettization.h"
#include "compress/threshold_pruning.h"
#include "facade/convert.h"
#include "facade/save.h"
#include "format/package.h"
#include "lab/input_files.h"
#include "runtime/backends.h"

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
  if (options.rounding == "gptq") {
    linear.rounding = compress::Rounding::kGptq;
  } else if (options.rounding == "adaround") {
    linear.rounding = compress::Rounding::kAdaRound;
  } else if (options.rounding != "nearest") {
    return Usage("there is no rounding '{}'", options.rounding)
        .Advise("choose nearest, gptq or adaround");
  }
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
  // With inputs at hand, values count as much as they are driven.
  palette.sensitivity =
      !options.calibration.empty() && palette.mode == compress::PaletteMode::kKMeans;
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
      return Usage("'{}' is not an n:m ratio", options.nm).Advise("for example 2:4");
    magnitude.n_m_ratio = ratio;
  }
  if (!magnitude.target_sparsity && !magnitude.n_m_ratio)
    return Usage("pruning needs a measure").Advise("give --target-sparsity, --nm or --threshold");
  return compress::OpConfig(magnitude);
}

Result<compress::ActivationStep> ActivationsOf(const CompressOptions& options) {
  compress::ActivationStep step;
  step.percentile = options.percentile;
  const std::pair<std::string_view, compress::Observer> observers[] = {
      {"min_max", compress::Observer::kMinMax},
      {"percentile", compress::Observer::kPercentile},
      {"mse", compress::Observer::kMse},
      {"entropy", compress::Observer::kEntropy}};
  for (const auto& [name, observer] : observers) {
    if (options.observer != name) continue;
    step.observer = observer;
    return step;
  }
  return Usage("there is no observer '{}'", options.observer)
      .Advise("choose min_max, percentile, mse or entropy");
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
  if (!options.config.empty()) return compress::ReadConfiguration(options.config);
  Result<compress::OpConfig> config = Internal("not set");
  if (options.mode == "linear" || options.mode == "linear_symmetric" ||
      options.mode == "linear_asymmetric" || options.mode == "activations") {
    config = LinearOf(options);
  } else if (options.mode == "palettize") {
    config = PaletteOf(options);
  } else if (options.mode == "prune") {
    config = PruneOf(options);
  } else {
    return Usage("there is no compression mode '{}'", options.mode)
        .Advise(
            "choose linear, linear_symmetric, linear_asymmetric, palettize, prune or "
            "activations");
  }
  if (!config.ok()) return config.status();
  compress::WeightStep step;
  step.global_config = std::move(config).value();
  step.joint_compression = options.joint;
  compress::Configuration configuration;
  configuration.weights.push_back(std::move(step));
  configuration.equalize = options.equalize;
  configuration.correct_bias = options.correct_bias;
  if (options.mode == "activations") {
    ANEMONE_ASSIGN(configuration.activations, ActivationsOf(options));
  }
  ANEMONE_TRY(compress::Check(configuration));
  return configuration;
}

Status Compress(ir::Model& model, const CompressOptions& options, compress::Report* report) {
  compress::Report local;
  compress::Report& out = report != nullptr ? *report : local;
  out = {};
  if (options.config.empty() && (options.dtype == "float16" || options.dtype == "fp16"))
    return CompressToHalf(model, options, &out);
  ANEMONE_ASSIGN(const compress::Configuration configuration, ConfigurationOf(options));
  compress::ApplyOptions apply;
  apply.threads = options.threads;
  apply.progress = options.progress;
  lab::InputFiles files;
  compress::Calibration calibration;
  if (!options.calibration.empty()) {
    ANEMONE_ASSIGN(files, lab::InputFiles::Open(options.calibration, model, options.preprocess,
                                                options.calibration_limit));
    calibration.data = &files;
    calibration.load =
        [&](std::shared_ptr<const ir::Model> loaded) -> Result<std::unique_ptr<exec::Executable>> {
      ANEMONE_ASSIGN(const exec::Backend* backend, runtime::FindBackend("cpu"));
      exec::LoadOptions load;
      load.threads = options.threads;
      return backend->Load(std::move(loaded), load);
    };
    apply.calibration = &calibration;
  }
  ANEMONE_ASSIGN(out, compress::Apply(model, configuration, apply));
  return {};
}

Status SaveAndReload(const ir::Model& model, const std::string& path) {
  ANEMONE_TRY(Save(model, path));
  return CheckSaved(model, path);
}

Status CheckSaved(const ir::Model& model, const std::string& path) {
  if (!path.ends_with(".mlpackage") && !path.ends_with(".mlpackage/")) return {};
  ANEMONE_ASSIGN(const ir::Model back, format::ReadPackage(path));
  const auto differs = [&](std::string_view what) {
    return Internal("the package that was written reads back with another {}", what).At(path);
  };
  if (back.program.functions.size() != model.program.functions.size())
    return differs("number of functions");
  for (const auto& function : model.program.functions) {
    const ir::Function* other = back.program.Find(function->name);
    if (other == nullptr) return differs(fmt::format("function '{}'", function->name));
    // Constants may be written once where the program has them twice: compared by what is computed.
    std::vector<const ir::Operation*> ours;
    std::vector<const ir::Operation*> theirs;
    ir::ForEachOperation(*function->block, [&](const ir::Operation& op) {
      if (!op.is_const()) ours.push_back(&op);
    });
    ir::ForEachOperation(*other->block, [&](const ir::Operation& op) {
      if (!op.is_const()) theirs.push_back(&op);
    });
    if (ours.size() != theirs.size()) return differs("number of operators");
    for (size_t i = 0; i < ours.size(); ++i) {
      if (ours[i]->type() != theirs[i]->type() ||
          ours[i]->arguments().size() != theirs[i]->arguments().size())
        return differs(fmt::format("operator '{}'", ours[i]->name()));
      for (const ir::Argument& argument : ours[i]->arguments()) {
        const auto& values = theirs[i]->Inputs(argument.name);
        if (values.size() != argument.values.size())
          return differs(fmt::format("argument of '{}'", ours[i]->name()));
        for (size_t v = 0; v < values.size(); ++v) {
          if (argument.values[v]->is_const() != values[v]->is_const() ||
              (values[v]->is_const() && !(*values[v]->literal == *argument.values[v]->literal)))
            return differs(fmt::format("value of '{}' of '{}'", argument.name, ours[i]->name()));
        }
      }
    }
  }
  return {};
}

}  // namespace anemone::facade
