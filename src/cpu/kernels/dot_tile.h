// The inner loops of products on x86 instructions for dot products that Highway does not know: of four
// bytes (AVX-VNNI, AVX-512 VNNI), and of two bfloat16 numbers (AVX-512 BF16).
// Thread rules: pure functions.
#pragma once

#include <cstdint>

#include "cpu/kernels/int8_tile.h"

namespace anemone::cpu {

// Null where the level in use (base/simd_level.h) has no such instructions.
Int8TileFunction<uint8_t> ChooseByteDotTile();

// A bfloat16 number: the upper half of a float.
using Bf16 = uint16_t;

struct Bf16TileArgs {
  // As in Int8TileArgs, with pairs for groups.
  const Bf16* const* a = nullptr;
  int64_t taps = 1;
  int64_t groups = 0;
  const Bf16* b = nullptr;
  int panel_width = 0;
  const float* start = nullptr;
};
using Bf16TileFunction = void (*)(const Bf16TileArgs& args, int rows, float* sums);
Bf16TileFunction ChooseBf16DotTile();
// Rounds rows of floats, ties to even; rows of the result are `padded` long and end in zeros. Only where
// ChooseBf16DotTile() is not null.
void RoundToBf16(const float* from, int64_t rows, int64_t columns, int64_t padded, Bf16* to);

}  // namespace anemone::cpu
