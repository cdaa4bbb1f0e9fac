// RunBench: one or two subjects measured in turn, with the document "anemone.bench".
#include <algorithm>

#include "facade/arrays.h"
#include "facade/document.h"
#include "facade/session_options.h"
#include "facade/tool_options.h"
#include "facade/tools.h"
#include "lab/latency.h"
#include "lab/measure.h"
#include "lab/statistics.h"
#include "options/option.h"
#include "runtime/backends.h"
#include "runtime/chrome_trace.h"
#include "runtime/process_memory.h"

namespace anemone::facade {
namespace {

Result<lab::Subject> MakeSubject(const LoadedModel& loaded, const std::string& argument,
                                 const std::string& backend, const BenchOptions& options) {
  lab::Subject subject;
  ANEMONE_ASSIGN(subject.model, AsRun(loaded, backend));
  subject.model_name = loaded.name;
  ANEMONE_ASSIGN(subject.model_hash, ContentHash(loaded, argument));
  subject.session.backend = backend;
  // What is measured is this backend: another one's answer would be another one's time.
  subject.session.fallback = false;
  subject.session.load.function = options.function;
  subject.session.load.threads = options.threads;
  ANEMONE_ASSIGN(subject.session.load.numerics, ParseNumerics(options.numerics));
  ANEMONE_ASSIGN(subject.session.load.compute_units, ComputeUnitsFromName(options.compute_units));
  if (loaded.origin == "mlpackage") subject.session.load.package_path = argument;
  return subject;
}

// "run.jsonl" becomes "run.against.jsonl".
std::string AgainstPath(const std::string& path) {
  const size_t dot = path.rfind('.');
  const size_t slash = path.rfind('/');
  if (dot == std::string::npos || (slash != std::string::npos && dot < slash)) {
    return path + ".against";
  }
  return path.substr(0, dot) + ".against" + path.substr(dot);
}

Result<std::vector<lab::Subject>> MakeSubjects(const BenchOptions& options) {
  ANEMONE_ASSIGN(const auto loaded, LoadModel(options));
  std::vector<lab::Subject> subjects;
  ANEMONE_ASSIGN(auto first, MakeSubject(loaded, options.model, options.backend, options));
  first.label = options.model;
  first.record_path = options.export_times;
  subjects.push_back(std::move(first));
  if (options.against.empty()) return subjects;
  const auto backend = runtime::FindBackend(options.against);
  // The name of a backend that exists but cannot run here is not a model.
  if (!backend.ok() && backend.error().code() == ErrorCode::kUnavailable) return backend.error();
  lab::Subject other;
  if (backend.ok()) {
    ANEMONE_ASSIGN(other, MakeSubject(loaded, options.model, options.against, options));
    other.label = options.model + " on " + options.against;
  } else {
    ANEMONE_ASSIGN(const auto model, LoadModel(options.against));
    ANEMONE_ASSIGN(other, MakeSubject(model, options.against, options.backend, options));
    other.label = options.against;
  }
  if (!options.export_times.empty()) other.record_path = AgainstPath(options.export_times);
  subjects.push_back(std::move(other));
  return subjects;
}

lab::MeasureOptions HowToMeasure(const BenchOptions& options, const Hooks& hooks) {
  lab::MeasureOptions measure;
  measure.warmup_ns = static_cast<int64_t>(options.warmup_time * 1e9);
  measure.warmup_calls = options.warmup;
  // Without --warmup-time the number of calls is the user's word.
  measure.warmup_cap_ns =
      options.warmup_time > 0 ? std::max<int64_t>(30'000'000'000, measure.warmup_ns) : 0;
  measure.duration_ns = static_cast<int64_t>(options.duration * 1e9);
  measure.calls = options.duration > 0 ? 1 : options.iterations;
  measure.cap_ns = INT64_MAX;
  measure.block = std::clamp<int64_t>(options.iterations / 8, 1, 25);
  measure.input_seed = options.input_seed;
  measure.progress = hooks.progress;
  measure.cancelled = hooks.cancelled;
  return measure;
}

// One traced inference, an operator a slice.
Status ExportProfile(lab::Measured& measured, const std::string& path) {
  runtime::ChromeTrace trace;
  exec::Tracer tracer;
  tracer.on_operation = [&](const exec::TraceEvent& event) {
    std::string fused;
    for (const ir::Operation* member : event.fused) {
      fused += (fused.empty() ? "" : ", ") + std::string(member->name());
    }
    const ir::Operation* operation = event.operation;
    trace.Slice(operation == nullptr ? std::string(event.kernel) : operation->name(),
                operation == nullptr ? std::string("layout") : operation->type(), event.begin_ns,
                event.duration_ns, 1, {{"kernel", std::string(event.kernel)}, {"fused", fused}});
  };
  exec::State state;
  ANEMONE_TRY(measured.session->Predict(measured.inputs, &state, nullptr, &tracer).status());
  return trace.Write(path);
}

Json SubjectJson(const lab::Measured& measured, const std::vector<double>& percentiles) {
  const std::vector<int64_t> samples = measured.durations_ns();
  const runtime::RunSummary& summary = *measured.record.summary;
  Json json;
  json["label"] = measured.label;
  json["backend"] = measured.record.header.backend;
  json["model_hash"] = measured.record.header.model_hash;
  json["iterations"] = samples.size();
  json["failed"] = summary.failed;
  json["load_ns"] = OrNull(measured.load_ns);
  json["first_inference_ns"] = OrNull(measured.first_inference_ns);
  json["warmup_iterations"] = measured.warmup_calls;
  json["steady"] = measured.steady;
  const bool any = !samples.empty();
  json["mean_ns"] = any ? Json(static_cast<int64_t>(lab::MeanNs(samples))) : Json();
  json["min_ns"] = any ? Json(lab::PercentileNs(samples, 1e-9)) : Json();
  Json bounds;
  for (const double percent : percentiles) {
    const std::string key = fmt::format("p{:g}_ns", percent);
    json[key] = any ? Json(lab::PercentileNs(samples, percent)) : Json();
    if (percent < 100) bounds[key] = OrNull(lab::EarlyStoppingBoundNs(samples, percent));
  }
  json["max_ns"] = any ? Json(lab::PercentileNs(samples, 100)) : Json();
  // What the percentile is at most, with 99 % confidence; null: too few samples to say.
  json["upper_bound_99"] = std::move(bounds);
  json["working_memory_bytes"] = measured.working_memory_bytes;
  return json;
}

BenchResult::Subject SubjectRow(const lab::Measured& measured,
                                const std::vector<double>& percentiles) {
  const std::vector<int64_t> samples = measured.durations_ns();
  BenchResult::Subject row;
  row.label = measured.label;
  row.backend = measured.record.header.backend;
  row.load_ns = measured.load_ns;
  row.first_inference_ns = measured.first_inference_ns;
  row.iterations = static_cast<int64_t>(samples.size());
  row.failed = measured.record.summary->failed;
  row.steady = measured.steady;
  if (samples.empty()) return row;
  row.mean_ns = lab::MeanNs(samples);
  for (const double percent : percentiles) {
    row.percentiles_ns.push_back(lab::PercentileNs(samples, percent));
  }
  return row;
}

std::string BenchJson(const BenchOptions& options, const BenchResult& result,
                      const std::vector<lab::Measured>& measured) {
  Json document = Document("anemone.bench");
  document["threads"] = options.threads;
  document["numerics"] = options.numerics;
  document["peak_resident_bytes"] = OrNull(result.peak_resident_bytes);
  Json list = Json::Array();
  for (const lab::Measured& one : measured) list.push_back(SubjectJson(one, options.percentile));
  document["results"] = std::move(list);
  if (measured.size() == 2) {
    const auto& ratio = result.median_ratio;
    document["median_ratio"] = ratio ? Json(ratio->value) : Json();
    document["median_ratio_interval_95"] = ratio ? Json::Array({ratio->low, ratio->high}) : Json();
  }
  return DocumentText(document);
}

}  // namespace

Result<BenchResult> RunBench(const BenchOptions& options, const Hooks& hooks) {
  ANEMONE_TRY(options::Check(options));
  ANEMONE_ASSIGN(const auto subjects, MakeSubjects(options));
  ANEMONE_ASSIGN(auto measured,
                 lab::Measure(subjects, HowToMeasure(options, hooks), ANEMONE_VERSION));
  if (!options.export_profile.empty())
    ANEMONE_TRY(ExportProfile(measured[0], options.export_profile));
  BenchResult result;
  result.peak_resident_bytes = runtime::PeakResidentBytes();
  for (const lab::Measured& one : measured)
    result.subjects.push_back(SubjectRow(one, options.percentile));
  if (measured.size() == 2) {
    const auto ratio =
        lab::PercentileRatio(lab::BlocksOf(measured[0].record, &measured[1].record),
                             lab::BlocksOf(measured[1].record, &measured[0].record), 50);
    if (ratio) result.median_ratio = BenchResult::Ratio{ratio->value, ratio->low, ratio->high};
  }
  result.json = BenchJson(options, result, measured);
  return result;
}

}  // namespace anemone::facade
