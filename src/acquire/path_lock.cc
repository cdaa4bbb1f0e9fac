#include "acquire/path_lock.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

namespace anemone::acquire {

Result<PathLock> PathLock::Acquire(const std::string& path, const std::function<bool()>& waiting) {
  constexpr auto kPause = std::chrono::milliseconds(100);
  while (true) {
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
    auto lock = FileLock::Try(path, FileLock::Mode::kExclusive, true);
    if (!lock.ok()) {
      // The folder was cleared in between.
      if (lock.error().code() == ErrorCode::kNotFound && !error) continue;
      return std::move(lock).error();
    }
    if (*lock) {
      // The holder removes the file before unlocking it, and a lock on a removed file
      // excludes no one.
      if ((*lock)->Names(path)) return PathLock(path, std::move(**lock));
      continue;
    }
    if (waiting && !waiting()) {
      return Cancelled("interrupted while another process held the lock").At(path);
    }
    std::this_thread::sleep_for(kPause);
  }
}

PathLock::PathLock(PathLock&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, std::nullopt)) {}

PathLock::~PathLock() {
  if (lock_) ::unlink(path_.c_str());
}

}  // namespace anemone::acquire
