#include "gate/live.h"

#include <algorithm>
#include <cmath>

#include "exec/failure.h"
#include "exec/session_inputs.h"
#include "exec/synthetic_inputs.h"
#include "gate/fallback_proof.h"
#include "lab/measure.h"
#include "placement/analyze.h"
#include "runtime/backends.h"
#include "runtime/run_record_io.h"

namespace anemone::gate {
namespace {

using runtime::RunParity;

constexpr size_t kMostOperators = 8;

std::optional<double> Finite(double value) {
  return std::isfinite(value) ? std::optional<double>(value) : std::nullopt;
}

RunParity RowOf(const lab::OutputParity& output, const char* inputs, const std::string& reference,
                const std::string& precision) {
  RunParity row;
  row.output = output.output;
  row.inputs = inputs;
  row.reference = reference;
  row.precision = precision;
  row.samples = output.parity.samples;
  row.non_finite = output.parity.non_finite;
  row.l_inf = Finite(output.judged.linf);
  row.rmse = Finite(output.judged.rmse);
  row.relative = output.judged.relative;
  return row;
}

Result<std::vector<lab::Inputs>> Synthetic(const ir::Function& function,
                                           const ParityPolicy& policy) {
  std::vector<lab::Inputs> inputs;
  for (int64_t sample = 0; sample < policy.synthetic_samples; ++sample) {
    ANEMONE_ASSIGN(auto set,
                   exec::SyntheticInputs(function, policy.seed, static_cast<int>(sample)));
    inputs.push_back(std::move(set));
  }
  return inputs;
}

// The model beside its reference, both on the executor; on a miss, the operators that drift.
Status CompareWithReference(const Policy& policy, const LiveModel& model,
                            const LiveOptions& options, Evidence& evidence) {
  if (model.reference == nullptr) {
    evidence.parity_problem =
        model.reference_problem.empty() ? "there is no reference" : model.reference_problem;
    return {};
  }
  const auto found = policy.parity->limits.find(evidence.precision);
  const lab::ParityLimits limits =
      found == policy.parity->limits.end() ? lab::kFp16Limits : found->second;
  ANEMONE_ASSIGN(const exec::Backend* cpu, runtime::FindBackend("cpu"));
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*model.reference, ""));
  ANEMONE_ASSIGN(const auto synthetic, Synthetic(*function, *policy.parity));
  lab::VerifyOptions verify;
  verify.threads = options.threads;
  const lab::Inputs* bad = nullptr;
  for (const bool real : {false, true}) {
    const auto& inputs = real ? model.real_inputs : synthetic;
    if (inputs.empty()) continue;
    ANEMONE_ASSIGN(const auto outputs,
                   lab::VerifyOn(*cpu, model.reference, model.model, limits, verify, inputs));
    for (const lab::OutputParity& output : outputs) {
      evidence.parity.push_back(
          RowOf(output, real ? "real" : "synthetic", model.reference_name, evidence.precision));
      if (!output.judged.passed) bad = &inputs.front();
    }
  }
  if (bad == nullptr) return {};
  ANEMONE_ASSIGN(const auto drifts,
                 lab::CompareOperators(*cpu, model.reference, model.model, *bad, verify));
  for (const lab::OperatorDrift& drift : drifts) {
    if (drift.parity.linf_relative <= limits.linf && drift.parity.non_finite == 0) continue;
    if (evidence.drifting_operators.size() >= kMostOperators) break;
    evidence.drifting_operators.push_back(fmt::format(
        "{} '{}' (L-inf {:.2g} of its range)", drift.type, drift.name, drift.parity.linf_relative));
  }
  return {};
}

