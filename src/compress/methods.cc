#include "compress/methods.h"

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

}  // namespace anemone::compress
