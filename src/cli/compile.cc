// anemone compile: what an app ships, without a Mac.
#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/document.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

Status RunCompile(const CompileOptions& options, Context& context) {
  const Globals& globals = context.globals;
  Progress progress(globals);
  progress.Step("compiling " + options.model);
  ANEMONE_ASSIGN(const CompileResult result, facade::RunCompile(options));
  if (globals.json) Print(result.json);
  int64_t size = 0;
  for (const auto& file : result.files) size += file.bytes;
  for (const std::string& line : result.unconfirmed) Say(globals, "not confirmed: " + line);
  Say(globals,
      fmt::format("{}: {}, {} files", result.output, facade::SizeText(size), result.files.size()));
  if (!result.differences) return {};
  for (const std::string& line : *result.differences) Say(globals, "differs: " + line);
  if (result.differences->empty()) {
    Say(globals, "equal to the output of Apple's compiler");
  } else {
    EndWith(context, Mismatch("the output differs from that of '{}' in {} places", options.coremlc,
                              result.differences->size())
                         .Advise("report the model and the differences; ship Apple's output"));
  }
  return {};
}

}  // namespace

void AddCompile(Command app, Context& context) {
  Command command =
      app.AddCommand("compile", "make what an app ships (.mlmodelc) from an ML Program");
  auto options = std::make_shared<CompileOptions>();
  AddOptions(command, options::TableOf(*options));
  command.Footer(
      "A package keeps its bytes: compress and convert first. What no public output of Apple's\n"
      "compiler shows (control flow, states, classifiers, enumerated shapes) is refused by name.\n"
      "Example: anemone compile model.mlpackage -o model.mlmodelc");
  OnRun(command, context, [options, &context] { return RunCompile(*options, context); });
}

}  // namespace anemone::cli