// The backend's answers beside the executor's. Empty when a call fails: the run will tell.
Result<std::vector<RunParity>> CompareWithExecutor(const Policy& policy, const LiveModel& model,
                                                   const LiveOptions& options,
                                                   const std::string& precision,
                                                   const runtime::SessionOptions& session) {
  if (!policy.backend_parity) return std::vector<RunParity>{};
  ANEMONE_ASSIGN(const auto subject, runtime::Session::Open(model.model, session));
  ANEMONE_ASSIGN(const exec::Backend* cpu, runtime::FindBackend("cpu"));
  exec::LoadOptions load;
  load.threads = options.threads;
  ANEMONE_ASSIGN(const auto executor, cpu->Load(model.model, load));
  const ir::Function& function = subject->function();
  ANEMONE_ASSIGN(const auto synthetic, Synthetic(function, *policy.backend_parity));
  const auto found = policy.backend_parity->limits.find(precision);
  const lab::ParityLimits limits =
      found == policy.backend_parity->limits.end() ? lab::kFp16Limits : found->second;
  std::vector<RunParity> rows;
  for (const bool real : {false, true}) {
    const auto& inputs = real ? model.real_inputs : synthetic;
    if (inputs.empty()) continue;
    std::vector<lab::ParityMeter> meters(function.outputs().size());
    for (const lab::Inputs& set : inputs) {
      ANEMONE_ASSIGN(const auto want, executor->Run(set, nullptr, nullptr));
      const auto got = subject->Predict(set);
      if (!got.ok()) return rows;
      for (size_t i = 0; i < meters.size(); ++i) {
        const std::string& name = function.outputs()[i]->name;
        ANEMONE_TRY(meters[i].Add(want.at(name).view(), got->at(name).view()).At(name));
      }
    }
    for (size_t i = 0; i < meters.size(); ++i) {
      lab::OutputParity output{function.outputs()[i]->name, meters[i].Result(), limits, {}};
      output.judged = lab::Judge(output.parity, limits);
      rows.push_back(RowOf(output, real ? "real" : "synthetic", "cpu", precision));
    }
  }
  return rows;
}

lab::MeasureOptions OptionsOf(const Policy& policy, const LiveOptions& options) {
  const auto ns = [](double seconds) { return static_cast<int64_t>(seconds * 1e9); };
  lab::MeasureOptions measure;
  measure.warmup_ns = ns(policy.run.warmup_s);
  measure.warmup_calls = policy.run.warmup_calls;
  measure.warmup_cap_ns = ns(policy.run.warmup_cap_s);
  measure.steady_tolerance = policy.run.steady_tolerance;
  measure.calls = policy.run.inferences;
  measure.duration_ns = ns(policy.run.min_duration_s);
  measure.cap_ns = ns(policy.run.max_duration_s);
  measure.block = policy.run.block;
  measure.progress = options.progress;
  return measure;
}

Status RunSides(const Policy& policy, const LiveModel& model, const LiveOptions& options,
                Evidence& evidence) {
  lab::Subject subject;
  subject.label = "subject";
  subject.model_name = model.name;
  subject.model_hash = model.hash;
  subject.model = model.model;
  subject.session.load.threads = options.threads;
  lab::Subject baseline = subject;
  std::vector<lab::Subject> subjects;
  const exec::Backend* backend = options.subject_backend;
  if (backend == nullptr) {
    const auto found = runtime::FindBackend(policy.subject_backend);
    if (!found.ok() && found.error().code() != ErrorCode::kUnavailable) return found.error();
    if (found.ok()) {
      backend = *found;
    } else {
      evidence.unavailable = found.error().ToString();
    }
  }
  if (backend != nullptr) {
    ANEMONE_ASSIGN(const exec::Backend* cpu, runtime::FindBackend("cpu"));
    subject.session.backends = {backend};
    if (backend->foreign()) subject.session.backends.push_back(cpu);
    subject.session.load.package_path = model.path;
    ANEMONE_ASSIGN(subject.session.load.compute_units,
                   exec::ComputeUnitsFromName(policy.subject_units));
    subject.record_path = options.directory + "/subject.run.jsonl";
    subject.planned_units = model.planned_units;
    // Whether it loads at all, without anybody in its place.
    runtime::SessionOptions alone = subject.session;
    alone.fallback = false;
    if (backend->foreign()) {
      auto rows = CompareWithExecutor(policy, model, options, evidence.precision, alone);
      if (!rows.ok()) {
        evidence.compile_error = rows.error().ToString();
      } else {
        subject.parity = std::move(*rows);
      }
    }
    subject.parity.insert(subject.parity.end(), evidence.parity.begin(), evidence.parity.end());
    // A backend that does not load is no reason to measure what answers in its place.
    if (evidence.compile_error.empty()) subjects.push_back(subject);
    if (!evidence.compile_error.empty()) evidence.unavailable = "it did not load";
  }
  if (!policy.baseline_backend.empty()) {
    baseline.label = "baseline";
    baseline.session.backend = policy.baseline_backend;
    baseline.record_path = options.directory + "/baseline.run.jsonl";
    baseline.parity = evidence.parity;
    subjects.push_back(baseline);
  }
  if (subjects.empty()) return {};
  const lab::MeasureOptions measure = OptionsOf(policy, options);
  auto result = lab::Measure(subjects, measure, options.tool_version);
  if (!result.ok() && evidence.compile_error.empty() && backend != nullptr &&
      exec::FailureKindOf(result.error())) {
    // It does not load, or its first call fails: a finding, and the baseline may still be measured.
    evidence.compile_error = result.error().ToString();
    evidence.unavailable = "it did not load";
    subjects.erase(subjects.begin());
    if (subjects.empty()) return {};
    result = lab::Measure(subjects, measure, options.tool_version);
  }
  if (!result.ok()) return std::move(result).error();
  std::vector<lab::Measured> measured = std::move(*result);
  for (size_t i = 0; i < measured.size(); ++i) {
    evidence.records.push_back({subjects[i].record_path, std::move(measured[i].record), ""});
  }
  return {};
}

