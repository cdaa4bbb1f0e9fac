// The options of downloads and of the cache.
#include "options/shared_rows.h"

namespace anemone::options {
namespace {

Option CacheRow(std::string& field, std::string_view help) {
  return {.name = "cache_dir",
          .field = &field,
          .help = help,
          .example = "cache",
          .holds = Holds::kPath};
}

}  // namespace

Table TableOf(DownloadOptions& options) {
  return {
      CacheRow(options.cache_dir,
               "where downloads are kept; ANEMONE_CACHE_DIR or ~/.cache/anemone by default"),
      {.name = "lock_file",
       .field = &options.lock_file,
       .help = "digests recorded at first use; ANEMONE_LOCK_FILE by default",
       .example = "weights.lock",
       .holds = Holds::kPath},
      {.name = "offline",
       .field = &options.offline,
       .help = "use the cache only, open no connection"},
      {.name = "mirror",
       .field = &options.mirror,
       .help = "use MIRROR/host/path instead (ANEMONE_MIRROR)",
       .example = "https://mirror.example/models"},
      {.name = "ca_bundle",
       .field = &options.ca_bundle,
       .help = "certificates to trust instead of the system's (ANEMONE_CA_BUNDLE)",
       .example = "certificates.pem",
       .holds = Holds::kPath},
      {.name = "connections",
       .field = &options.connections,
       .help = "most connections at once",
       .example = "8",
       .low = 1,
       .high = 16},
      {.name = "retries",
       .field = &options.retries,
       .help = "consecutive failures before giving up",
       .example = "10",
       .low = 0,
       .high = 100},
      {.name = "stall_timeout",
       .field = &options.stall_timeout,
       .help = "seconds below 1 kB/s after which a connection counts as dead",
       .example = "10",
       .low = 1,
       .high = 3600},
      {.name = "max_wait",
       .field = &options.max_wait,
       .help = "the longest Retry-After to wait for, in seconds",
       .example = "600",
       .low = 0,
       .high = 86400},
      {.name = "max_size",
       .field = &options.max_size,
       .help = "refuse more bytes than this (as a flag K, M and G: 1024); 0 for the library's "
               "limits",
       .example = "1000000000",
       .holds = Holds::kByteCount},
  };
}

Table TableOf(FetchOptions& options) {
  Table table{{.name = "name",
               .field = &options.name,
               .help = "a catalog model, or a URL",
               .example = "resnet50",
               .flag = "NAME"}};
  Append(table, TableOf(static_cast<DownloadOptions&>(options)));
  Append(table, {{.name = "weights",
                  .field = &options.weights,
                  .help = "of a catalog model: as published, or a file of deterministic values "
                          "that is made without a connection",
                  .example = "seeded",
                  .choices = {"pretrained", "seeded"}},
                 SeedRow(options.seed),
                 {.name = "sha256",
                  .field = &options.sha256,
                  .help = "expected SHA-256 of a URL's content (64 digits)",
                  .example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
                 {.name = "from_file",
                  .field = &options.from,
                  .help = "a file obtained by other means, added to the cache as if fetched",
                  .example = "resnet50.safetensors",
                  .holds = Holds::kPath,
                  .flag = "--from"},
                 {.name = "refresh",
                  .field = &options.refresh,
                  .help = "fetch again even if it is in the cache"}});
  return table;
}

Table TableOf(CacheListOptions& options) {
  return {
      CacheRow(options.cache_dir, "the cache; ANEMONE_CACHE_DIR or ~/.cache/anemone by default")};
}

Table TableOf(CacheClearOptions& options) {
  return {
      CacheRow(options.cache_dir, "the cache; ANEMONE_CACHE_DIR or ~/.cache/anemone by default"),
      {.name = "name",
       .field = &options.name,
       .help = "only the downloads of this catalog model or URL; everything by default",
       .example = "resnet50",
       .flag = "NAME"},
      {.name = "keep_downloads",
       .field = &options.keep_downloads,
       .help = "delete compiled models and verdicts only"},
  };
}

Table TableOf(CacheVerifyOptions& options) {
  return {
      CacheRow(options.cache_dir, "the cache; ANEMONE_CACHE_DIR or ~/.cache/anemone by default"),
      {.name = "repair", .field = &options.repair, .help = "remove damaged files"}};
}

}  // namespace anemone::options
