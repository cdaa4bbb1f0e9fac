// What every command shares: global flags, the JSON document on stdout, errors and exit codes,
// progress on stderr. Data goes to stdout; human text and progress go to stderr, progress only when
// stderr is a terminal. Thread rules: the command runs on the main thread.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "acquire/fetch.h"
#include "anemone/tools.h"
#include "base/status.h"
#include "cli/arguments.h"
#include "exec/backend.h"
#include "facade/model_source.h"

namespace anemone::cli {

using Json = nlohmann::ordered_json;  // who makes or reads one includes <nlohmann/json.hpp>

struct Globals {
  bool json = false;
  int threads = 0;
  int verbose = 0;
  bool quiet = false;
  std::string log_format = "text";
  std::string log_file;
  bool print_config = false;
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

// A document that begins with its schema.
Json Document(const std::string& schema, int version = 1);
// Prints the document on stdout.
void Print(const Json& document);
void Print(const std::string& document);
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

// How a command fetches what is not in the cache.
struct FetchNetworkFlags {
  std::string cache_dir;
  std::string lock_file;
  bool offline = false;
  std::string mirror;
  std::string ca_bundle;
  int connections = 4;
  int retries = 5;
  int stall_seconds = 30;
  int max_wait_seconds = 120;
  uint64_t max_bytes = 0;  // 0: the library's limits
};
void AddFetchNetworkFlags(Command command, FetchNetworkFlags& flags);
// The environment's settings with the flags over them; progress goes to `progress`, which must
// outlive the options, as "LABEL: 12 of 98 MB, ...".
Result<acquire::FetchOptions> MakeFetchOptions(const FetchNetworkFlags& flags,
                                               const Globals& globals, Progress& progress,
                                               const std::string& label);

// MODEL and the flags that say how to load it.
struct ModelFlags {
  facade::ModelSource source;
};
// `weights_flag` is another name for --weights where a command means something else by that.
void AddModelFlags(Command command, ModelFlags& flags, bool with_target,
                   const std::string& weights_flag = "--weights");
Result<facade::LoadedModel> Load(const ModelFlags& flags);
Result<facade::LoadedModel> Load(const std::string& model);
// The flags as a tool takes them.
ModelOptions ToOptions(const ModelFlags& flags);

// --backend and --numerics.
struct BackendFlags {
  std::string backend = "auto";
  std::string numerics = "as_typed";
  std::string function;
};
void AddBackendFlags(Command command, BackendFlags& flags);
Result<exec::LoadOptions> MakeLoadOptions(const BackendFlags& flags, const Globals& globals);

// "102.3 MB (97.6 MiB)".
std::string SizeText(int64_t bytes);
// Bytes of all files of a package, or of one file.
Result<int64_t> SizeOnDisk(const std::string& path);

}  // namespace anemone::cli
