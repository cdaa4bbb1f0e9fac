// What a manifest says of a package as a file: its size, and one hash over all its files.
// Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace anemone::lab {

struct PackageFacts {
  int64_t size_bytes = 0;
  // SHA-256 over, for each regular file in the order of its path: the path below the package, a
  // zero byte, the size in decimal, a zero byte, the contents. For a single file, of its contents
  // alone.
  std::string sha256;
};
Result<PackageFacts> MeasurePackage(const std::string& path);

}  // namespace anemone::lab
