#include "lab/variant.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/sha256.h"
#include "compress/apply.h"
#include "compress/configuration_json.h"
#include "compress/moments.h"
#include "compress/weights.h"
#include "exec/function_inputs.h"
#include "format/package.h"
#include "lab/evaluate.h"
#include "lab/fingerprint.h"
#include "lab/placement_facts.h"
#include "lab/subgraph.h"
#include "placement/latency_model.h"

namespace anemone::lab {
namespace {

// Part of every key, so that results of another measuring method are not reused.
constexpr int kMethodVersion = 1;

// Whether the output ranks classes: one row of scores for each sample.
bool RanksClasses(const Parity& parity) { return parity.rows > 0 && parity.rows == parity.samples; }

const OutputParity* Ranking(const std::vector<OutputParity>& outputs) {
  const auto named = [&](std::string_view name) {
    return std::ranges::find_if(outputs, [&](const OutputParity& output) {
      return output.output == name && RanksClasses(output.parity);
    });
  };
  for (const std::string_view name : {"logits", "probabilities"})
    if (const auto found = named(name); found != outputs.end()) return &*found;
  return outputs.size() == 1 && RanksClasses(outputs[0].parity) ? &outputs[0] : nullptr;
}

Result<std::vector<ChipEstimate>> EstimateChips(const ir::Model& model) {
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(model, ""));
  const placement::FlexibleShapes flexible = placement::FlexibilityOf(model, function->name);
  std::vector<ChipEstimate> chips;
  for (const placement::Chip& chip : placement::AllChips()) {
    const placement::Analysis analysis = placement::Analyze(*function, chip, flexible);
    ChipEstimate estimate{std::string(chip.name), {}, CoverageOf(analysis)};
    if (const auto placed = placement::EstimateLatency(analysis).placed_ms)
      estimate.latency_ms = Estimate{placed->value, placed->low, placed->high};
    chips.push_back(std::move(estimate));
  }
  return chips;
}

compress::Calibration CalibrationOf(const Samples& samples, const exec::Backend& backend,
                                    int threads) {
  compress::Calibration calibration;
  calibration.data = &samples;
  calibration.load = [&backend, threads](std::shared_ptr<const ir::Model> loaded) {
    exec::LoadOptions load;
    load.threads = threads;
    return backend.Load(std::move(loaded), load);
  };
  return calibration;
}

}  // namespace

Result<LabSubject> LabSubject::Make(std::shared_ptr<const ir::Model> reference,
                                    std::shared_ptr<const ir::Model> base,
                                    std::shared_ptr<const Samples> samples,
                                    const exec::Backend& backend, int threads,
                                    std::shared_ptr<const Samples> calibration) {
  LabSubject subject;
  ANEMONE_ASSIGN(subject.function_, exec::ChooseFunction(*base, ""));
  subject.backend_ = &backend;
  exec::LoadOptions load;
  load.threads = threads;
  {
    ANEMONE_ASSIGN(const auto executable, backend.Load(reference, load).At("reference"));
    for (int64_t i = 0; i < samples->count(); ++i) {
      ANEMONE_ASSIGN(auto outputs, executable->Run(samples->at(i), nullptr, nullptr)
                                       .At(samples->names()[static_cast<size_t>(i)]));
      if (!samples->labels().empty()) {
        ANEMONE_ASSIGN(const exec::Tensor* scores, ScoresOf(outputs));
        const int64_t label = samples->labels()[static_cast<size_t>(i)];
        if (label >= scores->view().count()) {
          return InvalidInput("its class index is {}, but the model has {} classes", label,
                              scores->view().count())
              .At(samples->names()[static_cast<size_t>(i)])
              .Advise("count classes from 0; give the labels of this model");
        }
      }
      subject.wanted_.push_back(std::move(outputs));
    }
  }
  subject.base_sha256_ = FingerprintOf(base->program);
  Sha256 sha;
  sha.Update(fmt::format("method {} reference {} base {} samples {} backend {}", kMethodVersion,
                         FingerprintOf(reference->program), subject.base_sha256_, samples->sha256(),
                         backend.name()));
  if (calibration != nullptr) sha.Update(" calibration " + calibration->sha256());
  subject.sha256_ = ToHex(sha.Finish());
  subject.reference_ = std::move(reference);
  subject.base_ = std::move(base);
  subject.samples_ = std::move(samples);
  subject.calibration_ = std::move(calibration);
  return subject;
}

Result<std::shared_ptr<const compress::InputStatistics>> LabSubject::Moments(
    int threads, const std::function<bool()>& cancelled) const {
  if (calibration_ == nullptr) return Usage("there are no calibration inputs");
  const std::lock_guard lock(moments_->mutex);
  if (moments_->moments == nullptr) {
    const auto calibration = CalibrationOf(*calibration_, *backend_, threads);
    ANEMONE_ASSIGN(
        compress::InputStatistics moments,
        compress::CollectMoments(*base_, calibration, compress::MatrixNames(base_->program), true,
                                 {}, cancelled));
    moments_->moments = std::make_shared<const compress::InputStatistics>(std::move(moments));
  }
  return moments_->moments;
}

