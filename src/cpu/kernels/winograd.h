// Winograd convolution: a 3x3 kernel of stride 1 as (tile + 2)^2 products of matrices, one for each point
// of the transformed domain, instead of nine for each of tile^2 outputs: 2.25 times fewer multiplications
// for tiles of 2x2, 4 times fewer for tiles of 4x4.
//
// Error: with the points 0, +-5/8, +-3/2 and infinity, tiles of 4x4 have less than twice the root mean square
// error of a direct sum in float32, and tiles of 2x2 no more than it. No output errs by more than
// WinogradErrorLimit. Tests check both against sums in double precision.
//
// Thread rules: pure functions; WinogradWeights are immutable once packed. The bits of an output depend on
// its operands and the size of tiles only.
#pragma once

#include <cstdint>
#include <span>

#include "cpu/kernels/buffer.h"
#include "cpu/kernels/conv.h"

namespace anemone::cpu {

// Transformed filters.
struct WinogradWeights {
  int tile = 0;   // outputs of a tile along each side: 2 or 4
  Floats panels;  // for each point a packed matrix of in_c x out_c
  Floats bias;    // a value for each output channel, zeros up to a whole vector
  Floats zeros;   // what is read in the padding, and the bias of the products
};

// Whether the convolution can be done so.
bool CanBeWinograd(const ConvShape& shape);
// The tiles that make it fastest, 2 or 4; 0 where a direct sum is as good, or needs much less memory. Costs
// are counted in multiply-adds of a tile's inner loop; the constants are from bench/kernels.cc (`method/`). The
// batch has no say, so that an image gives the same bits in any batch.
int ChooseWinogradTile(const ConvShape& shape);
// An output's error at most, as a multiple of the largest absolute value in the image times the sum of the
// absolute values of its filter: a unit roundoff for each operation in the longest chain, amplified as much as
// the three transforms of this size can at worst.
double WinogradErrorLimit(int tile, int64_t in_c);
// `weights`: [out_c, in_c, 3, 3] row-major; `bias`: out_c values or null.
WinogradWeights PackWinograd(const ConvShape& shape, int tile, const float* weights,
                             const float* bias, ThreadPool& pool);
// Floats of scratch memory that RunWinograd needs.
int64_t WinogradScratchFloats(const ConvShape& shape, int tile);
// in: [batch, in_h, in_w, in_c]; steps see out as (batch * out_h * out_w) x out_c.
void RunWinograd(const ConvShape& shape, const WinogradWeights& weights, const float* in,
                 const Destination& out, float* scratch, std::span<const Step> steps,
                 ThreadPool& pool);

}  // namespace anemone::cpu
