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
#include "facade/preprocess.h"
#include "facade/save.h"
#include "format/package.h"
#include "lab/input_files.h"
#include "options/option.h"
#include "runtime/backends.h"

namespace anemone::facade {
namespace {

using compress::Granularity;

// The options are checked: each text is one of its choices.
Granularity GranularityOf(const std::string& text, Granularity fallback) {
  for (const Granularity granularity : {Granularity::kPerTensor, Granularity::kPerChannel,
                                        Granularity::kPerGroupedChannel, Granularity::kPerBlock}) {
    if (text == compress::GranularityName(granularity)) return granularity;
  }
  return fallback;
}

// The value of the row with that name, or of the first.
template <typename T, size_t kCount>
T Named(const std::pair<std::string_view, T> (&rows)[kCount], std::string_view name) {
  for (const auto& [known, value] : rows) {
    if (known == name) return value;
  }
  return rows[0].second;
}

compress::OpConfig LinearOf(const CompressOptions& options) {
  using compress::Rounding;
  static constexpr std::pair<std::string_view, Rounding> kRoundings[] = {
      {"nearest", Rounding::kNearest},
      {"gptq", Rounding::kGptq},
      {"adaround", Rounding::kAdaRound}};
  compress::LinearConfig linear;
  linear.mode = options.mode == "linear_asymmetric" ? compress::LinearMode::kAsymmetric
                                                    : compress::LinearMode::kSymmetric;
  linear.dtype = DTypeFromName(options.dtype).value_or(DType::kInvalid);
  linear.granularity = GranularityOf(options.granularity, Granularity::kPerChannel);
  if (options.block_size != 0) linear.block_size = options.block_size;
  linear.weight_threshold = options.weight_threshold;
  linear.rounding = Named(kRoundings, options.rounding);
  return compress::OpConfig(linear);
}

compress::OpConfig PaletteOf(const CompressOptions& options) {
  using compress::PaletteMode;
  static constexpr std::pair<std::string_view, PaletteMode> kModes[] = {
      {"kmeans", PaletteMode::kKMeans},
      {"uniform", PaletteMode::kUniform},
      {"unique", PaletteMode::kUnique}};
  compress::PaletteConfig palette;
  palette.mode = Named(kModes, options.palette);
  const bool unique = palette.mode == PaletteMode::kUnique;
  palette.nbits = options.nbits == 0 && !unique ? 4 : options.nbits;
  palette.granularity = GranularityOf(options.granularity, Granularity::kPerTensor);
  palette.group_size = options.group_size;
  palette.cluster_dim = options.cluster_dim;
  palette.enable_per_channel_scale = options.per_channel_scale;
  palette.weight_threshold = options.weight_threshold;
  // With inputs at hand, values count as much as they are driven.
  palette.sensitivity = !options.calibration.empty() && palette.mode == PaletteMode::kKMeans;
  palette.lut_dtype = DTypeFromName(options.lut_dtype).value_or(DType::kInvalid);
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

compress::ActivationStep ActivationsOf(const CompressOptions& options) {
  using compress::Observer;
  static constexpr std::pair<std::string_view, Observer> kObservers[] = {
      {"min_max", Observer::kMinMax},
      {"percentile", Observer::kPercentile},
      {"mse", Observer::kMse},
      {"entropy", Observer::kEntropy}};
  compress::ActivationStep step;
  step.observer = Named(kObservers, options.observer);
  step.percentile = options.percentile;
  return step;
}

Status CompressToHalf(ir::Model& model, const CompressOptions& options, compress::Report* report) {
  if (options.storage_only) {
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
  convert.minimum_deployment_target = DeploymentTargetName(
      model.program.main() != nullptr ? model.program.main()->opset : ir::Opset::kIOS15);
  convert.compute_precision = "float16";
  ANEMONE_TRY(Convert(model, convert));
  count(&report->bytes_after);
  return {};
}

}  // namespace

bool IsHalfPrecision(const CompressOptions& options) {
  return options.config.empty() && options.dtype == "float16";
}

Result<compress::Configuration> ConfigurationOf(const CompressOptions& options) {
  ANEMONE_TRY(options::Check(options));
  if (!options.config.empty()) return compress::ReadConfiguration(options.config);
  Result<compress::OpConfig> config = Internal("not set");
  if (options.mode == "palettize") {
    config = PaletteOf(options);
  } else if (options.mode == "prune") {
    config = PruneOf(options);
  } else {
    config = LinearOf(options);
  }
  if (!config.ok()) return config.status();
  compress::WeightStep step;
  step.global_config = std::move(config).value();
  step.joint_compression = options.joint;
  compress::Configuration configuration;
  configuration.weights.push_back(std::move(step));
  configuration.equalize = options.equalize;
  configuration.correct_bias = options.correct_bias;
  if (options.mode == "activations") configuration.activations = ActivationsOf(options);
  ANEMONE_TRY(compress::Check(configuration));
  return configuration;
}

namespace {

// To another target than its own, when one is asked for.
Status TakeToTarget(ir::Model& model, const std::string& target) {
  if (target.empty()) return {};
  ANEMONE_ASSIGN(const ir::Opset opset, ParseDeploymentTarget(target));
  const ir::Function* function = model.program.main();
  if (function == nullptr || function->opset == opset) return {};
  return Convert(model, {.minimum_deployment_target = target});
}

}  // namespace

Status Compress(ir::Model& model, const CompressOptions& options, compress::Report* report,
                const CompressProgress& progress) {
  ANEMONE_TRY(options::Check(options));
  ANEMONE_TRY(TakeToTarget(model, options.minimum_deployment_target));
  compress::Report local;
  compress::Report& out = report != nullptr ? *report : local;
  out = {};
  if (IsHalfPrecision(options)) return CompressToHalf(model, options, &out);
  ANEMONE_ASSIGN(const compress::Configuration configuration, ConfigurationOf(options));
  compress::ApplyOptions apply;
  apply.threads = options.threads;
  apply.progress = progress;
  lab::InputFiles files;
  compress::Calibration calibration;
  if (!options.calibration.empty()) {
    ANEMONE_ASSIGN(const lab::Preprocess preprocess, PreprocessOf(options.preprocess));
    ANEMONE_ASSIGN(files, lab::InputFiles::Open(options.calibration, model, preprocess,
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
