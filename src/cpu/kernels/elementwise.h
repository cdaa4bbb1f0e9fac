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
  // A plain pointer is the usual case.
  Source(const float* from) : floats(from) {}  // NOLINT(google-explicit-constructor)
  Source(const NarrowInt* from, float zero_point) : narrow(from), zero(zero_point) {}
  Source(const uint8_t* from, float less) : bytes(from), zero(less) {}
  // One of them is not null.
  const float* floats = nullptr;
  const NarrowInt* narrow = nullptr;
  const uint8_t* bytes = nullptr;
  float zero = 0.0f;
};

// Stores n whole numbers from element `at` of a destination of integers on.
void StoreIntegers(const float* from, const Destination& to, int64_t at, int64_t n);

// out = steps(in) for a whole rows x columns tensor. Where `out` is narrow the last step quantizes.
// `in` may be `out` where both are floats.
void Elementwise(std::span<const Step> steps, const Source& in, const Destination& out,
                 int64_t rows, int64_t columns, ThreadPool& pool);

}  // namespace anemone::cpu
