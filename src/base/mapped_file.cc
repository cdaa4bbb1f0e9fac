#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace anemone {
namespace {

struct Mapping {
  void* data = nullptr;
  size_t size = 0;
  Mapping(void* d, size_t s) : data(d), size(s) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { munmap(data, size); }
};

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

}  // namespace

Result<Bytes> MapFile(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer; for a regular file it means nothing.
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) return NotFound("no such file").At(path);
    return IoError("cannot open: {}", std::strerror(error)).At(path);
  }
  struct stat info{};
  if (fstat(file.fd, &info) != 0) return IoError("cannot stat: {}", std::strerror(errno)).At(path);
  if (!S_ISREG(info.st_mode)) return IoError("not a regular file").At(path);
  const auto size = static_cast<size_t>(info.st_size);
  if (size == 0) return Bytes();
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (data == MAP_FAILED) return IoError("cannot map: {}", std::strerror(errno)).At(path);
  auto owner = std::make_shared<const Mapping>(data, size);
  return Bytes(data, size, std::move(owner));
}

}  // namespace anemone
