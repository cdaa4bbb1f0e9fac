// anemone convert: from a network to an ML Program, with its manifest.
#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/document.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

Status RunConvert(const ConvertFileOptions& options, const Globals& globals) {
  ANEMONE_ASSIGN(const ConvertFileResult result, WithProgress(globals, [&](const Hooks& hooks) {
                   return facade::RunConvertFile(options, hooks);
                 }));
  if (globals.json) Print(result.json);
  for (const std::string& warning : result.warnings) Say(globals, "warning: " + warning);
  if (globals.verbose > 0) {
    for (const std::string& note : result.notes) Say(globals, "note: " + note);
  } else if (!result.notes.empty()) {
    Say(globals, fmt::format("{} note{} from the passes; -v lists them", result.notes.size(),
                             result.notes.size() == 1 ? "" : "s"));
  }
  Say(globals, fmt::format("{}: {}, {} operators ({} before the passes), {} in {:.2f} s",
                           result.output, result.minimum_deployment_target, result.operations,
                           result.operations_before, facade::SizeText(result.size_bytes),
                           static_cast<double>(result.duration_ns) * 1e-9));
  return {};
}

}  // namespace

void AddConvert(Command app, Context& context) {
  Command command = app.AddCommand("convert", "make an ML Program (.mlpackage) from a network");
  auto options = std::make_shared<ConvertFileOptions>();
  AddOptions(command, options::TableOf(*options));
  command.Footer(
      "Example: anemone convert model.onnx -o model.mlpackage --compute-precision float16");
  OnRun(command, context, [options, &context] { return RunConvert(*options, context.globals); });
}

}  // namespace anemone::cli
