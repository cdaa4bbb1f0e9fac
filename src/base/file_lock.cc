#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace anemone {

Result<std::optional<FileLock>> FileLock::Try(const std::string& path, Mode mode, bool create) {
  const int flags = O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0);
  const int fd = ::open(path.c_str(), flags, 0644);
  if (fd < 0) {
    const std::string why = std::generic_category().message(errno);
    if (errno == ENOENT) return NotFound("the lock file does not exist").At(path);
    return IoError("cannot open the lock file: {}", why).At(path);
  }
  const int operation = (mode == Mode::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  while (::flock(fd, operation) != 0) {
    if (errno == EINTR) continue;
    const int code = errno;
    ::close(fd);
    if (code == EWOULDBLOCK) return std::optional<FileLock>();
    return IoError("cannot lock: {}", std::generic_category().message(code)).At(path);
  }
  return std::optional<FileLock>(FileLock(fd));
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

bool FileLock::Names(const std::string& path) const {
  struct stat here{};
  struct stat there{};
  return ::fstat(fd_, &here) == 0 && ::stat(path.c_str(), &there) == 0 &&
         here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

}  // namespace anemone
