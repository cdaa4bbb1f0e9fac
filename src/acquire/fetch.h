// Fetch: from a catalog name or a URL to verified files in the cache.
//
//   ANEMONE_ASSIGN(Fetched files, Fetch("resnet50", FetchOptions::FromEnvironment()));
//   Open(files.main().path);
//
// Cached files are used without a connection. When several processes want one file, one fetches it
// and the others wait. Thread rules: any thread. Errors: those of Download; kUsage for a name that
// is not in the catalog (the message lists near ones).
#pragma once

#include <string>
#include <vector>

#include "acquire/cache.h"
#include "acquire/catalog.h"
#include "acquire/download.h"
#include "base/status.h"

namespace anemone::acquire {

struct FetchOptions {
  NetworkOptions network;
  std::string cache_root;  // empty: DefaultCacheRoot()
  std::string lock_file;   // empty: DefaultLockFile()
  std::string sha256;      // of a URL's content, if the caller knows it
  // A file that came by other means (a memory stick, a browser behind a login), to be added to the
  // cache as if it had been fetched: the same checks, the same records.
  std::string from;
  bool refresh = false;  // fetch again even if it is in the cache

  static FetchOptions FromEnvironment();
};

struct FetchedFile {
  CacheRecord record;  // record.path is the file to open
  bool from_cache = false;
  std::string checked_against;  // "catalog", "catalog prefix", "lock file", "--sha256", or
                                // "first use" (recorded now), "nothing" (a plain URL)
  DownloadResult download;      // when it was fetched by this call
};

struct Fetched {
  const CatalogEntry* entry = nullptr;  // null for a plain URL
  std::vector<FetchedFile> files;       // the first is the one to open
  const CacheRecord& main() const { return files.front().record; }
};

Result<Fetched> Fetch(const std::string& name_or_url, const FetchOptions& options);

}  // namespace anemone::acquire
