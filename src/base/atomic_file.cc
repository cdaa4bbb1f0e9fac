#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>
#include <system_error>

namespace anemone {
namespace {

namespace fs = std::filesystem;

// Where the temporaries that exist now will end up, so that errors name what the user knows.
struct Targets {
  std::mutex mutex;
  std::map<std::string, std::string> by_temporary;
};
Targets& TheTargets() {
  static auto* const targets = new Targets;  // threads may outlive main()
  return *targets;
}

void Remember(const std::string& temporary, const std::string& target) {
  Targets& targets = TheTargets();
  const std::lock_guard lock(targets.mutex);
  targets.by_temporary[temporary] = target;
}

void Forget(const std::string& temporary) {
  Targets& targets = TheTargets();
  const std::lock_guard lock(targets.mutex);
  targets.by_temporary.erase(temporary);
}

Error SystemError(const std::string& path, std::string_view what, int code) {
  return IoError("{}: {}", what, std::generic_category().message(code)).At(FinalPath(path));
}

// "out/model.mlpackage/" -> "out/model.mlpackage": the name that gets renamed.
std::string WithoutTrailingSlashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

constexpr std::string_view kMark = ".tmp-";

// The part of a temporary's name that tells whose it is: file systems take names of 255 bytes, so a
// long one is cut to leave room for the rest.
std::string TemporaryPrefix(const fs::path& target) {
  constexpr size_t kLongest = 200;
  return "." + target.filename().string().substr(0, kLongest) + std::string(kMark);
}

// Removes what processes that are gone left beside `target`. Process numbers say nothing about
// other machines on a shared disk, so only what has not changed for a day is taken for dead.
void SweepDead(const fs::path& target) {
  constexpr auto kGrace = std::chrono::hours(24);
  const std::string prefix = TemporaryPrefix(target);
  std::error_code error;
  const fs::path parent = target.parent_path().empty() ? fs::path(".") : target.parent_path();
  for (fs::directory_iterator entry(parent, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(prefix)) continue;
    int process = 0;
    const char* digits = name.c_str() + prefix.size();
    const auto parsed = std::from_chars(digits, name.c_str() + name.size(), process);
    if (parsed.ec != std::errc() || process <= 0) continue;
    if (::kill(process, 0) == 0 || errno != ESRCH) continue;
    std::error_code ignored;
    const auto written = fs::last_write_time(entry->path(), ignored);
    if (ignored || fs::file_time_type::clock::now() - written < kGrace) continue;
    fs::remove_all(entry->path(), ignored);
  }
}

// A name beside `target` that no other thread or process uses; hidden, so that a user's
// `*.mlpackage` does not match it.
std::string TemporaryName(const std::string& target) {
  static std::atomic<uint64_t> counter{0};
  const fs::path path(target);
  const std::string name =
      fmt::format("{}{}-{}", TemporaryPrefix(path), ::getpid(), counter.fetch_add(1));
  return (path.parent_path() / name).string();
}

std::string ParentOf(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

Status Sync(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  if (fd < 0) return SystemError(path, "cannot open to synchronize", errno);
  const int result = ::fsync(fd);
  const int code = errno;
  ::close(fd);
  if (result != 0) return SystemError(path, "cannot synchronize to disk", code);
  return {};
}

// Flushes every directory of the tree, so that the names survive a crash of the machine; the files
// were flushed on Close.
Status SyncDirectories(const std::string& root) {
  std::error_code error;
  fs::recursive_directory_iterator walk(root, error);
  for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    if (walk->is_directory(error)) ANEMONE_TRY(Sync(walk->path().string(), O_DIRECTORY));
  }
  if (error) return SystemError(root, "cannot walk the directory", error.value());
  return Sync(root, O_DIRECTORY);
}

// Swaps two existing names in one step. False with errno set when the system or the file system
// cannot.
bool Exchange(const std::string& a, const std::string& b) {
#if defined(__linux__) && defined(RENAME_EXCHANGE)
  return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
#elif defined(__APPLE__)
  return ::renamex_np(a.c_str(), b.c_str(), RENAME_SWAP) == 0;
#else
  (void)a, (void)b;
  errno = ENOSYS;
  return false;
#endif
}

bool ExchangeUnsupported(int code) {
  return code == ENOSYS || code == EINVAL || code == ENOTSUP || code == EOPNOTSUPP;
}

// Retries while another thread still adds to the tree, which ends once its root is gone. Anything
// that remains after that is harmless: the target is already right.
void RemoveTree(const std::string& path) {
  std::error_code error;
  for (int i = 0; i < 10; ++i) {
    fs::remove_all(path, error);
    if (!error) return;
  }
}

}  // namespace

std::string FinalPath(const std::string& path) {
  Targets& targets = TheTargets();
  const std::lock_guard lock(targets.mutex);
  for (const auto& [temporary, target] : targets.by_temporary) {
    if (path == temporary) return target;
    if (path.starts_with(temporary + "/")) return target + path.substr(temporary.size());
  }
  return path;
}

Result<OutputFile> OutputFile::Create(const std::string& path, Durability durability) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return SystemError(path, "cannot create the file", errno);
  return OutputFile(path, fd, durability);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      durability_(other.durability_),
      size_bytes_(other.size_bytes_),
      started_bytes_(other.started_bytes_) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(durability_, other.durability_);
  std::swap(size_bytes_, other.size_bytes_);
  std::swap(started_bytes_, other.started_bytes_);
  return *this;
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) ::close(fd_);
}

