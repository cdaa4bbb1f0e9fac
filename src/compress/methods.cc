#include "compress/methods.h"

#include <algorithm>

namespace anemone::compress {

#define ANEMONE_COMPRESSION_METHOD(name) const Method& name();
#include "compress/methods.inc"
#undef ANEMONE_COMPRESSION_METHOD

std::span<const Method* const> Methods() {
  static const Method* const kMethods[] = {
#define ANEMONE_COMPRESSION_METHOD(name) &name(),
#include "compress/methods.inc"
#undef ANEMONE_COMPRESSION_METHOD
  };
  return kMethods;
}

const Method* FindMethod(std::string_view config_type) {
  const auto found = std::ranges::find(Methods(), config_type, &Method::config_type);
  return found == Methods().end() ? nullptr : *found;
}

}  // namespace anemone::compress
