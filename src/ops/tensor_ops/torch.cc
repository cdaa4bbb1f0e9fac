// PyTorch: tensors joined, repeated, chosen from, ordered and summed up along an axis.
#include <algorithm>
#include <limits>

#include "ops/tensor_ops/complex_torch.h"
#include "ops/tensor_ops/creation_torch.h"
#include "ops/tensor_ops/pad_torch.h"
#include "ops/tensor_ops/selection_torch.h"
#include "torch/context.h"
#include "torch/converter.h"

namespace anemone::ops::tensor_ops {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

// Of indices that are written out.
constexpr int64_t kMostRepeats = int64_t{1} << 24;

// The tensors of a list in the category of the output. Empty vectors, which PyTorch passes over in cat,
// are left out.
Values Joined(Context& c, bool skip_empty) {
  Values values;
  const Argument* list = c.Find("tensors");
  if (list == nullptr) (void)c.Fail(InvalidInput("it has no tensors"));
  if (list == nullptr) return values;
  for (const std::string& name : list->names) {
    const TensorMeta& meta = c.MetaOf(name);
    if (skip_empty && meta.rank() == 1 && meta.sizes[0].value == 0 && c.Out(0).rank() != 1)
      continue;
    values.push_back(c.AsOutput(name));
  }
  return values;
}

Status EmitCat(Context& c) {
  const Values values = Joined(c, true);
  const int64_t axis = c.Axis("dim", 0, c.Out(0).rank());
  if (values.size() == 1) return c.Set(0, c.Op("Identity", values));
  return c.Set(0, c.Op("Concat", values, {Int("axis", axis)}));
}

Status EmitStack(Context& c) {
  Values values = Joined(c, false);
  const int64_t axis = c.Axis("dim", 0, c.Out(0).rank());
  for (std::string& value : values) value = c.Unsqueeze(value, {axis});
  if (values.size() == 1) return c.Set(0, values[0]);
  return c.Set(0, c.Op("Concat", values, {Int("axis", axis)}));
}

// hstack, vstack and the like: what is of a lower rank gets dimensions of 1 first.
Status StackAlong(Context& c, int64_t least, int64_t axis, bool front) {
  Values values;
  const Argument* list = c.Find("tensors");
  if (list == nullptr) return InvalidInput("it has no tensors");
  int64_t deepest = 0;
  for (const std::string& name : list->names) {
    const TensorMeta& meta = c.MetaOf(name);
    std::string value = c.AsOutput(name);
    if (least == 3 && meta.rank() == 2) {
      value = c.Unsqueeze(value, {2});
    } else {
      std::vector<int64_t> axes;
      for (int64_t d = meta.rank(); d < least; ++d) axes.push_back(front ? d - meta.rank() : d);
      if (least == 3 && meta.rank() == 1) axes = {0, 2};
      value = c.Unsqueeze(value, axes);
    }
    deepest = std::max(deepest, meta.rank());
    values.push_back(value);
  }
  if (axis == 1 && deepest <= 1 && least == 1) axis = 0;
  return c.Set(0, c.Op("Concat", values, {Int("axis", axis)}));
}

Status EmitHstack(Context& c) { return StackAlong(c, 1, 1, true); }
Status EmitVstack(Context& c) { return StackAlong(c, 2, 0, true); }
Status EmitDstack(Context& c) { return StackAlong(c, 3, 2, true); }

// -1 keeps a size; new dimensions come in front.
Status EmitExpand(Context& c) {
  const Argument* sizes = c.Find("size");
  if (sizes == nullptr) return InvalidInput("it has no size");
  const std::string x = c.Need("self");
  if (const auto dims = c.OutDims()) return c.Set(0, c.Op("Expand", {x, c.Int64s(*dims)}));
  std::vector<IntItem> items = sizes->ints;
  // What stays as it is may broadcast as 1.
  for (IntItem& item : items) {
    if (item.name.empty() && item.value == -1) item.value = 1;
  }
  return c.Set(0, c.Op("Expand", {x, c.IntVector(items)}));
}

Status EmitExpandAs(Context& c) {
  return c.Set(0, c.Op("Expand", {c.Need("self"), c.ShapeOf("other")}));
}

Status EmitBroadcastTensors(Context& c) {
  const Values values = c.List("tensors");
  for (size_t i = 0; i < values.size(); ++i) {
    std::string shape;
    if (const auto dims = c.OutDims(i)) {
      shape = c.Int64s(*dims);
    } else {
      return Unsupported("symbolic sizes").Advise("export with fixed sizes");
    }
    ANEMONE_TRY(c.Set(i, c.Op("Expand", {values[i], shape})));
  }
  return {};
}

Status EmitRepeat(Context& c) {
  const Argument* repeats = c.Find(c.Has("repeats") ? "repeats" : "dims");
  if (repeats == nullptr) return InvalidInput("it has no repeats");
  std::string x = c.Need("self");
  const int64_t rank = c.Rank("self"), wanted = std::ssize(repeats->ints);
  std::vector<int64_t> axes;
  for (int64_t d = 0; d < wanted - rank; ++d) axes.push_back(d);
  x = c.Unsqueeze(x, axes);
  std::vector<IntItem> items(static_cast<size_t>(std::max<int64_t>(rank - wanted, 0)), {{}, 1});
  items.insert(items.end(), repeats->ints.begin(), repeats->ints.end());
  if (items.empty()) return c.Set(0, c.Op("Identity", {x}));
  return c.Set(0, c.Op("Tile", {x, c.IntVector(items)}));
}

// Each element so many times, one after the other.
// As often as a tensor of the file says, for each index of the axis.
Status RepeatedByTensor(Context& c) {
  auto repeats = c.HeldInts("repeats");
  if (!repeats) {
    return Unsupported("repeats that are computed: the size depends on the data")
        .Advise("give the number of repeats as a number");
  }
  std::string x;  // of repeat_interleave.Tensor, which gives the indices themselves, there is none
  int64_t axis = 0;
  if (c.Has("self")) {
    x = c.Need("self");
    if (c.Has("dim")) {
      axis = c.Axis("dim", 0, c.Rank("self"));
    } else {
      x = c.Reshape(x, {-1});
    }
    int64_t size = 1;
    for (int64_t d = 0; d < c.Rank("self"); ++d) {
      if (!c.Has("dim") || d == axis) size *= c.FixedDim("self", d);
    }
    ANEMONE_TRY(Status(c.status()));
    if (repeats->size() == 1) repeats->assign(static_cast<size_t>(size), int64_t{repeats->front()});
    if (std::ssize(*repeats) != size)
      return InvalidInput("{} repeats of {} indices", repeats->size(), size);
  }
  std::vector<int64_t> indices;
  for (size_t i = 0; i < repeats->size(); ++i) {
    const int64_t times = (*repeats)[i];
    if (times < 0 || times > kMostRepeats - std::ssize(indices))
      return Unsupported("{} repeats of index {}", times, i);
    indices.insert(indices.end(), static_cast<size_t>(times), static_cast<int64_t>(i));
  }
  if (indices.empty()) return Unsupported("its output is empty");
  const std::string chosen = c.Int64s(std::move(indices));
  if (x.empty()) return c.Set(0, chosen);
  return c.Set(0, c.Op("Gather", {x, chosen}, {Int("axis", axis)}));
}

Status EmitRepeatInterleave(Context& c) {
  if (c.IsTensor("repeats")) return RepeatedByTensor(c);
  const int64_t rank = c.Rank("self"), repeats = c.Int("repeats", 1);
  std::string x = c.Need("self");
  int64_t axis = 0;
  if (!c.Has("dim")) {
    x = c.Reshape(x, {-1});
  } else {
    axis = c.Axis("dim", 0, rank);
  }
  const auto dims = c.OutDims();
  if (!dims) return Unsupported("symbolic sizes").Advise("export with fixed sizes");
  std::vector<int64_t> times(static_cast<size_t>(c.Has("dim") ? rank : 1) + 1, 1);
  times[static_cast<size_t>(axis) + 1] = repeats;
  x = c.Op("Tile", {c.Unsqueeze(x, {axis + 1}), c.Int64s(times)});
  return c.Set(0, c.Reshape(x, *dims));
}

// ---- choosing

Status EmitWhere(Context& c) {
  const Category category = c.OutCategory();
  const std::string condition = c.Operand("condition", Category::kBool);
  const std::string yes = c.Operand("self", category);
  return c.Set(0, c.Op("Where", {condition, yes, c.Operand("other", category)}));
}

Status EmitMaskedFill(Context& c) {
  const Category category = c.OutCategory();
  const std::string mask = c.Operand("mask", Category::kBool);
  const std::string value = c.Operand("value", category);
  return c.Set(0, c.Op("Where", {mask, value, c.Operand("self", category)}));
}

Status EmitTriangle(Context& c, bool upper) {
  const Category category = c.OutCategory();
  // Of bool: through integers.
  std::string x = c.Operand("self", std::max(category, Category::kInt));
  const std::string k = c.Int64(c.Int("diagonal", 0));
  x = c.Op("Trilu", {x, k}, {Int("upper", upper ? 1 : 0)});
  return c.SetAs(0, x, std::max(category, Category::kInt));
}

Status EmitTril(Context& c) { return EmitTriangle(c, false); }
Status EmitTriu(Context& c) { return EmitTriangle(c, true); }

// ---- order

Status EmitTopK(Context& c) {
  const int64_t rank = c.Rank("self");
  if (rank == 0) {
    ANEMONE_TRY(c.Set(0, c.Op("Identity", {c.Need("self")})));
    return c.Set(1, c.Int64(0));
  }
  const Argument* k = c.Find("k");
  if (k == nullptr) return InvalidInput("it has no k");
  const Values y = c.Ops("TopK", {c.Need("self"), c.IntVector(k->ints)}, 2,
                         {Int("axis", c.Axis("dim", -1, rank)),
                          Int("largest", c.Flag("largest", true) ? 1 : 0), Int("sorted", 1)});
  ANEMONE_TRY(c.Set(0, y[0]));
  return c.Set(1, y[1]);
}

Values Sorted(Context& c) {
  const int64_t rank = c.Rank("self");
  const int64_t axis = c.Axis("dim", -1, rank);
  return c.Ops(
      "TopK", {c.Need("self"), c.DimValue("self", axis)}, 2,
      {Int("axis", axis), Int("largest", c.Flag("descending", false) ? 1 : 0), Int("sorted", 1)});
}

Status EmitSort(Context& c) {
  if (c.Rank("self") == 0) {
    ANEMONE_TRY(c.Set(0, c.Op("Identity", {c.Need("self")})));
    return c.Set(1, c.Int64(0));
  }
  const Values y = Sorted(c);
  ANEMONE_TRY(c.Set(0, y[0]));
  return c.Set(1, y[1]);
}

Status EmitArgSort(Context& c) { return c.Set(0, Sorted(c)[1]); }

// The lower of the two in the middle.
Status EmitMedianDim(Context& c) {
  const int64_t rank = c.Rank("self");
  const int64_t axis = c.Axis("dim", 0, rank);
  const int64_t middle = (c.FixedDim("self", axis) - 1) / 2;
  const Values y = c.Ops("TopK", {c.Need("self"), c.DimValue("self", axis)}, 2,
                         {Int("axis", axis), Int("largest", 0), Int("sorted", 1)});
  for (size_t i = 0; i < 2; ++i) {
    std::string value = c.Slice(y[i], axis, middle, middle + 1);
    if (!c.Flag("keepdim", false)) value = c.Squeeze(value, {axis});
    ANEMONE_TRY(c.Set(i, value));
  }
  return {};
}

// ---- sums along an axis

Status Accumulated(Context& c, const std::string& op) {
  const int64_t rank = c.Rank("self");
  const Category category = std::max(c.OutCategory(), Category::kInt);
  const std::string x = c.Operand("self", category);
  if (rank == 0) return c.Set(0, c.Op("Identity", {x}));
  return c.Set(0, c.Op(op, {x, c.Int64(c.Axis("dim", 0, rank))}));
}

Status EmitCumSum(Context& c) { return Accumulated(c, "CumSum"); }
Status EmitCumProd(Context& c) { return Accumulated(c, "CumProd"); }

Status EmitLogCumSumExp(Context& c) {
  // With the largest taken out first, so that nothing overflows.
  const int64_t axis = c.Axis("dim", 0, c.Rank("self"));
  const std::string x = c.FloatIn("self");
  const std::string most = c.Op("ReduceMax", {x, c.Int64s({axis})});
  const std::string sums = c.Op("CumSum", {c.Op("Exp", {c.Op("Sub", {x, most})}), c.Int64(axis)});
  return c.Set(0, c.Op("Add", {c.Op("Log", {sums}), most}));
}

// x[i + 1] - x[i]
Status EmitDiff(Context& c) {
  const int64_t axis = c.Axis("dim", -1, c.Rank("self"));
  std::string x = c.Need("self");
  const Category category = c.CategoryOf("self");
  Values joined;
  if (c.Has("prepend")) joined.push_back(c.Operand("prepend", category));
  joined.push_back(x);
  if (c.Has("append")) joined.push_back(c.Operand("append", category));
  if (joined.size() > 1) x = c.Op("Concat", joined, {Int("axis", axis)});
  for (int64_t i = 0; i < c.Int("n", 1); ++i) {
    const std::string later = c.Slice(x, axis, 1, std::numeric_limits<int64_t>::max());
    x = c.Op("Sub", {later, c.Slice(x, axis, 0, -1)});
  }
  return c.Set(0, c.Op("Identity", {x}));
}

Status EmitOneHot(Context& c) {
  const int64_t classes = c.Int("num_classes", -1);
  if (classes < 1) {
    return Unsupported("a number of classes that depends on the data").Advise("give num_classes");
  }
  const std::string values = c.Int64s({0, 1});
  return c.Set(0, c.Op("OneHot", {c.Need("self"), c.Int64(classes), values}, {Int("axis", -1)}));
}

// Copies of the windows along an axis, in a new last dimension.
Status EmitUnfold(Context& c) {
  const int64_t rank = c.Rank("self");
  const int64_t axis = c.Axis("dimension", 0, rank);
  const int64_t size = c.Int("size", 1), step = c.Int("step", 1);
  const int64_t length = c.FixedDim("self", axis);
  if (size < 1 || step < 1 || size > length) return InvalidInput("windows of {}", size);
  std::vector<int64_t> positions;
  const int64_t count = (length - size) / step + 1;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t j = 0; j < size; ++j) positions.push_back(i * step + j);
  }
  const std::string index = c.Known(onnx::Constant::Int64s(std::move(positions), {count, size}));
  const std::string y = c.Op("Gather", {c.Need("self"), index}, {Int("axis", axis)});
  // [..., count, size, ...] -> [..., count, ..., size]
  std::vector<int64_t> perm;
  for (int64_t d = 0; d <= rank; ++d) {
    if (d != axis + 1) perm.push_back(d);
  }
  perm.push_back(axis + 1);
  return c.Set(0, c.Transpose(y, perm));
}

