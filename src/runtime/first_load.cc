#include "runtime/first_load.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <thread>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

#include "base/atomic_file.h"
#include "base/file_lock.h"
#include "base/sha256.h"
#include "base/temporary_folder.h"
#include "base/tree_hash.h"
#include "format/package.h"
#include "runtime/child_process.h"
#include "runtime/compiled_cache.h"
#include "runtime/first_load_protocol.h"
#include "runtime/host.h"

namespace anemone::runtime {
namespace {

namespace fs = std::filesystem;

std::string OwnExecutable() {
#ifdef __APPLE__
  char path[4096];
  uint32_t size = sizeof path;
  return ::_NSGetExecutablePath(path, &size) == 0 ? std::string(path) : std::string();
#else
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).string();
#endif
}

int64_t NowUnixS() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// The last phase that the child announced.
std::string LastPhase(const std::string& errors) {
  const size_t at = errors.rfind(kPhaseMark);
  if (at == std::string::npos) return "start";
  const size_t begin = at + std::string_view(kPhaseMark).size();
  return errors.substr(begin, errors.find('\n', begin) - begin);
}

FirstLoadVerdict Judge(const ChildResult& child, const std::string& result_path) {
  FirstLoadVerdict verdict;
  verdict.unix_s = NowUnixS();
  verdict.phase = LastPhase(child.errors);
  verdict.errors =
      child.errors.substr(child.errors.size() - std::min<size_t>(child.errors.size(), 4000));
  verdict.peak_rss_bytes = child.peak_rss_bytes;
  const auto fail = [&](exec::FailureKind kind, const std::string& message) {
    verdict.passed = false;
    verdict.failure = kind;
    verdict.message = message;
    return verdict;
  };
  const std::string how =
      fmt::format("the child process {} in phase {}", child.Describe(), verdict.phase);
  auto said = ReadVerdict(result_path);
  // The plan comes last: the model has passed by then, whatever the plan did to the child.
  if (said.ok() && said->passed && verdict.phase == "plan") {
    said->unix_s = verdict.unix_s;
    said->errors = verdict.errors;
    said->peak_rss_bytes = verdict.peak_rss_bytes;
    return *std::move(said);
  }
  if (child.end == ChildResult::End::kTimedOut) return fail(exec::FailureKind::kTimeout, how);
  if (child.end == ChildResult::End::kSignaled) {
    verdict.signal = child.signal;
    return fail(exec::FailureKind::kCrash, how);
  }
  if (child.exit_code != 0 || !said.ok()) {
    // The system ended it by exit(), or the helper is of another version.
    return fail(verdict.phase == "start" ? exec::FailureKind::kUnknown : exec::FailureKind::kCrash,
                how);
  }
  FirstLoadVerdict result = *std::move(said);
  result.unix_s = verdict.unix_s;
  result.errors = verdict.errors;
  result.peak_rss_bytes = verdict.peak_rss_bytes;
  return result;
}

Result<FirstLoadVerdict> RunIt(const exec::Backend& backend, const std::string& package,
                               const TemporaryFolder& scratch, const exec::LoadOptions& load,
                               const FirstLoadOptions& options) {
  const std::vector<std::string> helper =
      options.helper.empty() ? FirstLoadHelper() : options.helper;
  if (helper.empty()) {
    return Unavailable("there is no program to try the model in a child process")
        .Advise("put the anemone command into PATH, or name it in ANEMONE_HELPER");
  }
  FirstLoadRequest request;
  request.backend = backend.name();
  request.load = load;
  request.load.package_path = package;
  request.limits = options.limits;
  request.timeout = options.timeout;
  request.result_path = scratch / "result.json";
  const std::string request_path = scratch / "request.json";
  ANEMONE_TRY(WriteRequest(request, request_path));
  ChildOptions child;
  child.arguments = helper;
  child.arguments.emplace_back(kFirstLoadCommand);
  child.arguments.push_back(request_path);
  // A killed child's temporary files are removed with our folder.
  child.environment = {{"TMPDIR", scratch.path()}};
  child.timeout = options.timeout;
  ANEMONE_ASSIGN(const ChildResult ended, RunChild(child));
  return Judge(ended, request.result_path);
}

std::optional<FirstLoadVerdict> Remembered(const std::string& path,
                                           const FirstLoadOptions& options) {
  if (path.empty()) return std::nullopt;
  auto verdict = ReadVerdict(path);
  if (!verdict.ok()) return std::nullopt;
  const int64_t age_s = NowUnixS() - verdict->unix_s;
  if (!verdict->passed && (age_s < 0 || age_s >= options.retry_after.count())) return std::nullopt;
  verdict->remembered = true;
  return *std::move(verdict);
}

}  // namespace