// What the rules of placement say keeps operators off the Neural Engine, most frequent first.
std::vector<std::string> Blockers(const ir::Model& model) {
  const auto function = exec::ChooseFunction(model, "");
  const auto chip = placement::FindChip("m1");
  if (!function.ok() || !chip.ok()) return {};
  const placement::Analysis analysis =
      placement::Analyze(**function, **chip, placement::FlexibilityOf(model, (*function)->name));
  struct Blocker {
    std::string text;
    int64_t count = 0;
  };
  std::vector<Blocker> blockers;
  for (const placement::AnalyzedOp& op : analysis.operations) {
    if (op.placement.ane.expected) continue;
    std::string text = fmt::format("{}: {}", op.operation->type(), op.placement.ane.reason);
    if (!op.placement.ane.rewrite.empty()) text += "; try: " + op.placement.ane.rewrite;
    const auto found = std::find_if(blockers.begin(), blockers.end(),
                                    [&](const Blocker& blocker) { return blocker.text == text; });
    if (found != blockers.end()) {
      ++found->count;
    } else {
      blockers.push_back({text, 1});
    }
  }
  std::stable_sort(blockers.begin(), blockers.end(),
                   [](const Blocker& a, const Blocker& b) { return a.count > b.count; });
  std::vector<std::string> texts;
  for (const Blocker& blocker : blockers) {
    if (texts.size() >= kMostOperators) break;
    texts.push_back(fmt::format("{} x {}", blocker.count, blocker.text));
  }
  return texts;
}

}  // namespace

std::string PrecisionOf(const ir::Model& model) {
  const auto function = exec::ChooseFunction(model, "");
  if (!function.ok()) return {};
  bool half = false;
  bool compressed = false;
  for (const auto& operation : (*function)->block->operations()) {
    compressed |= operation->type().starts_with("constexpr_");
    for (const auto& output : operation->outputs()) {
      half |= output->type.is_tensor() && output->type.dtype() == DType::kFp16;
    }
  }
  return compressed ? "int8" : half ? "fp16" : "fp32";
}

Result<Evidence> RunLive(const Policy& policy, const LiveModel& model, const LiveOptions& options) {
  Evidence evidence;
  evidence.model = model.name;
  evidence.model_hash = model.hash;
  evidence.model_path = model.path;
  evidence.precision = model.precision.empty() ? PrecisionOf(*model.model) : model.precision;
  evidence.device = Device{runtime::DescribeMachine()};
  if (policy.files && !model.path.empty()) {
    evidence.files = LookAtFiles(model.path, *policy.files);
  }
  if (policy.parity) {
    if (options.progress) options.progress("comparing with the reference", 0, 0);
    ANEMONE_TRY(CompareWithReference(policy, model, options, evidence).At(model.name));
  }
  if (policy.needs_runs()) ANEMONE_TRY(RunSides(policy, model, options, evidence).At(model.name));
  if (policy.fallback_proof || policy.logs) {
    if (options.progress) options.progress("injecting faults", 0, 0);
    ANEMONE_ASSIGN(FallbackProof proof, ProveFallback(model.model, model.name, model.hash,
                                                      options.directory, options.threads));
    evidence.faults = std::move(proof.faults);
    evidence.logs = std::move(proof.logs);
  }
  if (policy.dispatch) evidence.blocking_operators = Blockers(*model.model);
  return evidence;
}

}  // namespace anemone::gate
