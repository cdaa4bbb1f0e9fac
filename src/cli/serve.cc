// anemone serve: a model behind HTTP, until Ctrl-C or SIGTERM.
#include "serve/serve.h"
#include "cli/command.h"
#include "cli/option_flags.h"
#include "cli/signals.h"

namespace anemone::cli {
namespace {

Status RunServe(ServeOptions options, const Globals& globals) {
  options.session.threads = globals.threads;
  // Before the model is loaded: a stop at any moment is the same.
  const Hooks hooks{.cancelled = StopOnSignals()};
  const auto ready = [&](const ServeResult& result) {
    if (globals.json) Print(result.json);
    Say(globals, fmt::format("serving {0} at {1}\n  POST {1}/predict, {1}/v2/models/{0}/infer; "
                             "GET {1}/openapi.json, {1}/metrics\n  Ctrl-C ends it",
                             result.name, result.url));
  };
  ANEMONE_ASSIGN(const ServeResult result, serve::RunServe(options, hooks, ready));
  Say(globals, fmt::format("{} requests were answered", result.requests));
  return {};
}

}  // namespace

void AddServe(Command app, Context& context) {
  Command command = app.AddCommand("serve", "serve the model over HTTP: V2 protocol, JSON, images");
  auto options = std::make_shared<ServeOptions>();
  AddOptions(command, options::TableOf(*options));
  command.Footer(
      "Example: anemone serve model.mlpackage --address 127.0.0.1:8000\n"
      "         anemone serve model.mlpackage --max-batch 8 --max-delay 5");
  OnRun(command, context, [options, &context] { return RunServe(*options, context.globals); });
}

}  // namespace anemone::cli
