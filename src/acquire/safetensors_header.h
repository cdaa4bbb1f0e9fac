// The JSON header of a safetensors file, as text to table and back. Knows JSON and nothing of the
// data section. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace anemone::acquire {

struct HeaderEntry {
  std::string name;
  std::string dtype;  // as written: "F32", "BF16" ...
  std::vector<uint64_t> shape;
  uint64_t begin = 0;  // byte range [begin, end) of the data section
  uint64_t end = 0;
};

struct Header {
  std::vector<HeaderEntry> entries;  // in the order of the file; names unique
  std::map<std::string, std::string> metadata;
};

// Errors: invalid_input, with the tensor's name, for anything but the one JSON structure that the
// format allows.
Result<Header> ParseHeader(std::string_view json);
// No padding. Strings must be UTF-8.
Result<std::string> PrintHeader(const Header& header);
// The "weight_map" of a sharded checkpoint's index: tensor name to file name (a plain name, no
// path).
Result<std::map<std::string, std::string>> ParseIndex(std::string_view json);

}  // namespace anemone::acquire
