#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "facade/session_options.h"
#include "lab/latency.h"
#include "lab/measure.h"
#include "lab/statistics.h"
#include "runtime/backends.h"
#include "runtime/chrome_trace.h"
#include "runtime/process_memory.h"
#include "runtime/run_record_io.h"

namespace anemone::cli {
namespace {

struct BenchFlags {
  ModelFlags model;
  BackendFlags backend;
  std::string compute_units = "all";
  int64_t iterations = 100;
  double duration_s = 0;
  int64_t warmup = 10;
  double warmup_s = 0;
  std::vector<double> percentiles{50, 90, 99};
  std::string against;
  std::string export_profile;
  std::string export_times;
  uint64_t input_seed = 0;
};

Result<lab::Subject> MakeSubject(const facade::LoadedModel& loaded, const std::string& argument,
                                 const std::string& backend, const BenchFlags& flags,
                                 const Globals& globals) {
  lab::Subject subject;
  subject.model = loaded.model;
  subject.model_name = loaded.name;
  ANEMONE_ASSIGN(subject.model_hash, facade::ContentHash(loaded, argument));
  subject.session.backend = backend;
  // What is measured is this backend: another one's answer would be another one's time.
  subject.session.fallback = false;
  ANEMONE_ASSIGN(subject.session.load, MakeLoadOptions(flags.backend, globals));
  ANEMONE_ASSIGN(subject.session.load.compute_units, ComputeUnitsFromName(flags.compute_units));
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

Json NsOrNull(const std::optional<int64_t>& value) { return value ? Json(*value) : Json(nullptr); }

Json SubjectJson(const lab::Measured& measured, const BenchFlags& flags) {
  const std::vector<int64_t> samples = measured.durations_ns();
  const runtime::RunSummary& summary = *measured.record.summary;
  Json json;
  json["label"] = measured.label;
  json["backend"] = measured.record.header.backend;
  json["model_hash"] = measured.record.header.model_hash;
  json["iterations"] = samples.size();
  json["failed"] = summary.failed;
  json["load_ns"] = NsOrNull(measured.load_ns);
  json["first_inference_ns"] = NsOrNull(measured.first_inference_ns);
  json["warmup_iterations"] = measured.warmup_calls;
  json["steady"] = measured.steady;
  const bool any = !samples.empty();
  json["mean_ns"] = any ? Json(static_cast<int64_t>(lab::MeanNs(samples))) : Json(nullptr);
  json["min_ns"] = any ? Json(lab::PercentileNs(samples, 1e-9)) : Json(nullptr);
  Json bounds;
  for (const double percent : flags.percentiles) {
    json[fmt::format("p{:g}_ns", percent)] =
        any ? Json(lab::PercentileNs(samples, percent)) : Json(nullptr);
    if (percent < 100) {
      bounds[fmt::format("p{:g}_ns", percent)] =
          NsOrNull(lab::EarlyStoppingBoundNs(samples, percent));
    }
  }
  json["max_ns"] = any ? Json(lab::PercentileNs(samples, 100)) : Json(nullptr);
  // What the percentile is at most, with 99 % confidence; null: too few samples to say.
  json["upper_bound_99"] = std::move(bounds);
  json["working_memory_bytes"] = measured.working_memory_bytes;
  return json;
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

std::string Text(const lab::Measured& measured, const BenchFlags& flags) {
  const std::vector<int64_t> samples = measured.durations_ns();
  const auto ms = [](int64_t ns) { return static_cast<double>(ns) * 1e-6; };
  std::string line = fmt::format("{} ({}):", measured.label, measured.record.header.backend);
  if (measured.load_ns) line += fmt::format(" load {:.1f} ms,", ms(*measured.load_ns));
  if (measured.first_inference_ns) {
    line += fmt::format(" first {:.2f} ms,", ms(*measured.first_inference_ns));
  }
  if (samples.empty()) return line + " every call failed";
  line += fmt::format(" mean {:.3f} ms", lab::MeanNs(samples) * 1e-6);
  for (const double percent : flags.percentiles) {
    line += fmt::format(", p{:g} {:.3f} ms", percent, ms(lab::PercentileNs(samples, percent)));
  }
  line += fmt::format(" over {} iterations", samples.size());
  if (measured.record.summary->failed > 0) {
    line += fmt::format(", {} failed", measured.record.summary->failed);
  }
  if (!measured.steady && flags.warmup_s > 0) line += " (not steady)";
  return line;
}

Result<std::vector<lab::Measured>> MeasureSubjects(const std::vector<lab::Subject>& subjects,
                                                   const BenchFlags& flags,
                                                   const Globals& globals) {
  Progress progress(globals);
  lab::MeasureOptions options;
  options.warmup_ns = static_cast<int64_t>(flags.warmup_s * 1e9);
  options.warmup_calls = flags.warmup;
  // Without --warmup-time the number of calls is the user's word.
  options.warmup_cap_ns =
      flags.warmup_s > 0 ? std::max<int64_t>(30'000'000'000, options.warmup_ns) : 0;
  options.duration_ns = static_cast<int64_t>(flags.duration_s * 1e9);
  options.calls = flags.duration_s > 0 ? 1 : flags.iterations;
  options.cap_ns = INT64_MAX;
  options.block = std::clamp<int64_t>(flags.iterations / 8, 1, 25);
  options.input_seed = flags.input_seed;
  options.progress = [&](const std::string& stage, int64_t done, int64_t total) {
    if (total > 0) {
      progress.Count(done, total, stage);
    } else {
      progress.Step(stage);
    }
  };
  return lab::Measure(subjects, options, ANEMONE_VERSION);
}

Status RunBench(const BenchFlags& flags, const Globals& globals) {
  for (const double percent : flags.percentiles) {
    if (!(percent > 0 && percent <= 100)) return Usage("percentile {} is not in (0, 100]", percent);
  }
  ANEMONE_ASSIGN(const auto loaded, Load(flags.model));
  const std::string& argument = flags.model.source.model;
  std::vector<lab::Subject> subjects;
  ANEMONE_ASSIGN(auto first, MakeSubject(loaded, argument, flags.backend.backend, flags, globals));
  first.label = argument;
  first.record_path = flags.export_times;
  subjects.push_back(std::move(first));
  if (!flags.against.empty()) {
    const auto backend = runtime::FindBackend(flags.against);
    // A backend that exists and cannot run here is no model's name.
    if (!backend.ok() && backend.error().code() == ErrorCode::kUnavailable) return backend.error();
    lab::Subject other;
    if (backend.ok()) {
      ANEMONE_ASSIGN(other, MakeSubject(loaded, argument, flags.against, flags, globals));
      other.label = argument + " on " + flags.against;
    } else {
      ANEMONE_ASSIGN(const auto model, Load(flags.against));
      ANEMONE_ASSIGN(other,
                     MakeSubject(model, flags.against, flags.backend.backend, flags, globals));
      other.label = flags.against;
    }
    if (!flags.export_times.empty()) other.record_path = AgainstPath(flags.export_times);
    subjects.push_back(std::move(other));
  }
  ANEMONE_ASSIGN(auto measured, MeasureSubjects(subjects, flags, globals));
  if (!flags.export_profile.empty()) ANEMONE_TRY(ExportProfile(measured[0], flags.export_profile));
  Json document = Document("anemone.bench");
  document["threads"] = globals.threads;
  document["numerics"] = flags.backend.numerics;
  const auto peak = runtime::PeakResidentBytes();
  document["peak_resident_bytes"] = peak ? Json(*peak) : Json();
  Json list = Json::array();
  for (const lab::Measured& one : measured) list.push_back(SubjectJson(one, flags));
  document["results"] = std::move(list);
  std::optional<lab::Interval> ratio;
  if (measured.size() == 2) {
    ratio = lab::PercentileRatio(lab::BlocksOf(measured[0].record, &measured[1].record),
                                 lab::BlocksOf(measured[1].record, &measured[0].record), 50);
    document["median_ratio"] = ratio ? Json(ratio->value) : Json(nullptr);
    document["median_ratio_interval_95"] = ratio ? Json{ratio->low, ratio->high} : Json(nullptr);
  }
  if (globals.json) {
    Print(document);
    return {};
  }
  for (const lab::Measured& one : measured) std::cout << Text(one, flags) << "\n";
  if (ratio) {
    std::cout << fmt::format("median ratio {:.3f} ({:.3f} to {:.3f}, 95 % interval)\n",
                             ratio->value, ratio->low, ratio->high);
  }
  if (peak) std::cout << "peak memory " << SizeText(*peak) << "\n";
  return {};
}

}  // namespace

void AddBench(Command app, Context& context) {
  Command command = app.AddCommand("bench", "latency percentiles, memory, profile by operator");
  auto flags = std::make_shared<BenchFlags>();
  AddModelFlags(command, flags->model, false);
  command.AddOption("--iterations", flags->iterations, "timed inferences").ShowDefault().Positive();
  command.AddOption("--duration", flags->duration_s, "seconds to measure, instead of --iterations");
  command.AddOption("--warmup", flags->warmup, "inferences before the timed ones").ShowDefault();
  command.AddOption("--warmup-time", flags->warmup_s,
                    "seconds of warm-up, then until two blocks of 50 agree within 5 %");
  command.AddOption("--percentile", flags->percentiles, "percentiles to report")
      .Delimiter(',')
      .ShowDefault();
  command.AddOption("--against", flags->against,
                    "a MODEL or a backend to measure beside, in A B B A blocks");
  command
      .AddOption("--compute-units", flags->compute_units,
                 "of Core ML: all, cpu_only, cpu_and_gpu or cpu_and_ne")
      .ShowDefault();
  command.AddOption("--export-profile", flags->export_profile,
                    "write one inference as a Chrome trace");
  command.AddOption("--export-times", flags->export_times,
                    "write a run record (run.jsonl), with --against a second one beside it");
  command.AddOption("--input-seed", flags->input_seed, "seed of the inputs");
  AddBackendFlags(command, flags->backend);
  command.Footer("Example: anemone bench model.mlpackage --iterations 1000 --against model.onnx");
  OnRun(command, context, [flags, &context] { return RunBench(*flags, context.globals); });
}

}  // namespace anemone::cli
