// Layers that take parts of their input.
#include <algorithm>

#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"
#include "neural_network/windows.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;

// x[begin:end:stride] along one axis of `x`; the other dimensions are kept.
ir::Value* SliceAxis(LayerContext& c, ir::Value* x, size_t axis, int64_t begin, int64_t end,
                     int64_t stride) {
  if (x == nullptr) return nullptr;
  const size_t rank = x->type.shape().size();
  std::vector<int64_t> begins(rank, 0), ends(rank, 0), strides(rank, 1);
  std::vector<bool> keep(rank, true);
  begins[axis] = begin;
  ends[axis] = end;
  strides[axis] = stride;
  keep[axis] = false;
  return c.Op("slice_by_index", {{"x", x},
                                 {"begin", ir::Ints(begins)},
                                 {"end", ir::Ints(ends)},
                                 {"stride", ir::Ints(strides)},
                                 {"begin_mask", ir::Literal::Bools(keep)},
                                 {"end_mask", ir::Literal::Bools(keep)}});
}

Status CheckIndex(int64_t index, std::string_view what) {
  if (index < INT32_MIN || index > INT32_MAX) return InvalidInput("{} is {}", what, index);
  return {};
}

Status EmitSlice(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const nn::SliceLayerParams& params = c.layer().slice();
  size_t axis = 1;
  switch (params.axis()) {
    case nn::SliceLayerParams::CHANNEL_AXIS:
      break;
    case nn::SliceLayerParams::HEIGHT_AXIS:
      axis = 2;
      break;
    case nn::SliceLayerParams::WIDTH_AXIS:
      axis = 3;
      break;
    default:
      return InvalidInput("axis {} is unknown", static_cast<int>(params.axis()));
  }
  ANEMONE_ASSIGN(const int64_t stride,
                 CheckedSize(std::max<uint64_t>(params.stride(), 1), "stride"));
  ANEMONE_TRY(CheckIndex(params.startindex(), "startIndex"));
  ANEMONE_TRY(CheckIndex(params.endindex(), "endIndex"));
  return c.SetNchw(0, SliceAxis(c, c.Nchw(0), axis, params.startindex(), params.endindex(), stride),
                   0);
}

// The size of height and width after cropping is stated, or that of a second input.
Status EmitCrop(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 2));
  ANEMONE_TRY(c.CheckRank(0, 3));
  const nn::CropLayerParams& params = c.layer().crop();
  ir::Value* x = c.Nchw(0);
  if (c.InputCount() == 1) {
    ANEMONE_ASSIGN(const auto border, ReadBorder(params.cropamounts()));
    return c.SetNchw(0,
                     c.Op("crop", {{"x", x},
                                   {"crop_height", ir::Ints({border[0], border[1]})},
                                   {"crop_width", ir::Ints({border[2], border[3]})}}),
                     0);
  }
  ANEMONE_TRY(c.CheckRank(1, 3));
  ANEMONE_ASSIGN(auto offset, CheckedSizes(params.offset(), "offset", 0));
  if (offset.empty()) offset = {0, 0};
  if (offset.size() != 2) return InvalidInput("offset has {} values, not 2", offset.size());
  for (size_t d = 0; d < 2; ++d) {
    const int64_t size = c.Dims(1).end()[static_cast<std::ptrdiff_t>(d) - 2];
    const int64_t whole = c.Dims(0).end()[static_cast<std::ptrdiff_t>(d) - 2];
    if (size == ir::kDynamic || whole == ir::kDynamic) {
      return Unsupported("cropping to the unknown size of another input");
    }
    if (offset[d] + size > whole) {
      return InvalidInput("{} elements from {} on of {}", size, offset[d], whole);
    }
    x = SliceAxis(c, x, d + 2, offset[d], offset[d] + size, 1);
  }
  return c.SetNchw(0, x, 0);
}

