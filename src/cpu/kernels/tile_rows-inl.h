// How many rows the tiles of the current Highway target may have.
#if defined(ANEMONE_CPU_KERNELS_TILE_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ANEMONE_CPU_KERNELS_TILE_ROWS_INL_H_
#undef ANEMONE_CPU_KERNELS_TILE_ROWS_INL_H_
#else
#define ANEMONE_CPU_KERNELS_TILE_ROWS_INL_H_
#endif

#include "base/simd_targets.h"
#include "hwy/highway.h"

// Rows x 2 accumulators, two values of the right operand and one of the left must fit the
// registers: 32, or 16 before AVX-512 on x86.
#undef ANEMONE_MAX_TILE_ROWS
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM
#define ANEMONE_MAX_TILE_ROWS 14
#else
#define ANEMONE_MAX_TILE_ROWS 6
#endif
// tile(n) for each number of rows.
#undef ANEMONE_TILE_ROWS
#if ANEMONE_MAX_TILE_ROWS == 14
#define ANEMONE_TILE_ROWS(tile)                                                             \
  tile(1) tile(2) tile(3) tile(4) tile(5) tile(6) tile(7) tile(8) tile(9) tile(10) tile(11) \
      tile(12) tile(13) tile(14)
#else
#define ANEMONE_TILE_ROWS(tile) tile(1) tile(2) tile(3) tile(4) tile(5) tile(6)
#endif

#endif  // include guard
