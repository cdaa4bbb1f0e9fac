// anemone inspect: what a model holds, and where it would run.
#include <iostream>

#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

struct InspectFlags {
  InspectOptions options;
  bool text = false;
};

Status RunInspect(const InspectFlags& flags, const Globals& globals) {
  if (flags.text) {
    ANEMONE_ASSIGN(const std::string text, facade::MilText(flags.options));
    std::cout << text;
    return {};
  }
  ANEMONE_ASSIGN(const InspectResult result, facade::RunInspect(flags.options));
  if (globals.json) {
    Print(result.json);
  } else {
    std::cout << result.text;
  }
  return {};
}

}  // namespace

void AddInspect(Command app, Context& context) {
  Command command =
      app.AddCommand("inspect", "show inputs, outputs, operators, weights and arithmetic");
  auto flags = std::make_shared<InspectFlags>();
  AddOptions(command, options::TableOf(flags->options));
  command.AddFlag("--text", flags->text, "print the MIL text");
  command.Footer(
      "Example: anemone inspect model.mlpackage --ops\n"
      "         anemone inspect model.mlpackage --placement --chip m1,m4,a17pro");
  OnRun(command, context, [flags, &context] { return RunInspect(*flags, context.globals); });
}

}  // namespace anemone::cli
