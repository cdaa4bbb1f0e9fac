#include "runtime/compiled_cache.h"

#include <fcntl.h>
#include <signal.h>  // NOLINT: kill() is POSIX's
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <thread>

#include "base/atomic_file.h"
#include "base/file_lock.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/sha256.h"

namespace anemone::runtime {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDescription = "entry.json";
constexpr const char* kLock = "entry.lock";
constexpr const char* kTemporary = ".tmp-";
constexpr const char* kTrash = ".trash-";
constexpr const char* kMaking = ".make-";
// A hidden folder without a lock file is between two system calls of a live process, or was left by
// a dead one. The name identifies the process, which is not reliable on a disk shared with other
// machines; but after this time it is certainly dead.
constexpr auto kGrace = std::chrono::minutes(10);

Error FileError(const std::string& path, std::string_view what, const std::error_code& error) {
  return IoError("{}: {}", what, error.message()).At(path);
}

std::string UniqueName(const char* prefix) {
  static std::atomic<uint64_t> counter{0};
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  return fmt::format("{}{}-{}-{}", prefix, ::getpid(), now, counter.fetch_add(1));
}

// Whether the process that made a UniqueName is known to be gone.
bool MakerIsGone(const std::string& name, const char* prefix) {
  const char* begin = name.c_str() + std::string_view(prefix).size();
  int pid = 0;
  const auto parsed = std::from_chars(begin, name.c_str() + name.size(), pid);
  return parsed.ec == std::errc() && pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH;
}

// Readable, and safe as a file name.
std::string SafeName(const std::string& name) {
  std::string safe;
  for (const char c : name.substr(0, 48)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    safe += plain || c == '_' ? c : '_';
  }
  return safe.empty() ? "model" : safe;
}

Result<std::vector<fs::path>> FilesBelow(const fs::path& root) {
  std::vector<fs::path> files;
  std::error_code error;
  fs::recursive_directory_iterator walk(root, error);
  for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    if (walk->is_regular_file(error)) files.push_back(walk->path());
  }
  if (error) return FileError(root.string(), "cannot read the folder", error);
  std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
    return a.generic_string() < b.generic_string();
  });
  return files;
}

// The sizes of an entry's files, which show a reader that it is complete.
Result<Json> SizesOf(const fs::path& folder) {
  ANEMONE_ASSIGN(const std::vector<fs::path> files, FilesBelow(folder));
  Json sizes = Json::Object();
  for (const fs::path& file : files) {
    const std::string name = file.lexically_relative(folder).generic_string();
    if (name == kDescription || name == kLock) continue;
    std::error_code error;
    sizes[name] = fs::file_size(file, error);
    if (error) return FileError(file.string(), "cannot read the size", error);
  }
  return sizes;
}

std::optional<Json> ReadDescription(const fs::path& folder) {
  const auto bytes = MapFile((folder / kDescription).string());
  if (!bytes.ok()) return std::nullopt;
  const auto* text = reinterpret_cast<const char*>(bytes->data());
  Json json = ParseJsonOrNull({text, bytes->size()});
  if (!json.is_object() || json["schema"] != "anemone.compiled_model") {
    return std::nullopt;
  }
  return json;
}

CompiledKey KeyOf(const Json& json) {
  return {json["content_sha256"].text(), json["os_build"].text(), json["compute_units"].text(),
          json["variant"].text()};
}

int64_t ModifiedUnixNs(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return 0;
#ifdef __APPLE__
  const timespec& time = status.st_mtimespec;
#else
  const timespec& time = status.st_mtim;
#endif
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

Status SyncTree(const std::string& root) {
  std::error_code error;
  fs::recursive_directory_iterator walk(root, error);
  std::vector<std::string> paths{root};
  for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    if (walk->is_regular_file(error) || walk->is_directory(error)) {
      paths.push_back(walk->path().string());
    }
  }
  if (error) return FileError(root, "cannot read the folder", error);
  for (const std::string& path : paths) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return FileError(path, "cannot open", {errno, std::generic_category()});
    const int result = ::fsync(fd);
    const int code = errno;
    ::close(fd);
    if (result != 0) return FileError(path, "cannot sync", {code, std::generic_category()});
  }
  return {};
}

