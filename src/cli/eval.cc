// anemone eval: top-1 and top-5 over labeled photographs.
#include <iostream>

#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

double Percent(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : 100 * (static_cast<double>(part) / static_cast<double>(whole));
}

void PrintEvaluation(const EvaluateOptions& options, const EvaluateResult& result) {
  if (options.rows) {
    for (const auto& row : result.rows) {
      std::cout << fmt::format("{} label {} predicted {}\n", row.file, row.label, row.predicted);
    }
  }
  std::cout << fmt::format("top-1 {}/{} ({:.1f} %), top-5 {}/{} ({:.1f} %)\n", result.top1,
                           result.images, Percent(result.top1, result.images), result.top5,
                           result.images, Percent(result.top5, result.images));
  if (result.agree_with_reference) {
    std::cout << fmt::format("top-1 agrees with {} on {}/{} images\n", options.reference,
                             *result.agree_with_reference, result.images);
  }
}

Status RunEval(EvaluateOptions options, const Globals& globals) {
  options.threads = globals.threads;
  ANEMONE_ASSIGN(const EvaluateResult result, WithProgress(globals, [&](const Hooks& hooks) {
                   return facade::RunEvaluate(options, hooks);
                 }));
  if (globals.json) {
    Print(result.json);
  } else {
    PrintEvaluation(options, result);
  }
  return {};
}

}  // namespace

void AddEval(Command app, Context& context) {
  Command command = app.AddCommand("eval", "top-1 and top-5 over labeled photographs");
  auto options = std::make_shared<EvaluateOptions>();
  AddOptions(command, options::TableOf(*options));
  command.Footer(
      "Example: anemone eval model.mlpackage --images photos --labels photos/labels.csv "
      "--reference model.onnx");
  OnRun(command, context, [options, &context] { return RunEval(*options, context.globals); });
}

}  // namespace anemone::cli
