#include "acquire/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

namespace anemone::acquire {
namespace {

constexpr auto kPause = std::chrono::milliseconds(100);

// The holder removes the file before it lets go: a lock on a removed file excludes nobody.
bool IsStill(int fd, const std::string& path) {
  struct stat mine{};
  struct stat there{};
  return ::fstat(fd, &mine) == 0 && ::stat(path.c_str(), &there) == 0 &&
         mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
}

}  // namespace

Result<FileLock> FileLock::Acquire(const std::string& path, const std::function<bool()>& waiting) {
  while (true) {
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
      if (errno == ENOENT && !error) continue;  // the folder was cleared in between
      return IoError("cannot make the lock: {}", std::strerror(errno)).At(path);
    }
    while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const int reason = errno;
      if (reason != EWOULDBLOCK && reason != EINTR) {
        ::close(fd);
        return IoError("cannot lock: {}", std::strerror(reason)).At(path);
      }
      if (waiting && !waiting()) {
        ::close(fd);
        return Cancelled("interrupted while another process held the lock").At(path);
      }
      std::this_thread::sleep_for(kPause);
    }
    if (IsStill(fd, path)) return FileLock(path, fd);
    ::close(fd);
  }
}

FileLock::~FileLock() {
  if (fd_ < 0) return;
  ::unlink(path_.c_str());
  ::close(fd_);
}

}  // namespace anemone::acquire
