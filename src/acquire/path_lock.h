// A lock between processes: flock(2) on a file that is made for it and removed with it. The system
// releases it when the process ends, however it ends. Thread rules: one thread per object. Errors:
// kIo; kCancelled when `waiting` returns false.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "base/file_lock.h"
#include "base/status.h"

namespace anemone::acquire {

class PathLock {
 public:
  // Waits as long as another process holds it; calls `waiting` (if given) ten times a second, which
  // returns whether to keep waiting.
  static Result<PathLock> Acquire(const std::string& path,
                                  const std::function<bool()>& waiting = {});
  PathLock(PathLock&& other) noexcept;
  PathLock& operator=(PathLock&&) = delete;
  // Removes the file and releases the lock.
  ~PathLock();

 private:
  PathLock(std::string path, FileLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  std::optional<FileLock> lock_;  // empty when moved from
};

}  // namespace anemone::acquire
