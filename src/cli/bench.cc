// anemone bench: latency percentiles, memory, a profile by operator.
#include <iostream>

#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/document.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

std::string SubjectText(const BenchResult::Subject& subject, const BenchOptions& options) {
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

Status RunBench(BenchOptions options, const Globals& globals) {
  options.threads = globals.threads;
  ANEMONE_ASSIGN(const BenchResult result, WithProgress(globals, [&](const Hooks& hooks) {
                   return facade::RunBench(options, hooks);
                 }));
  if (globals.json) {
    Print(result.json);
    return {};
  }
  for (const auto& subject : result.subjects) std::cout << SubjectText(subject, options) << "\n";
  if (const auto& ratio = result.median_ratio) {
    std::cout << fmt::format("median ratio {:.3f} ({:.3f} to {:.3f}, 95 % interval)\n",
                             ratio->value, ratio->low, ratio->high);
  }
  if (result.peak_resident_bytes) {
    std::cout << "peak memory " << facade::SizeText(*result.peak_resident_bytes) << "\n";
  }
  return {};
}

}  // namespace

void AddBench(Command app, Context& context) {
  Command command = app.AddCommand("bench", "latency percentiles, memory, profile by operator");
  auto options = std::make_shared<BenchOptions>();
  AddOptions(command, options::TableOf(*options));
  command.Footer("Example: anemone bench model.mlpackage --iterations 1000 --against model.onnx");
  OnRun(command, context, [options, &context] { return RunBench(*options, context.globals); });
}

}  // namespace anemone::cli
