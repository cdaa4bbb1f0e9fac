#include "ops/conv/deform_onnx.h"

#include <string>
#include <vector>

#include "onnx/fold.h"
#include "onnx/interpolation.h"
#include "onnx/windows.h"

namespace anemone::ops::conv {
namespace {

using namespace onnx;             // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

struct Deformed {
  Windows windows;
  int64_t batch = 0, channels = 0, outputs = 0, groups = 1, offset_groups = 1;
  ir::Shape image, out;  // height and width
  int64_t taps() const { return windows.kernel[0] * windows.kernel[1]; }
  int64_t places() const { return out[0] * out[1]; }
};

Result<Deformed> ReadDeformed(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(3));
  // The batch may be open; the windows need numbers behind it.
  ir::Shape dims = c.Sizes(0), offset = c.Sizes(2);
  for (size_t d = 1; d < dims.size(); ++d) dims[d] = c.Dims(0)[d];
  for (size_t d = 1; d < offset.size(); ++d) offset[d] = c.Dims(2)[d];
  const ir::Shape& weight = c.Dims(1);
  if (dims.size() != 4 || weight.size() != 4)
    return Unsupported("a deformable convolution of rank {}", dims.size())
        .Advise("use pictures, of rank 4");
  Deformed d;
  ANEMONE_ASSIGN(d.windows, ReadWindows(c, {weight[2], weight[3]}));
  d.batch = dims[0];
  d.channels = dims[1];
  d.outputs = weight[0];
  d.groups = c.Int("group", 1);
  d.offset_groups = c.Int("offset_group", 1);
  d.image = {dims[2], dims[3]};
  for (size_t i = 0; i < 2; ++i) {
    const int64_t free = d.image[i] + d.windows.begin[i] + d.windows.end[i] - d.windows.Extent(i);
    if (free < 0) return InvalidInput("a window of {} does not fit its input", d.windows.Extent(i));
    d.out.push_back(free / d.windows.strides[i] + 1);
  }
  if (d.groups < 1 || d.offset_groups < 1 || d.channels % d.groups != 0 ||
      d.channels % d.offset_groups != 0 || d.outputs % d.groups != 0 ||
      weight[1] != d.channels / d.groups)
    return InvalidInput("{} groups, {} groups of offsets, {} channels and a weight of {}", d.groups,
                        d.offset_groups, d.channels, ir::ShapeToString(weight));
  const int64_t known_batch = Symbols::IsSymbol(d.batch) ? 1 : d.batch;
  if (!FoldableCount({d.taps(), d.places()}) || !FoldableCount({known_batch, d.offset_groups}))
    return Unsupported("{} windows of {} elements", d.places(), d.taps());
  const ir::Shape wanted = {d.batch, d.offset_groups * d.taps() * 2, d.out[0], d.out[1]};
  if (offset != wanted)
    return InvalidInput("offsets of {}, wanted {}", c.symbols().Text(offset),
                        c.symbols().Text(wanted));
  if (c.Has(4) && c.Sizes(4) != ir::Shape{wanted[0], wanted[1] / 2, wanted[2], wanted[3]})
    return InvalidInput("a mask of {}", c.symbols().Text(c.Sizes(4)));
  return d;
}

// Where the windows would read along dimension `i`, were there no offsets: [1, taps * places].
std::string Regular(Expansion& e, const Deformed& d, size_t i) {
  std::vector<float> at;
  for (int64_t tap = 0; tap < d.taps(); ++tap) {
    const int64_t k = i == 0 ? tap / d.windows.kernel[1] : tap % d.windows.kernel[1];
    for (int64_t place = 0; place < d.places(); ++place) {
      const int64_t step = i == 0 ? place / d.out[1] : place % d.out[1];
      at.push_back(static_cast<float>(step * d.windows.strides[i] + k * d.windows.dilations[i] -
                                      d.windows.begin[i]));
    }
  }
  return e.Known(onnx::Constant::Floats(std::move(at), {1, d.taps() * d.places()}));
}

}  // namespace

Status EmitDeformConv(NodeContext& c) {
  ANEMONE_ASSIGN(const Deformed d, ReadDeformed(c));
  Expansion e(c);
  // Each group of offsets is read as an image of its own.
  const int64_t images = c.MulSizes(d.batch, d.offset_groups), depth = d.channels / d.offset_groups;
  const auto offsets = e.Op("Reshape", {e.In(2), e.Int64s({images, d.taps(), 2, d.places()})});
  std::vector<Taps> taps;
  for (size_t i = 0; i < 2; ++i) {
    auto at = e.Op("Gather", {offsets, e.Int64(static_cast<int64_t>(i))}, {Int("axis", 2)});
    at = e.Op("Reshape", {at, e.Int64s({images, d.taps() * d.places()})});
    at = e.Op("Add", {at, Regular(e, d, i)});
    taps.push_back(LinearTaps(e, at, d.image[i], {Outside::kZeros}));
  }
  const int64_t elements = d.image[0] * d.image[1];
  auto x = SampleRows(e, RowsOf(e, e.In(0), images, depth, elements),
                      FirstRows(e, images, elements), taps, d.image);
  if (e.Has(4))
    x = e.Op("Mul", {x, e.Op("Reshape", {e.In(4), e.Int64s({images, d.taps() * d.places(), 1})})});
  // [images, taps * places, depth] as the columns of a product, for each group.
  x = e.Op("Transpose", {x}, {Ints("perm", {0, 2, 1})});
  const int64_t inner = d.channels / d.groups * d.taps();
  x = e.Op("Reshape", {x, e.Int64s({d.batch, d.groups, inner, d.places()})});
  const auto weight =
      e.Op("Reshape", {e.In(1), e.Int64s({1, d.groups, d.outputs / d.groups, inner})});
  auto y = e.Op("MatMul", {weight, x});
  y = e.Op("Reshape", {y, e.Int64s({d.batch, d.outputs, d.out[0], d.out[1]})});
  if (e.Has(3)) y = e.Op("Add", {y, e.Op("Reshape", {e.In(3), e.Int64s({d.outputs, 1, 1})})});
  return e.Finish({y});
}

}  // namespace anemone::ops::conv
