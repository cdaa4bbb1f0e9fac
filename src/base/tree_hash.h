// What a package is, in one number: the same files give the same hash wherever they lie. Thread
// rules: pure functions; reads the disk.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace anemone {

struct TreeFacts {
  std::string sha256;  // sixty-four hexadecimal digits
  int64_t size_bytes = 0;
};

// SHA-256 over each regular file below `path` in the order of its path as text: the path below it,
// a zero byte, the size in decimal, a zero byte, the contents. Of a single file: of its contents
// alone. kNotFound when there is neither; kIo.
Result<TreeFacts> HashTree(const std::string& path);

}  // namespace anemone
