#include "compress/pack_bits.h"

#include <bit>
#include <cstring>
#include <vector>

#include "base/uninitialized.h"

namespace anemone::compress {
namespace {

// Eight at a time: pairs join in bytes, bytes in halves, halves in words.
Bytes PackNibbles(std::span<const uint8_t> values) {
  static_assert(std::endian::native == std::endian::little);
  const Uninitialized<uint8_t> packed((values.size() + 1) / 2);
  size_t i = 0;
  for (; i + 8 <= values.size(); i += 8) {
    uint64_t eight = 0;
    std::memcpy(&eight, values.data() + i, sizeof(eight));
    eight &= 0x0F0F0F0F0F0F0F0F;
    eight = (eight | eight >> 4) & 0x00FF00FF00FF00FF;
    eight = (eight | eight >> 8) & 0x0000FFFF0000FFFF;
    const auto four = static_cast<uint32_t>(eight | eight >> 16);
    std::memcpy(packed.data() + i / 2, &four, sizeof(four));
  }
  for (; i < values.size(); i += 2) {
    const unsigned low = values[i] & 15u;
    const unsigned high = i + 1 < values.size() ? values[i + 1] & 15u : 0;
    packed.data()[i / 2] = static_cast<uint8_t>(low | high << 4);
  }
  return packed.ToBytes();
}

}  // namespace

Bytes PackBits(std::span<const uint8_t> values, int nbits) {
  if (nbits == 8) return Bytes::Copy(values.data(), values.size());
  if (nbits == 4) return PackNibbles(values);
  const uint64_t mask = (uint64_t{1} << nbits) - 1;
  std::vector<uint8_t> packed;
  packed.reserve((values.size() * static_cast<size_t>(nbits) + 7) / 8);
  uint64_t held = 0;
  int bits = 0;
  for (const uint8_t value : values) {
    held |= (value & mask) << bits;
    bits += nbits;
    for (; bits >= 8; bits -= 8) {
      packed.push_back(static_cast<uint8_t>(held));
      held >>= 8;
    }
  }
  if (bits > 0) packed.push_back(static_cast<uint8_t>(held));
  return Bytes::FromVector(std::move(packed));
}

}  // namespace anemone::compress
