// anemone gate: pass or fail against a policy.
#include <iostream>

#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

Status RunGate(GateOptions options, Context& context) {
  options.threads = context.globals.threads;
  ANEMONE_ASSIGN(const GateResult result, WithProgress(context.globals, [&](const Hooks& hooks) {
                   return facade::RunGate(options, hooks);
                 }));
  std::cout << (context.globals.json ? result.json : result.text);
  context.exit_code = result.exit_code;
  return {};
}

}  // namespace

void AddGate(Command app, Context& context) {
  Command command = app.AddCommand("gate", "pass or fail against a policy");
  auto options = std::make_shared<GateOptions>();
  AddOptions(command, options::TableOf(*options));
  command.Footer(
      "Exit codes: 0 PASS, 1 FAIL, 4 NOT MEASURED, 5 a backend crashed, 6 timeout, 7 unit not "
      "obtained, 8 INCONCLUSIVE.\n"
      "Example: anemone gate model.mlpackage --policy gates/gate-c.json -o report");
  OnRun(command, context, [options, &context] { return RunGate(*options, context); });
}

}  // namespace anemone::cli
