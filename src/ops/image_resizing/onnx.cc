// ONNX: Resize, Upsample, AffineGrid.
//
// ONNX has seven ways to place the samples, three kernels and several roundings; MIL has some of
// the combinations, which are used where they are exactly equal. The rest uses a way that always
// works, one axis after another: nearest by gathering known indices, linear and cubic by
// multiplying with a known matrix of weights.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "onnx/converter.h"
#include "ops/image_resizing/open_resize_onnx.h"
#include "ops/image_resizing/places_onnx.h"
#include "ops/image_resizing/samples_onnx.h"
#include "ops/infer.h"

namespace anemone::ops::image_resizing {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

ir::Literal Int(int64_t value) { return ir::Literal::Int32(static_cast<int32_t>(value)); }

// The target of each axis: its size, and out / in as the model states it. Axes that keep their size
// may be open.
struct Target {
  std::vector<int64_t> sizes;
  std::vector<double> scales;
};

Target Unchanged(const NodeContext& c) {
  return {c.Sizes(0), std::vector<double>(c.Sizes(0).size(), 1.0)};
}

Result<Target> FromScales(const NodeContext& c, const std::vector<double>& given,
                          const std::vector<int64_t>& axes) {
  if (given.size() != axes.size())
    return InvalidInput("{} scales for {} axes", given.size(), axes.size());
  Target target = Unchanged(c);
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto d = static_cast<size_t>(axes[i]);
    if (given[i] == 1) continue;
    const double size = std::floor(static_cast<double>(c.Dims(0)[d]) * given[i]);
    if (!(given[i] > 0) || !(size >= 1 && size <= INT32_MAX))
      return InvalidInput("a scale is {}", given[i]);
    target.scales[d] = given[i];
    target.sizes[d] = static_cast<int64_t>(size);
  }
  return target;
}

Result<Target> FromSizes(const NodeContext& c, const std::vector<int64_t>& given,
                         const std::vector<int64_t>& axes) {
  if (given.size() != axes.size())
    return InvalidInput("{} sizes for {} axes", given.size(), axes.size());
  Target target = Unchanged(c);
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto d = static_cast<size_t>(axes[i]);
    if (given[i] == target.sizes[d]) continue;
    if (given[i] < 1 || given[i] > INT32_MAX) return InvalidInput("a size is {}", given[i]);
    target.sizes[d] = given[i];
    target.scales[d] = static_cast<double>(given[i]) / static_cast<double>(c.Dims(0)[d]);
  }
  return target;
}

// One scale for all axes: the smallest or the largest of those that the sizes ask for.
Result<Target> KeepAspect(const NodeContext& c, const std::vector<int64_t>& sizes,
                          const std::vector<int64_t>& axes, const std::string& policy) {
  if (policy != "not_larger" && policy != "not_smaller")
    return InvalidInput("keep_aspect_ratio_policy is '{}'", policy);
  ANEMONE_ASSIGN(const Target asked, FromSizes(c, sizes, axes));
  double scale = 0;
  for (const int64_t axis : axes) {
    const double one = asked.scales[static_cast<size_t>(axis)];
    const bool first = axis == axes.front();
    if (first || (policy == "not_larger" ? one < scale : one > scale)) scale = one;
  }
  Target target = Unchanged(c);
  for (const int64_t axis : axes) {
    const auto d = static_cast<size_t>(axis);
    target.scales[d] = scale;
    target.sizes[d] = std::max<int64_t>(std::llround(scale * static_cast<double>(c.Dims(0)[d])), 1);
  }
  return target;
}

Result<std::vector<double>> Scales(const NodeContext& c, size_t input) {
  const auto* constant = c.Const(input);
  if (constant == nullptr)
    return Unsupported("scales computed at run time").Advise("export with fixed shapes");
  const auto values = constant->AsDoubles();
  if (!values) return InvalidInput("the scales are not numbers");
  return *values;
}

