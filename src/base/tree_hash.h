// The identity of a package in one hash: the same files give the same hash wherever they are.
// Thread rules: pure functions; reads the disk.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace anemone {

struct TreeFacts {
  std::string sha256;  // sixty-four hexadecimal digits
  int64_t size_bytes = 0;
};

// SHA-256 over the regular files below `path`, in the order of their paths as text: for each, the
// path below `path`, a zero byte, the size in decimal, a zero byte, and the contents. For a single
// file: over its contents alone. kNotFound when there is neither; kIo.
Result<TreeFacts> HashTree(const std::string& path);

}  // namespace anemone