Status FirstLoadVerdict::status() const {
  if (passed) return {};
  return exec::Failure(failure.value_or(exec::FailureKind::kUnknown), message);
}

std::vector<std::string> FirstLoadHelper() {
  const char* named = std::getenv("ANEMONE_HELPER");
  if (named != nullptr && *named != '\0') return {named};
  const std::string own = OwnExecutable();
  if (fs::path(own).filename() == "anemone") return {own};
  const char* search = std::getenv("PATH");
  std::string_view folders = search != nullptr ? search : "";
  while (!folders.empty()) {
    const size_t colon = folders.find(':');
    const std::string candidate = std::string(folders.substr(0, colon)) + "/anemone";
    if (::access(candidate.c_str(), X_OK) == 0) return {candidate};
    if (colon == std::string_view::npos) break;
    folders.remove_prefix(colon + 1);
  }
  return {};
}

Result<std::string> FirstLoadKey(const exec::Backend& backend, const std::string& content_sha256,
                                 const exec::LoadOptions& load) {
  Sha256 hash;
  const std::string units(ComputeUnitsName(load.compute_units));
  const std::string hints = fmt::format("{}{}", load.hints.infrequent_reshape ? "r" : "",
                                        load.hints.fast_prediction ? "p" : "");
  for (const std::string& part : {std::string(backend.name()), content_sha256, load.function, units,
                                  hints, HostOsBuild(), HostChip()}) {
    hash.Update(std::to_string(part.size()) + ":" + part + ";");
  }
  return ToHex(hash.Finish());
}

std::string VerdictDir(const std::string& cache_root) { return cache_root + "/first_load"; }

Result<std::vector<std::pair<std::string, FirstLoadVerdict>>> ListVerdicts(
    const std::string& verdict_dir) {
  std::vector<std::pair<std::string, FirstLoadVerdict>> verdicts;
  std::error_code error;
  if (!fs::exists(verdict_dir, error)) return verdicts;
  for (fs::directory_iterator walk(verdict_dir, error); !error && walk != fs::directory_iterator();
       walk.increment(error)) {
    if (walk->path().extension() != ".json") continue;
    auto verdict = ReadVerdict(walk->path().string());
    if (verdict.ok()) verdicts.emplace_back(walk->path().string(), *std::move(verdict));
  }
  if (error) return IoError("cannot read the folder: {}", error.message()).At(verdict_dir);
  std::sort(verdicts.begin(), verdicts.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return verdicts;
}

Result<FirstLoadVerdict> TryFirstLoad(const exec::Backend& backend, const ir::Model& model,
                                      const exec::LoadOptions& load,
                                      const FirstLoadOptions& options) {
  ANEMONE_ASSIGN(const TemporaryFolder scratch, TemporaryFolder::Create("anemone-first-load"));
  std::string package = load.package_path;
  const std::string kind = fs::path(package).extension().string();
  if (kind != ".mlpackage" && kind != ".mlmodel" && kind != ".mlmodelc") {
    package = scratch / "model.mlpackage";
    ANEMONE_TRY(format::WritePackage(model, package, {.durability = Durability::kProcess}));
  }
  std::string path, turn_path;
  std::optional<FileLock> turn;
  if (!options.verdict_dir.empty()) {
    std::error_code error;
    fs::create_directories(options.verdict_dir, error);
    if (error)
      return IoError("cannot make the folder: {}", error.message()).At(options.verdict_dir);
    ANEMONE_ASSIGN(const TreeFacts facts, HashTree(package));
    const std::string& content = facts.sha256;
    ANEMONE_ASSIGN(const std::string key, FirstLoadKey(backend, content, load));
    path = options.verdict_dir + "/" + key + ".json";
    turn_path = options.verdict_dir + "/." + key + ".lock";
    // Waits for another process that tries the same key as long as its child may take.
    const auto deadline = std::chrono::steady_clock::now() + options.timeout;
    do {
      if (auto remembered = Remembered(path, options)) return *std::move(remembered);
      ANEMONE_ASSIGN(turn, FileLock::Try(turn_path, FileLock::Mode::kExclusive, true));
      if (turn) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    } while (std::chrono::steady_clock::now() < deadline);
    if (auto remembered = Remembered(path, options)) return *std::move(remembered);
  }
  ANEMONE_ASSIGN(FirstLoadVerdict verdict, RunIt(backend, package, scratch, load, options));
  if (!path.empty()) ANEMONE_TRY(WriteVerdict(verdict, path));
  return verdict;
}

}  // namespace anemone::runtime
