// anemone view: the model's graph as one page for a browser.
#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/document.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

Status RunView(ViewOptions options, const Globals& globals) {
  options.threads = globals.threads;
  ANEMONE_ASSIGN(const ViewResult result, WithProgress(globals, [&](const Hooks& hooks) {
                   return facade::RunView(options, hooks);
                 }));
  if (globals.json) Print(result.json);
  Say(globals, fmt::format("{}: {} operators, {}", result.output, result.operators,
                           facade::SizeText(result.size_bytes)));
  return {};
}

}  // namespace

void AddView(Command app, Context& context) {
  Command command = app.AddCommand("view", "show the graph, folded by block, as one page");
  auto options = std::make_shared<ViewOptions>();
  AddOptions(command, options::TableOf(*options));
  command.Footer(
      "Example: anemone view model.mlpackage -o model.html\n"
      "         anemone view model.onnx -o model.html --float16 --compare model_int8.mlpackage");
  OnRun(command, context, [options, &context] { return RunView(*options, context.globals); });
}

}  // namespace anemone::cli
