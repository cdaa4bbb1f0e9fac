// anemone compare: two models' outputs, whole or operator by operator.
#include <iostream>

#include "cli/command.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

void PrintText(const CompareOptions& options, const CompareResult& result) {
  for (const OperatorComparison& row : result.operators) {
    std::cout << fmt::format(
        "{:40} {:20} L-inf {:10.3g} of range, RMSE {:10.3g}, PSNR {:6.1f} dB\n", row.name, row.type,
        row.linf_relative, row.rmse_relative, row.psnr_db);
  }
  for (const OutputComparison& row : result.outputs) {
    std::cout << fmt::format(
        "{}: L-inf {:.3g} ({:.3g} of range), RMSE {:.3g} ({:.3g} of range), PSNR {:.1f} dB, "
        "top-1 agreement {:.4f}, "
        "judged {} against {:g} / {:g}: {}\n",
        row.output, row.linf, row.linf_relative, row.rmse, row.rmse_relative, row.psnr_db,
        row.top1_agreement, row.relative ? "relative to range" : "absolutely",
        options.tolerance_linf, options.tolerance_rmse, row.passed ? "PASSED" : "FAILED");
  }
}

Status RunCompare(CompareOptions options, const Globals& globals) {
  options.threads = globals.threads;
  ANEMONE_ASSIGN(const CompareResult result, WithProgress(globals, [&](const Hooks& hooks) {
                   return facade::RunCompare(options, hooks);
                 }));
  if (globals.json) {
    Print(result.json);
  } else {
    PrintText(options, result);
  }
  if (result.passed) return {};
  const std::string reason = result.first_drift.empty() ? "no operator alone exceeds the limit"
                                                        : "first drift: " + result.first_drift;
  return Mismatch("the outputs differ by more than the tolerance; {}", reason)
      .Advise(
          "--per-op lists every operator; --tolerance-linf and --tolerance-rmse set the limits");
}

}  // namespace

void AddCompare(Command app, Context& context) {
  Command command =
      app.AddCommand("compare", "compare two models' outputs, whole or operator by operator");
  auto options = std::make_shared<CompareOptions>();
  command.AddOption("A", options->reference, "the reference MODEL").Required();
  command.AddOption("B", options->variant, "the MODEL to judge").Required();
  command.AddOption("--inputs", options->inputs,
                    "NAME=FILE.npy, .png or .jpg; seeded normal inputs when absent");
  command.AddOption("--seed", options->seed, "seed of the inputs").ShowDefault();
  command.AddOption("--samples", options->samples, "how many seeded inputs")
      .ShowDefault()
      .Range(1, 100000);
  command.AddFlag("--per-op", options->per_op, "list every operator's drift");
  command.AddOption("--tolerance-linf", options->tolerance_linf, "largest difference allowed")
      .ShowDefault();
  command
      .AddOption("--tolerance-rmse", options->tolerance_rmse, "root-mean-square difference allowed")
      .ShowDefault();
  command.AddOption("--min-psnr", options->min_psnr, "smallest PSNR allowed, in dB");
  command.AddOption("--backend", options->backend, "auto, cpu, coreml or reference").ShowDefault();
  command.AddOption("--numerics", options->numerics, "of the variant: as_typed, float32 or float16")
      .ShowDefault();
  command.Footer("Example: anemone compare model.onnx model.mlpackage --per-op");
  OnRun(command, context, [options, &context] { return RunCompare(*options, context.globals); });
}

}  // namespace anemone::cli
