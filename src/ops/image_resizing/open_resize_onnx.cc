#include "ops/image_resizing/open_resize_onnx.h"

#include <algorithm>
#include <cmath>

#include "ops/infer.h"

namespace anemone::ops::image_resizing {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both
using Order = Symbols::Order;

constexpr std::string_view kFix = "give the inputs that it depends on fixed sizes";

ir::Literal Number(int64_t value) { return ir::Literal::Int32(static_cast<int32_t>(value)); }
ir::Literal Flag(bool value) { return ir::Literal::Bool(value); }

// The target along one dimension: its size and, where that is a whole multiple of the dimension at
// every size, the factor.
struct Axis {
  int64_t in = 0, out = 0;
  int64_t factor = 0;
};

std::optional<int64_t> FactorOf(Symbols& s, int64_t in, int64_t out) {
  if (in == out) return 1;
  const auto factor = s.FloorDiv(out, in);
  if (!factor || Symbols::IsSymbol(*factor) || s.Mul(*factor, in) != out) return std::nullopt;
  return factor;
}

// Sizes by a scale: whole factors, and fractions that leave nothing over.
std::optional<int64_t> Scaled(Symbols& s, int64_t in, double scale) {
  if (!Symbols::IsSymbol(in)) {
    const double size = std::floor(static_cast<double>(in) * scale);
    // MIL derives the scale from the sizes.
    const bool exact = size == static_cast<double>(in) * scale;
    return exact && size >= 1 && size <= INT32_MAX ? std::optional(static_cast<int64_t>(size))
                                                   : std::nullopt;
  }
  if (scale == std::floor(scale) && scale >= 1 && scale <= INT32_MAX)
    return s.Mul(in, static_cast<int64_t>(scale));
  const double inverse = 1 / scale;
  if (inverse != std::floor(inverse) || !(inverse >= 1 && inverse <= INT32_MAX))
    return std::nullopt;
  const auto parts = static_cast<int64_t>(inverse);
  const auto part = s.FloorDiv(in, parts);
  return part && s.Mul(*part, parts) == in ? part : std::nullopt;
}

Result<std::vector<Axis>> ReadAxes(NodeContext& c) {
  const ir::Shape& dims = c.Sizes(0);
  std::vector<Axis> axes;
  for (const int64_t size : dims) axes.push_back({size, size, 1});
  std::vector<int64_t> named;
  for (size_t d = 0; d < dims.size(); ++d) named.push_back(static_cast<int64_t>(d));
  if (const auto given = c.IntsAttribute("axes")) {
    ANEMONE_ASSIGN(named, NormalizeAxes(*given, c.Rank(0)));
  }
  if (c.opset() >= 11 && c.Has(3)) {
    if (c.String("keep_aspect_ratio_policy", "stretch") != "stretch")
      return Unsupported("keep_aspect_ratio_policy with open dimensions").Advise(std::string(kFix));
    const auto sizes = c.KnownSizes(3);
    if (!sizes) return c.Ints(3, "the sizes").status().error();
    if (sizes->size() != named.size())
      return InvalidInput("{} sizes for {} axes", sizes->size(), named.size());
    for (size_t i = 0; i < named.size(); ++i) {
      Axis& axis = axes[static_cast<size_t>(named[i])];
      axis.out = (*sizes)[i];
      axis.factor = FactorOf(c.symbols(), axis.in, axis.out).value_or(0);
    }
    return axes;
  }
  std::vector<double> scales;
  if (c.node().op == "Upsample" && c.opset() < 9) {
    const auto* attribute = c.node().Find("scales");
    if (attribute == nullptr) return InvalidInput("Upsample has no scales");
    scales.assign(attribute->floats.begin(), attribute->floats.end());
  } else {
    const auto* constant = c.Const(c.opset() < 11 ? 1 : 2);
    const auto values = constant == nullptr ? std::nullopt : constant->AsDoubles();
    if (!values) return Unsupported("scales computed at run time").Advise(std::string(kFix));
    scales = *values;
  }
  if (scales.size() != named.size())
    return InvalidInput("{} scales for {} axes", scales.size(), named.size());
  for (size_t i = 0; i < named.size(); ++i) {
    Axis& axis = axes[static_cast<size_t>(named[i])];
    const auto out = scales[i] > 0 ? Scaled(c.symbols(), axis.in, scales[i]) : std::nullopt;
    if (!out) {
      return Unsupported("a scale of {} along a dimension of {}", scales[i],
                         c.symbols().Text(axis.in))
          .Advise(std::string(kFix));
    }
    axis.out = *out;
    axis.factor = FactorOf(c.symbols(), axis.in, axis.out).value_or(0);
  }
  return axes;
}

// Whether samples at whole factors repeat each element, as upsample_nearest_neighbor does. Where
// the samples lie within an element does not depend on how many there are.
bool Repeats(const Sampling& sampling, int64_t factor) {
  if (factor < 1 || factor > 1024 || sampling.coordinates == "align_corners" ||
      sampling.coordinates == "half_pixel_symmetric") {
    return false;
  }
  constexpr int64_t kSize = 5;
  const auto indices = NearestIndices(sampling, kSize, kSize * factor, static_cast<double>(factor));
  for (size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] != static_cast<int64_t>(i) / factor) return false;
  }
  return true;
}

