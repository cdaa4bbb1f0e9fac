#include "ops/image_resizing/warp.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "exec/indexing.h"
#include "ops/image_resizing/sampling.h"

namespace anemone::ops::image_resizing {
namespace {

using exec::ConstTensor;
using exec::KernelContext;
using exec::MutableTensor;

// One channel of one image.
struct Plane {
  const float* data;
  int64_t height, width;

  // The pixel (y, x), or `outside` beyond the image.
  double At(int64_t y, int64_t x, double outside) const {
    return y < 0 || y >= height || x < 0 || x >= width ? outside : data[y * width + x];
  }
  // By linear interpolation of the four pixels around (y, x).
  double Linear(double y, double x, double outside) const {
    // Far points have no pixel around them; they would not fit an integer either.
    if (!(y > -1 && y < static_cast<double>(height) && x > -1 && x < static_cast<double>(width)))
      return outside;
    const double y0 = std::floor(y), x0 = std::floor(x);
    const double wy = y - y0, wx = x - x0;
    const auto iy = static_cast<int64_t>(y0), ix = static_cast<int64_t>(x0);
    double sum = 0;
    // Pixels of weight 0 do not count, not even when they are infinite.
    const auto add = [&](int64_t dy, int64_t dx, double weight) {
      if (weight != 0) sum += weight * At(iy + dy, ix + dx, outside);
    };
    add(0, 0, (1 - wy) * (1 - wx));
    add(0, 1, (1 - wy) * wx);
    add(1, 0, wy * (1 - wx));
    add(1, 1, wy * wx);
    return sum;
  }
  // The nearest pixel, halves to even.
  double Nearest(double y, double x, double outside) const {
    const double ry = std::nearbyint(y), rx = std::nearbyint(x);
    if (!(ry >= 0 && ry < static_cast<double>(height) && rx >= 0 &&
          rx < static_cast<double>(width)))
      return outside;
    return data[static_cast<int64_t>(ry) * width + static_cast<int64_t>(rx)];
  }
};

// The images [batch, channels, height, width] that an operator reads.
struct Images {
  ConstTensor tensor;
  int64_t batch() const { return tensor.shape[0]; }
  int64_t channels() const { return tensor.shape[1]; }
  int64_t height() const { return tensor.shape[2]; }
  int64_t width() const { return tensor.shape[3]; }
  Plane At(int64_t n, int64_t c) const {
    return {tensor.As<float>() + (n * channels() + c) * height() * width(), height(), width()};
  }
};

// Elements of a float or integer tensor as doubles.
Result<std::vector<double>> ReadNumbers(const ConstTensor& tensor) {
  std::vector<double> numbers;
  ANEMONE_TRY(exec::DispatchDType(tensor.dtype, [&](auto tag) -> Status {
    using T = decltype(tag);
    numbers.assign(tensor.As<T>(), tensor.As<T>() + tensor.count());
    return {};
  }));
  return numbers;
}

// ---- crop_resize ----

struct Interval {
  double start = 0, end = 0;
};
struct Box {
  Interval y, x;
};

Box ReadBox(const double* values, std::string_view mode) {
  const bool center = mode.starts_with("CENTER_SIZE");
  const bool width_first = mode.ends_with("WIDTH_FIRST");
  const auto interval = [&](double a, double b) {
    return center ? Interval{a - b / 2, a + b / 2} : Interval{a, b};
  };
  const Interval first = interval(values[0], values[2]);
  const Interval second = interval(values[1], values[3]);
  return width_first ? Box{second, first} : Box{first, second};
}

// Whether a grid point is in the image; a point that only rounding moved past the edge pixel is
// moved back onto it.
bool SnapInside(int64_t size, double* at) {
  const double last = static_cast<double>(size - 1);
  const double slack = 1e-5 * std::max(1.0, last);
  if (!(*at >= -slack && *at <= last + slack)) return false;
  *at = std::clamp(*at, 0.0, last);
  return true;
}

// The part of `size` pixels that a box spans. In sampling modes that count pixels, a box without
// any (its end before its start) means all of them, as in Core ML.
Interval Extent(SamplingMode mode, const Interval& box, double scale, int64_t size) {
  const Interval scaled{box.start * scale, box.end * scale};
  const bool counts_pixels =
      mode == SamplingMode::kDefault || mode == SamplingMode::kUnalignCorners;
  if (counts_pixels && scaled.end - scaled.start + 1 <= 0)
    return {0, static_cast<double>(size - 1)};
  return scaled;
}

struct Cropper {
  SamplingMode mode;
  double pad_value;
  int64_t height, width;  // of the crops

