// What follows a tile's inner loop, compiled once for all tiles: sums that lie in the first-level cache
// get their scale, bias and steps and go where the epilogue says.
//
// Thread rules: pure functions.
#pragma once

#include <cstdint>

#include "cpu/kernels/tile_epilogue.h"

namespace anemone::cpu {

// The most sums of a tile: two tiles of AMX beside and below each other.
constexpr int64_t kMaxTileSums = 32 * 32;

// Finishes end.rows rows of `width` sums, `stride` apart; they may lie where the results go.
using FinishFloatsFunction = void (*)(const float* sums, int64_t stride, int width,
                                      const TileEpilogue& end);
// The same for sums * scale + bias; rows are `width` apart.
using FinishIntegersFunction = void (*)(const int32_t* sums, int width, const float* scale,
                                        const float* bias, const TileEpilogue& end);

FinishFloatsFunction ChooseFinishFloats();
FinishIntegersFunction ChooseFinishIntegers();

}  // namespace anemone::cpu
