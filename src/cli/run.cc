// anemone run: one or more inferences through a session.
#include <cstddef>
#include <iostream>

#include "base/json.h"
#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

// The first elements, as many as a line of a terminal takes; --json has more of them, in full.
std::string FirstValues(const Json& values) {
  constexpr size_t kShown = 6;
  std::string text;
  for (const Json& value : values) {
    if (!text.empty()) text += ", ";
    text += value.is_number() ? fmt::format("{:.5g}", value.number()) : value.Dump();
    if (&value - values.begin() + 1 == static_cast<std::ptrdiff_t>(kShown)) break;
  }
  return values.size() > kShown ? "[" + text + ", ...]" : "[" + text + "]";
}

void PrintOutputs(const Json& outputs) {
  for (const Json& output : outputs) {
    std::string line = fmt::format("{} {} {} {}", output["name"].text(), output["dtype"].text(),
                                   output["shape"].Dump(), FirstValues(output["first_values"]));
    if (output.contains("argmax")) line += fmt::format(" argmax {}", output["argmax"].integer());
    if (output.contains("label")) line += fmt::format(" '{}'", output["label"].text());
    std::cout << line << "\n";
  }
}

// Of a model that is not a program.
void PrintFeatureValues(const Json& outputs) {
  for (const Json& output : outputs) {
    const bool array = output.contains("shape");
    std::cout << fmt::format("{} {} {}\n", output["name"].text(),
                             array ? output["shape"].Dump() : output["kind"].text(),
                             array ? FirstValues(output["first_values"]) : output["value"].Dump());
  }
}

void SayReport(const Json& document, const Globals& globals) {
  const Json& report = document["report"];
  const std::string& backend = report["backend"].text();
  const auto calls = static_cast<double>(report["calls"].integer());
  Say(globals,
      fmt::format("{} backend: load {:.1f} ms, run {:.2f} ms", backend,
                  document["load_ns"].number() * 1e-6, document["run_ns"].number() * 1e-6 / calls));
  if (document["fixed_shapes"].is_text()) {
    Say(globals, "its sizes are declared flexible, but only the default ones run: " +
                     document["fixed_shapes"].text());
  }
  if (report["experimental"].boolean()) {
    Say(globals, fmt::format("experimental: no gate has passed this model on {} and this build of "
                             "the system (anemone gate --certificates)",
                             backend));
  }
  if (report["calls_with_fallback"].integer() > 0) {
    Say(globals, fmt::format("{} of {} calls were answered by another backend than the preferred "
                             "one, the last for the reason {}",
                             report["calls_with_fallback"].integer(), report["calls"].integer(),
                             report["fallback_reason"].text()));
  }
}

Status RunRun(RunOptions options, const Globals& globals) {
  options.session.threads = globals.threads;
  ANEMONE_ASSIGN(const RunResult result, facade::RunRun(options));
  if (globals.json) {
    Print(result.json);
    return {};
  }
  ANEMONE_ASSIGN(const Json document, ParseJson(result.json));
  if (document.contains("report")) {
    PrintOutputs(document["outputs"]);
    SayReport(document, globals);
  } else {
    PrintFeatureValues(document["outputs"]);
  }
  return {};
}

}  // namespace

void AddRun(Command app, Context& context) {
  Command command = app.AddCommand("run", "run one or more inferences");
  auto options = std::make_shared<RunOptions>();
  AddOptions(command, options::TableOf(*options));
  command.Footer("Example: anemone run model.mlpackage --input image=cat.jpg --output-dir out");
  OnRun(command, context, [options, &context] { return RunRun(*options, context.globals); });
}

}  // namespace anemone::cli
