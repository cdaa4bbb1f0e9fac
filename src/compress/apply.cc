#include "compress/apply.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/thread_pool.h"
#include "compress/calibrate.h"
#include "compress/emit.h"
#include "compress/equalize.h"
#include "compress/method.h"
#include "compress/moments.h"
#include "exec/kernel.h"

namespace anemone::compress {
namespace {

struct Job {
  Site site;
  TensorRecord record;
  std::unique_ptr<CompressedWeight> result = nullptr;
  // The shift of the mean of each output channel by the compression; empty: unknown.
  std::vector<double> bias_shift = {};
};

// The moments of the inputs of a dense weight; null: unknown.
const InputMoments* MomentsOf(const Site& site, const WeightData* data) {
  if (data == nullptr || data->inputs == nullptr || site.kind != SiteKind::kDense) return nullptr;
  const auto found = data->inputs->find(site.weight.value->name);
  return found == data->inputs->end() || found->second.count == 0 ? nullptr : &found->second;
}

// The weight as it is now, dense: restored for sparse and compressed sites.
Result<ir::Literal> DenseValue(const Site& site, ir::Opset opset, std::vector<uint8_t>* mask) {
  if (site.kind == SiteKind::kCompressed) {
    const ir::Operation& op = *site.weight.op;
    std::vector<exec::FoldInput> inputs;
    for (const ir::Argument& argument : op.arguments()) {
      if (!argument.values[0]->is_const())
        return InvalidInput("'{}' of '{}' is not a constant", argument.name, op.name());
      inputs.push_back({argument.name, {argument.values[0]->literal.get()}});
    }
    ANEMONE_ASSIGN(auto results, exec::Fold(*op.def(), opset, inputs));
    return std::move(results[0]);
  }
  const ir::Literal& literal = *site.weight.value->literal;
  if (site.kind != SiteKind::kSparseValues) return literal;
  ANEMONE_ASSIGN(*mask, MaskOf(*site.child, "mask"));
  const auto width = static_cast<size_t>(BitWidth(literal.dtype())) / 8;
  if (width < 2) return InvalidInput("its values are already {}", DTypeName(literal.dtype()));
  std::vector<std::byte> dense(mask->size() * width, std::byte{0});
  const std::byte* from = literal.bytes().data();
  for (size_t i = 0; i < mask->size(); ++i) {
    if ((*mask)[i] == 0) continue;
    std::copy_n(from, width, dense.data() + i * width);
    from += width;
  }
  return ir::Literal::FromBytes(ir::Type::Tensor(literal.dtype(), site.shape),
                                Bytes::FromVector(std::move(dense)));
}

std::string_view KindSuffix(SiteKind kind) {
  switch (kind) {
    case SiteKind::kDense:
      return "";
    case SiteKind::kSparseValues:
      return " of a sparse weight";
    case SiteKind::kTable:
      return " of a palette";
    case SiteKind::kQuantizedData:
      return " of integers";
    case SiteKind::kCompressed:
      return " of a compressed weight";
  }
  return "";
}

// How far the mean of each output channel moves: the error of the weights times the mean inputs.
Status FindBiasShift(const InputMoments& moments, const ir::Literal& weight, Job* job) {
  ANEMONE_ASSIGN(const ir::Literal dense, job->result->Restore(weight.dtype()));
  const std::vector<float> restored = *dense.AsFloats();
  const std::vector<float> values = *weight.AsFloats();
  const int64_t outputs = job->site.shape[0];
  const auto row = static_cast<size_t>(moments.row);
  job->bias_shift.assign(static_cast<size_t>(outputs), 0);
  for (size_t o = 0; o < job->bias_shift.size(); ++o) {
    const size_t group = o / static_cast<size_t>(outputs / moments.groups);
    for (size_t i = 0; i < row; ++i) {
      job->bias_shift[o] += (double{restored[o * row + i]} - values[o * row + i]) *
                            moments.sums[group * row + i] / moments.count;
    }
  }
  return {};
}

// Subtracts the shift from the bias of the operator that has the weight.
Status CorrectBias(passes::Rewriter& rewriter, const Job& job) {
  if (job.bias_shift.empty()) return {};
  ir::Operation& op = *job.site.weight.uses[0].operation;
  const ir::Value* bias = op.Input("bias");
  if (bias != nullptr && !bias->is_const()) return {};
  std::vector<float> values(job.bias_shift.size(), 0.0f);
  if (bias != nullptr) {
    const auto old = bias->literal->AsFloats();
    if (!old || old->size() != values.size()) return {};
    values = *old;
  }
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(double{values[i]} - job.bias_shift[i]);
  const DType dtype = job.site.weight.value->type.dtype();
  ir::Value* corrected = rewriter.builder().Const(
      ir::Literal::Floats(dtype, values, {static_cast<int64_t>(values.size())}),
      bias != nullptr ? bias->name : op.name() + "_bias");
  ANEMONE_TRY(rewriter.Commit(op));
  rewriter.SetInputs(op, "bias", {corrected});
  return {};
}

Status Encode(ir::Opset opset, const WeightData* data, Job* job) {
  const Site& site = job->site;
  std::vector<uint8_t> mask;
  ANEMONE_ASSIGN(const ir::Literal weight, DenseValue(site, opset, &mask));
  const EncodeInput input{.site = site,
                          .weight = weight,
                          .mask = mask,
                          .opset = opset,
                          .moments = MomentsOf(site, data),
                          .learned = data != nullptr ? data->learned.get() : nullptr};
  ANEMONE_ASSIGN(job->result, site.config->method().Encode(*site.config, input));
  if (data != nullptr && data->correct_bias && input.moments != nullptr)
    return FindBiasShift(*input.moments, weight, job);
  return {};
}

Status ApplyToFunction(ir::Function& function, const WeightStep& step, const ApplyOptions& options,
                       const WeightData* data, ThreadPool& pool, Report* report) {
  passes::Rewriter rewriter(function);
  ANEMONE_ASSIGN(std::vector<Site> sites, FindSites(rewriter, step));
  std::vector<Job> jobs;
  const auto skip = [&](TensorRecord record, std::string reason) {
    record.reason = std::move(reason);
    report->skipped.push_back(std::move(record));
  };
  for (Site& site : sites) {
    TensorRecord record = RecordOf(site.weight);
    record.shape = site.shape;
    if (!site.reason.empty()) {
      skip(std::move(record), std::move(site.reason));
      continue;
    }
    jobs.push_back({std::move(site), std::move(record)});
  }
  // The largest first, so that no core is left with a large one at the end.
  std::vector<size_t> order(jobs.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, std::ranges::greater(),
                           [&](size_t i) { return jobs[i].record.bytes_before; });
  std::vector<Status> outcomes(jobs.size());
  std::atomic<bool> cancelled = false;
  std::mutex mutex;
  int64_t done = 0;
  const auto total = static_cast<int64_t>(jobs.size());
  pool.ParallelFor(total, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (cancelled || (options.cancelled && options.cancelled())) {
        cancelled = true;
        return;
      }
      const size_t at = order[static_cast<size_t>(i)];
      outcomes[at] = Encode(function.opset, data, &jobs[at]);
      if (!options.progress) continue;
      const std::lock_guard lock(mutex);
      options.progress("tensors", ++done, total);
    }
  });
  if (cancelled) return Cancelled("interrupted");
  for (size_t i = 0; i < jobs.size(); ++i) {
    if (!outcomes[i].ok()) {
      if (outcomes[i].error().code() != ErrorCode::kInvalidInput) return outcomes[i];
      skip(std::move(jobs[i].record), outcomes[i].error().message());
      continue;
    }
    TensorRecord& record = jobs[i].record;
    const std::string place = fmt::format("'{}'", record.name);
    ANEMONE_TRY(CorrectBias(rewriter, jobs[i]).At(place));
    // Freed once emitted, because a model may be large.
    const std::unique_ptr<CompressedWeight> result = std::move(jobs[i].result);
    ANEMONE_TRY(result->Emit(rewriter, jobs[i].site, &record.bytes_after).At(place));
    record.form = result->form + std::string(KindSuffix(jobs[i].site.kind));
    record.max_error = result->max_error;
    record.rms_error = result->rms_error;
    report->compressed.push_back(std::move(record));
  }
  rewriter.Finish();
  return {};
}

