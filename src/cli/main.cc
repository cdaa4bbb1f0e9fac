// anemone: the command. Each sub-command is one file beside this one.
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "cli/cache.h"
#include "cli/command.h"
#include "cli/gate.h"

namespace {

constexpr const char* kFooter =
    "MODEL is an .onnx, .mlpackage, .mlmodel or .mlmodelc, or a catalogue model (fastvit_t8, "
    "mobilenetv3_small, "
    "resnet50).\n"
    "Exit codes: 0 done or passed, 1 a comparison or gate failed, 2 usage, 3 input not valid or "
    "not supported,\n"
    "4 cannot be tested here, 5 a backend crashed, 6 timeout, 7 compute unit not obtained, 8 "
    "inconclusive, 70 internal.";

void AddGlobals(CLI::App& app, anemone::cli::Globals& globals) {
  app.add_flag("--json", globals.json, "print one JSON document on stdout");
  app.add_option("--threads", globals.threads,
                 "threads to use; 0 is one for each core (or ANEMONE_NUM_THREADS)");
  app.add_flag("-v,--verbose", globals.verbose, "say more; twice for still more");
  app.add_flag("-q,--quiet", globals.quiet, "say nothing but errors");
  app.add_flag("--print-config", globals.print_config, "print the settings in force and stop");
  app.add_option("--log-format", globals.log_format, "text or json lines")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_option("--log-file", globals.log_file, "append messages there instead of stderr");
  app.set_config("--config-file", "", "a file of settings: flag > environment > file > default")
      ->envname("ANEMONE_CONFIG");
}

// The environment's settings become flags before the user's own: CLI11 alone would let a settings
// file win over them. Returned last first, as CLI11 takes it.
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
  std::reverse(arguments.begin(), arguments.end());
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace anemone::cli;  // NOLINT: the one user of the whole namespace
  CLI::App app("Acquire, convert, compress, run and check Core ML models, on Linux and macOS.",
               "anemone");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("anemone ") + ANEMONE_VERSION);
  app.require_subcommand(1);
  app.fallthrough();  // global flags may follow the command
  Context context;
  AddGlobals(app, context.globals);
  AddFetch(app, context);
  AddConvert(app, context);
  AddCompress(app, context);
  AddInspect(app, context);
  AddRun(app, context);
  AddCompare(app, context);
  AddEval(app, context);
  AddBench(app, context);
  AddDemo(app, context);
  AddDoctor(app, context);
  AddLab(app, context);
  AddCache(app, context);
  AddFirstLoad(app, context);
  AddPlacement(app, context);
  AddGate(app, context);
  AddMatrix(app, context);
  try {
    app.parse(Arguments(argc, argv));
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  }
  if (context.globals.print_config) std::cout << app.config_to_str(true, false);
  return context.exit_code;
}
