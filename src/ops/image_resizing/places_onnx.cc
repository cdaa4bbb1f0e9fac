#include "ops/image_resizing/places_onnx.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "onnx/fold.h"
#include "onnx/interpolation.h"

namespace anemone::ops::image_resizing {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

struct GridMode {
  std::string mode, padding;
  bool align = false;
};

Result<GridMode> ReadGridMode(const NodeContext& c) {
  GridMode read;
  read.mode = c.String("mode", "linear");
  if (read.mode == "bilinear") read.mode = "linear";
  if (read.mode == "bicubic") read.mode = "cubic";
  read.padding = c.String("padding_mode", "zeros");
  read.align = c.Int("align_corners", 0) != 0;
  if (read.mode != "linear" && read.mode != "nearest" && read.mode != "cubic")
    return InvalidInput("mode is '{}'", read.mode);
  if (read.padding != "zeros" && read.padding != "border" && read.padding != "reflection")
    return InvalidInput("padding_mode is '{}'", read.padding);
  return read;
}

// MIL's operator for pictures, which all compute units know.
Status EmitResample(NodeContext& c, const GridMode& grid) {
  std::string pad = grid.padding;
  if (pad == "zeros") pad = "constant";
  // ONNX reflects at the centers of the border elements, or at their outer edges: MIL's names
  // for these.
  if (pad == "reflection" && !grid.align) pad = "symmetric";
  const bool nearest = grid.mode == "nearest";
  return c.Emit("resample",
                {{"x", c.Value(0)},
                 {"coordinates", c.Value(1)},
                 {"sampling_mode", ir::Literal::String(nearest ? "nearest" : "bilinear")},
                 {"padding_mode", ir::Literal::String(pad)},
                 {"padding_value", ir::Literal::Fp32(0)},
                 {"coordinates_mode", ir::Literal::String("normalized_minus_one_to_one")},
                 {"align_corners", ir::Literal::Bool(grid.align)}});
}

Taps TapsOf(Expansion& e, const GridMode& grid, const std::string& position, int64_t size) {
  Outside outside;
  if (grid.padding == "border") outside.kind = Outside::kBorder;
  if (grid.padding == "reflection") {
    const double edge = grid.align ? 0 : -0.5;
    outside = {Outside::kReflect, edge, static_cast<double>(size - 1) - edge};
  }
  if (grid.mode == "nearest") return NearestTaps(e, position, size, outside);
  if (grid.mode == "linear") return LinearTaps(e, position, size, outside);
  return CubicTaps(e, position, size, outside);
}

// From -1 ... 1 to elements: -1 and 1 are the middles of the outer elements, or their outer edges.
std::string Denormalized(Expansion& e, const std::string& place, int64_t size, bool align) {
  const auto count = static_cast<double>(size);
  const double scale = align ? (count - 1) / 2 : count / 2;
  return e.Op("Add", {e.Op("Mul", {place, e.Number(scale)}), e.Number((count - 1) / 2)});
}

}  // namespace

namespace {

// The dims of input `i`, of which the first may be open.
ir::Shape WithOpenBatch(const NodeContext& c, size_t i) {
  ir::Shape dims = c.Sizes(i);
  for (size_t d = 1; d < dims.size(); ++d) dims[d] = c.Dims(i)[d];
  return dims;
}

}  // namespace

