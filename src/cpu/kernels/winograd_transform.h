// The transforms of Winograd convolution, channels side by side in vectors: of a window of the image, and
// back to a tile of outputs. Internal to the kernels. Thread rules: pure functions.
#pragma once

#include <cstdint>

#include "cpu/kernels/tile_epilogue.h"

namespace anemone::cpu {

constexpr int kMaxWinogradTile = 4;
constexpr int kMaxWinogradWindow = kMaxWinogradTile + 2;
constexpr int kMaxWinogradPoints = kMaxWinogradWindow * kMaxWinogradWindow;

// Transforms a window of `channels` values at each of its pixels; the values of a point go to out + point *
// plane, with room for a whole number of vectors.
struct WinogradInput {
  const float* pixels[kMaxWinogradPoints];  // row by row
  int64_t channels = 0;
  float* out = nullptr;
  int64_t plane = 0;
};
using WinogradInputFunction = void (*)(const WinogradInput& input);

// Transforms the sums of one tile, which lie as WinogradInput's results do, adds the bias and finishes each
// row of outputs, as rows[y] says for its first channel: rows[y].rows pixels, none in rows beyond `height`.
struct WinogradOutput {
  const float* sums = nullptr;
  int64_t plane = 0;
  const float* bias = nullptr;
  int64_t channels = 0;
  int height = 0;
  TileEpilogue rows[kMaxWinogradTile];
};
using WinogradOutputFunction = void (*)(WinogradOutput& output);

// Filters: nine taps of `channels` values each, `stride` apart, become points of `channels` values each, whose
// first lies at out + point * plane.
struct WinogradFilter {
  const float* taps = nullptr;
  int64_t stride = 0;
  float* out = nullptr;
  int64_t plane = 0;
  int64_t channels = 0;  // a whole number of vectors
};
using WinogradFilterFunction = void (*)(const WinogradFilter& filter);

// Those of tiles of this size, 2 or 4, for this machine.
struct WinogradTransforms {
  WinogradInputFunction input;
  WinogradOutputFunction output;
  WinogradFilterFunction filter;
};
WinogradTransforms ChooseWinogradTransforms(int tile);

}  // namespace anemone::cpu
