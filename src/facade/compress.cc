#include "facade/compress.h"

#include <algorithm>
#include <optional>

#include "compress/apply.h"
#include "compress/configuration_json.h"
#include "compress/half_storage.h"
#include "compress/lowest_opset.h"
#include "compress/methods.h"
#include "facade/convert.h"
#include "facade/convert_checked.h"
#include "facade/preprocess.h"
#include "facade/save.h"
#include "format/package.h"
#include "ir/verifier.h"
#include "lab/input_files.h"
#include "options/option.h"
#include "passes/raise_opset.h"
#include "runtime/backends.h"

namespace anemone::facade {
namespace {

compress::ActivationStep ActivationsOf(const CompressOptions& options) {
  compress::ActivationStep step;
  compress::Choose(compress::ObserverChoice(&step.observer), options.observer);
  step.percentile = options.percentile;
  return step;
}

// What stays in float32, and why, is among the model's notes, as after a conversion.
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
  ANEMONE_TRY(ConvertChecked(model, convert));
  count(&report->bytes_after);
  return {};
}

}  // namespace

bool IsHalfPrecision(const CompressOptions& options) {
  return options.config.empty() && options.dtype == "float16";
}

namespace {

// Where activations have 8 bits, an operator computes in them only if its weights have them too, however few they are:
// unless somebody asks for a threshold, there is none.
Status TakeSmallWeights(const compress::Method& method, const CompressOptions& options,
                        compress::WeightStep* step) {
  if (options.mode != "activations" || options.weight_threshold) return {};
  CompressOptions all = options;
  all.weight_threshold = 0;
  for (const char* type : {"conv", "linear"}) {
    ANEMONE_ASSIGN(step->op_type_configs[type], method.FromOptions(all));
  }
  return {};
}

}  // namespace

Result<compress::Configuration> ConfigurationOf(const CompressOptions& options) {
  ANEMONE_TRY(options::Check(options));
  if (!options.config.empty()) return compress::ReadConfiguration(options.config);
  compress::WeightStep step;
  for (const compress::Method* method : compress::Methods()) {
    ANEMONE_ASSIGN(step.global_config, method->FromOptions(options));
    if (!step.global_config) continue;
    ANEMONE_TRY(TakeSmallWeights(*method, options, &step));
    break;
  }
  if (!step.global_config) return Internal("no method has the mode '{}'", options.mode);
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
  ANEMONE_ASSIGN(const ir::Opset opset, ParseDeploymentTarget(target));
  const ir::Function* function = model.program.main();
  if (function == nullptr || function->opset == opset) return {};
  return Convert(model, {.minimum_deployment_target = target});
}

// The lowest op set that has the forms that the options ask for.
Result<ir::Opset> OpsetFor(const CompressOptions& options) {
  if (IsHalfPrecision(options)) {
    return options.storage_only ? compress::kHalfStorageOpset : ir::Opset::kIOS15;
  }
  ANEMONE_ASSIGN(const compress::Configuration configuration, ConfigurationOf(options));
  return compress::LowestOpset(configuration);
}

// A program too old for the forms is raised, and verified there; what it was before, if it was.
Result<std::optional<ir::Opset>> RaiseTarget(ir::Model& model, const CompressOptions& options) {
  ANEMONE_ASSIGN(const ir::Opset needed, OpsetFor(options));
  std::optional<ir::Opset> before;
  for (const auto& function : model.program.functions) {
    if (function->opset < needed)
      before = std::min(before.value_or(function->opset), function->opset);
  }
  if (!before) return before;
  for (auto& function : model.program.functions) {
    ANEMONE_TRY(passes::RaiseOpset(*function, needed));
    ANEMONE_TRY(ir::Verify(*function).At("for " + DeploymentTargetName(needed)));
  }
  model.spec_version = std::max(model.spec_version, ir::SpecVersionOf(needed));
  return before;
}

}  // namespace

Status Compress(ir::Model& model, const CompressOptions& options, compress::Report* report,
                const CompressProgress& progress, std::optional<ir::Opset>* raised_from) {
  ANEMONE_TRY(options::Check(options));
  compress::Report local;
  compress::Report& out = report != nullptr ? *report : local;
  out = {};
  if (options.minimum_deployment_target.empty()) {
    ANEMONE_ASSIGN(const auto before, RaiseTarget(model, options));
    if (raised_from != nullptr) *raised_from = before;
  } else {
    ANEMONE_TRY(TakeToTarget(model, options.minimum_deployment_target));
  }
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
