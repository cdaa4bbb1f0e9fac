// anemone fetch: downloads weights and models into the cache, or checks the cache.
#include <iostream>
#include <nlohmann/json.hpp>

#include "acquire/fetch.h"
#include "cli/command.h"
#include "facade/seeded_file.h"

namespace anemone::cli {
namespace {

struct FetchFlags {
  std::string what;
  FetchNetworkFlags network;
  std::string sha256;
  std::string from;
  std::string weights = "pretrained";
  uint64_t seed = 0;
  bool list = false;
  bool verify = false;
  bool repair = false;
  bool refresh = false;
};

Json RecordJson(const acquire::CacheRecord& record) {
  Json json;
  json["name"] = record.name.empty() ? Json(nullptr) : Json(record.name);
  json["url"] = record.url;
  json["path"] = record.path;
  json["sha256"] = record.sha256;
  json["size_bytes"] = record.size_bytes;
  json["license"] = record.license.empty() ? Json(nullptr) : Json(record.license);
  json["fetched_from"] = record.fetched_from;
  json["fetched_at"] = record.fetched_at;
  json["tool_version"] = record.tool_version;
  return json;
}

Status ListCatalog(const Globals& globals) {
  if (globals.json) {
    Print(Json::parse(acquire::CatalogJson()));
    return {};
  }
  for (const acquire::CatalogEntry& entry : acquire::Catalog()) {
    const std::string digest = !entry.files[0].sha256.empty()          ? "SHA-256 known"
                               : !entry.files[0].sha256_prefix.empty() ? "SHA-256 prefix known"
                                                                       : "recorded at first use";
    std::cout << fmt::format("{:24} {:32} {:8} {:22} {}\n", entry.name, entry.title, entry.import,
                             entry.license.empty() ? "license unknown" : entry.license, digest);
  }
  return {};
}

Status VerifyCache(const FetchFlags& flags, const Globals& globals) {
  const acquire::DownloadCache cache(flags.network.cache_dir.empty() ? acquire::DefaultCacheRoot()
                                                                     : flags.network.cache_dir);
  Progress progress(globals);
  ANEMONE_ASSIGN(const auto before, cache.List());
  ANEMONE_ASSIGN(const auto problems,
                 cache.Verify(flags.repair, [&](const acquire::CacheRecord& record) {
                   progress.Step("checking " + record.file_name);
                   return true;
                 }));
  if (globals.json) {
    Json document = Document("anemone.fetch.verify");
    document["cache"] = cache.root();
    document["files"] = before.records.size();
    Json list = Json::array();
    for (const auto& problem : problems) {
      list.push_back({{"url", problem.url}, {"path", problem.path}, {"problem", problem.what}});
    }
    document["problems"] = std::move(list);
    document["repaired"] = flags.repair;
    Print(document);
  }
  for (const auto& problem : problems) {
    Say(globals, fmt::format("{}{}: {}", problem.path,
                             problem.url.empty() ? "" : " (" + problem.url + ")", problem.what));
  }
  if (!problems.empty() && !flags.repair) {
    return InvalidInput("{} of the cache's files are damaged", problems.size())
        .At(cache.root())
        .Advise("'anemone fetch --verify --repair' removes them; then fetch them again");
  }
  Say(globals, fmt::format("{} files in {}, {}", before.records.size(), cache.root(),
                           problems.empty() ? "all as recorded" : "the damaged ones removed"));
  return {};
}

// Makes seeded weights, without a connection; only the seed identifies them.
Status MakeSeeded(const FetchFlags& flags, const Globals& globals) {
  if (!flags.sha256.empty() || !flags.from.empty()) {
    return Usage("--weights seeded makes the file; --sha256 and --from are for downloads");
  }
  ANEMONE_ASSIGN(const acquire::CacheRecord record,
                 facade::MakeSeededFile(flags.what, flags.seed, flags.network.cache_dir));
  if (globals.json) {
    Json document = Document("anemone.fetch");
    Json file = RecordJson(record);
    file["from_cache"] = false;
    file["checked_against"] = "seed";
    file["seed"] = flags.seed;
    document["files"] = Json::array({std::move(file)});
    Print(document);
  } else {
    std::cout << record.path << "\n";
  }
  Say(globals, fmt::format("{}: {}, made-up weights from seed {}, SHA-256 {}", record.file_name,
                           SizeText(record.size_bytes), flags.seed, record.sha256));
  return {};
}

Status RunFetch(const FetchFlags& flags, const Globals& globals) {
  if (flags.list) return ListCatalog(globals);
  if (flags.verify) return VerifyCache(flags, globals);
  if (flags.what.empty()) {
    return Usage("nothing to fetch").Advise("name a catalog model or a URL, or use --list");
  }
  if (flags.weights == "seeded") return MakeSeeded(flags, globals);
  Progress progress(globals);
  ANEMONE_ASSIGN(acquire::FetchOptions options,
                 MakeFetchOptions(flags.network, globals, progress, flags.what));
  options.refresh = flags.refresh;
  options.sha256 = flags.sha256;
  options.from = flags.from;
  ANEMONE_ASSIGN(const acquire::Fetched fetched, acquire::Fetch(flags.what, options));
  if (globals.json) {
    Json document = Document("anemone.fetch");
    Json files = Json::array();
    for (const acquire::FetchedFile& file : fetched.files) {
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
    document["files"] = std::move(files);
    Print(document);
  } else {
    for (const acquire::FetchedFile& file : fetched.files) std::cout << file.record.path << "\n";
  }
  for (const acquire::FetchedFile& file : fetched.files) {
    Say(globals, fmt::format("{}: {}, {}, SHA-256 {} (checked against {})", file.record.file_name,
                             SizeText(file.record.size_bytes),
                             file.from_cache ? "from the cache" : "fetched", file.record.sha256,
                             file.checked_against));
  }
  return {};
}

}  // namespace

void AddFetch(Command app, Context& context) {
  Command command = app.AddCommand("fetch", "download weights or a model into the cache, checked");
  auto flags = std::make_shared<FetchFlags>();
  command.AddOption("NAME", flags->what, "a catalog model, or a URL");
  AddFetchNetworkFlags(command, flags->network);
  command
      .AddOption("--weights", flags->weights,
                 "of a catalog model: 'pretrained', or 'seeded' to make a file of deterministic "
                 "values without a connection")
      .OneOf({"pretrained", "seeded"})
      .ShowDefault();
  command.AddOption("--seed", flags->seed, "seed of seeded weights");
  command.AddOption("--sha256", flags->sha256, "expected SHA-256 of a URL's content (64 digits)");
  command.AddOption("--from", flags->from,
                    "a file obtained by other means, added to the cache as if fetched");
  command.AddFlag("--refresh", flags->refresh, "fetch again even if it is in the cache");
  command.AddFlag("--list", flags->list, "print the catalog");
  command.AddFlag("--verify", flags->verify, "read everything in the cache again and check it");
  command.AddFlag("--repair", flags->repair, "with --verify: remove damaged files");
  command.Footer(
      "Environment: ANEMONE_CACHE_DIR, ANEMONE_OFFLINE=1, ANEMONE_MIRROR=https://host/path, "
      "ANEMONE_CA_BUNDLE=FILE.pem, ANEMONE_LOCK_FILE, https_proxy, no_proxy.\n"
      "Example: anemone fetch resnet50");
  OnRun(command, context, [flags, &context] { return RunFetch(*flags, context.globals); });
}

}  // namespace anemone::cli
