// Compiled models kept between processes, by content hash, OS build and compute units.
//
//   ROOT/NAME-KEY/            one entry: entry.json, entry.lock and what was put there
//   ROOT/.tmp-*, .trash-*     being written, being deleted; their owner holds a lock on them
//   ROOT/.make-KEY            whoever compiles KEY holds a lock on it
//
// An entry is written beside its place and appears by one rename; it is deleted by one rename
// first. So a process that is killed at any point leaves complete entries and hidden leftovers,
// never half an entry; leftovers whose owner is gone are removed when a cache is opened. Locks are
// flock()s, which end with their process. An Entry holds its lock shared: what is in use is not
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
  std::string os_build;        // compiled models are the system's own: another build, another key
  std::string compute_units;
  std::string variant = {};  // whatever else the compiled form depends on

  // Sixty-four hexadecimal digits.
  std::string Hash() const;
};

// An entry in use. Movable; gives its lock back when destroyed.
class CompiledEntry {
 public:
  CompiledEntry(CompiledEntry&& other) noexcept;
  CompiledEntry& operator=(CompiledEntry&& other) noexcept;
  ~CompiledEntry();
  // The folder that holds what was put there. Read only.
  const std::string& path() const { return path_; }
  // Whether it was there before, and nothing had to be made.
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
  int64_t max_bytes = int64_t{8} << 30;  // the least recently used go first; 0: no limit
  // How long to wait for another process that compiles the same model, before doing it as well.
  std::chrono::milliseconds wait_for_other{120'000};
};

class CompiledCache {
 public:
  // Makes the folder where it is missing, and removes what dead processes left.
  static Result<CompiledCache> Open(const std::string& root, const CacheOptions& options = {});

  // The entry, if it is there and complete.
  Result<std::optional<CompiledEntry>> Find(const CompiledKey& key) const;
  // The entry, made by `make(folder)` where it is missing: one caller at a time makes one key. What
  // `make` leaves in the folder is published when it returns OK. `name` is for people.
  Result<CompiledEntry> FindOrMake(const CompiledKey& key, const std::string& name,
                                   const std::function<Status(const std::string& folder)>& make);
  // Deletes the entry, unless it is in use.
  Status Remove(const CompiledKey& key);
  // What is kept, the latest used first.
  Result<std::vector<CachedModel>> List() const;
  // Deletes every entry that is not in use; how many bytes that freed.
  Result<int64_t> Clear();
  // Deletes the least recently used until the rest fits; how many bytes that freed.
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
