#include "cli/command.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <new>
#include <stdexcept>

#include "base/clock.h"
#include "facade/child_commands.h"
#include "facade/document.h"

namespace anemone::cli {
namespace {

// One message, where and as the flags say.
void Log(const Globals& globals, std::string_view level, const std::string& text) {
  std::string line = text;
  if (globals.log_format == "json") {
    line = Json{{"time_unix_ns", UnixNowNs()}, {"level", level}, {"message", text}}.Dump();
  }
  if (!globals.log_file.empty()) {
    std::ofstream file(globals.log_file, std::ios::app);
    file << line << "\n";
    if (file) return;
    std::cerr << "anemone: cannot write to " << globals.log_file << "\n";
  }
  std::cerr << line << "\n";
}

std::string ErrorJson(const Error& error) {
  Json document = facade::Document("anemone.error");
  document["code"] = ErrorCodeName(error.code());
  document["exit_code"] = ExitCode(error.code());
  document["place"] = error.place();
  document["message"] = error.message();
  document["advice"] = error.advice();
  return facade::DocumentText(document);
}

void SayError(const Globals& globals, const Error& error) {
  std::string text = "anemone: error: ";
  if (!error.place().empty()) text += error.place() + ": ";
  text += error.message();
  if (!error.advice().empty()) text += "\n  -> " + error.advice();
  Log(globals, "error", text);
}

// Runs `body`; memory that runs out ends the command as any other error does.
Status Guarded(const std::function<Status()>& body) {
  const auto no_memory = [] {
    return IoError("there is not enough memory")
        .Advise("use a machine with more, or a smaller model; limits such as ulimit -v count too");
  };
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return no_memory();
  } catch (const std::length_error&) {
    return no_memory();
  }
}

}  // namespace

void OnRun(Command command, Context& context, std::function<Status()> body) {
  command.OnChosen([&context, body = std::move(body)] {
    if (context.globals.print_config) return;
    const Status status = Guarded(body);
    if (status.ok()) return;
    if (context.globals.json) Print(ErrorJson(status.error()));
    EndWith(context, status.error());
  });
}

void AddChildCommands(Command app, Context& context) {
  for (const facade::ChildCommand& child : facade::ChildCommands()) {
    Command command = app.AddCommand(child.name);
    command.Hide();  // not shown in --help
    auto request = std::make_shared<std::string>();
    command.AddOption("REQUEST", *request).Required();
    command.OnChosen([request, run = child.run, &context] { context.exit_code = run(*request); });
  }
}

void EndOutput(Context& context) {
  std::cout.flush();
  if (std::cout) return;
  EndWith(context, IoError("cannot write to standard output: {}", std::strerror(errno))
                       .Advise("what the command did before that is done"));
}

void Print(const std::string& document) {
  std::cout << document << (document.ends_with('\n') ? "" : "\n") << std::flush;
}

void EndWith(Context& context, const Error& error) {
  SayError(context.globals, error);
  context.exit_code = ExitCode(error.code());
}

void Say(const Globals& globals, const std::string& text) {
  if (!globals.quiet) Log(globals, "info", text);
}

Progress::Progress(const Globals& globals) : shown_(!globals.quiet && isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() {
  if (shown_ && width_ > 0) std::cerr << "\r" << std::string(width_, ' ') << "\r" << std::flush;
}

void Progress::Step(const std::string& text) {
  if (!shown_) return;
  std::string line = text.substr(0, 100);
  const size_t length = line.size();
  if (length < width_) line.append(width_ - length, ' ');
  width_ = length;
  std::cerr << "\r" << line << std::flush;
}

void Progress::Count(int64_t done, int64_t total, const std::string& what) {
  if (shown_) Step(fmt::format("[{}/{}] {}", done, total, what));
}

Hooks Progress::hooks() {
  Hooks hooks;
  hooks.progress = [this](const std::string& stage, int64_t done, int64_t total) {
    if (total > 0) {
      Count(done, total, stage);
    } else {
      Step(stage);
    }
  };
  return hooks;
}

}  // namespace anemone::cli
