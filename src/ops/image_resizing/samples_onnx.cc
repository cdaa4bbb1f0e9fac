#include "ops/image_resizing/samples_onnx.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace anemone::ops::image_resizing {
namespace {

constexpr std::string_view kCrop = "tf_crop_and_resize";

// ONNX computes positions in float.
float Position(const Sampling& sampling, int64_t i, int64_t in, int64_t out, double scale_given) {
  const auto x = static_cast<float>(i), scale = static_cast<float>(scale_given);
  const auto size_in = static_cast<float>(in), size_out = static_cast<float>(out);
  if (sampling.coordinates == kCrop) {
    const auto begin = static_cast<float>(sampling.crop_begin);
    const auto end = static_cast<float>(sampling.crop_end);
    if (out == 1) return 0.5f * (begin + end) * (size_in - 1);
    return begin * (size_in - 1) + x * (end - begin) * (size_in - 1) / (size_out - 1);
  }
  if (sampling.coordinates == "asymmetric") return x / scale;
  if (sampling.coordinates == "align_corners") {
    return out == 1 ? 0.0f : x * (size_in - 1) / (size_out - 1);
  }
  if (sampling.coordinates == "pytorch_half_pixel" && out == 1) return 0.0f;
  if (sampling.coordinates == "half_pixel_symmetric") {
    // Centers the output, whose size was rounded, on the input.
    const float adjustment = size_out / (scale * size_in);
    return size_in / 2 * (1 - adjustment) + (x + 0.5f) / scale - 0.5f;
  }
  return (x + 0.5f) / scale - 0.5f;
}

int64_t Round(const std::string& mode, float position) {
  if (mode == "floor") return static_cast<int64_t>(std::floor(position));
  if (mode == "ceil") return static_cast<int64_t>(std::ceil(position));
  const float below = std::floor(position);
  const bool tie = position - below == 0.5f;
  if (tie) return static_cast<int64_t>(mode == "round_prefer_ceil" ? below + 1 : below);
  return static_cast<int64_t>(std::round(position));
}

double CubicWeight(double distance, double a) {
  const double x = std::fabs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

}  // namespace

std::vector<int64_t> NearestIndices(const Sampling& sampling, int64_t in, int64_t out,
                                    double scale) {
  std::vector<int64_t> indices(static_cast<size_t>(out));
  for (int64_t i = 0; i < out; ++i) {
    // Where nothing changes size, rounding must not move anything.
    const bool same = in == out && scale == 1 && sampling.coordinates != kCrop;
    const int64_t at = same ? i : Round(sampling.nearest, Position(sampling, i, in, out, scale));
    indices[static_cast<size_t>(i)] = std::clamp<int64_t>(at, 0, in - 1);
  }
  return indices;
}

std::vector<bool> InsideCrop(const Sampling& sampling, int64_t in, int64_t out) {
  std::vector<bool> inside;
  for (int64_t i = 0; i < out; ++i) {
    const float position = Position(sampling, i, in, out, 1);
    inside.push_back(position >= 0 && position <= static_cast<float>(in - 1));
  }
  return inside;
}

namespace {

// The kernel, stretched by the factor by which the output is smaller, around `position`.
void AddAntialiased(const Sampling& sampling, float position, int64_t in, double scale,
                    double* row) {
  const double shrink = std::min(scale, 1.0);
  const double radius = (sampling.mode == "linear" ? 1 : 2) / shrink;
  const auto first = static_cast<int64_t>(std::floor(position - radius)) + 1;
  const auto last = static_cast<int64_t>(std::ceil(position + radius)) - 1;
  double total = 0;
  std::vector<double> weights;
  for (int64_t at = first; at <= last; ++at) {
    const double distance = (static_cast<double>(at) - position) * shrink;
    const bool outside = at < 0 || at >= in;
    double weight = sampling.mode == "linear" ? std::max(0.0, 1 - std::fabs(distance))
                                              : CubicWeight(distance, sampling.cubic_a);
    if (outside && sampling.exclude_outside) weight = 0;
    weights.push_back(weight);
    total += weight;
  }
  for (int64_t at = first; at <= last; ++at) {
    row[std::clamp<int64_t>(at, 0, in - 1)] += weights[static_cast<size_t>(at - first)] / total;
  }
}

}  // namespace

std::vector<float> SampleMatrix(const Sampling& sampling, int64_t in, int64_t out, double scale) {
  std::vector<double> matrix(static_cast<size_t>(in * out), 0.0);
  for (int64_t i = 0; i < out; ++i) {
    double* row = matrix.data() + i * in;
    float position = Position(sampling, i, in, out, scale);
    if (sampling.antialias) {
      AddAntialiased(sampling, position, in, scale, row);
      continue;
    }
    if (sampling.mode == "linear") {
      position = std::clamp(position, 0.0f, static_cast<float>(in - 1));
      const auto low = static_cast<int64_t>(position);
      const int64_t high = std::min(low + 1, in - 1);
      const double fraction = position - static_cast<float>(low);
      row[low] += 1 - fraction;
      row[high] += fraction;
      continue;
    }
    const auto low = static_cast<int64_t>(std::floor(position));
    double total = 0;
    for (int64_t at = low - 1; at <= low + 2; ++at) {
      const bool outside = at < 0 || at >= in;
      if (outside && sampling.exclude_outside) continue;
      const double weight = CubicWeight(position - static_cast<double>(at), sampling.cubic_a);
      row[std::clamp<int64_t>(at, 0, in - 1)] += weight;
      total += weight;
    }
    if (sampling.exclude_outside && total != 0) {
      for (int64_t j = 0; j < in; ++j) row[j] /= total;
    }
  }
  return {matrix.begin(), matrix.end()};
}

}  // namespace anemone::ops::image_resizing
