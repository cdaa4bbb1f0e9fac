// anemone demo: the main job on embedded defaults.
#include <iostream>

#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/document.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

struct DemoFlags {
  DemoOptions options;
  bool strict = false;
};

void PrintVariant(const DemoResult::Variant& variant) {
  bool first = true;
  for (const OutputComparison& output : variant.outputs) {
    std::cout << fmt::format(
        "{:26} {:>22}  {:14} {:9.2e} {:9.2e} {:9.2e} {:9.2e} {:7.1f} {:6.3f}  {:g}/{:g} {:4} "
        "{}\n",
        first ? variant.model + " " + variant.precision : "",
        first ? facade::SizeText(variant.package_size_bytes) : "", output.output, output.linf,
        output.rmse, output.linf_relative, output.rmse_relative, output.psnr_db,
        output.top1_agreement, variant.limit_linf, variant.limit_rmse,
        output.relative ? "rel." : "abs.", output.passed ? "PASSED" : "MISSED");
    first = false;
  }
  if (!variant.first_drift.empty())
    std::cout << fmt::format("{:26} first drift: {}\n", "", variant.first_drift);
}

void PrintTable(const DemoResult& result, const DemoOptions& options) {
  std::cout << fmt::format("{:26} {:>22}  {:14} {:>9} {:>9} {:>9} {:>9} {:>7} {:>6}  {:19} {}\n",
                           "variant", "size", "output", "L-inf", "RMSE", "L-inf/rng", "RMSE/rng",
                           "PSNR", "top-1", "limits", "verdict");
  for (const DemoResult::Variant& variant : result.variants) PrintVariant(variant);
  std::cout << fmt::format("weights: {}; top-1 is agreement with the fp32 original\n",
                           options.weights == "seeded"
                               ? fmt::format("seeded (seed {})", options.seed)
                               : options.weights);
}

Status RunDemo(const DemoFlags& flags, Context& context) {
  const Globals& globals = context.globals;
  DemoOptions options = flags.options;
  options.threads = globals.threads;
  ANEMONE_ASSIGN(const DemoResult result, WithProgress(globals, [&](const Hooks& hooks) {
                   return facade::RunDemo(options, hooks);
                 }));
  if (globals.json) {
    Print(result.json);
  } else {
    PrintTable(result, options);
  }
  const size_t count = result.variants.size();
  Say(globals, fmt::format("{} packages with manifests in {}; {} of {} miss a limit", count,
                           options.models_dir, result.missed, count));
  if (flags.strict && result.missed > 0)
    EndWith(context, Mismatch("{} of {} variants miss a limit", result.missed, count));
  return {};
}

}  // namespace

void AddDemo(Command app, Context& context) {
  Command command = app.AddCommand(
      "demo", "the whole job on the catalog models, offline: build, convert, compress, verify");
  auto flags = std::make_shared<DemoFlags>();
  AddOptions(command, options::TableOf(flags->options));
  command.AddFlag("--strict", flags->strict, "end with exit code 1 when a variant misses a limit");
  command.Footer("Example: anemone demo --models-dir models");
  OnRun(command, context, [flags, &context] { return RunDemo(*flags, context); });
}

}  // namespace anemone::cli