// Runs the calibration inputs when the weights need them.
Result<WeightData> GatherWeightData(const ir::Model& model, const Configuration& configuration,
                                    const ApplyOptions& options) {
  WeightData data;
  data.correct_bias = configuration.correct_bias;
  if (!WeightsNeedData(configuration)) return data;
  // Equalized layers are driven differently than before, so old statistics do not apply.
  if (options.inputs != nullptr && !configuration.equalize) {
    data.inputs = options.inputs;
    data.learned = options.learned;
    return data;
  }
  ANEMONE_ASSIGN(InputStatistics inputs,
                 CollectMoments(model, *options.calibration, MatrixNames(model.program),
                                DataNeedOf(configuration) == DataNeed::kProducts, options.progress,
                                options.cancelled));
  data.inputs = std::make_shared<const InputStatistics>(std::move(inputs));
  return data;
}

Status QuantizeActivations(ir::Model& model, const ActivationStep& step,
                           const ApplyOptions& options, Report* report) {
  const ir::FunctionDescription* main = model.main();
  ir::Function* function = main != nullptr ? model.program.Find(main->name) : model.program.main();
  if (function == nullptr) return InvalidInput("the model has no function to calibrate");
  passes::Rewriter rewriter(*function);
  ANEMONE_ASSIGN(const ActivationPlan plan, PlanActivations(rewriter, step));
  std::set<std::string> names;
  for (const ActivationSite& site : plan.sites) names.insert(site.value->name);
  for (const auto& group : plan.shared) names.insert(group.begin(), group.end());
  ANEMONE_ASSIGN(
      const Observers observers,
      ObserveActivations(model, *options.calibration, names, step.observer != Observer::kMinMax,
                         options.progress, options.cancelled));
  ANEMONE_TRY(InsertActivations(rewriter, step, plan, observers, report));
  rewriter.Finish();
  return {};
}

}  // namespace

