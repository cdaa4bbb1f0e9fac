#include "gate/sides.h"

#include <cmath>

#include "exec/failure.h"
#include "exec/function_inputs.h"
#include "exec/synthetic_inputs.h"
#include "gate/checks.h"
#include "lab/measure.h"
#include "runtime/backends.h"

namespace anemone::gate {
namespace {

using runtime::RunParity;

std::optional<double> Finite(double value) {
  return std::isfinite(value) ? std::optional<double>(value) : std::nullopt;
}

// Compares the backend's answers with the executor's. Empty when a call fails: the run shows it.
Result<std::vector<RunParity>> CompareWithExecutor(const Policy& policy, const LiveModel& model,
                                                   const LiveOptions& options,
                                                   const std::string& precision,
                                                   const runtime::SessionOptions& session) {
  if (!Needs(policy, Need::kExecutor)) return std::vector<RunParity>{};
  const auto say = [&](const char* stage) {
    if (options.progress) options.progress(stage, 0, 0);
  };
  say("loading subject");
  ANEMONE_ASSIGN(const auto subject, runtime::Session::Open(model.model, session));
  ANEMONE_ASSIGN(const exec::Backend* cpu, runtime::FindBackend("cpu"));
  exec::LoadOptions load;
  load.threads = options.threads;
  ANEMONE_ASSIGN(const auto executor, cpu->Load(model.model, load));
  const ir::Function& function = subject->function();
  const auto parity = policy.checks.Of<ParityPolicy>(kBackendParityKey);
  ANEMONE_ASSIGN(const auto synthetic, SyntheticSets(*model.model, function, parity));
  const lab::ParityLimits limits = LimitsFor(parity, precision);
  std::vector<RunParity> rows;
  for (const bool real : {false, true}) {
    const auto& inputs = real ? model.real_inputs : synthetic;
    if (inputs.empty()) continue;
    std::vector<lab::ParityMeter> meters(function.outputs().size());
    for (const lab::Inputs& set : inputs) {
      say("comparing subject with the executor");
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
      rows.push_back(ParityRow(output, real ? "real" : "synthetic", "cpu", precision));
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
  measure.cancelled = options.cancelled;
  return measure;
}

}  // namespace

RunParity ParityRow(const lab::OutputParity& output, const char* inputs,
                    const std::string& reference, const std::string& precision) {
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

lab::ParityLimits LimitsFor(const ParityPolicy& policy, const std::string& precision) {
  const auto found = policy.limits.find(precision);
  return found == policy.limits.end() ? lab::kFp16Limits : found->second;
}

Result<std::vector<lab::Inputs>> SyntheticSets(const ir::Model& model, const ir::Function& function,
                                               const ParityPolicy& policy) {
  std::vector<lab::Inputs> inputs;
  for (int64_t sample = 0; sample < policy.synthetic_samples; ++sample) {
    ANEMONE_ASSIGN(auto set,
                   exec::SyntheticInputs(model, function, static_cast<uint64_t>(policy.seed),
                                         static_cast<int>(sample)));
    inputs.push_back(std::move(set));
  }
  return inputs;
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
  const bool wanted = evidence.unavailable.empty();
  const exec::Backend* backend = wanted ? options.subject_backend : nullptr;
  if (backend == nullptr && wanted) {
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
    if (backend->external()) subject.session.backends.push_back(cpu);
    subject.session.load.package_path = model.path;
    ANEMONE_ASSIGN(subject.session.load.compute_units, ComputeUnitsFromName(policy.subject_units));
    subject.record_path = options.directory + "/subject.run.jsonl";
    subject.planned_units = model.planned_units;
    // Whether it loads at all, without a fallback in its place.
    runtime::SessionOptions alone = subject.session;
    alone.fallback = false;
    if (backend->external()) {
      auto rows = CompareWithExecutor(policy, model, options, evidence.precision, alone);
      if (!rows.ok()) {
        evidence.compile_error = rows.error().ToString();
      } else {
        subject.parity = std::move(*rows);
      }
    }
    subject.parity.insert(subject.parity.end(), evidence.parity.begin(), evidence.parity.end());
    // If a backend does not load, do not measure the fallback in its place.
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
    // It does not load, or its first call fails: a finding; the baseline can still be measured.
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

}  // namespace anemone::gate
