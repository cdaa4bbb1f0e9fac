// What a fuzz target is: the files that libFuzzer starts from, and what is done with a changed one.
// `./dev fuzz` builds and runs them; tests/fuzz/target.cc is their common part.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace anemone::fuzz {

// Good files. `BINARY --seeds=FOLDER` writes them.
std::vector<std::string> Seeds();
// Must return, whatever the bytes are.
void Try(std::span<const std::byte> bytes);

inline Bytes Copied(std::span<const std::byte> bytes) {
  return Bytes::Copy(bytes.data(), bytes.size());
}
inline std::string_view Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace anemone::fuzz
