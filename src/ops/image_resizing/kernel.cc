// Resizing and cropping along axes: reference kernels. Every resize is separable: one axis after
// the other, in double.
#include <algorithm>
#include <cmath>

#include "exec/indexing.h"
#include "exec/integer_math.h"
#include "ops/image_resizing/sampling.h"
#include "ops/image_resizing/warp.h"
#include "ops/ops.h"

namespace anemone::ops::image_resizing {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::MutableTensor;
using exec::Shape;

// An output element along one axis: (1 - weight) * input[low] + weight * input[high].
struct Tap {
  int64_t low = 0, high = 0;
  double weight = 0;
};
using Taps = std::vector<Tap>;

Tap LinearTap(double at, int64_t size) {
  const double last = static_cast<double>(size - 1);
  at = std::min(std::max(at, 0.0), last);
  const double low = std::floor(at);
  const auto first = static_cast<int64_t>(low);
  return {first, std::min(first + 1, size - 1), at - low};
}

Taps LinearTaps(SamplingMode mode, int64_t size, int64_t count) {
  Taps taps;
  for (int64_t i = 0; i < count; ++i) {
    taps.push_back(LinearTap(GridPoint(mode, i, count, 0, static_cast<double>(size - 1)), size));
  }
  return taps;
}

// The element nearest to each grid point, the lower one in a tie, so that a whole factor repeats
// each element.
Taps NearestTaps(SamplingMode mode, int64_t size, int64_t count) {
  Taps taps;
  for (int64_t i = 0; i < count; ++i) {
    const double at = GridPoint(mode, i, count, 0, static_cast<double>(size - 1));
    const auto nearest = static_cast<int64_t>(std::ceil(at - 0.5));
    const int64_t index = std::clamp<int64_t>(nearest, 0, size - 1);
    taps.push_back({index, index, 0});
  }
  return taps;
}

Taps FloorTaps(int64_t size, int64_t count) {
  Taps taps;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t index = std::min(size - 1, i * size / count);
    taps.push_back({index, index, 0});
  }
  return taps;
}

// Resizes axis `axis` of `values`, whose shape is `shape`; both are updated.
void ResizeAxis(const Taps& taps, size_t axis, Shape* shape, std::vector<double>* values) {
  const exec::AxisView view = exec::ViewAtAxis(*shape, axis);
  std::vector<double> result;
  result.reserve(static_cast<size_t>(view.outer * view.inner) * taps.size());
  for (int64_t o = 0; o < view.outer; ++o) {
    const double* slab = values->data() + o * view.size * view.inner;
    for (const Tap& tap : taps) {
      const double* low = slab + tap.low * view.inner;
      const double* high = slab + tap.high * view.inner;
      for (int64_t n = 0; n < view.inner; ++n) {
        // Not (1 - w) * low + w * high for equal ends: an infinity stays one.
        result.push_back(tap.weight == 0 ? low[n] : low[n] + tap.weight * (high[n] - low[n]));
      }
    }
  }
  (*shape)[axis] = static_cast<int64_t>(taps.size());
  *values = std::move(result);
}

// Resizes the last axes of x to the output's shape; `taps_of(size, count, axis)` gives each axis'
// taps.
template <typename TapsOf>
Status ResizeLastAxes(KernelContext& context, size_t axes, TapsOf&& taps_of) {
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  if (x.count() == 0) {
    if (out.count() == 0) return {};
    return InvalidInput("an image without elements cannot be resized");
  }
  return exec::DispatchDType(x.dtype, [&](auto tag) -> Status {
    using T = decltype(tag);
    std::vector<double> values(x.As<T>(), x.As<T>() + x.count());
    Shape shape = x.shape;
    for (size_t axis = shape.size() - axes; axis < shape.size(); ++axis) {
      ResizeAxis(taps_of(shape[axis], out.shape[axis], axis), axis, &shape, &values);
    }
    std::transform(values.begin(), values.end(), out.As<T>(), [](double value) {
      if constexpr (std::is_integral_v<T>) return exec::SaturatingCast<T>(std::nearbyint(value));
      return static_cast<T>(value);
    });
    return {};
  });
}

Status NearestNeighbor(KernelContext& context) {
  return ResizeLastAxes(context, 2,
                        [](int64_t size, int64_t count, size_t) { return FloorTaps(size, count); });
}

Status UpsampleBilinear(KernelContext& context) {
  ANEMONE_ASSIGN(const bool align_corners, context.args().Bool("align_corners"));
  ANEMONE_ASSIGN(const bool half_pixel, context.args().Bool("half_pixel_centers"));
  const SamplingMode mode = align_corners ? SamplingMode::kStrictAlignCorners
                            : half_pixel  ? SamplingMode::kUnalignCorners
                                          : SamplingMode::kDefault;
  return ResizeLastAxes(context, 2, [&](int64_t size, int64_t count, size_t) {
    return LinearTaps(mode, size, count);
  });
}

Result<SamplingMode> ReadSamplingMode(KernelContext& context) {
  ANEMONE_ASSIGN(const std::string name, context.args().String("sampling_mode"));
  const std::optional<SamplingMode> mode = SamplingModeFromName(name);
  if (!mode) return InvalidInput("sampling_mode is \"{}\"", name);
  return *mode;
}

Status ResizeBilinear(KernelContext& context) {
  ANEMONE_ASSIGN(const SamplingMode mode, ReadSamplingMode(context));
  return ResizeLastAxes(context, 2, [&](int64_t size, int64_t count, size_t) {
    return LinearTaps(mode, size, count);
  });
}

Status Resize(KernelContext& context) {
  ANEMONE_ASSIGN(const SamplingMode mode, ReadSamplingMode(context));
  ANEMONE_ASSIGN(const std::string interpolation, context.args().String("interpolation_mode"));
  ANEMONE_ASSIGN(const int64_t axes, context.args().Int("resized_dims"));
  return ResizeLastAxes(context, static_cast<size_t>(axes),
                        [&](int64_t size, int64_t count, size_t) {
                          return interpolation == "LINEAR" ? LinearTaps(mode, size, count)
                                                           : NearestTaps(mode, size, count);
                        });
}

Status Crop(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const std::vector<int64_t> crop_height, context.args().Ints("crop_height"));
  ANEMONE_ASSIGN(const std::vector<int64_t> crop_width, context.args().Ints("crop_width"));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  const size_t rank = x.shape.size();
  const int64_t in_height = x.shape[rank - 2], in_width = x.shape[rank - 1];
  const int64_t out_height = out.shape[rank - 2], out_width = out.shape[rank - 1];
  const int64_t planes = out.count() / (out_height * out_width);
  const float* first = x.As<float>() + crop_height[0] * in_width + crop_width[0];
  float* result = out.As<float>();
  for (int64_t p = 0; p < planes; ++p) {
    for (int64_t h = 0; h < out_height; ++h) {
      result = std::copy_n(first + (p * in_height + h) * in_width, out_width, result);
    }
  }
  return {};
}

constexpr exec::KernelEntry kKernels[] = {
    {"affine", Affine},
    {"crop", Crop},
    {"crop_resize", CropResize},
    {"resample", Resample},
    {"resize", Resize},
    {"resize_bilinear", ResizeBilinear},
    {"resize_nearest_neighbor", NearestNeighbor},
    {"upsample_bilinear", UpsampleBilinear},
    {"upsample_nearest_neighbor", NearestNeighbor},
};

}  // namespace

std::span<const exec::KernelEntry> Kernels() { return kKernels; }

}  // namespace anemone::ops::image_resizing