// The elements of the diagonal of two axes, in a new last dimension.
Status EmitDiagonal(Context& c) {
  const int64_t rank = c.Rank("self");
  const int64_t first = c.Axis("dim1", 0, rank), second = c.Axis("dim2", 1, rank);
  const int64_t offset = c.Int("offset", 0);
  const int64_t rows = c.FixedDim("self", first), columns = c.FixedDim("self", second);
  const int64_t down = std::max<int64_t>(-offset, 0), right = std::max<int64_t>(offset, 0);
  const int64_t count = std::min(rows - down, columns - right);
  if (count < 1) return Unsupported("a diagonal without elements");
  std::vector<int64_t> perm = {first, second}, indices;
  for (int64_t d = 0; d < rank; ++d) {
    if (d != first && d != second) perm.push_back(d);
  }
  for (int64_t i = 0; i < count; ++i) {
    indices.push_back(i + down);
    indices.push_back(i + right);
  }
  const std::string turned = c.Transpose(c.Need("self"), perm);
  const std::string index = c.Known(onnx::Constant::Int64s(std::move(indices), {count, 2}));
  const std::string y = c.Op("GatherND", {turned, index});
  std::vector<int64_t> back;
  for (int64_t d = 1; d < rank - 1; ++d) back.push_back(d);
  back.push_back(0);
  return c.Set(0, c.Transpose(y, back));
}

