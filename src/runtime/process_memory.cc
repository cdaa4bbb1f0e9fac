#include "runtime/process_memory.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#ifdef __APPLE__
#include <mach/mach.h>
#endif

namespace anemone::runtime {

std::optional<int64_t> ResidentBytes() {
#ifdef __APPLE__
  mach_task_basic_info info{};
  mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
  if (task_info(mach_task_self(), MACH_TASK_BASIC_INFO, reinterpret_cast<task_info_t>(&info),
                &count) != KERN_SUCCESS) {
    return std::nullopt;
  }
  return static_cast<int64_t>(info.resident_size);
#else
  // Read by hand: a stream would allocate its buffer, and this runs between timed calls.
  const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  char text[128];
  const ssize_t size = ::read(file, text, sizeof(text));
  ::close(file);
  if (size <= 0) return std::nullopt;
  const char* const begin = text;
  const char* const end = begin + size;
  const char* const second = std::find(begin, end, ' ');  // after the total size, in pages
  int64_t resident = 0;
  if (second == end || std::from_chars(second + 1, end, resident).ec != std::errc{}) {
    return std::nullopt;
  }
  return resident * static_cast<int64_t>(sysconf(_SC_PAGESIZE));
#endif
}

std::optional<int64_t> PeakResidentBytes() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0 || usage.ru_maxrss <= 0) return std::nullopt;
#ifdef __APPLE__
  return usage.ru_maxrss;  // bytes
#else
  return int64_t{usage.ru_maxrss} * 1024;  // KiB
#endif
}

}  // namespace anemone::runtime
