// Interpolation: elements of images at places between them that only the run time knows, as
// GridSample, RoiAlign and DeformConv read them. MIL's `resample` has one of the combinations; the
// rest is written with gathers: along each dimension a place reads some taps, and what it gets is the
// sum over all combinations of the taps, each times the product of their weights.
//
// Functions add operators to an Expansion and return names. B is the number of images, P the number
// of places in each. Ownership: nothing is kept. Thread rules: those of the Expansion.
#pragma once

#include <string>
#include <vector>

#include "onnx/expansion.h"

namespace anemone::onnx {

// One element that every place reads along a dimension: `at` (int64) is within the dimension, `weight`
// (float, of the same shape) how much of it is taken.
struct Tap {
  std::string at, weight;
};
using Taps = std::vector<Tap>;

// What stands outside the image. kReflect turns around at `low` and `high`, in elements.
struct Outside {
  enum Kind { kZeros, kBorder, kReflect };
  Kind kind = kZeros;
  double low = 0, high = 0;
};

// `position` folded back between `low` and `high` as by mirrors there.
std::string Reflected(Expansion& e, const std::string& position, double low, double high);

// Positions are floats in elements along a dimension of `size`: 0 is the middle of the first.
Taps NearestTaps(Expansion& e, const std::string& position, int64_t size, const Outside& outside);
Taps LinearTaps(Expansion& e, const std::string& position, int64_t size, const Outside& outside);
// The cubic kernel with a = -0.75.
Taps CubicTaps(Expansion& e, const std::string& position, int64_t size, const Outside& outside);

// Images [B, C, spatial ...] as rows [B * elements, C], for SampleRows. B may be a size that only the run
// time knows.
std::string RowsOf(Expansion& e, const std::string& images, int64_t batch, int64_t channels,
                   int64_t elements);
// The first row of each image, int64 [B, 1]; B may be open.
std::string FirstRows(Expansion& e, int64_t batch, int64_t elements);
// For each combination of the taps of all dimensions the rows there times their weight, [B, P ..., C].
// `first`: the first row of each image, with the rank of the taps.
std::vector<std::string> TappedRows(Expansion& e, const std::string& rows, const std::string& first,
                                    const std::vector<Taps>& taps, const ir::Shape& spatial);
// The sum of these.
std::string SampleRows(Expansion& e, const std::string& rows, const std::string& first,
                       const std::vector<Taps>& taps, const ir::Shape& spatial);

}  // namespace anemone::onnx
