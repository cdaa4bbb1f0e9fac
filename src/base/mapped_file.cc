#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>

namespace anemone {
namespace {

// Where files are mapped now: the end of each mapping by its start.
struct Mappings {
  std::mutex mutex;
  std::map<uintptr_t, uintptr_t> ends;
};

// Never destroyed: mappings may outlive static objects.
Mappings& AllMappings() {
  static auto* const mappings = new Mappings;
  return *mappings;
}

struct Mapping {
  void* data = nullptr;
  size_t size = 0;
  Mapping(void* d, size_t s) : data(d), size(s) {
    const std::scoped_lock lock(AllMappings().mutex);
    AllMappings().ends[Start()] = Start() + size;
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    {
      const std::scoped_lock lock(AllMappings().mutex);
      AllMappings().ends.erase(Start());
    }
    munmap(data, size);
  }
  uintptr_t Start() const { return reinterpret_cast<uintptr_t>(data); }
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

void ReleasePages(const Bytes& bytes) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto start = reinterpret_cast<uintptr_t>(bytes.data());
  // The pages that hold nothing else.
  const uintptr_t first = (start + page - 1) / page * page;
  const uintptr_t last = (start + bytes.size()) / page * page;
  if (first >= last) return;
  Mappings& mappings = AllMappings();
  const std::scoped_lock lock(mappings.mutex);
  auto found = mappings.ends.upper_bound(start);
  if (found == mappings.ends.begin()) return;
  --found;
  if (found->second < start + bytes.size()) return;
  // A private mapping that is only read: what leaves memory comes back from the file.
  const void* begin = bytes.data() + (first - start);
  madvise(const_cast<void*>(begin), last - first, MADV_DONTNEED);
}

}  // namespace anemone
