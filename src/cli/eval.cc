// anemone eval: top-1 and top-5 over labeled photographs.
#include <iostream>

#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

struct EvalFlags {
  ModelFlags model;
  BackendFlags backend;
  EvaluateOptions options;
};

double Percent(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : 100 * (static_cast<double>(part) / static_cast<double>(whole));
}

void PrintText(const EvaluateOptions& options, const EvaluateResult& result) {
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

Status RunEval(const EvalFlags& flags, const Globals& globals) {
  EvaluateOptions options = flags.options;
  static_cast<ModelOptions&>(options) = ToOptions(flags.model);
  options.backend = flags.backend.backend;
  options.numerics = flags.backend.numerics;
  options.function = flags.backend.function;
  options.threads = globals.threads;
  ANEMONE_ASSIGN(const EvaluateResult result, WithProgress(globals, [&](const Hooks& hooks) {
                   return facade::RunEvaluate(options, hooks);
                 }));
  if (globals.json) {
    Print(result.json);
  } else {
    PrintText(options, result);
  }
  return {};
}

}  // namespace

void AddEval(Command app, Context& context) {
  Command command = app.AddCommand("eval", "top-1 and top-5 over labeled photographs");
  auto flags = std::make_shared<EvalFlags>();
  AddModelFlags(command, flags->model, false);
  command.AddOption("--images", flags->options.images, "folder of PNG and JPEG files").Required();
  command.AddOption("--labels", flags->options.labels, "CSV with the columns file and class_index")
      .Required();
  command.AddOption("--reference", flags->options.reference,
                    "MODEL whose predictions to agree with");
  AddOptions(command, options::TableOf(flags->options.preprocess));
  command.AddOption("--limit", flags->options.limit, "evaluate only the first N images");
  command.AddFlag("--rows", flags->options.rows, "list every image's prediction");
  AddBackendFlags(command, flags->backend);
  command.Footer(
      "Example: anemone eval model.mlpackage --images photos --labels photos/labels.csv "
      "--reference model.onnx");
  OnRun(command, context, [flags, &context] { return RunEval(*flags, context.globals); });
}

}  // namespace anemone::cli
