// RunCacheList, RunCacheClear and RunCacheVerify: what is kept between processes, with the documents
// "anemone.cache", "anemone.cache_clear" and "anemone.fetch.verify".
#include "acquire/cache.h"

#include <filesystem>

#include "base/cache_root.h"
#include "exec/failure.h"
#include "facade/document.h"
#include "facade/tool_options.h"
#include "facade/tools.h"
#include "runtime/compiled_cache.h"
#include "runtime/first_load.h"

namespace anemone::facade {
namespace {

namespace fs = std::filesystem;

Result<std::string> RootOf(const std::string& given) {
  std::string root = given.empty() ? CacheRoot() : given;
  if (root.empty()) {
    return Usage("there is no cache folder")
        .Advise("name one with --cache-dir or ANEMONE_CACHE_DIR");
  }
  return root;
}

std::string CompiledDir(const std::string& root) { return root + "/compiled"; }

// Lists none, and makes no folder, where there is none.
Result<std::vector<runtime::CachedModel>> CompiledModels(const std::string& root) {
  std::error_code error;
  if (!fs::exists(CompiledDir(root), error)) return std::vector<runtime::CachedModel>();
  ANEMONE_ASSIGN(const auto cache, runtime::CompiledCache::Open(CompiledDir(root)));
  return cache.List();
}

Json CompiledJson(const std::vector<runtime::CachedModel>& models) {
  Json list = Json::Array();
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
  return list;
}

Json FirstLoadJson(const std::string& path, const runtime::FirstLoadVerdict& verdict) {
  return {{"path", path},
          {"passed", verdict.passed},
          {"failure", verdict.failure ? Json(exec::FailureKindName(*verdict.failure)) : Json()},
          {"message", verdict.message},
          {"unix_s", verdict.unix_s}};
}

Json DownloadsJson(const std::vector<acquire::CacheRecord>& records) {
  Json list = Json::Array();
  for (const acquire::CacheRecord& record : records) {
    list.push_back({{"name", record.name.empty() ? Json() : Json(record.name)},
                    {"url", record.url},
                    {"path", record.path},
                    {"size_bytes", record.size_bytes},
                    {"sha256", record.sha256},
                    {"license", record.license.empty() ? Json() : Json(record.license)},
                    {"fetched_at", record.fetched_at}});
  }
  return list;
}

// What is not in use, all of it.
Result<CacheClearResult> ClearAll(const std::string& root, bool keep_downloads) {
  CacheClearResult result;
  if (!keep_downloads) {
    ANEMONE_ASSIGN(result.downloads_freed_bytes, acquire::DownloadCache(root).Clear());
  }
  std::error_code error;
  if (fs::exists(CompiledDir(root), error)) {
    ANEMONE_ASSIGN(auto cache, runtime::CompiledCache::Open(CompiledDir(root)));
    ANEMONE_ASSIGN(result.freed_bytes, cache.Clear());
    ANEMONE_ASSIGN(const auto left, cache.List());
    result.left_in_use = static_cast<int64_t>(left.size());
  }
  ANEMONE_ASSIGN(const auto verdicts, runtime::ListVerdicts(runtime::VerdictDir(root)));
  for (const auto& [path, verdict] : verdicts) fs::remove(path, error);
  Json document = Document("anemone.cache_clear");
  document["root"] = root;
  document["freed_bytes"] = result.freed_bytes;
  document["downloads_freed_bytes"] = result.downloads_freed_bytes;
  document["verdicts_removed"] = verdicts.size();
  document["left_in_use"] = result.left_in_use;
  result.json = DocumentText(document);
  return result;
}

Result<CacheClearResult> ClearDownload(const std::string& root, const std::string& name) {
  CacheClearResult result;
  ANEMONE_ASSIGN(result.downloads_freed_bytes, acquire::DownloadCache(root).Clear(name));
  Json document = Document("anemone.cache_clear");
  document["root"] = root;
  document["downloads_freed_bytes"] = result.downloads_freed_bytes;
  result.json = DocumentText(document);
  return result;
}

}  // namespace

Result<CacheListResult> RunCacheList(const CacheListOptions& options) {
  CacheListResult result;
  ANEMONE_ASSIGN(result.root, RootOf(options.cache_dir));
  ANEMONE_ASSIGN(const auto models, CompiledModels(result.root));
  ANEMONE_ASSIGN(const auto verdicts, runtime::ListVerdicts(runtime::VerdictDir(result.root)));
  ANEMONE_ASSIGN(const auto downloads, acquire::DownloadCache(result.root).List());
  for (const runtime::CachedModel& model : models) {
    result.compiled_bytes += model.size_bytes;
    result.compiled.push_back({model.name, model.size_bytes, model.key.content_sha256,
                               model.key.os_build, model.key.compute_units, model.in_use});
  }
  Json first_loads = Json::Array();
  for (const auto& [path, verdict] : verdicts) {
    result.first_loads.push_back({path, verdict.passed, verdict.status().ToString()});
    first_loads.push_back(FirstLoadJson(path, verdict));
  }
  for (const acquire::CacheRecord& record : downloads.records)
    result.downloads.push_back({record.name, record.url, record.size_bytes, record.sha256});
  result.downloaded_bytes = downloads.object_bytes;
  result.partial_bytes = downloads.partial_bytes;
  Json document = Document("anemone.cache");
  document["root"] = result.root;
  document["compiled_size_bytes"] = result.compiled_bytes;
  document["compiled"] = CompiledJson(models);
  document["first_loads"] = std::move(first_loads);
  document["downloaded_size_bytes"] = result.downloaded_bytes;
  document["partial_size_bytes"] = result.partial_bytes;
  document["downloads"] = DownloadsJson(downloads.records);
  result.json = DocumentText(document);
  return result;
}

Result<CacheClearResult> RunCacheClear(const CacheClearOptions& options) {
  ANEMONE_ASSIGN(const std::string root, RootOf(options.cache_dir));
  ANEMONE_ASSIGN(CacheClearResult result, options.name.empty()
                                              ? ClearAll(root, options.keep_downloads)
                                              : ClearDownload(root, options.name));
  result.root = root;
  return result;
}

Result<CacheVerifyResult> RunCacheVerify(const CacheVerifyOptions& options, const Hooks& hooks) {
  const acquire::DownloadCache cache(options.cache_dir.empty() ? acquire::DefaultCacheRoot()
                                                               : options.cache_dir);
  CacheVerifyResult result;
  result.root = cache.root();
  ANEMONE_ASSIGN(const auto listed, cache.List());
  result.files = static_cast<int64_t>(listed.records.size());
  ANEMONE_ASSIGN(const auto problems,
                 cache.Verify(options.repair, [&](const acquire::CacheRecord& record) {
                   Tell(hooks, "checking " + record.file_name);
                   return CheckCancelled(hooks).ok();
                 }));
  Json list = Json::Array();
  for (const acquire::CacheProblem& problem : problems) {
    result.problems.push_back({problem.url, problem.path, problem.what});
    list.push_back({{"url", problem.url}, {"path", problem.path}, {"problem", problem.what}});
  }
  Json document = Document("anemone.fetch.verify");
  document["cache"] = result.root;
  document["files"] = result.files;
  document["problems"] = std::move(list);
  document["repaired"] = options.repair;
  result.json = DocumentText(document);
  return result;
}

}  // namespace anemone::facade
