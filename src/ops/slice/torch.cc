// PyTorch: slices, single indices along an axis, and pieces.
#include <algorithm>
#include <limits>

#include "torch/context.h"
#include "torch/converter.h"

namespace anemone::ops::slice {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();

// An argument of one integer as an int64 vector of one element.
std::string Bound(Context& c, std::string_view name, int64_t fallback) {
  const Argument* argument = c.Find(name);
  if (argument == nullptr) return c.Int64s({fallback});
  return c.IntVector(argument->ints);
}

Status EmitSlice(Context& c) {
  const int64_t rank = c.Rank("self");
  const int64_t axis = c.Axis("dim", 0, rank);
  const std::string x = c.Need("self");
  return c.Set(0, c.Op("Slice", {x, Bound(c, "start", 0), Bound(c, "end", kEnd), c.Int64s({axis}),
                                 Bound(c, "step", 1)}));
}

Status EmitNarrow(Context& c) {
  const int64_t axis = c.Axis("dim", 0, c.Rank("self"));
  const std::string x = c.Need("self");
  const auto start = c.KnownInts("start"), length = c.KnownInts("length");
  if (start && length && !start->empty() && !length->empty() && start->front() >= 0) {
    return c.Set(0, c.Slice(x, axis, start->front(), start->front() + length->front()));
  }
  const std::string begin = Bound(c, "start", 0);
  const std::string end = c.Op("Add", {begin, Bound(c, "length", 0)});
  return c.Set(0, c.Op("Slice", {x, begin, end, c.Int64s({axis})}));
}

Status EmitSelect(Context& c) {
  const int64_t axis = c.Axis("dim", 0, c.Rank("self"));
  const Argument* index = c.Find("index");
  if (index == nullptr || index->ints.empty()) return InvalidInput("it has no index");
  const std::string at = c.IntValue(index->ints[0]);
  return c.Set(0, c.Op("Gather", {c.Need("self"), at}, {Int("axis", axis)}));
}

Status Pieces(Context& c, int64_t axis, const std::vector<int64_t>& sizes) {
  const std::string x = c.Need("self");
  if (sizes.size() == 1) return c.Set(0, x);
  const Values parts = c.Ops("Split", {x, c.Int64s(sizes)}, sizes.size(), {Int("axis", axis)});
  for (size_t i = 0; i < parts.size(); ++i) ANEMONE_TRY(c.Set(i, parts[i]));
  return {};
}

Status EmitSplitSizes(Context& c) {
  const int64_t axis = c.Axis("dim", 0, c.Rank("self"));
  return Pieces(c, axis, c.Has("split_sizes") ? c.Ints("split_sizes") : c.Ints("split_size"));
}

Status EmitSplit(Context& c) {
  const int64_t axis = c.Axis("dim", 0, c.Rank("self"));
  const int64_t size = c.FixedDim("self", axis), piece = c.Int("split_size", 1);
  if (piece < 1) return InvalidInput("it splits into pieces of {}", piece);
  std::vector<int64_t> sizes;
  for (int64_t at = 0; at < size; at += piece) sizes.push_back(std::min(piece, size - at));
  return Pieces(c, axis, sizes);
}

Status EmitChunk(Context& c) {
  const int64_t axis = c.Axis("dim", 0, c.Rank("self"));
  const int64_t size = c.FixedDim("self", axis), count = c.Int("chunks", 1);
  if (count < 1) return InvalidInput("it splits into {} chunks", count);
  const int64_t piece = std::max<int64_t>((size + count - 1) / count, 1);
  std::vector<int64_t> sizes;
  for (int64_t at = 0; at < size; at += piece) sizes.push_back(std::min(piece, size - at));
  return Pieces(c, axis, sizes);
}

// The sizes that the outputs have.
Status EmitPiecesOfOutputs(Context& c) {
  const int64_t axis = c.Axis("dim", 0, c.Rank("self"));
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < c.OutputCount(); ++i) {
    const auto dims = c.OutDims(i);
    if (!dims || static_cast<size_t>(axis) >= dims->size())
      return Unsupported("symbolic sizes").Advise("export with fixed sizes");
    sizes.push_back((*dims)[static_cast<size_t>(axis)]);
  }
  return Pieces(c, axis, sizes);
}

Status EmitUnbind(Context& c) {
  const int64_t axis = c.Axis("dim", 0, c.Rank("self"));
  const std::string x = c.Need("self");
  for (size_t i = 0; i < c.OutputCount(); ++i) {
    const std::string at = c.Int64(static_cast<int64_t>(i));
    ANEMONE_TRY(c.Set(i, c.Op("Gather", {x, at}, {Int("axis", axis)})));
  }
  return {};
}

