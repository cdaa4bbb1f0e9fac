// Elementwise work on whole tensors, which may be stored as floats or as whole numbers of 8 bits.
// Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "cpu/kernels/steps.h"
#include "cpu/kernels/tile_epilogue.h"

namespace anemone {
class ThreadPool;
}

namespace anemone::cpu {

// What elementwise work reads: floats, or whole numbers less `zero`.
struct Source {
  Source(const float* from)
      : floats(from) {}  // NOLINT(google-explicit-constructor): the usual case
  Source(const NarrowInt* from, float zero_point) : narrow(from), zero(zero_point) {}
  const float* floats = nullptr;
  const NarrowInt* narrow = nullptr;  // null: floats
  float zero = 0.0f;
};

// n whole numbers less `zero`.
void NarrowFromFloats(const float* from, NarrowInt* to, int64_t n, float zero);
// n whole numbers, `zero` added to what is stored.
void FloatsFromNarrow(const NarrowInt* from, float* to, int64_t n, float zero);

// out = steps(in) for a whole rows x columns tensor. Where `out` is narrow the last step quantizes.
// `in` may be `out` where both are floats.
void Elementwise(std::span<const Step> steps, const Source& in, const Destination& out,
                 int64_t rows, int64_t columns, ThreadPool& pool);

}  // namespace anemone::cpu
