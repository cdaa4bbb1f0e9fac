// anemone bench: latency percentiles, memory, a profile by operator.
#include <iostream>

#include "cli/command.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

struct BenchFlags {
  ModelFlags model;
  BackendFlags backend;
  BenchOptions options;
};

std::string Text(const BenchResult::Subject& subject, const BenchOptions& options) {
  const auto ms = [](int64_t ns) { return static_cast<double>(ns) * 1e-6; };
  std::string line = fmt::format("{} ({}):", subject.label, subject.backend);
  if (subject.load_ns) line += fmt::format(" load {:.1f} ms,", ms(*subject.load_ns));
  if (subject.first_inference_ns) {
    line += fmt::format(" first {:.2f} ms,", ms(*subject.first_inference_ns));
  }
  if (subject.iterations == 0) return line + " every call failed";
  line += fmt::format(" mean {:.3f} ms", subject.mean_ns * 1e-6);
  for (size_t i = 0; i < options.percentile.size(); ++i) {
    line += fmt::format(", p{:g} {:.3f} ms", options.percentile[i], ms(subject.percentiles_ns[i]));
  }
  line += fmt::format(" over {} iterations", subject.iterations);
  if (subject.failed > 0) line += fmt::format(", {} failed", subject.failed);
  if (!subject.steady && options.warmup_time > 0) line += " (not steady)";
  return line;
}

Status RunBench(const BenchFlags& flags, const Globals& globals) {
  BenchOptions options = flags.options;
  static_cast<ModelOptions&>(options) = ToOptions(flags.model);
  options.backend = flags.backend.backend;
  options.numerics = flags.backend.numerics;
  options.function = flags.backend.function;
  options.threads = globals.threads;
  ANEMONE_ASSIGN(const BenchResult result, WithProgress(globals, [&](const Hooks& hooks) {
                   return facade::RunBench(options, hooks);
                 }));
  if (globals.json) {
    Print(result.json);
    return {};
  }
  for (const auto& subject : result.subjects) std::cout << Text(subject, options) << "\n";
  if (const auto& ratio = result.median_ratio) {
    std::cout << fmt::format("median ratio {:.3f} ({:.3f} to {:.3f}, 95 % interval)\n",
                             ratio->value, ratio->low, ratio->high);
  }
  if (result.peak_resident_bytes) {
    std::cout << "peak memory " << SizeText(*result.peak_resident_bytes) << "\n";
  }
  return {};
}

}  // namespace

void AddBench(Command app, Context& context) {
  Command command = app.AddCommand("bench", "latency percentiles, memory, profile by operator");
  auto flags = std::make_shared<BenchFlags>();
  AddModelFlags(command, flags->model, false);
  command.AddOption("--iterations", flags->options.iterations, "timed inferences")
      .ShowDefault()
      .Positive();
  command.AddOption("--duration", flags->options.duration,
                    "seconds to measure, instead of --iterations");
  command.AddOption("--warmup", flags->options.warmup, "inferences before the timed ones")
      .ShowDefault();
  command.AddOption("--warmup-time", flags->options.warmup_time,
                    "seconds of warm-up, then until two blocks of 50 agree within 5 %");
  command.AddOption("--percentile", flags->options.percentile, "percentiles to report")
      .Delimiter(',')
      .ShowDefault();
  command.AddOption("--against", flags->options.against,
                    "a MODEL or a backend to measure beside, in A B B A blocks");
  command
      .AddOption("--compute-units", flags->options.compute_units,
                 "of Core ML: all, cpu_only, cpu_and_gpu or cpu_and_ne")
      .ShowDefault();
  command.AddOption("--export-profile", flags->options.export_profile,
                    "write one inference as a Chrome trace");
  command.AddOption("--export-times", flags->options.export_times,
                    "write a run record (run.jsonl), with --against a second one beside it");
  command.AddOption("--input-seed", flags->options.input_seed, "seed of the inputs");
  AddBackendFlags(command, flags->backend);
  command.Footer("Example: anemone bench model.mlpackage --iterations 1000 --against model.onnx");
  OnRun(command, context, [flags, &context] { return RunBench(*flags, context.globals); });
}

}  // namespace anemone::cli