// floor(i * in / out) of each output along one dimension, in integers.
ir::Value* FloorIndices(NodeContext& c, const Axis& axis) {
  ir::Value* end = c.Reshape(c.SizeValue(axis.out), {});
  ir::Value* i = c.Op("range_1d", {{"end", end}, {"start", Number(0)}, {"step", Number(1)}});
  c.WithDims(i, {axis.out});
  ir::Value* product = c.Binary("mul", {i, c.SizeValue(axis.in)});
  return c.Binary("floor_div", {product, c.SizeValue(axis.out)});
}

Status EmitOpenNearest(NodeContext& c, const Sampling& sampling, const std::vector<Axis>& axes) {
  const size_t h = axes.size() - 2, w = axes.size() - 1;
  if (Repeats(sampling, axes[h].factor) && Repeats(sampling, axes[w].factor)) {
    return c.Emit("upsample_nearest_neighbor", {{"x", c.Value(0)},
                                                {"scale_factor_height", Number(axes[h].factor)},
                                                {"scale_factor_width", Number(axes[w].factor)}});
  }
  if (sampling.coordinates != "asymmetric" || sampling.nearest != "floor") {
    return Unsupported("nearest sampling ({}, {}) to a size known only at run time",
                       sampling.coordinates, sampling.nearest)
        .Advise(std::string(kFix) + ", or resize by whole factors");
  }
  ir::Value* x = c.Value(0);
  ir::Shape dims = c.Sizes(0);
  for (const size_t d : {h, w}) {
    if (axes[d].in == axes[d].out) continue;
    ir::Value* indices = FloorIndices(c, axes[d]);
    x = c.Op("gather", {{"x", x}, {"indices", indices}, {"axis", Number(static_cast<int64_t>(d))}});
    dims[d] = axes[d].out;
    c.WithDims(x, dims);
  }
  return c.Set(0, x);
}

// The one sample of a size of 1 lies elsewhere in pytorch_half_pixel, unless the input has only one
// element too.
Status CheckSingle(NodeContext& c, const Sampling& sampling, const Axis& axis) {
  if (sampling.coordinates != "pytorch_half_pixel" || axis.in == 1) return {};
  const Order order = c.symbols().Compare(axis.out, axis.in);
  if (order == Order::kGreater || order == Order::kEqual || order == Order::kNotLess) return {};
  if (c.symbols().BoundsOf(axis.out).low > 1 || c.symbols().RaiseTo(axis.out, 2)) return {};
  return Unsupported("the size {} can be 1, where pytorch_half_pixel samples differently",
                     c.symbols().Text(axis.out))
      .Advise("raise the lower bound of the input's range");
}

