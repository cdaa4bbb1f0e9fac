// Memory of this process, for the benchmarks.
#pragma once

#include <fstream>
#include <string>

namespace anemone::bench {

// Pages of this process that no file backs, in bytes; 0 where /proc does not exist.
inline double AnonymousBytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    if (word != "RssAnon:") continue;
    double kilobytes = 0;
    status >> kilobytes;
    return kilobytes * 1024;
  }
  return 0;
}

}  // namespace anemone::bench