Result<Report> ApplyStep(ir::Program& program, const WeightStep& step, const ApplyOptions& options,
                         const WeightData* data) {
  Configuration configuration;
  configuration.weights = {step};
  ANEMONE_TRY(Check(configuration));
  // All functions are checked before one is changed.
  for (const auto& function : program.functions) {
    const passes::Rewriter rewriter(*function);
    ANEMONE_TRY(
        FindSites(rewriter, step).status().At(fmt::format("function '{}'", function->name)));
  }
  Report report;
  ThreadPool pool(options.threads);
  for (const auto& function : program.functions) {
    report.bytes_before += ConstantBytes(*function);
    ANEMONE_TRY(ApplyToFunction(*function, step, options, data, pool, &report)
                    .At(fmt::format("function '{}'", function->name)));
    report.bytes_after += ConstantBytes(*function);
  }
  return report;
}

Result<Report> Apply(ir::Model& model, const Configuration& configuration,
                     const ApplyOptions& options) {
  ANEMONE_TRY(Check(configuration));
  if (NeedsData(configuration) && options.calibration == nullptr) {
    return Usage("the configuration needs calibration inputs")
        .Advise("give a folder of images or .npy files with --calibration");
  }
  Report report;
  for (const auto& function : model.program.functions)
    report.bytes_before += ConstantBytes(*function);
  const ir::FunctionDescription* described = model.main();
  ir::Function* main =
      described != nullptr ? model.program.Find(described->name) : model.program.main();
  if (configuration.equalize && main != nullptr) ANEMONE_TRY(EqualizeLayers(*main).status());
  ANEMONE_ASSIGN(const WeightData data, GatherWeightData(model, configuration, options));
  if (configuration.activations)
    ANEMONE_TRY(QuantizeActivations(model, *configuration.activations, options, &report));
  for (const WeightStep& step : configuration.weights) {
    ANEMONE_ASSIGN(Report done, ApplyStep(model.program, step, options, &data));
    std::ranges::move(done.compressed, std::back_inserter(report.compressed));
    std::ranges::move(done.skipped, std::back_inserter(report.skipped));
  }
  for (const auto& function : model.program.functions)
    report.bytes_after += ConstantBytes(*function);
  return report;
}

}  // namespace anemone::compress