Status OutputFile::Write(std::span<const std::byte> data) { return Write(std::span(&data, 1)); }

Status OutputFile::Write(std::span<const std::span<const std::byte>> pieces) {
  // Small enough for the disk to start early; some systems refuse more than 2 GiB at once.
  constexpr size_t kMaxBytes = size_t{8} << 20;
  constexpr size_t kMaxPieces = 64;
  size_t done = 0;  // of pieces[0]
  while (!pieces.empty()) {
    std::array<iovec, kMaxPieces> parts;
    size_t count = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < pieces.size() && count < kMaxPieces && bytes < kMaxBytes; ++i) {
      const auto rest = pieces[i].subspan(i == 0 ? done : 0);
      parts[count].iov_base = const_cast<std::byte*>(rest.data());  // NOLINT: written from
      parts[count].iov_len = std::min(rest.size(), kMaxBytes - bytes);
      bytes += parts[count++].iov_len;
    }
    const ssize_t result = ::writev(fd_, parts.data(), static_cast<int>(count));
    if (result < 0 && errno == EINTR) continue;
    if (result < 0) return SystemError(path_, "cannot write the file", errno);
    size_bytes_ += static_cast<uint64_t>(result);
    if (durability_ == Durability::kDisk && size_bytes_ - started_bytes_ >= kMaxBytes)
      StartWriteback();
    for (done += static_cast<size_t>(result); !pieces.empty() && done >= pieces[0].size();) {
      done -= pieces[0].size();
      pieces = pieces.subspan(1);
    }
  }
  return {};
}

void OutputFile::StartWriteback() {
#ifdef __linux__
  // Only a hint, so its result is ignored: fsync in Close() is what counts.
  (void)::sync_file_range(fd_, static_cast<off64_t>(started_bytes_),
                          static_cast<off64_t>(size_bytes_ - started_bytes_),
                          SYNC_FILE_RANGE_WRITE);
#endif
  started_bytes_ = size_bytes_;
}

Status OutputFile::Close() {
  const int sync = durability_ == Durability::kDisk ? ::fsync(fd_) : 0;
  const int sync_code = errno;
  const int closed = ::close(std::exchange(fd_, -1));
  if (sync != 0) return SystemError(path_, "cannot synchronize to disk", sync_code);
  if (closed != 0) return SystemError(path_, "cannot close the file", errno);
  return {};
}

AtomicFile::AtomicFile(std::string target, OutputFile file, Durability durability,
                       Leftover leftover)
    : target_(std::move(target)),
      temporary_(file.path()),
      file_(std::move(file)),
      durability_(durability),
      leftover_(std::move(leftover)) {}