Status EmitGridSample(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1)) return InvalidInput("GridSample needs two inputs");
  ANEMONE_ASSIGN(const GridMode grid, ReadGridMode(c));
  if (c.Rank(0) == 4 && grid.mode != "cubic") return EmitResample(c, grid);
  const ir::Shape dims = WithOpenBatch(c, 0), places = WithOpenBatch(c, 1);
  if (dims.empty() || places.empty()) return InvalidInput("the input or the grid is a scalar");
  if (Symbols::AnySymbol({dims[0], places[0]}) && dims[0] != places[0])
    return Unsupported("images and grids of different numbers, {} and {}",
                       c.symbols().Text(dims[0]), c.symbols().Text(places[0]))
        .Advise("give both dimensions one name or one fixed size");
  if (dims.size() < 3 || places.size() != dims.size() ||
      places.back() != static_cast<int64_t>(dims.size()) - 2 || places[0] != dims[0])
    return InvalidInput("a grid of {} for an input of {}", ir::ShapeToString(places),
                        ir::ShapeToString(dims));
  const ir::Shape spatial(dims.begin() + 2, dims.end());
  const auto elements = ir::ElementCount(spatial);
  const auto rows = ir::ElementCount(ir::Shape(dims.begin() + 1, dims.end()));
  const auto count = ir::ElementCount(ir::Shape(places.begin() + 1, places.end() - 1));
  if (!elements || !rows || *rows > INT32_MAX || !count)
    return Unsupported("GridSample of {}", ir::ShapeToString(dims));
  Expansion e(c);
  std::vector<Taps> taps;
  for (size_t d = 0; d < spatial.size(); ++d) {
    // The grid names the last dimension first.
    const auto last = static_cast<int64_t>(spatial.size() - 1 - d);
    auto place = e.Op("Gather", {e.In(1), e.Int64(last)}, {attribute::Int("axis", -1)});
    place = e.Op("Reshape", {place, e.Int64s({dims[0], *count})});
    taps.push_back(TapsOf(e, grid, Denormalized(e, place, spatial[d], grid.align), spatial[d]));
  }
  auto y = SampleRows(e, RowsOf(e, e.In(0), dims[0], dims[1], *elements),
                      FirstRows(e, dims[0], *elements), taps, spatial);
  y = e.Op("Transpose", {y}, {attribute::Ints("perm", {0, 2, 1})});
  ir::Shape out = {dims[0], dims[1]};
  out.insert(out.end(), places.begin() + 1, places.end() - 1);
  return e.Finish({e.Op("Reshape", {y, e.Int64s(out)})});
}

namespace {

struct RoiSizes {
  int64_t bins = 0, samples = 0,
          size = 0;  // along one dimension: of the output, in a bin, of the image
};

// Column `i` of the boxes, [R, 1], in elements of the image.
std::string BoxEdge(Expansion& e, int64_t i, double scale, double offset) {
  auto edge = e.Op("Slice", {e.In(1), e.Int64s({i}), e.Int64s({i + 1}), e.Int64s({1})});
  if (scale != 1) edge = e.Op("Mul", {edge, e.Number(scale)});
  if (offset != 0) edge = e.Op("Sub", {edge, e.Number(offset)});
  return edge;
}

// The taps of all samples of the boxes along one dimension, [R, bins * samples]. A sample more than
// one element outside reads nothing, one closer reads the border.
Taps RoiTaps(Expansion& e, const std::string& begin, const std::string& end, bool half_pixel,
             const RoiSizes& sizes) {
  auto length = e.Op("Sub", {end, begin});
  if (!half_pixel) length = e.Op("Max", {length, e.Number(1)});
  std::vector<float> within;  // how many bins from the beginning
  for (int64_t i = 0; i < sizes.bins; ++i) {
    for (int64_t k = 0; k < sizes.samples; ++k)
      within.push_back(static_cast<float>(i) +
                       (static_cast<float>(k) + 0.5f) / static_cast<float>(sizes.samples));
  }
  const auto bin = e.Op("Div", {length, e.Number(static_cast<double>(sizes.bins))});
  const auto known =
      e.Known(onnx::Constant::Floats(std::move(within), {1, sizes.bins * sizes.samples}));
  const auto at = e.Op("Add", {e.Op("Mul", {bin, known}), begin});
  Taps taps = LinearTaps(e, at, sizes.size, {Outside::kBorder});
  const auto near =
      e.Op("And", {e.Op("GreaterOrEqual", {at, e.Number(-1)}),
                   e.Op("LessOrEqual", {at, e.Number(static_cast<double>(sizes.size))})});
  for (Tap& tap : taps) tap.weight = e.Op("Where", {near, tap.weight, e.Number(0)});
  return taps;
}

// Taps of one dimension seen over both, [R, Y, X].
Taps Spread(Expansion& e, Taps taps, int64_t axis) {
  for (Tap& tap : taps) {
    tap.at = e.Op("Unsqueeze", {tap.at, e.Int64s({axis})});
    tap.weight = e.Op("Unsqueeze", {tap.weight, e.Int64s({axis})});
  }
  return taps;
}

}  // namespace

