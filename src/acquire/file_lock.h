// A lock between processes: flock(2) on a file that is made for it and removed with it. The system
// lets go of it when the process ends, however it ends.
// Thread rules: one thread per object. Errors: kIo; kCancelled when `waiting` says so.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "base/status.h"

namespace anemone::acquire {

class FileLock {
 public:
  // Waits as long as another process holds it, asking `waiting` (if given) ten times a second
  // whether to go on.
  static Result<FileLock> Acquire(const std::string& path,
                                  const std::function<bool()>& waiting = {});
  FileLock(FileLock&& other) noexcept
      : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  // Removes the file and lets go.
  ~FileLock();

 private:
  FileLock(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
};

}  // namespace anemone::acquire
