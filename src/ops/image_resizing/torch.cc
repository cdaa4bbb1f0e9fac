// PyTorch: upsampling, grid sampling and windows as columns.
#include <algorithm>

#include "torch/context.h"
#include "torch/converter.h"

namespace anemone::ops::image_resizing {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

std::string_view NameOfImage(const Context& c) { return c.Has("input") ? "input" : "self"; }

// The factors of the spatial axes, where they are given.
std::vector<float> Factors(Context& c, size_t spatial) {
  std::vector<float> factors;
  if (const Argument* list = c.Find("scale_factors")) {
    for (const double factor : list->numbers) factors.push_back(static_cast<float>(factor));
    for (const IntItem& item : list->ints) factors.push_back(static_cast<float>(item.value));
  } else if (c.Has("scales")) {
    factors.push_back(static_cast<float>(c.Number("scales", 1)));
  } else {
    for (const std::string_view name : {"scales_d", "scales_h", "scales_w"}) {
      if (c.Has(name)) factors.push_back(static_cast<float>(c.Number(name, 1)));
    }
  }
  return factors.size() == spatial ? factors : std::vector<float>();
}

Status Resized(Context& c, Attributes attributes) {
  const auto name = NameOfImage(c);
  const int64_t rank = c.Rank(name);
  if (rank < 3) return InvalidInput("it resizes a tensor of rank {}", rank);
  const auto spatial = static_cast<size_t>(rank) - 2;
  std::vector<int64_t> axes;
  for (int64_t d = 2; d < rank; ++d) axes.push_back(d);
  attributes.push_back(Ints("axes", axes));
  const std::string x = c.Need(name);
  // A given factor is what positions are reckoned with; else the sizes are.
  const std::vector<float> factors = Factors(c, spatial);
  if (!factors.empty()) {
    const auto count = static_cast<int64_t>(factors.size());
    const std::string scales = c.Known(onnx::Constant::Floats(factors, {count}));
    return c.Set(0, c.Op("Resize", {x, "", scales}, std::move(attributes)));
  }
  const Argument* size = c.Find("output_size");
  if (size == nullptr) return InvalidInput("it has neither a size nor factors");
  return c.Set(0, c.Op("Resize", {x, "", "", c.IntVector(size->ints)}, std::move(attributes)));
}

Status EmitNearest(Context& c) {
  return Resized(c, {Text("mode", "nearest"), Text("nearest_mode", "floor"),
                     Text("coordinate_transformation_mode", "asymmetric")});
}

Status EmitNearestExact(Context& c) {
  return Resized(c, {Text("mode", "nearest"), Text("nearest_mode", "round_prefer_ceil"),
                     Text("coordinate_transformation_mode", "half_pixel")});
}

Status EmitLinear(Context& c) {
  return Resized(c, {Text("mode", "linear"),
                     Text("coordinate_transformation_mode",
                          c.Flag("align_corners", false) ? "align_corners" : "half_pixel")});
}

Status EmitCubic(Context& c) {
  return Resized(c, {Text("mode", "cubic"), Float("cubic_coeff_a", -0.75),
                     Text("coordinate_transformation_mode",
                          c.Flag("align_corners", false) ? "align_corners" : "half_pixel")});
}

Status EmitLinearAntialias(Context& c) {
  return Resized(c, {Text("mode", "linear"), Int("antialias", 1), Int("exclude_outside", 1),
                     Text("coordinate_transformation_mode",
                          c.Flag("align_corners", false) ? "align_corners" : "half_pixel")});
}

// With antialiasing, the cubic kernel is Pillow's: a = -0.5.
Status EmitCubicAntialias(Context& c) {
  return Resized(c, {Text("mode", "cubic"), Int("antialias", 1), Int("exclude_outside", 1),
                     Float("cubic_coeff_a", -0.5),
                     Text("coordinate_transformation_mode",
                          c.Flag("align_corners", false) ? "align_corners" : "half_pixel")});
}

Status EmitGridSample(Context& c) {
  constexpr const char* kModes[] = {"linear", "nearest", "cubic"};
  constexpr const char* kPaddings[] = {"zeros", "border", "reflection"};
  const int64_t mode = c.Int("interpolation_mode", 0), padding = c.Int("padding_mode", 0);
  if (mode < 0 || mode > 2 || padding < 0 || padding > 2)
    return InvalidInput("mode {} with padding {}", mode, padding);
  return c.Set(0, c.Op("GridSample", {c.Need("input"), c.Need("grid")},
                       {Text("mode", kModes[mode]), Text("padding_mode", kPaddings[padding]),
                        Int("align_corners", c.Flag("align_corners", false) ? 1 : 0)}));
}

Status EmitAffineGrid(Context& c) {
  const std::string size = c.Int64s(c.Ints("size"));
  return c.Set(0, c.Op("AffineGrid", {c.Need("theta"), size},
                       {Int("align_corners", c.Flag("align_corners", false) ? 1 : 0)}));
}

// The positions that the windows cover along an axis of the image, [kernel, windows].
std::string Positions(Context& c, int64_t axis, int64_t kernel, int64_t dilation, int64_t padding,
                      int64_t stride) {
  const int64_t span = dilation * (kernel - 1) + 1;
  std::vector<int64_t> taps;
  for (int64_t k = 0; k < kernel; ++k) taps.push_back(k * dilation);
  const std::string offsets = c.Known(onnx::Constant::Int64s(std::move(taps), {kernel, 1}));
  std::string count;
  if (const auto size = c.Dim("self", axis)) {
    if (*size + 2 * padding < span) (void)c.Fail(InvalidInput("windows larger than the image"));
    count = c.Int64((*size + 2 * padding - span) / stride + 1);
  } else {
    const std::string length = c.Squeeze(c.DimValue("self", axis), {0});
    const std::string room = c.Op("Add", {length, c.Int64(2 * padding - span)});
    count = c.Op("Add", {c.Op("Div", {room, c.Int64(stride)}), c.Int64(1)});
  }
  const std::string starts =
      c.Op("Mul", {c.Op("Range", {c.Int64(0), count, c.Int64(1)}), c.Int64(stride)});
  return c.Op("Add", {offsets, starts});
}

// [n, c, h, w] -> [n, c * kh * kw, positions]
Status EmitIm2Col(Context& c) {
  if (c.Rank("self") != 4) return Unsupported("columns of rank {}", c.Rank("self"));
  const std::vector<int64_t> kernel = c.IntsFor("kernel_size", 2, 1),
                             dilation = c.IntsFor("dilation", 2, 1),
                             padding = c.IntsFor("padding", 2, 0),
                             stride = c.IntsFor("stride", 2, 1);
  if (std::ranges::min(stride) < 1) return InvalidInput("its stride is below 1");
  std::string x = c.Need("self");
  x = c.Op("Pad", {x, c.Int64s({0, 0, padding[0], padding[1], 0, 0, padding[0], padding[1]}),
                   c.Number(0)});
  // Batch and channels are one dimension meanwhile: Core ML has five.
  const std::string image = c.Op("Shape", {x}, {Int("start", 2)});
  x = c.Op("Reshape", {x, c.Op("Concat", {c.Int64s({-1}), image}, {Int("axis", 0)})});
  for (const int64_t axis : {0, 1}) {
    const auto a = static_cast<size_t>(axis);
    const std::string positions =
        Positions(c, axis + 2, kernel[a], dilation[a], padding[a], stride[a]);
    x = c.Op("Gather", {x, positions}, {Int("axis", axis == 0 ? 1 : 3)});
  }
  // [n * c, kh, rows, kw, columns]
  x = c.Transpose(x, {0, 1, 3, 2, 4});
  const std::string batch = c.DimValue("self", 0);
  const std::string rest = c.Int64s({c.FixedDim("self", 1) * kernel[0] * kernel[1], -1});
  return c.Set(0, c.Op("Reshape", {x, c.Op("Concat", {batch, rest}, {Int("axis", 0)})}));
}

// Columns back into an image, overlapping ones added: each lands at known places of a plane.
Status EmitCol2Im(Context& c) {
  const std::vector<int64_t> size = c.IntsFor("output_size", 2, 1),
                             kernel = c.IntsFor("kernel_size", 2, 1),
                             dilation = c.IntsFor("dilation", 2, 1),
                             padding = c.IntsFor("padding", 2, 0),
                             stride = c.IntsFor("stride", 2, 1);
  const auto out = c.OutDims();
  if (!out || out->size() < 3) return Unsupported("symbolic sizes").Advise("fix the sizes");
  const int64_t height = size[0] + 2 * padding[0], width = size[1] + 2 * padding[1];
  int64_t count[2];
  for (size_t axis = 0; axis < 2; ++axis) {
    const int64_t length = axis == 0 ? height : width;
    const int64_t span = dilation[axis] * (kernel[axis] - 1) + 1;
    if (length < span || stride[axis] < 1) return InvalidInput("windows larger than the image");
    count[axis] = (length - span) / stride[axis] + 1;
  }
  std::vector<int64_t> places;
  for (int64_t i = 0; i < kernel[0]; ++i) {
    for (int64_t j = 0; j < kernel[1]; ++j) {
      for (int64_t y = 0; y < count[0]; ++y) {
        for (int64_t x = 0; x < count[1]; ++x) {
          places.push_back((y * stride[0] + i * dilation[0]) * width + x * stride[1] +
                           j * dilation[1]);
        }
      }
    }
  }
  int64_t planes = 1;
  for (size_t d = 0; d + 2 < out->size(); ++d) planes *= (*out)[d];
  const auto each = std::ssize(places);
  const std::string columns = c.Reshape(c.FloatIn("self"), {planes, each});
  const std::string index = c.Known(onnx::Constant::Int64s(std::move(places), {1, each}));
  const std::string zeros = c.Op("Expand", {c.Number(0), c.Int64s({planes, height * width})});
  std::string y =
      c.Op("ScatterElements", {zeros, c.Op("Expand", {index, c.Int64s({planes, each})}), columns},
           {Int("axis", 1), Text("reduction", "add")});
  y = c.Reshape(y, {planes, height, width});
  y = c.Slice(c.Slice(y, 1, padding[0], padding[0] + size[0]), 2, padding[1], padding[1] + size[1]);
  return c.Set(0, c.Reshape(y, *out));
}

// The boxes [K, 5] begin with the number of their image.
Status EmitRoiAlign(Context& c) {
  const std::string rois = c.Need("rois");
  const std::string image = c.Squeeze(c.Slice(rois, 1, 0, 1), {1});
  const std::string mode = c.Flag("aligned", false) ? "half_pixel" : "output_half_pixel";
  return c.Set(0, c.Op("RoiAlign",
                       {c.FloatIn("input"), c.Slice(rois, 1, 1, 5), c.Cast(image, DType::kInt64)},
                       {Int("output_height", c.Int("pooled_height", 1)),
                        Int("output_width", c.Int("pooled_width", 1)),
                        Int("sampling_ratio", std::max<int64_t>(c.Int("sampling_ratio", -1), 0)),
                        Float("spatial_scale", c.Number("spatial_scale", 1)),
                        Text("coordinate_transformation_mode", mode)}));
}

constexpr Converter kConverters[] = {
    {.target = "aten.upsample_nearest1d.vec", .emit = EmitNearest},
    {.target = "aten.upsample_nearest2d.vec", .emit = EmitNearest},
    {.target = "aten.upsample_nearest3d.vec", .emit = EmitNearest},
    {.target = "aten.upsample_nearest1d.default", .emit = EmitNearest},
    {.target = "aten.upsample_nearest2d.default", .emit = EmitNearest},
    {.target = "aten.upsample_nearest3d.default", .emit = EmitNearest},
    {.target = "aten._upsample_nearest_exact1d.vec", .emit = EmitNearestExact},
    {.target = "aten._upsample_nearest_exact2d.vec", .emit = EmitNearestExact},
    {.target = "aten._upsample_nearest_exact3d.vec", .emit = EmitNearestExact},
    {.target = "aten.upsample_linear1d.vec", .emit = EmitLinear},
    {.target = "aten.upsample_bilinear2d.vec", .emit = EmitLinear},
    {.target = "aten.upsample_trilinear3d.vec", .emit = EmitLinear},
    {.target = "aten.upsample_linear1d.default", .emit = EmitLinear},
    {.target = "aten.upsample_bilinear2d.default", .emit = EmitLinear},
    {.target = "aten.upsample_trilinear3d.default", .emit = EmitLinear},
    {.target = "aten.upsample_bicubic2d.vec", .emit = EmitCubic},
    {.target = "aten.upsample_bicubic2d.default", .emit = EmitCubic},
    {.target = "aten._upsample_bilinear2d_aa.vec", .emit = EmitLinearAntialias},
    {.target = "aten._upsample_bilinear2d_aa.default", .emit = EmitLinearAntialias},
    {.target = "aten._upsample_bicubic2d_aa.vec", .emit = EmitCubicAntialias},
    {.target = "aten._upsample_bicubic2d_aa.default", .emit = EmitCubicAntialias},
    {.target = "aten.grid_sampler.default", .emit = EmitGridSample},
    {.target = "aten.grid_sampler_2d.default", .emit = EmitGridSample},
    {.target = "aten.grid_sampler_3d.default", .emit = EmitGridSample},
    {.target = "aten.affine_grid_generator.default", .emit = EmitAffineGrid},
    {.target = "aten.im2col.default", .emit = EmitIm2Col},
    {.target = "aten.col2im.default", .emit = EmitCol2Im},
    {.target = "torchvision.roi_align.default", .emit = EmitRoiAlign},
};

}  // namespace

std::span<const Converter> TorchConverters() { return kConverters; }

}  // namespace anemone::ops::image_resizing