  // One channel of one crop.
  float* Cut(const Plane& plane, const Box& box, float* result) const {
    for (int64_t h = 0; h < height; ++h) {
      double y = GridPoint(mode, h, height, box.y.start, box.y.end);
      const bool inside_y = SnapInside(plane.height, &y);
      for (int64_t w = 0; w < width; ++w) {
        double x = GridPoint(mode, w, width, box.x.start, box.x.end);
        const bool inside = SnapInside(plane.width, &x) && inside_y;
        *result++ = static_cast<float>(inside ? plane.Linear(y, x, pad_value) : pad_value);
      }
    }
    return result;
  }
};

}  // namespace

Status CropResize(KernelContext& context) {
  const ir::OpArgs& args = context.args();
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const std::string mode, args.String("sampling_mode"));
  ANEMONE_ASSIGN(const std::string coordinates, args.String("box_coordinate_mode"));
  ANEMONE_ASSIGN(const bool normalized, args.Bool("normalized_coordinates"));
  ANEMONE_ASSIGN(const double spatial_scale, args.Float("spatial_scale"));
  ANEMONE_ASSIGN(const double pad_value, args.Float("pad_value"));
  const Images images{x};
  Cropper cropper{SamplingModeFromName(mode).value_or(SamplingMode::kDefault), pad_value, 0, 0};
  ANEMONE_ASSIGN(cropper.height, args.Int("target_height"));
  ANEMONE_ASSIGN(cropper.width, args.Int("target_width"));

  const bool has_roi = context.Has("roi");
  ANEMONE_ASSIGN(const ConstTensor boxes, context.Input(has_roi ? "roi" : "boxes"));
  ANEMONE_ASSIGN(const std::vector<double> numbers, ReadNumbers(boxes));
  const int64_t count = boxes.shape[0];
  const int64_t stride = has_roi ? boxes.shape[2] : 4;
  const bool every_image = has_roi && stride == 4;

  // The image of each box; unused where each box is cut from every image.
  std::vector<double> indices;
  if (context.Has("box_indices")) {
    ANEMONE_ASSIGN(const ConstTensor tensor, context.Input("box_indices"));
    ANEMONE_ASSIGN(indices, ReadNumbers(tensor));
  }
  std::vector<int64_t> image_of_box;
  for (int64_t b = 0; b < count && !every_image; ++b) {
    const double index = stride == 5       ? numbers[static_cast<size_t>(b * stride)]
                         : indices.empty() ? static_cast<double>(b)
                                           : indices[static_cast<size_t>(b)];
    if (!(index >= 0 && index < static_cast<double>(images.batch()))) {
      return InvalidInput("box {} refers to image {}, but the batch has {}", b, index,
                          images.batch());
    }
    image_of_box.push_back(static_cast<int64_t>(index));
  }

  ir::Shape shape = {count, images.channels(), cropper.height, cropper.width};
  if (has_roi) shape.insert(shape.begin() + 1, every_image ? images.batch() : 1);
  ANEMONE_ASSIGN(const MutableTensor out, context.AllocateOutput(0, shape));

  const double scale_y =
      spatial_scale * (normalized ? static_cast<double>(images.height() - 1) : 1.0);
  const double scale_x =
      spatial_scale * (normalized ? static_cast<double>(images.width() - 1) : 1.0);
  float* result = out.As<float>();
  for (int64_t b = 0; b < count; ++b) {
    Box box = ReadBox(numbers.data() + b * stride + (stride - 4), coordinates);
    box.y = Extent(cropper.mode, box.y, scale_y, images.height());
    box.x = Extent(cropper.mode, box.x, scale_x, images.width());
    const int64_t first = every_image ? 0 : image_of_box[static_cast<size_t>(b)];
    const int64_t end = every_image ? images.batch() : first + 1;
    for (int64_t n = first; n < end; ++n) {
      for (int64_t c = 0; c < images.channels(); ++c)
        result = cropper.Cut(images.At(n, c), box, result);
    }
  }
  return {};
}

