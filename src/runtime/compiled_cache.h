// Compiled models kept between processes, by content hash, OS build and compute units.
//
//   ROOT/NAME-KEY/            one entry: entry.json, entry.lock and its content
//   ROOT/.tmp-*, .trash-*     being written, being deleted; their owner holds a lock on them
//   ROOT/.make-KEY            the process that compiles KEY holds a lock on it
//
// An entry is written beside its place and appears by one rename; it is deleted by renaming it
// first. So a process that is killed at any point leaves complete entries and hidden leftovers,
// never half an entry; leftovers whose owner is gone are removed when a cache is opened. Locks are
// flock()s, which end with their process. An Entry holds its lock shared: an entry in use is not
// deleted, not even by another process.
//
// Thread rules: any number of threads and processes use one folder at once. Errors: kIo.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace anemone::runtime {

struct CompiledKey {
  std::string content_sha256;  // of the package (base/tree_hash.h)
  std::string os_build;        // compiled models belong to one build of the system
  std::string compute_units;
  std::string variant = {};  // anything else that the compiled form depends on

  // Sixty-four hexadecimal digits.
  std::string Hash() const;
};

// An entry in use. Movable; releases its lock when destroyed.
class CompiledEntry {
 public:
  CompiledEntry(CompiledEntry&& other) noexcept;
  CompiledEntry& operator=(CompiledEntry&& other) noexcept;
  ~CompiledEntry();
  // The folder that holds the entry's content. Read only.
  const std::string& path() const { return path_; }
  // Whether it already existed.
  bool found() const { return found_; }

 private:
  friend class CompiledCache;
  CompiledEntry(std::string path, int lock, bool found)
      : path_(std::move(path)), lock_(lock), found_(found) {}
  std::string path_;
  int lock_ = -1;
  bool found_ = false;
};

struct CachedModel {
  std::string name;
  std::string path;
  CompiledKey key;
  int64_t size_bytes = 0;
  int64_t created_unix_s = 0;
  int64_t used_unix_ns = 0;
  bool in_use = false;
};

struct CacheOptions {
  int64_t max_bytes = int64_t{8} << 30;  // the least recently used entries go first; 0: no limit
  // How long to wait for another process that compiles the same model before compiling it too.
  std::chrono::milliseconds wait_for_other{120'000};
};

class CompiledCache {
 public:
  // Makes a missing folder, and removes the leftovers of dead processes.
  static Result<CompiledCache> Open(const std::string& root, const CacheOptions& options = {});

  // The entry, if it exists and is complete.
  Result<std::optional<CompiledEntry>> Find(const CompiledKey& key) const;
  // The entry; if it is missing, `make(folder)` makes it, one caller at a time for each key. The
  // contents of the folder are published when `make` returns OK. `name` is for people.
  Result<CompiledEntry> FindOrMake(const CompiledKey& key, const std::string& name,
                                   const std::function<Status(const std::string& folder)>& make);
  // Deletes the entry, unless it is in use.
  Status Remove(const CompiledKey& key);
  // The cached models, the most recently used first.
  Result<std::vector<CachedModel>> List() const;
  // Deletes every entry that is not in use; returns the bytes freed.
  Result<int64_t> Clear();
  // Deletes the least recently used until the rest fits; returns the bytes freed.
  Result<int64_t> Trim(int64_t max_bytes);
  const std::string& root() const { return root_; }

 private:
  CompiledCache(std::string root, const CacheOptions& options)
      : root_(std::move(root)), options_(options) {}
  std::optional<std::string> PathOf(const CompiledKey& key) const;
  Result<std::optional<CompiledEntry>> Acquire(const std::string& path, const std::string& hash,
                                               bool found) const;
  Result<bool> Delete(const std::string& path);
  void RemoveLeftovers() const;

  std::string root_;
  CacheOptions options_;
};

}  // namespace anemone::runtime
