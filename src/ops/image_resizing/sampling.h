// The positions at which the resizing operators read their input: grid points of the sampling
// modes, and padding modes of resample. Coordinates are those of pixel centers: 0 is the first
// element, size - 1 the last. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace anemone::ops::image_resizing {

enum class SamplingMode : uint8_t {
  kDefault,             // steps of size / count from the start
  kAlignCorners,        // first point at the start, last one at the end; a single one in the middle
  kStrictAlignCorners,  // the same, but a single one at the start
  kOffsetCorners,       // the middles of `count` equal parts of [start, end]
  kUnalignCorners,      // the middles of `count` equal parts of the pixels, edges included
};
// "DEFAULT", "ALIGN_CORNERS" ...
std::optional<SamplingMode> SamplingModeFromName(std::string_view name);

// Grid point `i` of `count` over the interval from pixel `start` to pixel `end`.
double GridPoint(SamplingMode mode, int64_t i, int64_t count, double start, double end);

enum class PaddingMode : uint8_t {
  kConstant,
  kBorder,      // the edge continues: 1 2 3 | 3 3 3
  kReflection,  // mirrored at the center of the last pixel: 1 2 3 | 2 1 2
  kSymmetric,   // mirrored at its outer edge: 1 2 3 | 3 2 1
};
std::optional<PaddingMode> PaddingModeFromName(std::string_view name);

// `at` brought into [0, size - 1] (kConstant leaves it).
double PadCoordinate(PaddingMode mode, double at, int64_t size);

}  // namespace anemone::ops::image_resizing