Status EmitOpenLinear(NodeContext& c, const Sampling& sampling, const std::vector<Axis>& axes) {
  if (!c.IsFloat(0))
    return Unsupported("interpolation of integers").Advise("cast to float before it");
  const size_t h = axes.size() - 2, w = axes.size() - 1;
  const bool half =
      sampling.coordinates == "half_pixel" || sampling.coordinates == "pytorch_half_pixel";
  const bool corners = sampling.coordinates == "align_corners";
  const bool left = sampling.coordinates == "asymmetric";
  if ((!half && !corners && !left) || sampling.antialias) {
    return Unsupported("{}{} sampling of open dimensions", sampling.coordinates,
                       sampling.antialias ? ", antialiased" : "")
        .Advise(std::string(kFix));
  }
  for (const size_t d : {h, w}) ANEMONE_TRY(CheckSingle(c, sampling, axes[d]));
  const bool halves = c.target() >= ir::Opset::kIOS16;  // upsample_bilinear can be told
  if (axes[h].factor > 0 && axes[w].factor > 0 && (corners || halves)) {
    Args args = {{"x", c.Value(0)},
                 {"scale_factor_height", Number(axes[h].factor)},
                 {"scale_factor_width", Number(axes[w].factor)},
                 {"align_corners", Flag(corners)}};
    if (halves) args.push_back({"half_pixel_centers", Flag(half)});
    return c.Emit("upsample_bilinear", std::move(args));
  }
  if (c.target() < ir::Opset::kIOS17) {
    return Unsupported("a size known only at run time before iOS17: [{}, {}]",
                       c.symbols().Text(axes[h].out), c.symbols().Text(axes[w].out))
        .Advise("raise the deployment target to iOS17, or " + std::string(kFix));
  }
  const std::string mode = half ? "UNALIGN_CORNERS" : corners ? "STRICT_ALIGN_CORNERS" : "DEFAULT";
  const auto resized = ir::Literal::FromBytes(ir::Type::Scalar(DType::kUInt32),
                                              Bytes::FromVector(std::vector<uint32_t>{2}));
  if (!resized.ok()) return resized.status();
  ir::Value* x = c.Value(0);
  ir::Value* y = c.Op("resize", {{"x", x},
                                 {"shape", c.SizesValue({axes[h].out, axes[w].out}, "size")},
                                 {"resized_dims", *resized},
                                 {"interpolation_mode", ir::Literal::String("LINEAR")},
                                 {"sampling_mode", ir::Literal::String(mode)}});
  ir::Shape dims = c.Sizes(0);
  dims[h] = axes[h].out;
  dims[w] = axes[w].out;
  return c.Set(0, c.WithDims(y, dims));
}

}  // namespace

bool ResizesOpenDimension(const NodeContext& c) {
  const ir::Shape& dims = c.Sizes(0);
  const bool has_sizes = c.opset() >= 11 && c.Has(3);
  if (!c.IsOpen(0) && !(has_sizes && c.In(3).sizes)) return false;
  for (size_t d = dims.size() - std::min<size_t>(dims.size(), 2); d < dims.size(); ++d) {
    if (Symbols::IsSymbol(dims[d])) return true;
  }
  // By attributes, or over some of the axes: rare.
  if (c.HasAttribute("axes") || (c.node().op == "Upsample" && c.opset() < 9)) return true;
  if (has_sizes) {
    const auto sizes = c.KnownSizes(3);
    if (!sizes || sizes->size() != dims.size()) return true;
    for (size_t d = 0; d < dims.size(); ++d) {
      const bool open = Symbols::IsSymbol(dims[d]) || Symbols::IsSymbol((*sizes)[d]);
      if (open && (*sizes)[d] != dims[d]) return true;
    }
    return false;
  }
  const auto* constant = c.Const(c.opset() < 11 ? 1 : 2);
  const auto scales = constant == nullptr ? std::nullopt : constant->AsDoubles();
  if (!scales || scales->size() != dims.size()) return true;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (Symbols::IsSymbol(dims[d]) && (*scales)[d] != 1) return true;
  }
  return false;
}

Status EmitOpenResize(NodeContext& c, const Sampling& sampling) {
  ANEMONE_ASSIGN(const auto axes, ReadAxes(c));
  if (std::ranges::all_of(axes, [](const Axis& axis) { return axis.in == axis.out; }))
    return c.Forward(0, 0);
  for (size_t d = 0; d < axes.size(); ++d) {
    if (axes[d].in == axes[d].out || (axes.size() >= 3 && d + 2 >= axes.size())) continue;
    return Unsupported(
               "resizing dimension {} from {} to {}: with open dimensions, the last two of "
               "three or more can be resized",
               d, c.symbols().Text(axes[d].in), c.symbols().Text(axes[d].out))
        .Advise(std::string(kFix));
  }
  if (sampling.mode == "nearest") return EmitOpenNearest(c, sampling, axes);
  if (sampling.mode == "linear") return EmitOpenLinear(c, sampling, axes);
  return Unsupported("{} interpolation of open dimensions", sampling.mode)
      .Advise(std::string(kFix));
}

}  // namespace anemone::ops::image_resizing
