// anemone compare: two models' outputs, whole or operator by operator.
#include <iostream>

#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

void PrintComparison(const CompareResult& result) {
  // Every line fits 100 columns, but for longer names.
  if (!result.operators.empty()) {
    std::cout << fmt::format("{:44} {:20} {:>9} {:>9} {:>8}\n", "operator", "type", "L-inf", "RMSE",
                             "PSNR dB")
              << fmt::format("{:65} {:>9} {:>9}\n", "", "of range", "of range");
  }
  for (const OperatorComparison& row : result.operators) {
    std::cout << fmt::format("{:44} {:20} {:9.3g} {:9.3g} {:8.1f}\n", row.name, row.type,
                             row.linf_relative, row.rmse_relative, row.psnr_db);
  }
  for (const OutputComparison& row : result.outputs) {
    std::cout << fmt::format(
        "{}: {}\n"
        "  L-inf {:.3g} ({:.3g} of range), RMSE {:.3g} ({:.3g} of range), PSNR {:.1f} dB\n"
        "  top-1 agreement {:.4f}; judged {} against {:g} / {:g}\n",
        row.output, row.passed ? "PASSED" : "FAILED", row.linf, row.linf_relative, row.rmse,
        row.rmse_relative, row.psnr_db, row.top1_agreement,
        row.relative ? "relative to range" : "absolutely", result.limit_linf, result.limit_rmse);
  }
  std::cout << fmt::format("limits: {}\n", result.limits_reason);
}

Status RunCompare(CompareOptions options, Context& context) {
  const Globals& globals = context.globals;
  options.threads = globals.threads;
  ANEMONE_ASSIGN(const CompareResult result, WithProgress(globals, [&](const Hooks& hooks) {
                   return facade::RunCompare(options, hooks);
                 }));
  if (globals.json) {
    Print(result.json);
  } else {
    PrintComparison(result);
  }
  if (result.passed) return {};
  const std::string reason = result.first_drift.empty() ? "no operator alone exceeds the limit"
                                                        : "first drift: " + result.first_drift;
  EndWith(context, Mismatch("the outputs differ by more than the tolerance; {}", reason)
                       .Advise("--per-op lists every operator; --tolerance-linf and "
                               "--tolerance-rmse set the limits"));
  return {};
}

}  // namespace

void AddCompare(Command app, Context& context) {
  Command command =
      app.AddCommand("compare", "compare two models' outputs, whole or operator by operator");
  auto options = std::make_shared<CompareOptions>();
  AddOptions(command, options::TableOf(*options));
  command.Footer("Example: anemone compare model.onnx model.mlpackage --per-op");
  OnRun(command, context, [options, &context] { return RunCompare(*options, context); });
}

}  // namespace anemone::cli
