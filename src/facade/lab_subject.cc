#include "facade/lab_subject.h"

#include <algorithm>
#include <cmath>

#include "exec/function_inputs.h"
#include "facade/convert_checked.h"
#include "facade/preprocess.h"
#include "facade/tool_options.h"
#include "lab/sensitivity.h"
#include "lab/sweep.h"
#include "options/option.h"
#include "runtime/backends.h"

namespace anemone::facade {
namespace {

Result<LabModels> MakeModels(const LabOptions& options) {
  ANEMONE_ASSIGN(auto loaded, LoadModel(options));
  LabModels models;
  models.name = loaded.name;
  const bool package = loaded.origin.starts_with("ml");
  const std::string& precision = options.compute_precision;
  models.converted = !package || !precision.empty() || !options.minimum_deployment_target.empty();
  models.precision = precision.empty() ? (package ? "as it is" : "float16") : precision;
  const ir::Function* function = loaded.model->program.main();
  std::string& target = models.convert.minimum_deployment_target;
  if (package && function != nullptr) target = DeploymentTargetName(function->opset);
  if (!options.minimum_deployment_target.empty()) target = options.minimum_deployment_target;
  models.convert.keep_float32 = options.keep_float32;
  if (!models.converted) {
    models.reference = models.base = loaded.model;
    return models;
  }
  ANEMONE_ASSIGN(models.reference, ConvertedCopy(*loaded.model, models.convert, "float32"));
  models.base = models.reference;
  if (models.precision == "float16") {
    ANEMONE_ASSIGN(models.base, ConvertedCopy(*loaded.model, models.convert, "float16"));
  }
  return models;
}

Result<lab::Samples> MakeSamples(const LabOptions& options, const ir::Model& model) {
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(model, ""));
  if (options.images.empty()) {
    if (!options.labels.empty()) return Usage("--labels needs --images");
    return lab::Samples::Synthetic(model, *function, options.samples, options.input_seed);
  }
  ANEMONE_ASSIGN(const lab::Preprocess preprocess, PreprocessOf(options.preprocess));
  if (options.labels.empty())
    return lab::Samples::Folder(*function, options.images, preprocess, options.limit);
  ANEMONE_ASSIGN(const auto images, lab::ReadLabels(options.labels));
  return lab::Samples::Labeled(*function, options.images, images, preprocess, options.limit);
}

// Judges and teachers.
struct SampleSets {
  std::shared_ptr<const lab::Samples> judged;
  std::shared_ptr<const lab::Samples> learned_from;
};

// Whether the list of variants needs inputs to learn from.
Result<bool> ListNeedsData(const LabOptions& options) {
  if (options.config.empty()) return false;
  ANEMONE_ASSIGN(const auto configurations, lab::ReadConfigurations(options.config));
  return std::ranges::any_of(configurations,
                             [](const auto& named) { return compress::NeedsData(named.second); });
}

Result<SampleSets> MakeSampleSets(LabOptions& options, const ir::Model& model) {
  ANEMONE_ASSIGN(auto judged, MakeSamples(options, model));
  SampleSets sets;
  const auto share = [](lab::Samples samples) {
    return std::make_shared<const lab::Samples>(std::move(samples));
  };
  if (!options.calibration.empty()) {
    if (options.hold_out.value_or(0) > 0) return Usage("give one of --calibration and --hold-out");
    LabOptions others = options;
    others.images = options.calibration;
    others.labels.clear();
    ANEMONE_ASSIGN(auto learned, MakeSamples(others, model));
    sets.learned_from = share(std::move(learned));
  } else {
    constexpr double kShare = 0.25;
    if (!options.hold_out) {
      ANEMONE_ASSIGN(const bool needed, ListNeedsData(options));
      const bool search = options.max_drop && !options.images.empty();
      options.hold_out = needed || search ? kShare : 0;
    }
    if (*options.hold_out > 0 && judged.count() > 1) {
      const auto every = static_cast<int64_t>(std::lround(1 / *options.hold_out));
      sets.learned_from = share(judged.SetAside(std::clamp<int64_t>(every, 2, judged.count())));
    }
  }
  sets.judged = share(std::move(judged));
  return sets;
}

}  // namespace

Result<std::shared_ptr<const ir::Model>> ConvertedCopy(const ir::Model& model,
                                                       ConvertOptions options,
                                                       const std::string& precision) {
  auto copy = std::make_shared<ir::Model>(CloneModel(model));
  options.compute_precision = precision;
  ANEMONE_TRY(ConvertChecked(*copy, options));
  return std::shared_ptr<const ir::Model>(std::move(copy));
}

Result<PreparedLab> PrepareLab(LabOptions& options, const Hooks& hooks) {
  ANEMONE_TRY(options::Check(options));
  Tell(hooks, "reading " + options.model);
  ANEMONE_ASSIGN(LabModels models, MakeModels(options));
  Tell(hooks, "reading the samples");
  ANEMONE_ASSIGN(SampleSets sets, MakeSampleSets(options, *models.reference));
  ANEMONE_ASSIGN(const exec::Backend* backend, runtime::FindBackend(options.backend));
  ANEMONE_TRY(CheckCancelled(hooks));
  Tell(hooks, "running the reference");
  ANEMONE_ASSIGN(auto subject, lab::LabSubject::Make(models.reference, models.base, sets.judged,
                                                     *backend, options.threads, sets.learned_from));
  if (options.max_drop && lab::FormsOf(subject.function().opset, false).empty()) {
    return Unsupported("no op set before iOS16 holds compressed weights")
        .Advise("give --minimum-deployment-target iOS16, or higher");
  }
  return PreparedLab{std::move(models), std::move(sets.judged), std::move(sets.learned_from),
                     std::move(subject)};
}

}  // namespace anemone::facade