// A locked folder under a hidden name; removed by the destructor unless renamed away.
class HiddenFolder {
 public:
  static Result<HiddenFolder> Create(const fs::path& root) {
    for (int attempt = 0; attempt < 16; ++attempt) {
      const std::string path = (root / UniqueName(kTemporary)).string();
      std::error_code error;
      if (!fs::create_directory(path, error)) {
        if (error) return FileError(path, "cannot make the folder", error);
        continue;
      }
      auto lock = FileLock::Try(path + "/" + kLock, FileLock::Mode::kShared, true);
      if (!lock.ok() && lock.error().code() != ErrorCode::kNotFound) return std::move(lock).error();
      // If a cleaner took it between the two calls, try another.
      if (lock.ok() && lock.value() && lock.value()->Names(path + "/" + kLock)) {
        return HiddenFolder(path, std::move(*lock.value()));
      }
    }
    return IoError("cannot make a hidden folder").At(root.string());
  }
  HiddenFolder(HiddenFolder&& other) noexcept
      : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}
  HiddenFolder& operator=(HiddenFolder&&) = delete;
  ~HiddenFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  // False when `target` is taken.
  Result<bool> Publish(const std::string& target) {
    if (::rename(path_.c_str(), target.c_str()) == 0) {
      path_.clear();
      return true;
    }
    if (errno == EEXIST || errno == ENOTEMPTY) return false;
    return FileError(target, "cannot rename to it", {errno, std::generic_category()});
  }
  int ReleaseLock() { return std::move(lock_).Release(); }

 private:
  HiddenFolder(std::string path, FileLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  FileLock lock_;
};

}  // namespace

std::string CompiledKey::Hash() const {
  Sha256 hash;
  for (const std::string& part : {content_sha256, os_build, compute_units, variant}) {
    hash.Update(std::to_string(part.size()) + ":" + part + ";");
  }
  return ToHex(hash.Finish());
}

CompiledEntry::CompiledEntry(CompiledEntry&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)), found_(other.found_) {}
CompiledEntry& CompiledEntry::operator=(CompiledEntry&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  std::swap(found_, other.found_);
  return *this;
}
CompiledEntry::~CompiledEntry() {
  if (lock_ >= 0) ::close(lock_);
}

Result<CompiledCache> CompiledCache::Open(const std::string& root, const CacheOptions& options) {
  std::error_code error;
  fs::create_directories(root, error);
  if (error) return FileError(root, "cannot make the cache folder", error);
  CompiledCache cache(root, options);
  cache.RemoveLeftovers();
  return cache;
}

void CompiledCache::RemoveLeftovers() const {
  std::error_code error;
  for (fs::directory_iterator walk(root_, error); !error && walk != fs::directory_iterator();
       walk.increment(error)) {
    const std::string name = walk->path().filename().string();
    const std::string path = walk->path().string();
    std::error_code ignored;
    if (name.starts_with(kTrash)) fs::remove_all(path, ignored);
    if (name.starts_with(kMaking)) {
      // The next holder sees that the file it locked has no name.
      auto lock = FileLock::Try(path, FileLock::Mode::kExclusive, false);
      if (lock.ok() && lock.value()) fs::remove(path, ignored);
    }
    if (!name.starts_with(kTemporary)) continue;
    auto lock = FileLock::Try(path + "/" + kLock, FileLock::Mode::kExclusive, false);
    bool abandoned = lock.ok() && lock.value();
    if (!lock.ok() && lock.error().code() == ErrorCode::kNotFound) {
      const auto age = fs::file_time_type::clock::now() - fs::last_write_time(path, ignored);
      abandoned = MakerIsGone(name, kTemporary) || (!ignored && age > kGrace);
    }
    if (!abandoned) continue;
    // Renamed first, in case deleting it is interrupted.
    const std::string trash = root_ + "/" + UniqueName(kTrash);
    if (::rename(path.c_str(), trash.c_str()) == 0) fs::remove_all(trash, ignored);
  }
}