// A vector on the diagonal of a matrix of zeros.
Status EmitDiagEmbed(Context& c) {
  const int64_t rank = c.Rank("self"), offset = c.Int("offset", 0);
  const int64_t first = c.Axis("dim1", -2, rank + 1), second = c.Axis("dim2", -1, rank + 1);
  const int64_t length = c.FixedDim("self", -1);
  const int64_t size = length + std::abs(offset);
  std::vector<float> ones(static_cast<size_t>(length * size), 0.0f);
  for (int64_t i = 0; i < length; ++i)
    ones[static_cast<size_t>(i * size + i + std::max<int64_t>(offset, 0))] = 1;
  // [..., length, 1] * [length, size], with rows of zeros above or below.
  const std::string x = c.Op("Mul", {c.Unsqueeze(c.FloatIn("self"), {rank}),
                                     c.Known(onnx::Constant::Floats(ones, {length, size}))});
  std::string y = x;
  if (offset != 0) {
    std::vector<int64_t> pads(2 * (static_cast<size_t>(rank) + 1), 0);
    pads[static_cast<size_t>(rank) - 1] = std::max<int64_t>(-offset, 0);
    pads[2 * static_cast<size_t>(rank)] = std::max<int64_t>(offset, 0);
    y = c.Op("Pad", {x, c.Int64s(pads), c.Number(0)});
  }
  if (first != rank - 1 || second != rank) return Unsupported("diag_embed into other axes");
  return c.SetAs(0, y, Category::kFloat);
}

