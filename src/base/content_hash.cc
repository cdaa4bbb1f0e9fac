#include "base/content_hash.h"

#include <xxhash.h>

#include <algorithm>
#include <iterator>

namespace anemone {

ContentHash ContentHashOf(std::span<const std::byte> data) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(data.data(), data.size()));
  ContentHash hash;
  std::copy(std::begin(canonical.digest), std::end(canonical.digest), hash.begin());
  return hash;
}

}  // namespace anemone