std::optional<std::string> CompiledCache::PathOf(const CompiledKey& key) const {
  const std::string suffix = "-" + key.Hash();
  std::error_code error;
  for (fs::directory_iterator walk(root_, error); !error && walk != fs::directory_iterator();
       walk.increment(error)) {
    const std::string name = walk->path().filename().string();
    if (!name.starts_with('.') && name.ends_with(suffix)) return walk->path().string();
  }
  return std::nullopt;
}

Result<std::optional<CompiledEntry>> CompiledCache::Acquire(const std::string& path,
                                                            const std::string& hash,
                                                            bool found) const {
  const std::string lock_path = path + "/" + kLock;
  std::optional<FileLock> lock;
  // List() and Delete() hold it exclusively for a moment; Delete() then renames the entry away.
  for (int attempt = 0; !lock && attempt < 200; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    auto taken = FileLock::Try(lock_path, FileLock::Mode::kShared, false);
    if (!taken.ok()) {
      if (taken.error().code() == ErrorCode::kNotFound) return std::optional<CompiledEntry>();
      return std::move(taken).error();
    }
    lock = std::move(taken).value();
  }
  if (!lock || !lock->Names(lock_path)) return std::optional<CompiledEntry>();
  const std::optional<Json> json = ReadDescription(path);
  const auto sizes = SizesOf(path);
  if (!json || KeyOf(*json).Hash() != hash || !sizes.ok() || (*json)["files"] != *sizes) {
    return std::optional<CompiledEntry>();
  }
  // Records the time of use, for Trim().
  ::utimensat(AT_FDCWD, (path + "/" + kDescription).c_str(), nullptr, 0);
  return std::optional<CompiledEntry>(CompiledEntry(path, std::move(*lock).Release(), found));
}

Result<std::optional<CompiledEntry>> CompiledCache::Find(const CompiledKey& key) const {
  const std::optional<std::string> path = PathOf(key);
  if (!path) return std::optional<CompiledEntry>();
  return Acquire(*path, key.Hash(), true);
}