Status EmitDiag(Context& c) { return c.Rank("self") == 1 ? EmitDiagEmbed(c) : EmitDiagonal(c); }

Status EmitMeshgrid(Context& c) {
  const Values values = c.List("tensors");
  const bool xy = c.Text("indexing", "ij") == "xy";
  const auto count = static_cast<int64_t>(values.size());
  for (int64_t i = 0; i < count; ++i) {
    const int64_t place = xy && i < 2 ? 1 - i : i;
    std::vector<int64_t> dims(values.size(), 1);
    dims[static_cast<size_t>(place)] = -1;
    const auto out = c.OutDims(static_cast<size_t>(i));
    if (!out) return Unsupported("symbolic sizes").Advise("export with fixed sizes");
    const std::string x = c.Reshape(values[static_cast<size_t>(i)], dims);
    ANEMONE_TRY(c.Set(static_cast<size_t>(i), c.Op("Expand", {x, c.Int64s(*out)})));
  }
  return {};
}

Status EmitOuter(Context& c) {
  const std::string column = c.Unsqueeze(c.Need("self"), {1});
  return c.Set(0, c.Op("Mul", {column, c.Unsqueeze(c.Need("vec2"), {0})}));
}

// 1 where a value of `self` is in `test_elements`.
Status EmitBucketize(Context& c) {
  // How many boundaries lie below: a sum of comparisons.
  const bool search = c.Has("sorted_sequence");
  const std::string_view bounds = search ? "sorted_sequence" : "boundaries";
  if (c.Rank(bounds) != 1) return Unsupported("boundaries of more than one dimension");
  const std::string x = c.Unsqueeze(c.Operand("self", Category::kFloat), {c.Rank("self")});
  const std::string below = c.Op(c.Flag("right", false) ? "GreaterOrEqual" : "Greater",
                                 {x, c.Operand(bounds, Category::kFloat)});
  return c.Set(
      0, c.Op("ReduceSum", {c.Cast(below, DType::kInt64), c.Int64s({-1})}, {Int("keepdims", 0)}));
}