Status Affine(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const ConstTensor matrix, context.Input("transform_matrix"));
  ANEMONE_ASSIGN(const bool align_corners, context.args().Bool("align_corners"));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  const Images images{x};
  const int64_t height = out.shape[2], width = out.shape[3];
  // Pixel i of `size` in [-1, 1], and back.
  const auto normalize = [&](int64_t i, int64_t size) {
    if (!align_corners) return (2.0 * static_cast<double>(i) + 1) / static_cast<double>(size) - 1;
    return size == 1 ? 0.0 : 2.0 * static_cast<double>(i) / static_cast<double>(size - 1) - 1;
  };
  const auto pixel = [&](double at, int64_t size) {
    if (align_corners) return (at + 1) / 2 * static_cast<double>(size - 1);
    return ((at + 1) * static_cast<double>(size) - 1) / 2;
  };
  float* result = out.As<float>();
  for (int64_t n = 0; n < images.batch(); ++n) {
    const float* m = matrix.As<float>() + (matrix.shape[0] == 1 ? 0 : n * 6);
    for (int64_t c = 0; c < images.channels(); ++c) {
      const Plane plane = images.At(n, c);
      for (int64_t h = 0; h < height; ++h) {
        const double v = normalize(h, height);
        for (int64_t w = 0; w < width; ++w) {
          const double u = normalize(w, width);
          const double at_x = pixel(m[0] * u + m[1] * v + m[2], images.width());
          const double at_y = pixel(m[3] * u + m[4] * v + m[5], images.height());
          *result++ = static_cast<float>(plane.Linear(at_y, at_x, 0));
        }
      }
    }
  }
  return {};
}

Status Resample(KernelContext& context) {
  ANEMONE_ASSIGN(const ConstTensor x, context.Input("x"));
  ANEMONE_ASSIGN(const ConstTensor grid, context.Input("coordinates"));
  ANEMONE_ASSIGN(const std::string sampling, context.args().String("sampling_mode"));
  ANEMONE_ASSIGN(const std::string padding, context.args().String("padding_mode"));
  ANEMONE_ASSIGN(const std::string mode, context.args().String("coordinates_mode"));
  ANEMONE_ASSIGN(const bool align_corners, context.args().Bool("align_corners"));
  ANEMONE_ASSIGN(const double padding_value, context.args().Float("padding_value"));
  ANEMONE_ASSIGN(const std::vector<double> coordinates, ReadNumbers(grid));
  ANEMONE_ASSIGN(const MutableTensor out, context.Output());
  const Images images{x};
  const PaddingMode padding_mode = PaddingModeFromName(padding).value_or(PaddingMode::kConstant);

  const auto pixel = [&](double at, int64_t size) {
    if (mode == "unnormalized") return at;
    const double unit = mode == "normalized_zero_to_one" ? at : (at + 1) / 2;
    return align_corners ? unit * static_cast<double>(size - 1)
                         : unit * static_cast<double>(size) - 0.5;
  };
  const int64_t points = grid.shape[1] * grid.shape[2];
  float* result = out.As<float>();
  for (int64_t n = 0; n < images.batch(); ++n) {
    for (int64_t c = 0; c < images.channels(); ++c) {
      const Plane plane = images.At(n, c);
      const double* at = coordinates.data() + n * points * 2;
      for (int64_t p = 0; p < points; ++p, at += 2) {
        const double px = PadCoordinate(padding_mode, pixel(at[0], images.width()), images.width());
        const double py =
            PadCoordinate(padding_mode, pixel(at[1], images.height()), images.height());
        *result++ = static_cast<float>(sampling == "nearest" ? plane.Nearest(py, px, padding_value)
                                                             : plane.Linear(py, px, padding_value));
      }
    }
  }
  return {};
}

}  // namespace anemone::ops::image_resizing
