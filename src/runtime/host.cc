#include "runtime/host.h"

#include <sys/utsname.h>

#include <cstdlib>
#include <fstream>
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

namespace anemone::runtime {
namespace {

#ifdef __APPLE__
std::string Sysctl(const char* name) {
  char text[256];
  size_t size = sizeof text;
  if (::sysctlbyname(name, text, &size, nullptr, 0) != 0 || size == 0) return {};
  return std::string(text, size - 1);
}
#endif

std::string ReadOsBuild() {
  const char* given = std::getenv("ANEMONE_OS_BUILD");
  if (given != nullptr && *given != '\0') return given;
#ifdef __APPLE__
  if (std::string build = Sysctl("kern.osversion"); !build.empty()) return build;
#endif
  utsname name{};
  return ::uname(&name) == 0 ? std::string(name.sysname) + " " + name.release : "unknown";
}

std::string ReadChip() {
#ifdef __APPLE__
  if (std::string chip = Sysctl("machdep.cpu.brand_string"); !chip.empty()) return chip;
#else
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
#endif
  return "unknown";
}

}  // namespace

const std::string& HostOsBuild() {
  static const std::string build = ReadOsBuild();
  return build;
}

const std::string& HostChip() {
  static const std::string chip = ReadChip();
  return chip;
}

}  // namespace anemone::runtime