// Boxes [R, 4] (x1, y1, x2, y2) of images [N, C, H, W], each divided into bins in which the same
// number of samples is averaged, or the largest taken.
Status EmitRoiAlign(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(3));
  // The numbers of images and of boxes may be open.
  const ir::Shape dims = WithOpenBatch(c, 0), boxes = WithOpenBatch(c, 1);
  if (dims.size() != 4 || boxes.size() != 2 || boxes[1] != 4)
    return InvalidInput("boxes of {} for images of {}", ir::ShapeToString(boxes),
                        ir::ShapeToString(dims));
  const int64_t ratio = c.Int("sampling_ratio", 0);
  const std::string mode = c.String("mode", "avg");
  if (mode != "avg" && mode != "max") return InvalidInput("mode is '{}'", mode);
  if (ratio < 1)
    return Unsupported("sampling_ratio is {}: how many samples are read depends on the boxes",
                       ratio)
        .Advise("set sampling_ratio, for example to 2");
  const std::string transformation = c.String("coordinate_transformation_mode",
                                              c.opset() < 16 ? "output_half_pixel" : "half_pixel");
  const bool half_pixel = transformation == "half_pixel";
  if (!half_pixel && transformation != "output_half_pixel")
    return InvalidInput("coordinate_transformation_mode is '{}'", transformation);
  const RoiSizes high{c.Int("output_height", 1), ratio, dims[2]};
  const RoiSizes wide{c.Int("output_width", 1), ratio, dims[3]};
  const int64_t count = boxes[0], channels = dims[1];
  if (high.bins < 1 || wide.bins < 1 || ratio > INT16_MAX || high.bins > INT16_MAX ||
      wide.bins > INT16_MAX)
    return InvalidInput("an output of {} by {} with {} samples", high.bins, wide.bins, ratio);
  const auto fixed = [](int64_t size) { return Symbols::IsSymbol(size) ? 1 : size; };
  if (!FoldableCount({fixed(count), high.bins * ratio, wide.bins * ratio}) ||
      !FoldableCount({fixed(dims[0]), dims[2], dims[3]}))
    return Unsupported("{} boxes of {} by {} bins", count, high.bins, wide.bins);
  const double scale = c.Float("spatial_scale", 1), offset = half_pixel ? 0.5 : 0;
  Expansion e(c);
  const auto edge = [&](int64_t i) { return BoxEdge(e, i, scale, offset); };
  const std::vector<Taps> taps = {Spread(e, RoiTaps(e, edge(1), edge(3), half_pixel, high), 2),
                                  Spread(e, RoiTaps(e, edge(0), edge(2), half_pixel, wide), 1)};
  const int64_t elements = dims[2] * dims[3];
  auto first = e.Op("Reshape", {e.In(2), e.Int64s({count, 1, 1})});
  first = e.Op("Mul", {e.Cast(first, ElementType::kInt64), e.Int64(elements)});
  const auto parts = TappedRows(e, RowsOf(e, e.In(0), dims[0], channels, elements), first, taps,
                                {dims[2], dims[3]});
  // The largest is that of the four weighted neighbors, not of their sum.
  const std::string combine = mode == "max" ? "Max" : "Add";
  std::string y = parts.front();
  for (size_t i = 1; i < parts.size(); ++i) y = e.Op(combine, {y, parts[i]});
  const std::string reduce = mode == "max" ? "ReduceMax" : "ReduceMean";
  const auto fold = [&](int64_t inner) {
    if (ratio == 1) return;
    y = e.Op("Reshape", {y, e.Int64s({-1, ratio, inner})});
    y = e.Op(reduce, {y, e.Int64s({1})}, {attribute::Int("keepdims", 0)});
  };
  fold(wide.bins * ratio * channels);
  fold(channels);
  y = e.Op("Reshape", {y, e.Int64s({count, high.bins * wide.bins, channels})});
  y = e.Op("Transpose", {y}, {attribute::Ints("perm", {0, 2, 1})});
  return e.Finish({e.Op("Reshape", {y, e.Int64s({count, channels, high.bins, wide.bins})})});
}

}  // namespace anemone::ops::image_resizing