Status EmitSplit(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1, c.OutputCount()));
  ANEMONE_TRY(c.CheckRank(0, 3));
  if (c.layer().split().noutputs() != c.OutputCount()) {
    return InvalidInput("nOutputs is {}, but it has {} outputs", c.layer().split().noutputs(),
                        c.OutputCount());
  }
  const auto parts = c.MultiOp("split", {{"x", c.Nchw(0)},
                                         {"num_splits", Int(static_cast<int64_t>(c.OutputCount()))},
                                         {"axis", Int(1)}});
  ANEMONE_TRY(c.status());
  for (size_t i = 0; i < parts.size(); ++i) ANEMONE_TRY(c.SetNchw(i, parts[i], 0));
  return {};
}

Status EmitSplitNd(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1, c.OutputCount()));
  const nn::SplitNDLayerParams& params = c.layer().splitnd();
  ANEMONE_ASSIGN(const int64_t axis, c.Axis(0, params.axis()));
  ANEMONE_ASSIGN(auto sizes, CheckedSizes(params.splitsizes(), "splitSizes"));
  const size_t count = sizes.empty() ? static_cast<size_t>(params.numsplits()) : sizes.size();
  if (count == 0 || count != c.OutputCount()) {
    return InvalidInput("it splits into {} parts, but has {} outputs", count, c.OutputCount());
  }
  const int64_t dim = c.Dims(0)[static_cast<size_t>(axis)];
  const auto parts_count = static_cast<int64_t>(count);
  if (sizes.empty() && dim != ir::kDynamic && dim % parts_count != 0) {
    // The first parts get one element more.
    for (int64_t i = 0; i < parts_count; ++i) {
      sizes.push_back(dim / parts_count + (i < dim % parts_count ? 1 : 0));
    }
  }
  Args args = {{"x", c.Raw(0)}, {"axis", Int(axis)}};
  if (sizes.empty()) {
    args.push_back({"num_splits", Int(parts_count)});
  } else {
    args.push_back({"split_sizes", ir::Ints(sizes)});
  }
  const auto parts = c.MultiOp("split", std::move(args));
  ANEMONE_TRY(c.status());
  for (size_t i = 0; i < parts.size(); ++i) ANEMONE_TRY(c.Set(i, parts[i]));
  return {};
}

// `given` for each dimension, false where it is missing.
std::vector<bool> Masks(const google::protobuf::RepeatedField<bool>& given, size_t rank) {
  std::vector<bool> masks(given.begin(), given.end());
  masks.resize(rank, false);
  return masks;
}

Status EmitSliceStatic(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  ANEMONE_TRY(c.CheckRank(0, 1));
  const nn::SliceStaticLayerParams& params = c.layer().slicestatic();
  const auto rank = static_cast<size_t>(c.Rank(0));
  std::vector<int64_t> begin(params.beginids().begin(), params.beginids().end());
  std::vector<int64_t> end(params.endids().begin(), params.endids().end());
  std::vector<int64_t> stride(params.strides().begin(), params.strides().end());
  if (begin.size() != rank || end.size() != rank || stride.size() != rank) {
    return InvalidInput("{} begins, {} ends and {} strides for rank {}", begin.size(), end.size(),
                        stride.size(), rank);
  }
  for (size_t d = 0; d < rank; ++d) {
    ANEMONE_TRY(CheckIndex(begin[d], "a begin"));
    // Ends beyond any tensor say "to the end".
    end[d] = std::clamp<int64_t>(end[d], INT32_MIN, INT32_MAX);
    ANEMONE_TRY(CheckIndex(stride[d], "a stride"));
    if (stride[d] == 0) return InvalidInput("a stride is 0");
  }
  return c.Set(0, c.Op("slice_by_index",
                       {{"x", c.Raw(0)},
                        {"begin", ir::Ints(begin)},
                        {"end", ir::Ints(end)},
                        {"stride", ir::Ints(stride)},
                        {"begin_mask", ir::Literal::Bools(Masks(params.beginmasks(), rank))},
                        {"end_mask", ir::Literal::Bools(Masks(params.endmasks(), rank))},
                        {"squeeze_mask", ir::Literal::Bools(Masks(params.squeezemasks(), rank))}}));
}

// ---- sliceDynamic

// Element `d` of a vector, as a scalar int32.
ir::Value* Element(LayerContext& c, ir::Value* vector, int64_t d) {
  return c.Op("slice_by_index", {{"x", vector},
                                 {"begin", ir::Ints({d})},
                                 {"end", ir::Ints({d + 1})},
                                 {"squeeze_mask", ir::Literal::Bools({true})}});
}

