// anemone: the command. Each sub-command is one file beside this one.
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "cli/command.h"
#include "cli/printable_output.h"
#include "cli/signals.h"

namespace {

constexpr const char* kFooter =
    "MODEL is an .onnx, .pt2, .mlpackage, .mlmodel or .mlmodelc, or a catalog model (fastvit_t8, "
    "mobilenetv3_small, "
    "resnet50).\n"
    "Exit codes: 0 done or passed, 1 a comparison or gate failed, 2 usage, 3 input not valid or "
    "not supported,\n"
    "4 cannot be tested here, 5 a backend crashed, 6 timeout, 7 compute unit not obtained, 8 "
    "inconclusive, 70 internal.";

void AddGlobals(anemone::cli::Command app, anemone::cli::Globals& globals) {
  app.AddFlag("--json", globals.json, "print one JSON document on stdout");
  app.AddOption("--threads", globals.threads,
                "threads to use; 0 is one for each core (or ANEMONE_NUM_THREADS)");
  app.AddFlag("-v,--verbose", globals.verbose, "say more; twice for still more");
  app.AddFlag("-q,--quiet", globals.quiet, "say nothing but errors");
  app.AddFlag("--print-config", globals.print_config, "print the settings in force and stop");
  app.AddOption("--log-format", globals.log_format, "text or json lines").OneOf({"text", "json"});
  app.AddOption("--log-file", globals.log_file, "append messages there instead of stderr");
}

// The environment's settings become flags before the user's own: the parser alone would let a
// settings file win over them.
std::vector<std::string> Arguments(int argc, char** argv) {
  static constexpr std::pair<const char*, const char*> kSettings[] = {
      {"--threads", "ANEMONE_NUM_THREADS"},
      {"--log-format", "ANEMONE_LOG_FORMAT"},
      {"--log-file", "ANEMONE_LOG_FILE"},
  };
  std::vector<std::string> arguments(argv + 1, argv + argc);
  for (const auto& [flag, variable] : kSettings) {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0') continue;
    const bool given =
        std::any_of(arguments.begin(), arguments.end(), [&](const std::string& text) {
          return text == flag || text.starts_with(std::string(flag) + "=");
        });
    if (!given) arguments.insert(arguments.begin(), {flag, value});
  }
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace anemone::cli;  // NOLINT: the one user of the whole namespace
  ClearOnSignals();
  const PrintableOutput out(std::cout);
  const PrintableOutput errors(std::cerr);
  ArgumentParser parser(
      "anemone", "Acquire, convert, compress, run and check Core ML models, on Linux and macOS.");
  parser.SetVersion(std::string("anemone ") + ANEMONE_VERSION);
  Command app = parser.root();
  app.Footer(kFooter).RequireCommand();
  Context context;
  AddGlobals(app, context.globals);
  if (argc > 0 && *argv[0] != '\0') context.globals.invoked_as = argv[0];
  parser.SetConfigFile("--config-file", "ANEMONE_CONFIG",
                       "a file of settings: flag > environment > file > default");
#define ANEMONE_COMMAND(name) Add##name(app, context);
#include "cli/commands.inc"
#undef ANEMONE_COMMAND
  int exit_code = 0;
  if (!parser.Parse(Arguments(argc, argv), exit_code)) {
    context.exit_code = exit_code;
  } else if (context.globals.print_config) {
    std::cout << parser.Settings();
  }
  EndOutput(context);
  return context.exit_code;
}