// The elements of `self` with those of `src` in the place of what slice or select would take.
Status EmitSliceScatter(Context& c) {
  const int64_t rank = c.Rank("self");
  const int64_t axis = c.Axis("dim", 0, rank);
  const std::string x = c.Need("self");
  const Category category = c.CategoryOf("self");
  const std::string source = c.Operand("src", category);
  // All of the axis, as x[:] = y writes it: no size is needed.
  const bool whole = c.Int("start", 0) == 0 && c.Int("end", kEnd) >= INT32_MAX;
  if (whole && c.Int("step", 1) == 1) return c.Set(0, c.Op("Identity", {source}));
  const int64_t size = c.FixedDim("self", axis);
  int64_t start = c.Int("start", 0), end = c.Int("end", size);
  const int64_t step = c.Int("step", 1);
  start = std::clamp<int64_t>(start < 0 ? start + size : start, 0, size);
  end = std::clamp<int64_t>(end < 0 ? end + size : end, start, size);
  if (step < 1) return InvalidInput("its step is {}", step);
  if (start == end) return c.Set(0, c.Op("Identity", {x}));
  if (start == 0 && end == size && step == 1) return c.Set(0, c.Op("Identity", {source}));
  if (step == 1) {
    Values parts;
    if (start > 0) parts.push_back(c.Slice(x, axis, 0, start));
    parts.push_back(source);
    if (end < size) parts.push_back(c.Slice(x, axis, end, size));
    return c.Set(0, c.Op("Concat", parts, {Int("axis", axis)}));
  }
  // With a step: gather from both, one after the other, in the order of the result.
  std::vector<int64_t> order;
  for (int64_t i = 0; i < size; ++i) {
    const bool taken = i >= start && i < end && (i - start) % step == 0;
    order.push_back(taken ? size + (i - start) / step : i);
  }
  const std::string both = c.Op("Concat", {x, source}, {Int("axis", axis)});
  return c.Set(0, c.Op("Gather", {both, c.Int64s(order)}, {Int("axis", axis)}));
}

Status EmitSelectScatter(Context& c) {
  const int64_t axis = c.Axis("dim", 0, c.Rank("self"));
  const std::string x = c.Need("self");
  const std::string source = c.Unsqueeze(c.Operand("src", c.CategoryOf("self")), {axis});
  const int64_t size = c.FixedDim("self", axis);
  int64_t at = c.Int("index", 0);
  if (at < 0) at += size;
  if (at < 0 || at >= size) return InvalidInput("its index {} is beyond {}", at, size);
  Values parts;
  if (at > 0) parts.push_back(c.Slice(x, axis, 0, at));
  parts.push_back(source);
  if (at + 1 < size) parts.push_back(c.Slice(x, axis, at + 1, size));
  if (parts.size() == 1) return c.Set(0, source);
  return c.Set(0, c.Op("Concat", parts, {Int("axis", axis)}));
}

constexpr Converter kConverters[] = {
    {.target = "aten.slice.Tensor", .emit = EmitSlice},
    {.target = "aten.slice_copy.Tensor", .emit = EmitSlice},
    {.target = "aten.narrow.default", .emit = EmitNarrow},
    {.target = "aten.narrow_copy.default", .emit = EmitNarrow},
    {.target = "aten.select.int", .emit = EmitSelect},
    {.target = "aten.select_copy.int", .emit = EmitSelect},
    {.target = "aten.split.Tensor", .emit = EmitSplit},
    {.target = "aten.split_copy.Tensor", .emit = EmitSplit},
    {.target = "aten.split.sizes", .emit = EmitSplitSizes},
    {.target = "aten.split_with_sizes.default", .emit = EmitSplitSizes},
    {.target = "aten.split_with_sizes_copy.default", .emit = EmitSplitSizes},
    {.target = "aten.chunk.default", .emit = EmitChunk},
    {.target = "aten.unbind.int", .emit = EmitUnbind},
    {.target = "aten.unbind_copy.int", .emit = EmitUnbind},
    {.target = "aten.unsafe_chunk.default", .emit = EmitChunk},
    {.target = "aten.unsafe_split.Tensor", .emit = EmitSplit},
    {.target = "aten.unsafe_split_with_sizes.default", .emit = EmitSplitSizes},
    {.target = "aten.tensor_split.sections", .emit = EmitPiecesOfOutputs},
    {.target = "aten.tensor_split.indices", .emit = EmitPiecesOfOutputs},
    {.target = "aten.slice_scatter.default", .emit = EmitSliceScatter},
    {.target = "aten.select_scatter.default", .emit = EmitSelectScatter},
};

}  // namespace

std::span<const Converter> TorchConverters() { return kConverters; }

}  // namespace anemone::ops::slice