ir::Value* Scalar(LayerContext& c, int64_t value) {
  return c.Constant(ir::Literal::Int32(static_cast<int32_t>(value)), "index");
}

ir::Value* Select(LayerContext& c, ir::Value* condition, ir::Value* yes, ir::Value* no) {
  return c.Op("select", {{"cond", condition}, {"a", yes}, {"b", no}});
}

// The vectors of a slice that the run time gives.
struct Ranges {
  ir::Value *begin, *end, *stride, *begin_mask, *end_mask;
};

// The indices begin:end:stride of one dimension, as NumPy counts them.
ir::Value* Indices(LayerContext& c, const Ranges& ranges, ir::Value* shape, int64_t d) {
  ir::Value *zero = Scalar(c, 0), *one = Scalar(c, 1);
  ir::Value* size = Element(c, shape, d);
  ir::Value* last = c.Binary("sub", size, one);
  ir::Value* stride = Element(c, ranges.stride, d);
  ir::Value* forward = c.Binary("greater", stride, zero);
  // Where an index may lie: from 0 to size forward, from -1 to size - 1 backward.
  ir::Value* low = Select(c, forward, zero, Scalar(c, -1));
  ir::Value* high = Select(c, forward, size, last);
  const auto place = [&](ir::Value* vector, ir::Value* mask, ir::Value* whole) {
    ir::Value* at = Element(c, vector, d);
    at = Select(c, c.Binary("less", at, zero), c.Binary("add", at, size), at);
    at = c.Binary("minimum", c.Binary("maximum", at, low), high);
    return Select(c, c.Binary("not_equal", Element(c, mask, d), zero), whole, at);
  };
  ir::Value* begin = place(ranges.begin, ranges.begin_mask, Select(c, forward, zero, last));
  ir::Value* end = place(ranges.end, ranges.end_mask, Select(c, forward, size, Scalar(c, -1)));
  return c.Op("range_1d", {{"end", end}, {"start", begin}, {"step", stride}});
}

ir::Value* IntVector(LayerContext& c, const std::vector<int64_t>& values) {
  return c.Constant(ir::Literal::Int32s(values), "values");
}

Status EmitSliceDynamic(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, 7));
  ANEMONE_TRY(c.CheckRank(0, 1));
  const nn::SliceDynamicLayerParams& params = c.layer().slicedynamic();
  const auto rank = static_cast<size_t>(c.Rank(0));
  const auto param = [&](const auto& given, int64_t fallback) {
    std::vector<int64_t> values(given.begin(), given.end());
    values.resize(rank, fallback);
    return values;
  };
  // Each of these is an input, or else a parameter: ends, strides, the masks.
  const auto known = [&](size_t input, std::vector<int64_t> fallback) {
    return input < c.InputCount() ? c.KnownInts(input) : std::optional(std::move(fallback));
  };
  const auto ends = known(2, param(params.endids(), 1));
  const auto strides = known(3, param(params.strides(), 1));
  const auto begin_masks = known(4, param(params.beginmasks(), 0));
  const auto end_masks = known(5, param(params.endmasks(), 0));
  const auto squeeze = known(6, param(params.squeezemasks(), 0));
  if (!squeeze) return Unsupported("squeeze masks that only the run time knows");
  for (const auto* values : {&ends, &strides, &begin_masks, &end_masks, &squeeze}) {
    if (*values && (*values)->size() != rank) {
      return InvalidInput("{} values for rank {}", (*values)->size(), rank);
    }
  }
  const auto bools = [](const std::vector<int64_t>& values) {
    std::vector<bool> masks;
    for (const int64_t value : values) masks.push_back(value != 0);
    return ir::Literal::Bools(masks);
  };
  if (strides && begin_masks && end_masks) {
    const auto begins = c.KnownInts(1);
    ir::Value* begin = begins ? IntVector(c, *begins) : c.Int(1);
    ir::Value* end = ends ? IntVector(c, *ends) : c.Int(2);
    return c.Set(0, c.Op("slice_by_index", {{"x", c.Raw(0)},
                                            {"begin", begin},
                                            {"end", end},
                                            {"stride", ir::Ints(*strides)},
                                            {"begin_mask", bools(*begin_masks)},
                                            {"end_mask", bools(*end_masks)},
                                            {"squeeze_mask", bools(*squeeze)}}));
  }
  // Strides and masks of the run time: the indices are computed and gathered.
  const auto vector = [&](size_t input, const std::optional<std::vector<int64_t>>& values) {
    return values ? IntVector(c, *values) : c.Int(input);
  };
  const Ranges ranges{c.Int(1), vector(2, ends), vector(3, strides), vector(4, begin_masks),
                      vector(5, end_masks)};
  ir::Value* x = c.IsInt(0) ? c.Int(0) : c.Value(0);
  ir::Value* shape = c.Op("shape", {{"x", x}});
  std::vector<int64_t> squeezed;
  for (size_t d = 0; d < rank; ++d) {
    const auto axis = static_cast<int64_t>(d);
    x = c.Op("gather",
             {{"x", x}, {"indices", Indices(c, ranges, shape, axis)}, {"axis", Int(axis)}});
    if ((*squeeze)[d] != 0) squeezed.push_back(axis);
  }
  if (!squeezed.empty()) x = c.Op("squeeze", {{"x", x}, {"axes", ir::Ints(squeezed)}});
  return c.Set(0, x);
}

