// Which Highway targets the kernels are built for; include before any Highway header. On SSSE3 the
// portable code runs, and on targets whose vector length is unknown at compile time (which rules
// out arrays of vectors) NEON does.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

// Unrolls the next loop, whose trip count is a small constant: arrays of vectors then live in
// registers.
#if defined(__clang__)
#define ANEMONE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ANEMONE_UNROLL _Pragma("GCC unroll 16")
#endif
