// The download cache: content-addressed files, and records that say which URL each came from.
//
//   ROOT/downloads/objects/ab/ab12...   content by its SHA-256, read-only; verified before it is
//                                       moved here, so it is whole or absent
//   ROOT/downloads/records/KEY.json     one for each URL: digest, size, license, where and when
//   ROOT/downloads/views/KEY/NAME       the object under its own name (a hard link): what readers
//                                       open, files of one model side by side
//   ROOT/downloads/partial/KEY/         a download in progress, and its lock
//
// ROOT is --cache-dir, ANEMONE_CACHE_DIR, $XDG_CACHE_HOME/anemone or ~/.cache/anemone. Thread
// rules: any number of threads and processes; writers of one URL take its lock. Errors: kIo;
// kInvalidInput for a record that is damaged.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acquire/path_lock.h"
#include "base/status.h"

namespace anemone::acquire {

// The root, from the environment.
std::string DefaultCacheRoot();

struct CacheRecord {
  std::string url;
  std::string name;  // the catalog model that it belongs to; empty for a plain URL
  std::string file_name;
  std::string sha256;
  int64_t size_bytes = 0;
  std::string license;       // SPDX or the publisher's name; empty when unknown
  std::string fetched_from;  // mirror and redirects followed, without a query
  std::string fetched_at;    // "2026-11-23T12:36:17Z"
  std::string tool_version;
  std::string path;  // of the view; not stored
};

// The current time, formatted as CacheRecord::fetched_at.
std::string UtcNow();

struct CacheListing {
  std::string root;
  std::vector<CacheRecord> records;  // by name and URL
  int64_t object_bytes = 0;          // of all objects, each once
  int64_t partial_bytes = 0;         // of downloads in progress or interrupted
};

struct CacheProblem {
  std::string url;
  std::string path;
  std::string what;
};

class DownloadCache {
 public:
  explicit DownloadCache(std::string root) : root_(std::move(root)) {}

  const std::string& root() const { return root_; }
  // The folder for a download of `url` in progress.
  std::string PartialFolder(std::string_view url) const;
  Result<PathLock> Lock(std::string_view url, const std::function<bool()>& waiting) const;
  // The record of `url` when its content is in the cache; nullopt when it is not. `group` names the
  // folder of the view: files of one group are in the same folder.
  Result<std::optional<CacheRecord>> Find(std::string_view url, std::string_view group) const;
  // Moves the verified file at `path` into the cache. Fills record.path.
  Status Add(const std::string& path, std::string_view group, CacheRecord* record) const;

  Result<CacheListing> List() const;
  // Removes records and content of the model or URL `which` (when empty: of everything, interrupted
  // downloads included); content that other records share stays. Returns the bytes freed.
  Result<int64_t> Clear(const std::string& which = "") const;
  // Reads every object again. Reports content that does not match its digest and records without
  // content. With `repair` such content and records are removed.
  Result<std::vector<CacheProblem>> Verify(
      bool repair, const std::function<bool(const CacheRecord&)>& progress = {}) const;

 private:
  std::string Folder(std::string_view part) const;
  std::string ObjectPath(const std::string& sha256) const;
  std::string RecordPath(std::string_view url) const;
  Status MakeView(std::string_view group, CacheRecord* record) const;

  std::string root_;
};

}  // namespace anemone::acquire