Status EmitSliceBySize(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(2, 2));
  const nn::SliceBySizeLayerParams& params = c.layer().slicebysize();
  ANEMONE_ASSIGN(const int64_t axis, c.Axis(0, params.axis()));
  ANEMONE_ASSIGN(const int64_t size, CheckedSize(static_cast<uint64_t>(params.size()), "size"));
  const auto rank = static_cast<size_t>(c.Rank(0));
  std::vector<int64_t> sizes(rank, -1);
  sizes[static_cast<size_t>(axis)] = size;
  // The begin of the axis stands among zeros for the other dimensions.
  std::vector<ir::Value*> begins(rank, nullptr);
  for (size_t d = 0; d < rank; ++d) {
    begins[d] = static_cast<int64_t>(d) == axis ? c.View(c.Int(1), {1}) : IntVector(c, {0});
  }
  ir::Value* begin = c.Op("concat", {{"values", std::move(begins)}, {"axis", Int(0)}});
  return c.Set(
      0, c.Op("slice_by_size", {{"x", c.Raw(0)}, {"begin", begin}, {"size", ir::Ints(sizes)}}));
}

Status EmitSlidingWindows(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1));
  const nn::SlidingWindowsLayerParams& params = c.layer().slidingwindows();
  ANEMONE_ASSIGN(const int64_t axis, c.Axis(0, params.axis()));
  ANEMONE_ASSIGN(const int64_t size, CheckedSize(params.windowsize(), "windowSize"));
  ANEMONE_ASSIGN(const int64_t step, CheckedSize(params.step(), "step"));
  return c.Set(
      0,
      c.Op("sliding_windows",
           {{"x", c.Value(0)}, {"axis", Int(axis)}, {"size", Int(size)}, {"stride", Int(step)}}));
}

constexpr LayerRow kSlicingRows[] = {
    {Layer::kSlice, "slice", EmitSlice, "slice_by_index"},
    {Layer::kCrop, "crop", EmitCrop, "crop, slice_by_index"},
    {Layer::kSplit, "split", EmitSplit, "split"},
    {Layer::kSplitND, "splitND", EmitSplitNd, "split"},
    {Layer::kSliceStatic, "sliceStatic", EmitSliceStatic, "slice_by_index"},
    {Layer::kSliceDynamic, "sliceDynamic", EmitSliceDynamic, "slice_by_index; range_1d, gather",
     "squeeze masks that only the run time knows"},
    {Layer::kSliceBySize, "sliceBySize", EmitSliceBySize, "concat, slice_by_size"},
    {Layer::kSlidingWindows, "slidingWindows", EmitSlidingWindows, "sliding_windows"},
};

}  // namespace

std::span<const LayerRow> SlicingLayers() { return kSlicingRows; }

}  // namespace anemone::neural_network