std::string LabSubject::KeyOf(const compress::Configuration& configuration) const {
  Sha256 sha;
  sha.Update(sha256_);
  sha.Update(compress::ConfigurationJson(configuration));
  return ToHex(sha.Finish());
}

Result<std::shared_ptr<ir::Model>> MakeVariant(const LabSubject& subject,
                                               const compress::Configuration& configuration,
                                               const VariantOptions& options,
                                               compress::Report* report) {
  auto model = std::make_shared<ir::Model>(CloneModel(subject.base()));
  compress::ApplyOptions apply;
  apply.threads = options.threads;
  apply.cancelled = options.cancelled;
  compress::Calibration calibration;
  if (subject.calibration() != nullptr) {
    calibration = CalibrationOf(*subject.calibration(), subject.backend(), options.threads);
    apply.calibration = &calibration;
    if (compress::WeightsNeedData(configuration) && !configuration.equalize) {
      ANEMONE_ASSIGN(apply.inputs, subject.Moments(options.threads, options.cancelled));
      apply.learned = subject.learned();
    }
  }
  ANEMONE_ASSIGN(auto done, compress::Apply(*model, configuration, apply));
  if (report != nullptr) *report = std::move(done);
  return model;
}

double LossOf(const std::vector<OutputParity>& outputs) {
  for (const OutputParity& output : outputs)
    if (output.parity.non_finite > 0) return std::numeric_limits<double>::infinity();
  if (const OutputParity* ranking = Ranking(outputs)) return ranking->parity.kl_softmax;
  double loss = 0;
  for (const OutputParity& output : outputs)
    loss = std::max(loss, std::pow(10, -output.parity.snr_db / 10));
  return loss;
}

Result<VariantResult> MeasureVariant(const LabSubject& subject,
                                     const compress::Configuration& configuration,
                                     const VariantOptions& options) {
  VariantResult result;
  compress::Report report;
  ANEMONE_ASSIGN(const auto model, MakeVariant(subject, configuration, options, &report));
  for (const auto& function : model->program.functions)
    result.weight_bytes += compress::ConstantBytes(*function);
  result.tensors = std::move(report.compressed);
  std::ranges::move(report.skipped, std::back_inserter(result.tensors));
  ANEMONE_ASSIGN(result.package_bytes, format::PackageSizeBytes(*model));
  ANEMONE_ASSIGN(result.chips, EstimateChips(*model));

  exec::LoadOptions load;
  load.threads = options.threads;
  ANEMONE_ASSIGN(const auto executable, subject.backend().Load(model, load));
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*model, ""));
  const Samples& samples = subject.samples();
  std::vector<ParityMeter> meters(function->outputs().size());
  int64_t top1 = 0;
  int64_t top5 = 0;
  for (int64_t i = 0; i < samples.count(); ++i) {
    if (options.cancelled && options.cancelled()) return Cancelled("interrupted");
    ANEMONE_ASSIGN(const auto outputs, executable->Run(samples.at(i), nullptr, nullptr));
    for (size_t k = 0; k < meters.size(); ++k) {
      const std::string& name = function->outputs()[k]->name;
      const auto wanted = subject.wanted(i).find(name);
      if (wanted == subject.wanted(i).end()) return Usage("the reference has no output '{}'", name);
      ANEMONE_TRY(
          meters[k].Add(wanted->second.view(), outputs.at(name).view()).At("output " + name));
    }
    if (samples.labels().empty()) continue;
    ANEMONE_ASSIGN(const exec::Tensor* scores, ScoresOf(outputs));
    ANEMONE_ASSIGN(const std::vector<int64_t> best, BestFive(*scores));
    const int64_t label = samples.labels()[static_cast<size_t>(i)];
    top1 += best[0] == label ? 1 : 0;
    top5 += std::ranges::find(best, label) != best.end() ? 1 : 0;
  }
  result.samples = samples.count();
  if (!samples.labels().empty()) {
    result.top1 = top1;
    result.top5 = top5;
  }
  for (size_t k = 0; k < meters.size(); ++k) {
    OutputParity output{function->outputs()[k]->name, meters[k].Result(), kInt8Limits, {}};
    output.judged = Judge(output.parity, output.limits);
    result.outputs.push_back(std::move(output));
  }
  if (const OutputParity* ranking = Ranking(result.outputs))
    result.agreement = ranking->parity.top1_agree;
  result.loss = LossOf(result.outputs);
  return result;
}

}  // namespace anemone::lab
