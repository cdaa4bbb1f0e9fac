// ContentHash: tells contents apart at the speed of memory. It is not cryptographic: collisions can
// be constructed, so use base/sha256.h for what must not be forged. Source: XXH3, 128 bits
// (xxhash.com), in its canonical byte order. Thread rules: pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace anemone {

using ContentHash = std::array<uint8_t, 16>;

ContentHash ContentHashOf(std::span<const std::byte> data);
inline ContentHash ContentHashOf(std::string_view text) {
  return ContentHashOf(std::as_bytes(std::span(text.data(), text.size())));
}

}  // namespace anemone
