// PyTorch: other dims for the same elements, and other orders of them.
#include <algorithm>
#include <numeric>

#include "torch/context.h"
#include "torch/converter.h"

namespace anemone::ops::transformation {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

// To the sizes of the output where they are numbers, else to those that the argument computes.
Status Reshaped(Context& c, std::string_view argument) {
  const std::string x = c.Need("self");
  if (const auto dims = c.OutDims()) return c.Set(0, c.Reshape(x, *dims));
  const Argument* sizes = c.Find(argument);
  if (sizes == nullptr) return InvalidInput("its argument '{}' is missing", argument);
  return c.Set(0, c.Op("Reshape", {x, c.IntVector(sizes->ints)}));
}

Status EmitView(Context& c) {
  if (c.Has("dtype")) return Unsupported("a view of the same bytes as another dtype");
  return Reshaped(c, c.Has("shape") ? "shape" : "size");
}

Status EmitViewAs(Context& c) {
  return c.Set(0, c.Op("Reshape", {c.Need("self"), c.ShapeOf("other")}));
}

// Dimensions [start, end] become one.
Status EmitFlatten(Context& c) {
  const int64_t rank = c.Rank("self");
  const std::string x = c.Need("self");
  if (rank == 0) return c.Set(0, c.Reshape(x, {1}));
  const int64_t start = c.Axis("start_dim", 0, rank), end = c.Axis("end_dim", -1, rank);
  if (start == end) return c.Set(0, c.Op("Identity", {x}));
  if (const auto dims = c.OutDims()) return c.Set(0, c.Reshape(x, *dims));
  Values parts;
  if (start > 0) parts.push_back(c.Op("Shape", {x}, {Int("start", 0), Int("end", start)}));
  parts.push_back(c.Int64s({-1}));
  if (end + 1 < rank) parts.push_back(c.Op("Shape", {x}, {Int("start", end + 1)}));
  const std::string shape = parts.size() == 1 ? parts[0] : c.Op("Concat", parts, {Int("axis", 0)});
  return c.Set(0, c.Op("Reshape", {x, shape}));
}

Status EmitUnflatten(Context& c) {
  const int64_t rank = c.Rank("self");
  const int64_t axis = c.Axis("dim", 0, rank);
  const std::string x = c.Need("self");
  if (const auto dims = c.OutDims()) return c.Set(0, c.Reshape(x, *dims));
  Values parts;
  if (axis > 0) parts.push_back(c.Op("Shape", {x}, {Int("start", 0), Int("end", axis)}));
  const Argument* sizes = c.Find("sizes");
  if (sizes == nullptr) return InvalidInput("it has no sizes");
  parts.push_back(c.IntVector(sizes->ints));
  if (axis + 1 < rank) parts.push_back(c.Op("Shape", {x}, {Int("start", axis + 1)}));
  const std::string shape = parts.size() == 1 ? parts[0] : c.Op("Concat", parts, {Int("axis", 0)});
  return c.Set(0, c.Op("Reshape", {x, shape}));
}

Status EmitUnsqueeze(Context& c) {
  const int64_t axis = c.Axis("dim", 0, c.Rank("self") + 1);
  return c.Set(0, c.Unsqueeze(c.Need("self"), {axis}));
}

// Only dimensions of size 1 vanish.
Status EmitSqueeze(Context& c) {
  const int64_t rank = c.Rank("self");
  const std::string x = c.Need("self");
  std::vector<int64_t> axes;
  if (rank > 0) {
    for (const int64_t axis : c.Axes("dim", rank)) {
      if (c.Dim("self", axis) == 1) axes.push_back(axis);
    }
  }
  std::ranges::sort(axes);
  return c.Set(0, axes.empty() ? c.Op("Identity", {x}) : c.Squeeze(x, axes));
}

Status Permuted(Context& c, std::vector<int64_t> perm) {
  const std::string x = c.Need("self");
  if (std::ranges::is_sorted(perm)) return c.Set(0, c.Op("Identity", {x}));
  return c.Set(0, c.Transpose(x, std::move(perm)));
}

Status EmitPermute(Context& c) {
  const int64_t rank = c.Rank("self");
  return Permuted(c, rank == 0 ? std::vector<int64_t>() : c.Axes("dims", rank));
}

std::vector<int64_t> Counted(int64_t rank) {
  std::vector<int64_t> axes(static_cast<size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

Status EmitTranspose(Context& c) {
  const int64_t rank = c.Rank("self");
  std::vector<int64_t> perm = Counted(rank);
  if (rank > 0) {
    const bool other = c.Has("axis0");
    std::swap(perm[static_cast<size_t>(c.Axis(other ? "axis0" : "dim0", 0, rank))],
              perm[static_cast<size_t>(c.Axis(other ? "axis1" : "dim1", 0, rank))]);
  }
  return Permuted(c, perm);
}

Status EmitT(Context& c) {
  std::vector<int64_t> perm = Counted(c.Rank("self"));
  std::ranges::reverse(perm);
  return Permuted(c, perm);
}

Status EmitMatrixTranspose(Context& c) {
  std::vector<int64_t> perm = Counted(c.Rank("self"));
  if (perm.size() >= 2) std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return Permuted(c, perm);
}

Status EmitMoveDim(Context& c) {
  const int64_t rank = c.Rank("self");
  const std::vector<int64_t> from = c.Axes("source", rank), to = c.Axes("destination", rank);
  if (from.size() != to.size())
    return InvalidInput("it moves {} axes to {}", from.size(), to.size());
  std::vector<int64_t> perm(static_cast<size_t>(rank), -1);
  for (size_t i = 0; i < from.size(); ++i) perm[static_cast<size_t>(to[i])] = from[i];
  int64_t next = 0;
  for (int64_t& axis : perm) {
    if (axis >= 0) continue;
    while (std::ranges::find(from, next) != from.end()) ++next;
    axis = next++;
  }
  return Permuted(c, perm);
}

// At least so many dimensions: of size 1, in front for two, around the vector for three.
std::vector<int64_t> AddedAxes(int64_t rank, int64_t least) {
  if (least == 3 && rank == 2) return {2};
  if (least == 3 && rank == 1) return {0, 2};
  std::vector<int64_t> axes;
  for (int64_t d = 0; d < least - rank; ++d) axes.push_back(d);
  return axes;
}

Status AtLeast(Context& c, int64_t least) {
  const int64_t rank = c.Rank("self");
  std::string x = c.Need("self");
  const std::vector<int64_t> axes = AddedAxes(rank, least);
  return c.Set(0, axes.empty() ? c.Op("Identity", {x}) : c.Unsqueeze(x, axes));
}

// The same for each tensor of a list.
Status AtLeastEach(Context& c, int64_t least) {
  const Argument* list = c.Find("tensors");
  if (list == nullptr) return InvalidInput("it has no tensors");
  for (size_t i = 0; i < list->names.size(); ++i) {
    const int64_t rank = c.MetaOf(list->names[i]).rank();
    const std::vector<int64_t> axes = AddedAxes(rank, least);
    const std::string x = c.ValueOf(list->names[i]);
    ANEMONE_TRY(c.Set(i, axes.empty() ? c.Op("Identity", {x}) : c.Unsqueeze(x, axes)));
  }
  return {};
}

Status EmitAtLeast1Each(Context& c) { return AtLeastEach(c, 1); }
Status EmitAtLeast2Each(Context& c) { return AtLeastEach(c, 2); }
Status EmitAtLeast3Each(Context& c) { return AtLeastEach(c, 3); }

Status EmitAtLeast1(Context& c) { return AtLeast(c, 1); }
Status EmitAtLeast2(Context& c) { return AtLeast(c, 2); }
Status EmitAtLeast3(Context& c) { return AtLeast(c, 3); }

Status Flipped(Context& c, int64_t axis) {
  return c.Set(0, c.Op("Slice", {c.Need("self"), c.Int64s({-1}), c.Int64s({INT64_MIN}),
                                 c.Int64s({axis}), c.Int64s({-1})}));
}

Status EmitFlipLeftRight(Context& c) { return Flipped(c, 1); }
Status EmitFlipUpDown(Context& c) { return Flipped(c, 0); }

Status EmitFlip(Context& c) {
  const std::string x = c.Need("self");
  const std::vector<int64_t> axes = c.Ints("dims");
  if (axes.empty()) return c.Set(0, c.Op("Identity", {x}));
  const size_t count = axes.size();
  return c.Set(0, c.Op("Slice", {x, c.Int64s(std::vector<int64_t>(count, -1)),
                                 c.Int64s(std::vector<int64_t>(count, INT64_MIN)), c.Int64s(axes),
                                 c.Int64s(std::vector<int64_t>(count, -1))}));
}

// What leaves at one end comes in at the other: two slices, joined the other way.
Status EmitRoll(Context& c) {
  const int64_t rank = c.Rank("self");
  std::string x = c.Need("self");
  const std::vector<int64_t> shifts = c.Ints("shifts");
  std::vector<int64_t> axes = c.Ints("dims");
  const bool flat = axes.empty();
  if (flat) {
    x = c.Reshape(x, {-1});
    axes = {0};
  }
  if (axes.size() != shifts.size())
    return InvalidInput("{} shifts for {} axes", shifts.size(), axes.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    int64_t size = 1;
    if (flat) {
      for (int64_t d = 0; d < rank; ++d) size *= c.FixedDim("self", d);
    } else {
      size = c.FixedDim("self", axis);
    }
    if (size == 0) continue;
    const int64_t shift = ((shifts[i] % size) + size) % size;
    if (shift == 0) continue;
    const std::string last = c.Slice(x, axis, size - shift, size);
    x = c.Op("Concat", {last, c.Slice(x, axis, 0, size - shift)}, {Int("axis", axis)});
  }
  if (flat) x = c.Op("Reshape", {x, c.ShapeOf("self")});
  return c.Set(0, x == c.Need("self") ? c.Op("Identity", {x}) : x);
}

Status EmitRot90(Context& c) {
  const int64_t rank = c.Rank("self");
  const int64_t turns = ((c.Int("k", 1) % 4) + 4) % 4;
  std::vector<int64_t> axes = c.Ints("dims", {0, 1});
  for (int64_t& axis : axes) axis = axis < 0 ? axis + rank : axis;
  if (axes.size() != 2) return InvalidInput("it turns {} axes", axes.size());
  const auto flip = [&](const std::string& x, const std::vector<int64_t>& along) {
    const size_t count = along.size();
    return c.Op("Slice", {x, c.Int64s(std::vector<int64_t>(count, -1)),
                          c.Int64s(std::vector<int64_t>(count, INT64_MIN)), c.Int64s(along),
                          c.Int64s(std::vector<int64_t>(count, -1))});
  };
  const std::string x = c.Need("self");
  if (turns == 0) return c.Set(0, c.Op("Identity", {x}));
  if (turns == 2) return c.Set(0, flip(x, axes));
  std::vector<int64_t> perm = Counted(rank);
  std::swap(perm[static_cast<size_t>(axes[0])], perm[static_cast<size_t>(axes[1])]);
  if (turns == 1) return c.Set(0, c.Transpose(flip(x, {axes[1]}), perm));
  return c.Set(0, flip(c.Transpose(x, perm), {axes[1]}));
}

// [n, c r^2, h, w] -> [n, c, h r, w r], of any number of leading dimensions.
Status EmitPixelShuffle(Context& c) {
  const int64_t factor = c.Int("upscale_factor", 1);
  std::string x = c.Need("self");
  const int64_t rank = c.Rank("self");
  if (rank == 4)
    return c.Set(0, c.Op("DepthToSpace", {x}, {Int("blocksize", factor), Text("mode", "CRD")}));
  const auto dims = c.OutDims();
  if (!dims || rank < 3) return Unsupported("rank {} with symbolic sizes", rank);
  const int64_t channels = c.FixedDim("self", -3), height = c.FixedDim("self", -2),
                width = c.FixedDim("self", -1);
  x = c.Reshape(x, {-1, channels, height, width});
  x = c.Op("DepthToSpace", {x}, {Int("blocksize", factor), Text("mode", "CRD")});
  return c.Set(0, c.Reshape(x, *dims));
}

Status EmitPixelUnshuffle(Context& c) {
  const int64_t factor = c.Int("downscale_factor", 1);
  const auto dims = c.OutDims();
  if (!dims) return Unsupported("symbolic sizes").Advise("export with fixed sizes");
  const int64_t height = c.FixedDim("self", -2), width = c.FixedDim("self", -1);
  if (factor < 1) return InvalidInput("its factor is {}", factor);
  std::string x = c.Reshape(c.Need("self"), {-1, height / factor, factor, width / factor, factor});
  x = c.Transpose(x, {0, 2, 4, 1, 3});
  return c.Set(0, c.Reshape(x, *dims));
}

Status EmitChannelShuffle(Context& c) {
  const int64_t groups = c.Int("groups", 1), channels = c.FixedDim("self", 1);
  if (groups < 1) return InvalidInput("it has {} groups", groups);
  std::string x = c.Need("self");
  std::vector<int64_t> order;
  for (int64_t i = 0; i < channels; ++i)
    order.push_back((i % groups) * (channels / groups) + i / groups);
  return c.Set(0, c.Op("Gather", {x, c.Int64s(order)}, {Int("axis", 1)}));
}

constexpr Converter kConverters[] = {
    {.target = "aten.view.default", .emit = EmitView},
    {.target = "aten.view_copy.default", .emit = EmitView},
    {.target = "aten._unsafe_view.default", .emit = EmitView},
    {.target = "aten.reshape.default", .emit = EmitView},
    {.target = "aten._reshape_alias.default", .emit = EmitView},
    {.target = "aten.view_as.default", .emit = EmitViewAs},
    {.target = "aten.reshape_as.default", .emit = EmitViewAs},
    {.target = "aten.flatten.using_ints", .emit = EmitFlatten},
    {.target = "aten.ravel.default", .emit = EmitFlatten},
    {.target = "aten.unflatten.int", .emit = EmitUnflatten},
    {.target = "aten.unsqueeze.default", .emit = EmitUnsqueeze},
    {.target = "aten.unsqueeze_copy.default", .emit = EmitUnsqueeze},
    {.target = "aten.squeeze.default", .emit = EmitSqueeze},
    {.target = "aten.squeeze.dim", .emit = EmitSqueeze},
    {.target = "aten.squeeze.dims", .emit = EmitSqueeze},
    {.target = "aten.squeeze_copy.dims", .emit = EmitSqueeze},
    {.target = "aten.permute.default", .emit = EmitPermute},
    {.target = "aten.permute_copy.default", .emit = EmitPermute},
    {.target = "aten.transpose.int", .emit = EmitTranspose},
    {.target = "aten.transpose_copy.int", .emit = EmitTranspose},
    {.target = "aten.swapaxes.default", .emit = EmitTranspose},
    {.target = "aten.swapdims.default", .emit = EmitTranspose},
    {.target = "aten.t.default", .emit = EmitT},
    {.target = "aten.numpy_T.default", .emit = EmitT},
    {.target = "aten.mT.default", .emit = EmitMatrixTranspose},
    {.target = "aten.matrix_H.default", .emit = EmitMatrixTranspose},
    {.target = "aten.adjoint.default", .emit = EmitMatrixTranspose},
    {.target = "aten.movedim.int", .emit = EmitMoveDim},
    {.target = "aten.movedim.intlist", .emit = EmitMoveDim},
    {.target = "aten.moveaxis.int", .emit = EmitMoveDim},
    {.target = "aten.moveaxis.intlist", .emit = EmitMoveDim},
    {.target = "aten.flip.default", .emit = EmitFlip},
    {.target = "aten.fliplr.default", .emit = EmitFlipLeftRight},
    {.target = "aten.flipud.default", .emit = EmitFlipUpDown},
    {.target = "aten.atleast_1d.default", .emit = EmitAtLeast1},
    {.target = "aten.atleast_2d.default", .emit = EmitAtLeast2},
    {.target = "aten.atleast_3d.default", .emit = EmitAtLeast3},
    {.target = "aten.atleast_1d.Sequence", .emit = EmitAtLeast1Each},
    {.target = "aten.atleast_2d.Sequence", .emit = EmitAtLeast2Each},
    {.target = "aten.atleast_3d.Sequence", .emit = EmitAtLeast3Each},
    {.target = "aten.roll.default", .emit = EmitRoll},
    {.target = "aten.rot90.default", .emit = EmitRot90},
    {.target = "aten.pixel_shuffle.default", .emit = EmitPixelShuffle},
    {.target = "aten.pixel_unshuffle.default", .emit = EmitPixelUnshuffle},
    {.target = "aten.channel_shuffle.default", .emit = EmitChannelShuffle},
    {.target = "aten.native_channel_shuffle.default", .emit = EmitChannelShuffle},
};

}  // namespace

std::span<const Converter> TorchConverters() { return kConverters; }

}  // namespace anemone::ops::transformation