AtomicFile::~AtomicFile() {
  if (temporary_.empty()) return;
  ::unlink(temporary_.c_str());
  Forget(temporary_);
}

Result<AtomicFile> AtomicFile::Create(const std::string& target, Durability durability) {
  const std::string temporary = TemporaryName(target);
  SweepDead(target);
  Remember(temporary, target);
  Result<OutputFile> file = Internal("not created");
  Leftover leftover([&]() -> Leftover::Clear {
    file = OutputFile::Create(temporary, durability);
    if (!file.ok()) return nullptr;
    return [temporary] { ::unlink(temporary.c_str()); };
  });
  if (!file.ok()) {
    Forget(temporary);
    return std::move(file).status();
  }
  return AtomicFile(target, std::move(file).value(), durability, std::move(leftover));
}

Status AtomicFile::Commit() {
  ANEMONE_TRY(file_.Close());
  Status renamed = Cancelled("the process is ending").At(target_);
  leftover_.Keep([&] {
    renamed = ::rename(temporary_.c_str(), target_.c_str()) == 0
                  ? Status()
                  : SystemError(target_, "cannot put the new file in place", errno);
  });
  ANEMONE_TRY(renamed);
  Forget(std::exchange(temporary_, {}));
  leftover_.Forget();
  if (durability_ == Durability::kDisk) return Sync(ParentOf(target_), O_DIRECTORY);
  return {};
}

AtomicDirectory::~AtomicDirectory() {
  if (temporary_.empty()) return;
  RemoveTree(temporary_);
  Forget(temporary_);
}

Status WriteAtomically(const std::string& path, std::string_view text) {
  ANEMONE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
  ANEMONE_TRY(file.Write(text));
  return file.Commit();
}

Result<AtomicDirectory> AtomicDirectory::Create(const std::string& target) {
  const std::string clean = WithoutTrailingSlashes(target);
  const std::string temporary = TemporaryName(clean);
  SweepDead(clean);
  Remember(temporary, clean);
  int code = 0;
  Leftover leftover([&]() -> Leftover::Clear {
    if (::mkdir(temporary.c_str(), 0777) != 0) {
      code = errno;
      return nullptr;
    }
    return [temporary] { RemoveTree(temporary); };
  });
  if (code != 0) {
    Error error = SystemError(temporary, "cannot create the directory", code);
    Forget(temporary);
    return error;
  }
  return AtomicDirectory(clean, temporary, std::move(leftover));
}

// Afterwards `temporary_` holds the old tree, if there was one.
Status AtomicDirectory::PutInPlace() {
  // rename() itself replaces an absent or empty directory in one step.
  if (::rename(temporary_.c_str(), target_.c_str()) == 0) return {};
  if (errno != ENOTEMPTY && errno != EEXIST)
    return SystemError(target_, "cannot put the new directory in place", errno);
  if (Exchange(temporary_, target_)) return {};
  if (!ExchangeUnsupported(errno))
    return SystemError(target_, "cannot exchange the old and the new directory", errno);
  const std::string old = TemporaryName(target_);
  if (::rename(target_.c_str(), old.c_str()) != 0)
    return SystemError(target_, "cannot move the old directory away", errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    const int code = errno;
    ::rename(old.c_str(), target_.c_str());  // restore the old tree
    return SystemError(target_, "cannot put the new directory in place", code);
  }
  if (::rename(old.c_str(), temporary_.c_str()) != 0) RemoveTree(old);
  return {};
}

Status AtomicDirectory::Commit(Durability durability) {
  if (durability == Durability::kDisk) ANEMONE_TRY(SyncDirectories(temporary_));
  Status placed = Cancelled("the process is ending").At(target_);
  leftover_.Keep([&] { placed = PutInPlace(); });
  ANEMONE_TRY(placed);
  Forget(temporary_);
  RemoveTree(std::exchange(temporary_, {}));
  leftover_.Forget();
  if (durability == Durability::kDisk) return Sync(ParentOf(target_), O_DIRECTORY);
  return {};
}

}  // namespace anemone
