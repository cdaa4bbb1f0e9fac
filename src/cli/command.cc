#include "cli/command.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/option_flags.h"
#include "facade/arrays.h"
#include "facade/child_commands.h"
#include "options/shared_rows.h"

namespace anemone::cli {
namespace {

// One message, where and as the flags say.
void Log(const Globals& globals, std::string_view level, const std::string& text) {
  std::string line = text;
  if (globals.log_format == "json") {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    line = Json{
        {"time_unix_ns", std::chrono::nanoseconds(now).count()},
        {"level", level},
        {"message",
         text}}.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  if (!globals.log_file.empty()) {
    std::ofstream file(globals.log_file, std::ios::app);
    file << line << "\n";
    if (file) return;
    std::cerr << "anemone: cannot write to " << globals.log_file << "\n";
  }
  std::cerr << line << "\n";
}

void PrintError(const Globals& globals, const Error& error) {
  if (globals.json) {
    Json document = Document("anemone.error");
    document["code"] = ErrorCodeName(error.code());
    document["exit_code"] = ExitCode(error.code());
    document["place"] = error.place();
    document["message"] = error.message();
    document["advice"] = error.advice();
    Print(document);
  }
  std::string text = "anemone: error: ";
  if (!error.place().empty()) text += error.place() + ": ";
  text += error.message();
  if (!error.advice().empty()) text += "\n  -> " + error.advice();
  Log(globals, "error", text);
}

}  // namespace

void OnRun(Command command, Context& context, std::function<Status()> body) {
  command.OnChosen([&context, body = std::move(body)] {
    if (context.globals.print_config) return;
    const Status status = body();
    if (status.ok()) return;
    PrintError(context.globals, status.error());
    context.exit_code = ExitCode(status.error().code());
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

Json Document(const std::string& schema, int version) {
  Json document;
  document["schema"] = schema;
  document["schema_version"] = version;
  return document;
}

// File names and models' texts need not be UTF-8; what is not becomes U+FFFD.
void Print(const Json& document) {
  Print(document.dump(2, ' ', false, Json::error_handler_t::replace));
}

void Print(const std::string& document) {
  std::cout << document << (document.ends_with('\n') ? "" : "\n") << std::flush;
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

void AddModelFlags(Command command, ModelFlags& flags, bool with_target,
                   const std::string& weights_flag) {
  command
      .AddOption("MODEL", flags.source.model,
                 "an .onnx, .mlpackage, .mlmodel or .mlmodelc, or a catalog name")
      .Required();
  const options::Table table = options::TableOf(flags.source.options);
  AddOptions(command, Pick(table, {"weights", "seed", "input_shapes"}),
             {{"weights", weights_flag}});
  if (with_target) AddOptions(command, Pick(table, {"minimum_deployment_target"}));
}

ModelOptions ToOptions(const ModelFlags& flags) {
  ModelOptions options;
  options.model = flags.source.model;
  options.weights = flags.source.options.weights;
  options.seed = flags.source.options.seed;
  options.input_shapes = flags.source.options.input_shapes;
  return options;
}

Result<facade::LoadedModel> Load(const ModelFlags& flags) {
  return facade::LoadModel(flags.source);
}

Result<facade::LoadedModel> Load(const std::string& model) {
  ModelFlags flags;
  flags.source.model = model;
  return Load(flags);
}

void AddBackendFlags(Command command, BackendFlags& flags) {
  AddOptions(command, {options::BackendRow(flags.backend), options::NumericsRow(flags.numerics),
                       options::FunctionRow(flags.function)});
}

Result<exec::LoadOptions> MakeLoadOptions(const BackendFlags& flags, const Globals& globals) {
  exec::LoadOptions options;
  options.function = flags.function;
  options.threads = globals.threads;
  ANEMONE_ASSIGN(options.numerics, facade::ParseNumerics(flags.numerics));
  return options;
}

std::string SizeText(int64_t bytes) {
  const auto size = static_cast<double>(bytes);
  if (bytes < 1000) return fmt::format("{} B", bytes);
  if (bytes < 1'000'000) return fmt::format("{:.1f} kB ({:.1f} KiB)", size / 1e3, size / 1024);
  return fmt::format("{:.1f} MB ({:.1f} MiB)", size / 1e6, size / 1048576);
}

Result<int64_t> SizeOnDisk(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    const auto size = fs::file_size(path, error);
    if (error) return IoError("cannot read: {}", error.message()).At(path);
    return static_cast<int64_t>(size);
  }
  int64_t total = 0;
  fs::recursive_directory_iterator it(path, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (it->is_regular_file(error)) total += static_cast<int64_t>(it->file_size(error));
  }
  if (error) return IoError("cannot read: {}", error.message()).At(path);
  return total;
}

}  // namespace anemone::cli
