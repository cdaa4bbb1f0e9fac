#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <string_view>
#include <thread>

#include "runtime/run_record_io.h"

#ifdef __APPLE__
#include <pthread/qos.h>
#include <sys/sysctl.h>
#endif

namespace anemone::runtime {
namespace {

#ifdef __APPLE__

std::optional<std::string> SystemText(const char* name) {
  size_t size = 0;
  if (sysctlbyname(name, nullptr, &size, nullptr, 0) != 0 || size == 0) return std::nullopt;
  std::string text(size, '\0');
  if (sysctlbyname(name, text.data(), &size, nullptr, 0) != 0) return std::nullopt;
  text.resize(size);
  while (!text.empty() && text.back() == '\0') text.pop_back();
  return text;
}

std::optional<std::string> QosName() {
  switch (qos_class_self()) {
    case QOS_CLASS_USER_INTERACTIVE:
      return "user_interactive";
    case QOS_CLASS_USER_INITIATED:
      return "user_initiated";
    case QOS_CLASS_DEFAULT:
      return "default";
    case QOS_CLASS_UTILITY:
      return "utility";
    case QOS_CLASS_BACKGROUND:
      return "background";
    default:
      return std::nullopt;
  }
}

void DescribeSystem(RunMachine& machine) {
  machine.os = "macos";
  machine.os_version = SystemText("kern.osproductversion");
  machine.os_build = SystemText("kern.osversion");
  machine.hardware_model = SystemText("hw.model");
  machine.chip = SystemText("machdep.cpu.brand_string");
  machine.qos = QosName();
  int64_t bytes = 0;
  size_t size = sizeof(bytes);
  if (sysctlbyname("hw.memsize", &bytes, &size, nullptr, 0) == 0) machine.memory_bytes = bytes;
  // Thermal state and power mode come from NSProcessInfo: src/coreml/ fills them in.
}

#else

// The value after `key` in a file of "key = value" or "key : value" lines, without its quotes.
std::optional<std::string> ValueIn(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!std::string_view(line).starts_with(key)) continue;
    const size_t separator = line.find_first_of("=:", key.size());
    if (separator == std::string::npos) continue;
    const size_t begin = line.find_first_not_of(" \t\"", separator + 1);
    const size_t end = line.find_last_not_of(" \t\"");
    if (begin == std::string::npos) return std::nullopt;
    return line.substr(begin, end - begin + 1);
  }
  return std::nullopt;
}

void DescribeSystem(RunMachine& machine) {
  machine.os = "linux";
  machine.os_version = ValueIn("/etc/os-release", "PRETTY_NAME");
  utsname system{};
  if (uname(&system) == 0) machine.os_build = system.release;
  machine.chip = ValueIn("/proc/cpuinfo", "model name");
  const int64_t pages = sysconf(_SC_PHYS_PAGES);
  const int64_t page = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) machine.memory_bytes = pages * page;
}

#endif

}  // namespace

RunMachine DescribeMachine() {
  RunMachine machine;
  utsname system{};
  if (uname(&system) == 0) machine.architecture = system.machine;
  const unsigned cores = std::thread::hardware_concurrency();
  if (cores > 0) machine.cores = cores;
  DescribeSystem(machine);
  return machine;
}

}  // namespace anemone::runtime
