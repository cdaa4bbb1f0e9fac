// flock() on a file: held until destroyed, or until the process ends, however it ends. Thread
// rules: locks of one process exclude each other too, because each has its own descriptor.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "base/status.h"

namespace anemone {

class FileLock {
 public:
  enum class Mode { kShared, kExclusive };
  // Returns nullopt when another holder has it. Creates a missing file if `create`; otherwise a
  // missing file is kNotFound.
  static Result<std::optional<FileLock>> Try(const std::string& path, Mode mode, bool create);
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileLock();
  // Whether `path` still names the file that is locked.
  bool Names(const std::string& path) const;
  // Hands over the descriptor, still locked.
  int Release() && { return std::exchange(fd_, -1); }

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace anemone