constexpr std::string_view kDataSize = "the size of its result depends on the data";
constexpr std::string_view kFixedWay = "rewrite it with masks of a fixed size";
constexpr std::string_view kRandom = "random numbers are not part of a converted model";
constexpr std::string_view kFeed = "pass them as an input";

constexpr Converter kConverters[] = {
    {.target = "aten.cat.default", .emit = EmitCat},
    {.target = "aten.concat.default", .emit = EmitCat},
    {.target = "aten.concatenate.default", .emit = EmitCat},
    {.target = "aten.stack.default", .emit = EmitStack},
    {.target = "aten.hstack.default", .emit = EmitHstack},
    {.target = "aten.vstack.default", .emit = EmitVstack},
    {.target = "aten.dstack.default", .emit = EmitDstack},
    {.target = "aten.expand.default", .emit = EmitExpand},
    {.target = "aten.expand_copy.default", .emit = EmitExpand},
    {.target = "aten.broadcast_to.default", .emit = EmitExpand},
    {.target = "aten.expand_as.default", .emit = EmitExpandAs},
    {.target = "aten.broadcast_tensors.default", .emit = EmitBroadcastTensors},
    {.target = "aten.repeat.default", .emit = EmitRepeat},
    {.target = "aten.tile.default", .emit = EmitRepeat},
    {.target = "aten.repeat_interleave.self_int", .emit = EmitRepeatInterleave},
    {.target = "aten.repeat_interleave.self_Tensor", .emit = EmitRepeatInterleave},
    {.target = "aten.repeat_interleave.Tensor", .emit = RepeatedByTensor},
    {.target = "aten.where.self", .emit = EmitWhere},
    {.target = "aten.where.Scalar", .emit = EmitWhere},
    {.target = "aten.where.ScalarSelf", .emit = EmitWhere},
    {.target = "aten.where.ScalarOther", .emit = EmitWhere},
    {.target = "aten.where.default", .emit = EmitPositionsByAxis},
    {.target = "aten.nonzero.default", .emit = EmitPositions},
    {.target = "aten.argwhere.default", .emit = EmitPositions},
    {.target = "aten.nonzero_numpy.default", .emit = EmitPositionsByAxis},
    {.target = "aten.masked_select.default", .emit = EmitMaskedSelect},
    {.target = "aten.masked_scatter.default", .emit = EmitMaskedScatter},
    {.target = "aten._unique2.default", .refusal = kDataSize, .rewrite = kFixedWay},
    {.target = "torchvision.nms.default", .emit = EmitPickedBoxes},
    {.target = "aten.masked_fill.Scalar", .emit = EmitMaskedFill},
    {.target = "aten.masked_fill.Tensor", .emit = EmitMaskedFill},
    {.target = "aten.tril.default", .emit = EmitTril},
    {.target = "aten.triu.default", .emit = EmitTriu},
    {.target = "aten.topk.default", .emit = EmitTopK},
    {.target = "aten.sort.default", .emit = EmitSort},
    {.target = "aten.sort.stable", .emit = EmitSort},
    {.target = "aten.argsort.default", .emit = EmitArgSort},
    {.target = "aten.argsort.stable", .emit = EmitArgSort},
    {.target = "aten.median.dim", .emit = EmitMedianDim},
    {.target = "aten.cumsum.default", .emit = EmitCumSum},
    {.target = "aten.cumprod.default", .emit = EmitCumProd},
    {.target = "aten.logcumsumexp.default", .emit = EmitLogCumSumExp},
    {.target = "aten.diff.default", .emit = EmitDiff},
    {.target = "aten.one_hot.default", .emit = EmitOneHot},
    {.target = "aten.unfold.default", .emit = EmitUnfold},
    {.target = "aten.unfold_copy.default", .emit = EmitUnfold},
    {.target = "aten.diagonal.default", .emit = EmitDiagonal},
    {.target = "aten.diagonal_copy.default", .emit = EmitDiagonal},
    {.target = "aten.diag_embed.default", .emit = EmitDiagEmbed},
    {.target = "aten.diag.default", .emit = EmitDiag},
    {.target = "aten.meshgrid.default", .emit = EmitMeshgrid},
    {.target = "aten.meshgrid.indexing", .emit = EmitMeshgrid},
    {.target = "aten.outer.default", .emit = EmitOuter},
    {.target = "aten.bucketize.Tensor", .emit = EmitBucketize},
    {.target = "aten.searchsorted.Tensor", .emit = EmitBucketize},
    {.target = "aten.pad.default", .emit = EmitPad},
    {.target = "aten.constant_pad_nd.default", .emit = EmitConstantPad},
    {.target = "aten.reflection_pad1d.default", .emit = EmitReflectionPad},
    {.target = "aten.reflection_pad2d.default", .emit = EmitReflectionPad},
    {.target = "aten.reflection_pad3d.default", .emit = EmitReflectionPad},
    {.target = "aten.replication_pad1d.default", .emit = EmitReplicationPad},
    {.target = "aten.replication_pad2d.default", .emit = EmitReplicationPad},
    {.target = "aten.replication_pad3d.default", .emit = EmitReplicationPad},
    {.target = "aten._pad_circular.default", .emit = EmitCircularPad},
    {.target = "aten.arange.default", .emit = EmitArange},
    {.target = "aten.arange.start", .emit = EmitArange},
    {.target = "aten.arange.start_step", .emit = EmitArange},
    {.target = "aten.linspace.default", .emit = EmitLinspace},
    {.target = "aten.full.default", .emit = EmitFull},
    {.target = "aten.full_like.default", .emit = EmitFullLike},
    {.target = "aten.new_full.default", .emit = EmitFull},
    {.target = "aten.zeros.default", .emit = EmitZeros},
    {.target = "aten.new_zeros.default", .emit = EmitZeros},
    {.target = "aten.zeros_like.default", .emit = EmitZerosLike},
    {.target = "aten.zero.default", .emit = EmitZerosLike},
    {.target = "aten.ones.default", .emit = EmitOnes},
    {.target = "aten.new_ones.default", .emit = EmitOnes},
    {.target = "aten.ones_like.default", .emit = EmitOnesLike},
    {.target = "aten.empty.memory_format", .emit = EmitZeros},
    {.target = "aten.new_empty.default", .emit = EmitZeros},
    {.target = "aten.empty_like.default", .emit = EmitZerosLike},
    {.target = "aten.empty_permuted.default", .emit = EmitZeros},
    {.target = "aten.fill.Scalar", .emit = EmitFill},
    {.target = "aten.fill.Tensor", .emit = EmitFill},
    {.target = "aten.copy.default", .emit = EmitCopy},
    {.target = "aten.scalar_tensor.default", .emit = EmitScalarTensor},
    {.target = "aten.eye.default", .emit = EmitEye},
    {.target = "aten.eye.m", .emit = EmitEye},
    {.target = "aten.hann_window.default", .emit = EmitHannWindow},
    {.target = "aten.hann_window.periodic", .emit = EmitHannWindow},
    {.target = "aten.tril_indices.default", .emit = EmitTrilIndices},
    {.target = "aten.triu_indices.default", .emit = EmitTriuIndices},
    {.target = "aten.real.default", .emit = EmitReal},
    {.target = "aten.imag.default", .emit = EmitImag},
    {.target = "aten.complex.default", .emit = EmitComplex},
    {.target = "aten.view_as_real.default", .emit = EmitSameParts},
    {.target = "aten.view_as_complex.default", .emit = EmitSameParts},
    {.target = "aten.fft_fft.default", .emit = EmitFft},
    {.target = "aten.fft_ifft.default", .emit = EmitFft},
    {.target = "aten.fft_rfft.default", .emit = EmitFft},
    {.target = "aten.fft_irfft.default", .emit = EmitFft},
    {.target = "aten.fft_fftn.default", .emit = EmitFftN},
    {.target = "aten.fft_ifftn.default", .emit = EmitFftN},
    {.target = "aten.fft_rfftn.default", .emit = EmitFftN},
    {.target = "aten.fft_irfftn.default", .emit = EmitFftN},
    {.target = "aten.fft_fft2.default", .emit = EmitFftN},
    {.target = "aten.fft_ifft2.default", .emit = EmitFftN},
    {.target = "aten.fft_rfft2.default", .emit = EmitFftN},
    {.target = "aten.fft_irfft2.default", .emit = EmitFftN},
    {.target = "aten.stft.default", .emit = EmitStft},
    {.target = "aten.stft.center", .emit = EmitStft},
    {.target = "aten.rand.default", .refusal = kRandom, .rewrite = kFeed},
    {.target = "aten.randn.default", .refusal = kRandom, .rewrite = kFeed},
    {.target = "aten.randn_like.default", .refusal = kRandom, .rewrite = kFeed},
    {.target = "aten.rand_like.default", .refusal = kRandom, .rewrite = kFeed},
    {.target = "aten.randint.low", .refusal = kRandom, .rewrite = kFeed},
    {.target = "aten.randperm.default", .refusal = kRandom, .rewrite = kFeed},
    {.target = "aten.bernoulli.default", .refusal = kRandom, .rewrite = kFeed},
    {.target = "aten.bernoulli.p", .refusal = kRandom, .rewrite = kFeed},
    {.target = "aten.multinomial.default", .refusal = kRandom, .rewrite = kFeed},
    {.target = "aten.normal_functional.default", .refusal = kRandom, .rewrite = kFeed},
};

}  // namespace

std::span<const Converter> TorchConverters() { return kConverters; }

}  // namespace anemone::ops::tensor_ops
