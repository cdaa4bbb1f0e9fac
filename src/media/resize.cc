#include "media/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

namespace anemone::media {
namespace {

constexpr int kPrecisionBits = 32 - 8 - 2;
constexpr double kPi = 3.14159265358979323846;

double Sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= kPi;
  return std::sin(x) / x;
}

double Weight(Filter filter, double x) {
  switch (filter) {
    case Filter::kBox:
      return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    case Filter::kBilinear:
      x = std::abs(x);
      return x < 1.0 ? 1.0 - x : 0.0;
    case Filter::kBicubic: {
      constexpr double a = -0.5;
      x = std::abs(x);
      if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
      if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
      return 0.0;
    }
    case Filter::kLanczos:
      return -3.0 <= x && x < 3.0 ? Sinc(x) * Sinc(x / 3) : 0.0;
  }
  return 0.0;
}

double Support(Filter filter) {
  switch (filter) {
    case Filter::kBox:
      return 0.5;
    case Filter::kBilinear:
      return 1.0;
    case Filter::kBicubic:
      return 2.0;
    case Filter::kLanczos:
      return 3.0;
  }
  return 0.0;
}

int Floor(double x) { return static_cast<int>(std::floor(x)); }

// The input samples that make one output sample, and their weights in fixed point.
struct Taps {
  int first = 0;
  int count = 0;
  size_t weights = 0;  // index of the first weight in Kernel::weights
};
struct Kernel {
  std::vector<Taps> taps;
  std::vector<int32_t> weights;
};

Kernel MakeKernel(int in_size, int out_size, Filter filter) {
  const double scale = static_cast<double>(in_size) / out_size;
  const double filter_scale = std::max(scale, 1.0);
  const double support = Support(filter) * filter_scale;
  const double step = 1.0 / filter_scale;
  Kernel kernel;
  kernel.taps.resize(static_cast<size_t>(out_size));
  std::vector<double> weights;
  for (int i = 0; i < out_size; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(0, Floor(center - support + 0.5));
    const int last = std::min(in_size, Floor(center + support + 0.5));
    weights.clear();
    double sum = 0.0;
    for (int x = 0; x < last - first; ++x) {
      const double weight = Weight(filter, (x + first - center + 0.5) * step);
      weights.push_back(weight);
      sum += weight;
    }
    kernel.taps[static_cast<size_t>(i)] = {first, last - first, kernel.weights.size()};
    for (double weight : weights) {
      if (sum != 0.0) weight /= sum;
      const double fixed = weight * (1 << kPrecisionBits);
      const double half = fixed < 0 ? -0.5 : 0.5;
      kernel.weights.push_back(static_cast<int32_t>(std::trunc(fixed + half)));
    }
  }
  return kernel;
}

uint8_t ToByte(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}
constexpr int32_t kHalf = 1 << (kPrecisionBits - 1);

// Rows [first, first + rows) of `image`, made out_width wide.
Image Horizontal(const Image& image, const Kernel& kernel, int out_width, int first, int rows) {
  Image out{out_width, rows, std::vector<uint8_t>(size_t(out_width) * size_t(rows) * 3)};
  for (int y = 0; y < rows; ++y) {
    const uint8_t* in = image.Row(first + y);
    uint8_t* pixel = out.Row(y);
    for (const Taps& taps : kernel.taps) {
      const uint8_t* source = in + size_t(taps.first) * 3;
      const int32_t* weight = kernel.weights.data() + taps.weights;
      int32_t r = kHalf, g = kHalf, b = kHalf;
      for (int x = 0; x < taps.count; ++x, source += 3) {
        r += source[0] * weight[x];
        g += source[1] * weight[x];
        b += source[2] * weight[x];
      }
      *pixel++ = ToByte(r);
      *pixel++ = ToByte(g);
      *pixel++ = ToByte(b);
    }
  }
  return out;
}

// `image` holds the rows from `first` on of the picture that the kernel's rows refer to.
Image Vertical(const Image& image, const Kernel& kernel, int out_height, int first) {
  const size_t row_bytes = size_t(image.width) * 3;
  Image out{image.width, out_height, std::vector<uint8_t>(row_bytes * size_t(out_height))};
  std::vector<int32_t> sums(row_bytes);
  for (int y = 0; y < out_height; ++y) {
    const Taps& taps = kernel.taps[size_t(y)];
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int k = 0; k < taps.count; ++k) {
      const uint8_t* in = image.Row(taps.first - first + k);
      const int32_t weight = kernel.weights[taps.weights + size_t(k)];
      for (size_t i = 0; i < row_bytes; ++i) sums[i] += in[i] * weight;
    }
    uint8_t* row = out.Row(y);
    for (size_t i = 0; i < row_bytes; ++i) row[i] = ToByte(sums[i]);
  }
  return out;
}

