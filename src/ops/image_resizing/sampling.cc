#include "ops/image_resizing/sampling.h"

#include <algorithm>
#include <cmath>

namespace anemone::ops::image_resizing {
namespace {

double Clamp(double at, double start, double end) {
  return std::min(std::max(at, std::min(start, end)), std::max(start, end));
}

// `at` mirrored back and forth between `low` and `high`.
double Mirror(double at, double low, double high) {
  const double span = high - low;
  if (span <= 0) return low;
  const double distance = std::fmod(std::fabs(at - low), 2 * span);
  return low + (distance > span ? 2 * span - distance : distance);
}

}  // namespace

std::optional<SamplingMode> SamplingModeFromName(std::string_view name) {
  if (name == "DEFAULT") return SamplingMode::kDefault;
  if (name == "ALIGN_CORNERS") return SamplingMode::kAlignCorners;
  if (name == "STRICT_ALIGN_CORNERS") return SamplingMode::kStrictAlignCorners;
  if (name == "OFFSET_CORNERS") return SamplingMode::kOffsetCorners;
  if (name == "UNALIGN_CORNERS") return SamplingMode::kUnalignCorners;
  return std::nullopt;
}

double GridPoint(SamplingMode mode, int64_t i, int64_t count, double start, double end) {
  const auto index = static_cast<double>(i);
  const auto points = static_cast<double>(count);
  const double pixels = end - start + 1;
  switch (mode) {
    case SamplingMode::kDefault:
      return Clamp(start + index * pixels / points, start, end);
    case SamplingMode::kAlignCorners:
      if (count == 1) return (start + end) / 2;
      return start + index * (end - start) / (points - 1);
    case SamplingMode::kStrictAlignCorners:
      if (count == 1) return start;
      return start + index * (end - start) / (points - 1);
    case SamplingMode::kOffsetCorners:
      return start + (index + 0.5) * std::max(1.0, end - start) / points;
    case SamplingMode::kUnalignCorners:
      return Clamp(start + (index + 0.5) * pixels / points - 0.5, start, end);
  }
  return start;
}

std::optional<PaddingMode> PaddingModeFromName(std::string_view name) {
  if (name == "constant") return PaddingMode::kConstant;
  if (name == "border") return PaddingMode::kBorder;
  if (name == "reflection") return PaddingMode::kReflection;
  if (name == "symmetric") return PaddingMode::kSymmetric;
  return std::nullopt;
}

double PadCoordinate(PaddingMode mode, double at, int64_t size) {
  const auto last = static_cast<double>(size - 1);
  switch (mode) {
    case PaddingMode::kConstant:
      return at;
    case PaddingMode::kBorder:
      return Clamp(at, 0, last);
    case PaddingMode::kReflection:
      return Mirror(at, 0, last);
    case PaddingMode::kSymmetric:
      return Clamp(Mirror(at, -0.5, last + 0.5), 0, last);
  }
  return at;
}

}  // namespace anemone::ops::image_resizing
