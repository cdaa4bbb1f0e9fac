#include "ops/pool/indices_onnx.h"

#include <algorithm>
#include <limits>
#include <string>

#include "onnx/expansion.h"
#include "onnx/fold.h"
#include "onnx/interpolation.h"

namespace anemone::ops::pool {
namespace {

using namespace onnx;             // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

struct Gathered {
  ir::Shape image, steps;  // the spatial dimensions of the input and of the output
  int64_t pixels = 1, places = 1, taps = 1;
};

Result<Gathered> Sizes(const NodeContext& c, const Windows& w) {
  Gathered g;
  const FixedDims dims = c.Dims(0);
  for (size_t i = 0; i < w.count(); ++i) {
    const int64_t size = dims[i + 2], free = size + w.begin[i] + w.end[i] - w.Extent(i);
    if (free < 0) return InvalidInput("a window of {} does not fit its input", w.Extent(i));
    g.image.push_back(size);
    g.steps.push_back(free / w.strides[i] + 1);
  }
  if (!FoldableCount(g.image) || !FoldableCount(g.steps) || !FoldableCount(w.kernel))
    return Unsupported("windows over {}", ir::ShapeToString(g.image));
  for (size_t i = 0; i < w.count(); ++i) {
    g.pixels *= g.image[i];
    g.places *= g.steps[i];
    g.taps *= w.kernel[i];
  }
  if (!FoldableCount({g.places, g.taps})) return Unsupported("{} windows of {}", g.places, g.taps);
  return g;
}

// The pixel that each tap of each window reads, in [places, taps]; -1 in the padding. With `columns`
// the pixels are counted column by column.
std::vector<int64_t> Pixels(const Windows& w, const Gathered& g, bool columns) {
  std::vector<int64_t> pixels;
  for (int64_t place = 0; place < g.places; ++place) {
    for (int64_t tap = 0; tap < g.taps; ++tap) {
      int64_t rest_place = place, rest_tap = tap, pixel = 0;
      std::vector<int64_t> at(w.count());
      bool inside = true;
      for (size_t d = w.count(); d-- > 0;) {
        at[d] = rest_place % g.steps[d] * w.strides[d] + rest_tap % w.kernel[d] * w.dilations[d] -
                w.begin[d];
        inside = inside && at[d] >= 0 && at[d] < g.image[d];
        rest_place /= g.steps[d];
        rest_tap /= w.kernel[d];
      }
      for (size_t i = 0; i < w.count(); ++i) {
        const size_t d = columns ? w.count() - 1 - i : i;
        pixel = pixel * g.image[d] + at[d];
      }
      pixels.push_back(inside ? pixel : -1);
    }
  }
  return pixels;
}

}  // namespace

Status EmitMaxPoolWithIndices(NodeContext& c, const Windows& w) {
  ANEMONE_ASSIGN(const Gathered g, Sizes(c, w));
  // The batch and the channels may be open.
  const ir::Shape& dims = c.Sizes(0);
  const int64_t planes = c.MulSizes(dims[0], dims[1]);
  if (!Symbols::IsSymbol(planes) && planes > INT32_MAX / g.pixels)
    return Unsupported("positions in {} elements, which are no int32", ir::ShapeToString(dims));
  Expansion e(c);
  // One more pixel, for what lies outside.
  auto x = e.Op("Reshape", {e.Cast(e.In(0), ElementType::kFloat), e.Int64s({planes, g.pixels})});
  x = e.Op("Pad", {x, e.Int64s({0, 0, 0, 1}), e.Number(-std::numeric_limits<float>::infinity())});
  std::vector<int64_t> from = Pixels(w, g, false);
  std::vector<int64_t> names = c.Int("storage_order", 0) != 0 ? Pixels(w, g, true) : from;
  for (int64_t& pixel : from) pixel = pixel < 0 ? g.pixels : pixel;
  for (int64_t& pixel : names) pixel = std::max<int64_t>(pixel, 0);
  x = e.Op("Gather", {x, e.Int64s(std::move(from), {g.places, g.taps})}, {Int("axis", 1)});
  const auto y = e.Op("ReduceMax", {x, e.Int64s({2})}, {Int("keepdims", 0)});
  // Of equal elements, the first.
  auto tap = e.Op("ArgMax", {x}, {Int("axis", 2), Int("keepdims", 0)});
  std::vector<int64_t> first(static_cast<size_t>(g.places));
  for (size_t i = 0; i < first.size(); ++i) first[i] = static_cast<int64_t>(i) * g.taps;
  tap = e.Op("Add", {tap, e.Int64s(std::move(first), {1, g.places})});
  const auto pixel = e.Op("Gather", {e.Int64s(std::move(names)), tap}, {Int("axis", 0)});
  const auto position = e.Op("Add", {pixel, FirstRows(e, planes, g.pixels)});
  ir::Shape out = {dims[0], dims[1]};
  out.insert(out.end(), g.steps.begin(), g.steps.end());
  auto values = e.Op("Reshape", {y, e.Int64s(out)});
  if (!c.IsFloat(0)) {
    const auto type = c.Type(0) == DType::kInt8 ? ElementType::kInt8 : ElementType::kUint8;
    values = e.Cast(values, type);
  }
  return e.Finish({values, e.Op("Reshape", {position, e.Int64s(out)})});
}

}  // namespace anemone::ops::pool
