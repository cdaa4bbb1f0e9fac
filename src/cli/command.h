// What every command shares: global flags, the JSON document on stdout, errors and exit codes,
// progress on stderr. Data goes to stdout; human text and progress go to stderr, progress only when
// stderr is a terminal. Thread rules: the command runs on the main thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "anemone/tools.h"
#include "base/status.h"
#include "cli/arguments.h"

namespace anemone::cli {

struct Globals {
  bool json = false;
  int threads = 0;
  int verbose = 0;
  bool quiet = false;
  std::string log_format = "text";
  std::string log_file;
  bool print_config = false;
  std::string invoked_as = "anemone";  // how the user calls the command
};

// What the callbacks of commands share; they return through `exit_code`.
struct Context {
  Globals globals;
  int exit_code = 0;
};

// The commands.
#define ANEMONE_COMMAND(name) void Add##name(Command app, Context& context);
#include "cli/commands.inc"
#undef ANEMONE_COMMAND

// Runs `body` when the command is chosen: prints its error, keeps its exit code.
void OnRun(Command command, Context& context, std::function<Status()> body);

// At the end: an output that could not be written makes the command fail, as nobody has read it.
void EndOutput(Context& context);
// Prints the document on stdout.
void Print(const std::string& document);
// For a verdict that is not good, which the output on stdout tells already: says why on stderr, and
// the command ends with the error's exit code.
void EndWith(Context& context, const Error& error);
// Human text, to stderr; nothing when quiet.
void Say(const Globals& globals, const std::string& text);
// One line that the next one replaces, when stderr is a terminal.
class Progress {
 public:
  explicit Progress(const Globals& globals);
  ~Progress();
  void Step(const std::string& text);
  void Count(int64_t done, int64_t total, const std::string& what);
  // Shows what a tool tells. The hooks must not outlive this.
  Hooks hooks();

 private:
  bool shown_;
  size_t width_ = 0;
};

// Runs a tool; its progress is shown, and gone when it returns.
template <typename Body>
auto WithProgress(const Globals& globals, const Body& body) {
  Progress progress(globals);
  return body(progress.hooks());
}

}  // namespace anemone::cli
