// RunFetch and RunCatalog, with the documents "anemone.fetch" and "anemone.catalog".
#include "acquire/fetch.h"

#include "facade/document.h"
#include "facade/downloads.h"
#include "facade/seeded_file.h"
#include "facade/tools.h"
#include "options/option.h"

namespace anemone::facade {
namespace {

Json RecordJson(const acquire::CacheRecord& record) {
  return {{"name", record.name.empty() ? Json() : Json(record.name)},
          {"url", record.url},
          {"path", record.path},
          {"sha256", record.sha256},
          {"size_bytes", record.size_bytes},
          {"license", record.license.empty() ? Json() : Json(record.license)},
          {"fetched_from", record.fetched_from},
          {"fetched_at", record.fetched_at},
          {"tool_version", record.tool_version}};
}

FetchResult::File ToFile(const acquire::CacheRecord& record, bool from_cache,
                         const std::string& checked_against) {
  return {record.path,   record.file_name, record.size_bytes,
          record.sha256, from_cache,       checked_against};
}

// Seeded weights, made without a connection; only the seed identifies them.
Result<FetchResult> MakeSeeded(const FetchOptions& options) {
  if (!options.sha256.empty() || !options.from.empty()) {
    return Usage("--weights seeded makes the file; --sha256 and --from are for downloads");
  }
  ANEMONE_ASSIGN(const acquire::CacheRecord record,
                 MakeSeededFile(options.name, options.seed, options.cache_dir));
  Json file = RecordJson(record);
  file["from_cache"] = false;
  file["checked_against"] = "seed";
  file["seed"] = options.seed;
  Json document = Document("anemone.fetch");
  document["files"] = Json::Array({std::move(file)});
  return FetchResult{{ToFile(record, false, "seed")}, DocumentText(document)};
}

}  // namespace

Result<FetchResult> RunFetch(const FetchOptions& options, const Hooks& hooks) {
  ANEMONE_TRY(options::Check(options));
  if (options.name.empty()) {
    return Usage("nothing to fetch").Advise("name a catalog model or a URL, or use --list");
  }
  if (options.weights == "seeded") return MakeSeeded(options);
  ANEMONE_ASSIGN(acquire::FetchOptions fetch, ToFetchOptions(options, hooks, options.name));
  fetch.refresh = options.refresh;
  fetch.sha256 = options.sha256;
  fetch.from = options.from;
  ANEMONE_ASSIGN(const acquire::Fetched fetched, acquire::Fetch(options.name, fetch));
  FetchResult result;
  Json files = Json::Array();
  for (const acquire::FetchedFile& file : fetched.files) {
    result.files.push_back(ToFile(file.record, file.from_cache, file.checked_against));
    Json json = RecordJson(file.record);
    json["from_cache"] = file.from_cache;
    json["checked_against"] = file.checked_against;
    if (!file.from_cache) {
      json["transferred_bytes"] = file.download.transferred_bytes;
      json["resumed_bytes"] = file.download.resumed_bytes;
      json["connections"] = file.download.connections_used;
      json["failures_mended"] = file.download.failures;
    }
    files.push_back(std::move(json));
  }
  Json document = Document("anemone.fetch");
  document["files"] = std::move(files);
  result.json = DocumentText(document);
  return result;
}

Result<CatalogResult> RunCatalog() {
  CatalogResult result;
  for (const acquire::CatalogEntry& entry : acquire::Catalog()) {
    const acquire::CatalogFile& file = entry.files.front();
    const char* digest = !file.sha256.empty()          ? "SHA-256 known"
                         : !file.sha256_prefix.empty() ? "SHA-256 prefix known"
                                                       : "recorded at first use";
    result.rows.push_back({entry.name, entry.title, entry.import, entry.license, digest});
  }
  ANEMONE_ASSIGN(const Json document, ParseJson(acquire::CatalogJson()));
  result.json = DocumentText(document);
  return result;
}

}  // namespace anemone::facade