Result<CompiledEntry> CompiledCache::FindOrMake(
    const CompiledKey& key, const std::string& name,
    const std::function<Status(const std::string& folder)>& make) {
  const std::string hash = key.Hash();
  const std::string making = root_ + "/" + kMaking + hash;
  const auto deadline = std::chrono::steady_clock::now() + options_.wait_for_other;
  std::optional<FileLock> turn;
  while (true) {
    ANEMONE_ASSIGN(auto found, Find(key));
    if (found) return std::move(*found);
    ANEMONE_ASSIGN(turn, FileLock::Try(making, FileLock::Mode::kExclusive, true));
    // A lock on a file that the last holder has deleted excludes no one.
    if (turn && !turn->Names(making)) continue;
    if (turn || std::chrono::steady_clock::now() >= deadline) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  {
    ANEMONE_ASSIGN(auto found, Find(key));  // made while we waited
    if (found) return std::move(*found);
  }
  ANEMONE_ASSIGN(HiddenFolder folder, HiddenFolder::Create(root_));
  ANEMONE_TRY(make(folder.path()));
  ANEMONE_ASSIGN(const Json sizes, SizesOf(folder.path()));
  Json json{{"schema", "anemone.compiled_model"}, {"schema_version", 1}};
  json["name"] = name;
  json["content_sha256"] = key.content_sha256;
  json["os_build"] = key.os_build;
  json["compute_units"] = key.compute_units;
  json["variant"] = key.variant;
  json["created_unix_s"] = std::chrono::duration_cast<std::chrono::seconds>(
                               std::chrono::system_clock::now().time_since_epoch())
                               .count();
  json["files"] = sizes;
  {
    ANEMONE_ASSIGN(OutputFile file,
                   OutputFile::Create(folder.path() + "/" + kDescription, Durability::kDisk));
    ANEMONE_TRY(file.Write(json.Dump({.indent = 2}) + "\n"));
    ANEMONE_TRY(file.Close());
  }
  ANEMONE_TRY(SyncTree(folder.path()));
  const std::string target = root_ + "/" + SafeName(name) + "-" + hash;
  for (int attempt = 0; attempt < 4; ++attempt) {
    ANEMONE_ASSIGN(const bool published, folder.Publish(target));
    if (published) {
      CompiledEntry entry(target, folder.ReleaseLock(), false);
      if (turn) ::unlink(making.c_str());
      if (options_.max_bytes > 0) {
        auto trimmed = Trim(options_.max_bytes);  // a full cache is not an error
        (void)trimmed;
      }
      return entry;
    }
    // Another process was faster, or the existing entry is damaged.
    ANEMONE_ASSIGN(auto theirs, Acquire(target, hash, true));
    if (theirs) return std::move(*theirs);
    ANEMONE_ASSIGN(const bool deleted, Delete(target));
    (void)deleted;
  }
  return IoError("a damaged entry is in use and cannot be replaced").At(target);
}

Result<bool> CompiledCache::Delete(const std::string& path) {
  const std::string lock_path = path + "/" + kLock;
  auto lock = FileLock::Try(lock_path, FileLock::Mode::kExclusive, false);
  if (lock.ok() && !lock.value()) return false;  // in use
  if (lock.ok() && !lock.value()->Names(lock_path)) return false;
  const std::string trash = root_ + "/" + UniqueName(kTrash);
  if (::rename(path.c_str(), trash.c_str()) != 0) return false;
  std::error_code error;
  fs::remove_all(trash, error);
  if (error) return FileError(trash, "cannot delete", error);
  return true;
}

Status CompiledCache::Remove(const CompiledKey& key) {
  if (const auto path = PathOf(key)) {
    ANEMONE_ASSIGN(const bool deleted, Delete(*path));
    (void)deleted;
  }
  return {};
}

Result<std::vector<CachedModel>> CompiledCache::List() const {
  std::vector<CachedModel> models;
  std::error_code error;
  for (fs::directory_iterator walk(root_, error); !error && walk != fs::directory_iterator();
       walk.increment(error)) {
    const std::string file_name = walk->path().filename().string();
    if (file_name.starts_with('.')) continue;
    const std::optional<Json> json = ReadDescription(walk->path());
    if (!json) continue;
    CachedModel model;
    model.path = walk->path().string();
    model.name = (*json)["name"].is_text() ? (*json)["name"].text() : file_name;
    model.key = KeyOf(*json);
    model.created_unix_s = (*json)["created_unix_s"].integer();
    model.used_unix_ns = ModifiedUnixNs(model.path + "/" + kDescription);
    for (const auto& [name, size] : (*json)["files"].items()) model.size_bytes += size.integer();
    auto lock = FileLock::Try(model.path + "/" + kLock, FileLock::Mode::kExclusive, false);
    model.in_use = lock.ok() && !lock.value();
    models.push_back(std::move(model));
  }
  if (error) return FileError(root_, "cannot read the cache", error);
  std::sort(models.begin(), models.end(), [](const CachedModel& a, const CachedModel& b) {
    return std::tie(b.used_unix_ns, a.path) < std::tie(a.used_unix_ns, b.path);
  });
  return models;
}

Result<int64_t> CompiledCache::Clear() { return Trim(0); }

Result<int64_t> CompiledCache::Trim(int64_t max_bytes) {
  ANEMONE_ASSIGN(const std::vector<CachedModel> models, List());
  int64_t total = 0, freed = 0;
  for (const CachedModel& model : models) total += model.size_bytes;
  for (auto model = models.rbegin(); model != models.rend() && total > max_bytes; ++model) {
    ANEMONE_ASSIGN(const bool deleted, Delete(model->path));
    if (!deleted) continue;
    total -= model->size_bytes;
    freed += model->size_bytes;
  }
  return freed;
}

}  // namespace anemone::runtime
