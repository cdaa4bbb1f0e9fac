// anemone fetch: downloads weights and models into the cache, or checks the cache.
#include <iostream>

#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/document.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

struct FetchFlags {
  FetchOptions options;
  CacheVerifyOptions verifying;
  bool list = false;
  bool verify = false;
};

Status ListCatalog(const Globals& globals) {
  ANEMONE_ASSIGN(const CatalogResult catalog, facade::RunCatalog());
  if (globals.json) {
    Print(catalog.json);
    return {};
  }
  for (const CatalogResult::Row& row : catalog.rows) {
    std::cout << fmt::format("{:24} {:32} {:8} {:22} {}\n", row.name, row.title, row.import,
                             row.license.empty() ? "license unknown" : row.license, row.digest);
  }
  return {};
}

Status VerifyCache(const CacheVerifyOptions& options, Context& context) {
  const Globals& globals = context.globals;
  ANEMONE_ASSIGN(const CacheVerifyResult result, WithProgress(globals, [&](const Hooks& hooks) {
                   return facade::RunCacheVerify(options, hooks);
                 }));
  if (globals.json) Print(result.json);
  for (const auto& problem : result.problems) {
    Say(globals, fmt::format("{}{}: {}", problem.path,
                             problem.url.empty() ? "" : " (" + problem.url + ")", problem.what));
  }
  if (!result.problems.empty() && !options.repair) {
    EndWith(context,
            InvalidInput("{} of the cache's files are damaged", result.problems.size())
                .At(result.root)
                .Advise("'anemone fetch --verify --repair' removes them; then fetch them again"));
    return {};
  }
  Say(globals,
      fmt::format("{} files in {}, {}", result.files, result.root,
                  result.problems.empty() ? "all as recorded" : "the damaged ones removed"));
  return {};
}

Status RunFetch(FetchFlags flags, Context& context) {
  const Globals& globals = context.globals;
  const FetchOptions& options = flags.options;
  if (flags.list) return ListCatalog(globals);
  if (flags.verify) {
    flags.verifying.cache_dir = options.cache_dir;
    return VerifyCache(flags.verifying, context);
  }
  ANEMONE_ASSIGN(const FetchResult result, WithProgress(globals, [&](const Hooks& hooks) {
                   return facade::RunFetch(options, hooks);
                 }));
  if (globals.json) {
    Print(result.json);
  } else {
    for (const FetchResult::File& file : result.files) std::cout << file.path << "\n";
  }
  for (const FetchResult::File& file : result.files) {
    const std::string head =
        fmt::format("{}: {}", file.file_name, facade::SizeText(file.size_bytes));
    if (file.checked_against == "seed") {
      Say(globals, fmt::format("{}, made-up weights from seed {}, SHA-256 {}", head, options.seed,
                               file.sha256));
      continue;
    }
    Say(globals, fmt::format("{}, {}, SHA-256 {} (checked against {})", head,
                             file.from_cache ? "from the cache" : "fetched", file.sha256,
                             file.checked_against));
  }
  return {};
}

}  // namespace

void AddFetch(Command app, Context& context) {
  Command command = app.AddCommand("fetch", "download weights or a model into the cache, checked");
  auto flags = std::make_shared<FetchFlags>();
  AddOptions(command, options::TableOf(flags->options));
  command.AddFlag("--list", flags->list, "print the catalog");
  command.AddFlag("--verify", flags->verify, "read everything in the cache again and check it");
  command.AddFlag("--repair", flags->verifying.repair, "with --verify: remove damaged files");
  command.Footer(
      "Environment: ANEMONE_CACHE_DIR, ANEMONE_OFFLINE=1, ANEMONE_MIRROR=https://host/path, "
      "ANEMONE_CA_BUNDLE=FILE.pem, ANEMONE_LOCK_FILE, https_proxy, no_proxy.\n"
      "Example: anemone fetch resnet50");
  OnRun(command, context, [flags, &context] { return RunFetch(*flags, context); });
}

}  // namespace anemone::cli
