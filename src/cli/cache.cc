// anemone cache: what is kept between processes, where, how large; and how to be rid of it.
#include "cli/command.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "acquire/cache.h"
#include "base/cache_root.h"
#include "exec/failure.h"
#include "runtime/compiled_cache.h"
#include "runtime/first_load.h"

namespace anemone::cli {
namespace {

namespace fs = std::filesystem;

struct CacheFlags {
  std::string root;
  std::string which;  // clear: a model or URL whose downloads go, and nothing else
  bool keep_downloads = false;
};

Result<std::string> Root(const CacheFlags& flags) {
  std::string root = flags.root.empty() ? CacheRoot() : flags.root;
  if (root.empty()) {
    return Usage("there is no cache folder")
        .Advise("name one with --cache-dir or ANEMONE_CACHE_DIR");
  }
  return root;
}

Result<std::vector<runtime::CachedModel>> Compiled(const std::string& root) {
  const std::string folder = root + "/compiled";
  std::error_code error;
  if (!fs::exists(folder, error)) return std::vector<runtime::CachedModel>();  // and make none
  ANEMONE_ASSIGN(const auto cache, runtime::CompiledCache::Open(folder));
  return cache.List();
}

Status List(const CacheFlags& flags, const Globals& globals) {
  ANEMONE_ASSIGN(const std::string root, Root(flags));
  ANEMONE_ASSIGN(const auto models, Compiled(root));
  ANEMONE_ASSIGN(const auto verdicts, runtime::ListVerdicts(runtime::VerdictDir(root)));
  int64_t total = 0;
  for (const runtime::CachedModel& model : models) total += model.size_bytes;
  Json document = Document("anemone.cache");
  document["root"] = root;
  document["compiled_size_bytes"] = total;
  Json list = Json::array();
  for (const runtime::CachedModel& model : models) {
    list.push_back({{"name", model.name},
                    {"path", model.path},
                    {"size_bytes", model.size_bytes},
                    {"content_sha256", model.key.content_sha256},
                    {"os_build", model.key.os_build},
                    {"compute_units", model.key.compute_units},
                    {"created_unix_s", model.created_unix_s},
                    {"used_unix_ns", model.used_unix_ns},
                    {"in_use", model.in_use}});
  }
  document["compiled"] = std::move(list);
  Json first_loads = Json::array();
  for (const auto& [path, verdict] : verdicts) {
    first_loads.push_back(
        {{"path", path},
         {"passed", verdict.passed},
         {"failure", verdict.failure ? Json(exec::FailureKindName(*verdict.failure)) : Json()},
         {"message", verdict.message},
         {"unix_s", verdict.unix_s}});
  }
  document["first_loads"] = std::move(first_loads);
  ANEMONE_ASSIGN(const auto downloads, acquire::DownloadCache(root).List());
  document["downloaded_size_bytes"] = downloads.object_bytes;
  document["partial_size_bytes"] = downloads.partial_bytes;
  Json fetched = Json::array();
  for (const acquire::CacheRecord& record : downloads.records) {
    fetched.push_back({{"name", record.name.empty() ? Json(nullptr) : Json(record.name)},
                       {"url", record.url},
                       {"path", record.path},
                       {"size_bytes", record.size_bytes},
                       {"sha256", record.sha256},
                       {"license", record.license.empty() ? Json(nullptr) : Json(record.license)},
                       {"fetched_at", record.fetched_at}});
  }
  document["downloads"] = std::move(fetched);
  if (globals.json) {
    Print(document);
    return {};
  }
  for (const runtime::CachedModel& model : models) {
    std::cout << fmt::format(
        "{:<24} {:>12}  {:<12} {:<12} {}{}\n", model.name,
        SizeText(model.size_bytes).substr(0, SizeText(model.size_bytes).find(" (")),
        model.key.compute_units, model.key.os_build, model.key.content_sha256.substr(0, 12),
        model.in_use ? "  in use" : "");
  }
  for (const auto& [path, verdict] : verdicts) {
    std::cout << fmt::format("first load {}: {}\n", fs::path(path).stem().string().substr(0, 12),
                             verdict.status().ToString());
  }
  for (const acquire::CacheRecord& record : downloads.records) {
    const std::string size = SizeText(record.size_bytes);
    std::cout << fmt::format("{:<24} {:>12}  {}  {}\n", record.name.empty() ? "-" : record.name,
                             size.substr(0, size.find(" (")), record.sha256.substr(0, 12),
                             record.url);
  }
  Say(globals,
      fmt::format("{} downloads, {}{}", downloads.records.size(), SizeText(downloads.object_bytes),
                  downloads.partial_bytes > 0
                      ? ", and " + SizeText(downloads.partial_bytes) + " of unfinished ones"
                      : ""));
  Say(globals, fmt::format("{} compiled models, {}, {} verdicts on first loads in {}",
                           models.size(), SizeText(total), verdicts.size(), root));
  return {};
}

Status ClearDownloads(const CacheFlags& flags, const std::string& root, const Globals& globals) {
  ANEMONE_ASSIGN(const int64_t freed, acquire::DownloadCache(root).Clear(flags.which));
  if (globals.json) {
    Json document = Document("anemone.cache_clear");
    document["root"] = root;
    document["downloads_freed_bytes"] = freed;
    Print(document);
  }
  Say(globals, fmt::format("freed {} of downloads in {}", SizeText(freed), root));
  return {};
}

Status Clear(const CacheFlags& flags, const Globals& globals) {
  ANEMONE_ASSIGN(const std::string root, Root(flags));
  if (!flags.which.empty()) return ClearDownloads(flags, root, globals);
  int64_t downloads_freed = 0;
  if (!flags.keep_downloads) {
    ANEMONE_ASSIGN(downloads_freed, acquire::DownloadCache(root).Clear());
  }
  int64_t freed = 0;
  size_t in_use = 0;
  std::error_code error;
  if (fs::exists(root + "/compiled", error)) {
    ANEMONE_ASSIGN(auto cache, runtime::CompiledCache::Open(root + "/compiled"));
    ANEMONE_ASSIGN(freed, cache.Clear());
    ANEMONE_ASSIGN(const auto left, cache.List());
    in_use = left.size();
  }
  ANEMONE_ASSIGN(const auto verdicts, runtime::ListVerdicts(runtime::VerdictDir(root)));
  for (const auto& [path, verdict] : verdicts) fs::remove(path, error);
  if (globals.json) {
    Json document = Document("anemone.cache_clear");
    document["root"] = root;
    document["freed_bytes"] = freed;
    document["downloads_freed_bytes"] = downloads_freed;
    document["verdicts_removed"] = verdicts.size();
    document["left_in_use"] = in_use;
    Print(document);
    return {};
  }
  Say(globals,
      fmt::format("freed {} in {}{}", SizeText(freed + downloads_freed), root,
                  in_use > 0 ? fmt::format("; {} models are in use and stay", in_use) : ""));
  return {};
}

}  // namespace

void AddCache(Command app, Context& context) {
  Command command = app.AddCommand("cache", "what is kept between runs, where, how large");
  command.RequireCommand();
  const auto add = [&](const char* name, const char* what, auto body) {
    Command sub = command.AddCommand(name, what);
    auto flags = std::make_shared<CacheFlags>();
    sub.AddOption("--cache-dir", flags->root,
                  "the cache; ANEMONE_CACHE_DIR or ~/.cache/anemone by default");
    sub.Footer(fmt::format("Example: anemone cache {} --json", name));
    if (std::string_view(name) == "clear") {
      sub.AddOption("NAME", flags->which,
                    "only the downloads of this catalog model or URL; everything by default");
      sub.AddFlag("--keep-downloads", flags->keep_downloads,
                  "delete compiled models and verdicts only");
    }
    OnRun(sub, context, [flags, body, &context] { return body(*flags, context.globals); });
  };
  add("ls", "downloads, compiled models and verdicts on first loads", List);
  add("clear", "delete what is not in use", Clear);
}

}  // namespace anemone::cli