// Python's round(twice / 2) for twice >= 0: halves go to the even neighbor.
int RoundHalf(int twice) {
  const int floor = twice / 2;
  return twice % 2 == 0 || floor % 2 == 0 ? floor : floor + 1;
}

}  // namespace

std::optional<Filter> FilterFromName(std::string_view name) {
  if (name == "box") return Filter::kBox;
  if (name == "bilinear") return Filter::kBilinear;
  if (name == "bicubic") return Filter::kBicubic;
  if (name == "lanczos") return Filter::kLanczos;
  return std::nullopt;
}

Result<Image> Resize(const Image& image, int width, int height, Filter filter) {
  if (!CheckImageSize(width, height).ok()) return Usage("cannot resize to {} x {}", width, height);
  ANEMONE_TRY(CheckImageSize(image.width, image.height));
  const bool horizontal = width != image.width;
  const bool vertical = height != image.height;
  if (!vertical && !horizontal) return image;
  if (!vertical) {
    return Horizontal(image, MakeKernel(image.width, width, filter), width, 0, height);
  }
  const Kernel rows = MakeKernel(image.height, height, filter);
  if (!horizontal) return Vertical(image, rows, height, 0);
  // Only the rows that the second pass reads.
  const int first = rows.taps.front().first;
  const int last = rows.taps.back().first + rows.taps.back().count;
  ANEMONE_TRY(CheckImageSize(width, last - first));
  const Kernel columns = MakeKernel(image.width, width, filter);
  return Vertical(Horizontal(image, columns, width, first, last - first), rows, height, first);
}

Result<Image> ResizeShorterSide(const Image& image, int size, Filter filter) {
  if (size <= 0) return Usage("cannot resize to {}", size);
  ANEMONE_TRY(CheckImageSize(image.width, image.height));
  const int shorter = std::min(image.width, image.height);
  const int64_t longer = std::max(image.width, image.height);
  const int64_t scaled = size * longer / shorter;
  if (!CheckImageSize(size, scaled).ok()) return Usage("cannot resize to {} x {}", size, scaled);
  const int other = static_cast<int>(scaled);
  return image.width <= image.height ? Resize(image, size, other, filter)
                                     : Resize(image, other, size, filter);
}

Result<Image> CenterCrop(const Image& image, int width, int height) {
  if (!CheckImageSize(width, height).ok()) return Usage("cannot crop to {} x {}", width, height);
  ANEMONE_TRY(CheckImageSize(image.width, image.height));
  // Padding goes before the crop, the odd pixel at the right and bottom.
  const int pad_left = std::max(0, (width - image.width) / 2);
  const int pad_top = std::max(0, (height - image.height) / 2);
  const int left = image.width >= width ? RoundHalf(image.width - width) : 0;
  const int top = image.height >= height ? RoundHalf(image.height - height) : 0;
  Image out{width, height, std::vector<uint8_t>(size_t(width) * size_t(height) * 3)};
  const int copy_width = std::min(width, image.width);
  for (int y = 0; y < std::min(height, image.height); ++y) {
    std::memcpy(out.Row(pad_top + y) + size_t(pad_left) * 3, image.Row(top + y) + size_t(left) * 3,
                size_t(copy_width) * 3);
  }
  return out;
}

}  // namespace anemone::media