Result<std::vector<int64_t>> ResizedAxes(const NodeContext& c) {
  if (const auto given = c.IntsAttribute("axes")) return NormalizeAxes(*given, c.Rank(0));
  std::vector<int64_t> axes(c.Sizes(0).size());
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

// The part of an axis that tf_crop_and_resize samples, as shares of its length.
struct Crop {
  double begin = 0, end = 1;
  bool whole() const { return begin == 0 && end == 1; }
};

// One for each axis; all of them whole in other modes.
Result<std::vector<Crop>> ReadCrops(const NodeContext& c) {
  std::vector<Crop> crops(c.Sizes(0).size());
  if (c.String("coordinate_transformation_mode", "") != "tf_crop_and_resize") return crops;
  ANEMONE_ASSIGN(const auto axes, ResizedAxes(c));
  const auto* roi = c.Const(1);
  if (roi == nullptr)
    return Unsupported("a part of the input that is known only at run time")
        .Advise("make roi an initializer");
  const auto shares = roi->AsDoubles();
  if (!shares || shares->size() != 2 * axes.size())
    return InvalidInput("roi needs two numbers for each of {} axes", axes.size());
  for (size_t i = 0; i < axes.size(); ++i)
    crops[static_cast<size_t>(axes[i])] = {(*shares)[i], (*shares)[i + axes.size()]};
  return crops;
}

Result<Target> ReadTarget(const NodeContext& c) {
  ANEMONE_ASSIGN(const auto axes, ResizedAxes(c));
  if (c.node().op == "Upsample" && c.opset() < 9) {
    const auto* scales = c.node().Find("scales");
    if (scales == nullptr) return InvalidInput("Upsample has no scales");
    return FromScales(c, {scales->floats.begin(), scales->floats.end()}, axes);
  }
  if (c.opset() < 11) {
    ANEMONE_ASSIGN(const auto scales, Scales(c, 1));
    return FromScales(c, scales, axes);
  }
  if (c.Has(3)) {
    const std::string policy = c.String("keep_aspect_ratio_policy", "stretch");
    auto sizes = c.KnownSizes(3).value_or(std::vector<int64_t>());
    if (sizes.empty() && !c.Known(3) && policy == "stretch" && c.Declared(0) != nullptr &&
        c.Declared(0)->size() == c.Sizes(0).size()) {
      // The declared shape is the only one that sizes known at run time can give.
      for (const int64_t axis : axes) sizes.push_back((*c.Declared(0))[static_cast<size_t>(axis)]);
    }
    if (sizes.empty()) {
      ANEMONE_ASSIGN(sizes, c.Ints(3, "the sizes"));
    }
    if (policy == "stretch") return FromSizes(c, sizes, axes);
    return KeepAspect(c, sizes, axes, policy);
  }
  ANEMONE_ASSIGN(auto scales, Scales(c, 2));
  ANEMONE_ASSIGN(const auto crops, ReadCrops(c));
  for (size_t i = 0; i < std::min(scales.size(), axes.size()); ++i) {
    const Crop& crop = crops[static_cast<size_t>(axes[i])];
    scales[i] *= crop.end - crop.begin;
  }
  return FromScales(c, scales, axes);
}

Result<Sampling> ReadSampling(const NodeContext& c) {
  Sampling sampling;
  sampling.mode = c.String("mode", "nearest");
  const bool old = c.opset() < 11;
  sampling.coordinates =
      old ? "asymmetric" : c.String("coordinate_transformation_mode", "half_pixel");
  sampling.nearest = old ? "floor" : c.String("nearest_mode", "round_prefer_floor");
  sampling.cubic_a = c.Float("cubic_coeff_a", -0.75);
  sampling.exclude_outside = c.Int("exclude_outside", 0) != 0;
  sampling.antialias = c.Int("antialias", 0) != 0;
  if (sampling.mode != "nearest" && sampling.mode != "linear" && sampling.mode != "cubic") {
    return InvalidInput("mode is '{}'", sampling.mode);
  }
  return sampling;
}

// Whether output i reads input i / factor everywhere, as upsample_nearest_neighbor does.
bool IsRepeat(const std::vector<int64_t>& indices, int64_t size) {
  const auto out = static_cast<int64_t>(indices.size());
  if (out % size != 0) return false;
  for (int64_t i = 0; i < out; ++i) {
    if (indices[static_cast<size_t>(i)] != i / (out / size)) return false;
  }
  return true;
}

// The mode in which resize_bilinear places its samples as `sampling` does; empty if none.
std::string_view BilinearMode(const Sampling& sampling, const Target& target,
                              const ir::Shape& dims) {
  for (size_t d = dims.size() - 2; d < dims.size(); ++d) {
    // MIL derives the scale from the sizes.
    if (target.scales[d] != static_cast<double>(target.sizes[d]) / static_cast<double>(dims[d]) &&
        sampling.coordinates != "align_corners") {
      return {};
    }
    // With one sample the modes differ in what they read.
    if (target.sizes[d] == 1) return {};
  }
  if (sampling.coordinates == "half_pixel" || sampling.coordinates == "pytorch_half_pixel")
    return "UNALIGN_CORNERS";
  if (sampling.coordinates == "align_corners") return "STRICT_ALIGN_CORNERS";
  if (sampling.coordinates == "asymmetric") return "DEFAULT";
  return {};
}

// y[.., i, ..] = sum over j of matrix[i, j] * x[.., j, ..] along `axis`.
ir::Value* MultiplyAlong(NodeContext& c, ir::Value* x, size_t axis,
                         const std::vector<float>& matrix, int64_t out) {
  if (x == nullptr) return nullptr;
  const ir::Shape dims = c.DimsOf(x);
  int64_t outer = 1, inner = 1;
  for (size_t d = 0; d < axis; ++d) outer = c.MulSizes(outer, dims[d]);
  for (size_t d = axis + 1; d < dims.size(); ++d) inner = c.MulSizes(inner, dims[d]);
  ir::Value* weights = c.MakeConst(onnx::Constant::Floats(matrix, {1, out, dims[axis]}), "weights");
  ir::Value* y = c.Op("matmul", {{"x", weights},
                                 {"y", c.Reshape(x, {outer, dims[axis], inner})},
                                 {"transpose_x", ir::Literal::Bool(false)},
                                 {"transpose_y", ir::Literal::Bool(false)}});
  ir::Shape result = dims;
  result[axis] = out;
  return c.Reshape(y, result);
}

Status EmitNearest(NodeContext& c, const Sampling& sampling, const Target& target) {
  const ir::Shape& dims = c.Sizes(0);
  std::vector<std::vector<int64_t>> indices(dims.size());
  bool repeat = dims.size() >= 3;  // upsampling of the last two axes by whole factors
  for (size_t d = 0; d < dims.size(); ++d) {
    if (Symbols::IsSymbol(dims[d])) {
      repeat = repeat && d + 2 < dims.size();
      continue;
    }
    indices[d] = NearestIndices(sampling, dims[d], target.sizes[d], target.scales[d]);
    const bool spatial = d + 2 >= dims.size();
    repeat = repeat && (spatial ? IsRepeat(indices[d], dims[d]) : target.sizes[d] == dims[d]);
  }
  if (repeat) {
    const size_t h = dims.size() - 2, w = dims.size() - 1;
    return c.Emit("upsample_nearest_neighbor",
                  {{"x", c.Value(0)},
                   {"scale_factor_height", Int(target.sizes[h] / dims[h])},
                   {"scale_factor_width", Int(target.sizes[w] / dims[w])}});
  }
  ir::Value* x = c.Value(0);
  for (size_t d = 0; d < dims.size(); ++d) {
    if (Symbols::IsSymbol(dims[d])) continue;
    if (target.sizes[d] == dims[d] && IsRepeat(indices[d], dims[d])) continue;
    x = c.Op("gather",
             {{"x", x}, {"indices", ir::Ints(indices[d])}, {"axis", Int(static_cast<int64_t>(d))}});
  }
  return c.Set(0, x);
}

// tf_crop_and_resize: what lies outside of the input is a given value.
Status EmitCropAndResize(NodeContext& c, const Sampling& sampling) {
  if (!c.IsFloat(0))
    return Unsupported("interpolation of integers").Advise("cast to float before it");
  ANEMONE_ASSIGN(const auto crops, ReadCrops(c));
  ANEMONE_ASSIGN(const Target target, ReadTarget(c));
  const ir::Shape& dims = c.Dims(0);
  ir::Value* x = c.Value(0);
  ir::Shape mask_dims(dims.size(), 1);
  std::vector<bool> mask = {true};  // of the dims before, which of the outputs lie inside
  for (size_t d = 0; d < dims.size(); ++d) {
    if (target.sizes[d] == dims[d] && crops[d].whole()) continue;
    const int64_t out = target.sizes[d];
    Sampling along = sampling;
    along.crop_begin = crops[d].begin;
    along.crop_end = crops[d].end;
    if (!FoldableCount({out, sampling.mode == "nearest" ? 1 : dims[d]}))
      return Unsupported("a dim of {} resized to {} in this mode", dims[d], out);
    if (sampling.mode == "nearest") {
      x = c.Op("gather",
               {{"x", x},
                {"indices", ir::Ints(NearestIndices(along, dims[d], out, target.scales[d]))},
                {"axis", Int(static_cast<int64_t>(d))}});
    } else {
      x = MultiplyAlong(c, x, d, SampleMatrix(along, dims[d], out, target.scales[d]), out);
    }
    const std::vector<bool> inside = InsideCrop(along, dims[d], out);
    if (std::ranges::all_of(inside, [](bool one) { return one; })) continue;
    std::vector<bool> both;
    for (const bool before : mask) {
      for (const bool here : inside) both.push_back(before && here);
    }
    mask = std::move(both);
    mask_dims[d] = out;
    if (!FoldableCount(mask_dims))
      return Unsupported("an output of {}", ir::ShapeToString(target.sizes));
  }
  if (std::ranges::all_of(mask, [](bool one) { return one; })) return c.Set(0, x);
  const std::vector<int64_t> bits(mask.begin(), mask.end());
  ir::Value* inside =
      c.MakeConst(onnx::Constant::FromInts(DType::kBool, bits, mask_dims), "inside");
  ir::Value* outside = c.Float32(static_cast<float>(c.Float("extrapolation_value", 0)));
  return c.Emit("select", {{"cond", inside}, {"a", x}, {"b", outside}});
}

Status EmitResize(NodeContext& c) {
  if (!c.Has(0)) return InvalidInput("the input is missing");
  ANEMONE_ASSIGN(const Sampling sampling, ReadSampling(c));
  if (sampling.coordinates == "tf_crop_and_resize") return EmitCropAndResize(c, sampling);
  if (ResizesOpenDimension(c)) return EmitOpenResize(c, sampling);
  ANEMONE_ASSIGN(const Target target, ReadTarget(c));
  const ir::Shape& dims = c.Sizes(0);
  if (target.sizes == dims &&
      std::all_of(target.scales.begin(), target.scales.end(), [](double s) { return s == 1; })) {
    return c.Forward(0, 0);
  }
  if (!FoldableCount({*std::max_element(target.sizes.begin(), target.sizes.end())})) {
    return Unsupported("a target of {}", ir::ShapeToString(target.sizes));
  }
  if (sampling.mode == "nearest") return EmitNearest(c, sampling, target);
  if (!c.IsFloat(0))
    return Unsupported("interpolation of integers").Advise("cast to float before it");
  bool spatial = dims.size() >= 3;
  for (size_t d = 0; d + 2 < dims.size(); ++d) spatial = spatial && target.sizes[d] == dims[d];
  if (sampling.mode == "linear" && spatial && !sampling.antialias) {
    const std::string_view mode = BilinearMode(sampling, target, dims);
    if (!mode.empty()) {
      return c.Emit("resize_bilinear", {{"x", c.Value(0)},
                                        {"target_size_height", Int(target.sizes[dims.size() - 2])},
                                        {"target_size_width", Int(target.sizes[dims.size() - 1])},
                                        {"sampling_mode", ir::Literal::String(std::string(mode))}});
    }
  }
  ir::Value* x = c.Value(0);
  for (size_t d = 0; d < dims.size(); ++d) {
    if (target.sizes[d] == dims[d] && target.scales[d] == 1) continue;
    if (target.sizes[d] * dims[d] > int64_t{1} << 24)
      return Unsupported("a dim of {} resized to {} in this mode", dims[d], target.sizes[d]);
    x = MultiplyAlong(c, x, d, SampleMatrix(sampling, dims[d], target.sizes[d], target.scales[d]),
                      target.sizes[d]);
  }
  return c.Set(0, x);
}

// The places that an affine map reads, for GridSample: a known grid times the map.
Status EmitAffineGrid(NodeContext& c) {
  if (!c.Has(0) || c.Rank(0) != 3) return InvalidInput("theta needs rank 3");
  std::vector<int64_t> size;
  if (const auto* declared = c.Declared(0);
      c.Has(1) && !c.Known(1) && declared != nullptr && declared->size() >= 2) {
    // The declared shape, [N, spatial ..., 2 or 3], is the only one that a size known at run time can
    // give; the number of channels has no part in it.
    size.assign(declared->begin(), declared->end() - 1);
    size.insert(size.begin() + 1, 1);
  } else {
    ANEMONE_ASSIGN(size, c.Ints(1, "the size"));
  }
  const size_t spatial = static_cast<size_t>(c.Dims(0)[1]);
  if ((spatial != 2 && spatial != 3) || size.size() != spatial + 2) {
    return InvalidInput("a size of {} dims does not fit theta", size.size());
  }
  for (const int64_t dim : size) {
    if (dim < 1 || dim > INT32_MAX) return InvalidInput("a size is {}", dim);
  }
  const bool align = c.Int("align_corners", 0) != 0;
  const auto place = [&](int64_t i, int64_t count) {
    if (align)
      return count == 1 ? 0.0 : 2.0 * static_cast<double>(i) / static_cast<double>(count - 1) - 1;
    return (2.0 * static_cast<double>(i) + 1) / static_cast<double>(count) - 1;
  };
  const ir::Shape grid(size.begin() + 2, size.end());
  const auto points = ir::ElementCount(grid);
  if (!points || *points < 1 || !FoldableCount({*points, 4}))
    return Unsupported("a grid of {}", ir::ShapeToString(grid));
  std::vector<float> homogeneous;  // x, y (, z), 1
  for (int64_t p = 0; p < *points; ++p) {
    int64_t rest = p;
    for (size_t d = spatial; d-- > 0;) {
      homogeneous.push_back(static_cast<float>(place(rest % grid[d], grid[d])));
      rest /= grid[d];
    }
    homogeneous.push_back(1);
  }
  const auto columns = static_cast<int64_t>(spatial) + 1;
  ir::Value* known =
      c.MakeConst(onnx::Constant::Floats(std::move(homogeneous), {1, *points, columns}), "grid");
  ir::Value* y = c.Op("matmul", {{"x", known},
                                 {"y", c.Value(0)},
                                 {"transpose_x", ir::Literal::Bool(false)},
                                 {"transpose_y", ir::Literal::Bool(true)}});
  ir::Shape out = {c.Dims(0)[0]};
  out.insert(out.end(), grid.begin(), grid.end());
  out.push_back(static_cast<int64_t>(spatial));
  return c.SetView(0, y, std::move(out));
}

constexpr Converter kConverters[] = {
    {.op = "Resize", .emit = EmitResize},         {.op = "Upsample", .emit = EmitResize},
    {.op = "GridSample", .emit = EmitGridSample}, {.op = "AffineGrid", .emit = EmitAffineGrid},
    {.op = "RoiAlign", .emit = EmitRoiAlign},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::image_resizing
