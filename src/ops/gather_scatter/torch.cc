// PyTorch: indexing by tensors, reading and writing.
#include <algorithm>

#include "torch/context.h"
#include "torch/converter.h"

namespace anemone::ops::gather_scatter {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

Status EmitEmbedding(Context& c) {
  return c.Set(0, c.Op("Gather", {c.Need("weight"), c.Need("indices")}, {Int("axis", 0)}));
}

Status EmitIndexSelect(Context& c) {
  const int64_t axis = c.Axis("dim", 0, c.Rank("self"));
  std::string index = c.Need("index");
  if (c.Rank("index") == 0) index = c.Unsqueeze(index, {0});
  return c.Set(0, c.Op("Gather", {c.Need("self"), index}, {Int("axis", axis)}));
}

Status EmitTake(Context& c) {
  const std::string flat = c.Reshape(c.Need("self"), {-1});
  return c.Set(0, c.Op("Gather", {flat, c.Need("index")}, {Int("axis", 0)}));
}

// Only the first elements of the other axes are read where the index is smaller.
Status EmitGather(Context& c) {
  const int64_t rank = c.Rank("self");
  const std::string x = c.Need("self"), index = c.Need(c.Has("index") ? "index" : "indices");
  if (rank == 0) return c.Set(0, c.Op("Identity", {x}));
  const int64_t axis = c.Axis("dim", 0, rank);
  return c.Set(0, c.Op("GatherElements", {x, index}, {Int("axis", axis)}));
}

Status EmitTakeAlongDim(Context& c) {
  if (!c.Has("dim")) {
    const std::string flat = c.Reshape(c.Need("self"), {-1});
    const std::string index = c.Reshape(c.Need("indices"), {-1});
    return c.Set(0, c.Op("GatherElements", {flat, index}, {Int("axis", 0)}));
  }
  // Both broadcast to each other, but for the axis.
  const int64_t rank = c.Rank("self");
  const int64_t axis = c.Axis("dim", 0, rank);
  std::string x = c.Need("self"), index = c.Need("indices");
  std::vector<int64_t> x_dims, index_dims;
  for (int64_t d = 0; d < rank; ++d) {
    const int64_t a = c.FixedDim("self", d), b = c.FixedDim("indices", d);
    x_dims.push_back(d == axis ? a : std::max(a, b));
    index_dims.push_back(d == axis ? b : std::max(a, b));
  }
  x = c.Op("Expand", {x, c.Int64s(x_dims)});
  index = c.Op("Expand", {index, c.Int64s(index_dims)});
  return c.Set(0, c.Op("GatherElements", {x, index}, {Int("axis", axis)}));
}

// ---- tensor[indices]

struct Indexing {
  std::vector<int64_t> axes;  // indexed, ascending
  Values indices;             // int64, broadcast to one shape
  std::vector<int64_t> ranks;
  bool adjacent = true;  // the axes follow one another
  int64_t index_rank = 0;
  std::string mask;  // when it is all that is given
  bool has_mask = false;
};

bool IsMask(const TensorMeta& meta) {
  return meta.dtype() == DType::kBool || meta.dtype() == DType::kUInt8;
}

std::string MaskOf(Context& c, const std::string& aten) {
  const std::string mask = c.ValueOf(aten);
  return c.MetaOf(aten).dtype() == DType::kBool ? mask : c.Cast(mask, DType::kBool);
}

// A mask of rank r stands for r axes: the positions of what is true along each.
Status ReadMask(Context& c, const std::string& aten, Indexing* indexing) {
  const int64_t rank = c.MetaOf(aten).rank();
  if (rank == 0) {
    return Unsupported("indexing by a mask that is a scalar")
        .Advise("use torch.where or masked_fill with a fixed size");
  }
  indexing->mask = MaskOf(c, aten);
  const std::string positions = c.Transpose(c.Op("NonZero", {indexing->mask}), {1, 0});
  for (int64_t d = 0; d < rank; ++d) {
    indexing->indices.push_back(c.Op("Gather", {positions, c.Int64(d)}, {Int("axis", 1)}));
    indexing->ranks.push_back(1);
  }
  return {};
}

Result<Indexing> ReadIndices(Context& c) {
  Indexing indexing;
  const Argument* indices = c.Find("indices");
  if (indices == nullptr) return InvalidInput("it has no indices");
  int64_t axis = 0, given = 0;
  for (const std::string& name : indices->names) {
    if (name.empty()) {
      ++axis;
      continue;
    }
    ++given;
    const TensorMeta& meta = c.MetaOf(name);
    if (!indexing.axes.empty() && axis != indexing.axes.back() + 1) indexing.adjacent = false;
    const size_t before = indexing.indices.size();
    if (IsMask(meta)) {
      ANEMONE_TRY(ReadMask(c, name, &indexing));
      indexing.has_mask = true;
      indexing.index_rank = std::max<int64_t>(indexing.index_rank, 1);
    } else {
      indexing.indices.push_back(c.ValueOf(name));
      indexing.ranks.push_back(meta.rank());
      indexing.index_rank = std::max(indexing.index_rank, meta.rank());
    }
    for (size_t i = before; i < indexing.indices.size(); ++i) indexing.axes.push_back(axis++);
  }
  if (indexing.axes.empty()) return InvalidInput("all of its indices are None");
  if (given != 1) indexing.mask.clear();
  return indexing;
}

// The indices as one tensor [..., axes] for GatherND and ScatterND.
std::string Stacked(Context& c, const Indexing& indexing) {
  if (!indexing.mask.empty()) return c.Transpose(c.Op("NonZero", {indexing.mask}), {1, 0});
  std::string shape;
  if (indexing.indices.size() > 1) {
    // Broadcast by adding zeros: no sizes are needed.
    std::string zeros;
    for (const std::string& index : indexing.indices) {
      const std::string zero = c.Op("Mul", {index, c.Int64(0)});
      zeros = zeros.empty() ? zero : c.Op("Add", {zeros, zero});
    }
    shape = zeros;
  }
  Values parts;
  for (const std::string& index : indexing.indices) {
    const std::string wide = shape.empty() ? index : c.Op("Add", {index, shape});
    parts.push_back(c.Unsqueeze(wide, {indexing.index_rank}));
  }
  if (parts.size() == 1) return parts[0];
  return c.Op("Concat", parts, {Int("axis", indexing.index_rank)});
}

// The indexed axes first, the others behind them.
std::vector<int64_t> IndexedFirst(const Indexing& indexing, int64_t rank) {
  std::vector<int64_t> perm = indexing.axes;
  for (int64_t d = 0; d < rank; ++d) {
    if (std::ranges::find(indexing.axes, d) == indexing.axes.end()) perm.push_back(d);
  }
  return perm;
}

std::vector<int64_t> Inverse(const std::vector<int64_t>& perm) {
  std::vector<int64_t> inverse(perm.size());
  for (size_t i = 0; i < perm.size(); ++i)
    inverse[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
  return inverse;
}

// Where the axes follow one another, the dimensions of the index stand in their place; else in front.
std::vector<int64_t> ToPlace(const Indexing& indexing, int64_t rank) {
  const int64_t others = rank - std::ssize(indexing.axes);
  const int64_t first = indexing.axes[0];
  std::vector<int64_t> perm;
  for (int64_t d = 0; d < first; ++d) perm.push_back(indexing.index_rank + d);
  for (int64_t d = 0; d < indexing.index_rank; ++d) perm.push_back(d);
  for (int64_t d = first; d < others; ++d) perm.push_back(indexing.index_rank + d);
  return perm;
}

Status EmitIndex(Context& c) {
  ANEMONE_ASSIGN(const Indexing indexing, ReadIndices(c));
  const int64_t rank = c.Rank("self");
  const std::string x = c.Need("self");
  if (indexing.axes.size() == 1 && !indexing.mask.empty())
    return c.Set(0, c.Op("Compress", {x, indexing.mask}, {Int("axis", indexing.axes[0])}));
  if (indexing.axes.size() == 1) {
    return c.Set(0, c.Op("Gather", {x, indexing.indices[0]}, {Int("axis", indexing.axes[0])}));
  }
  const std::string turned = c.Transpose(x, IndexedFirst(indexing, rank));
  std::string y = c.Op("GatherND", {turned, Stacked(c, indexing)});
  if (indexing.adjacent) y = c.Transpose(y, ToPlace(indexing, rank));
  return c.Set(0, y);
}

// Whether the values that are put where a mask is true have all the sizes already: one of their own for each
// true element. That number is one only at run time, so it is not broadcast.
bool IsWhole(Context& c, const Indexing& indexing, int64_t total) {
  if (!indexing.has_mask || c.Rank("values") != total) return false;
  const auto& sizes = c.Meta("values").sizes;
  return std::ranges::none_of(sizes, [](const Size& size) { return size.value == 1; });
}

// By one mask, with values that are the same wherever it is true: where, whose sizes depend on no data. nullopt
// for others.
std::optional<Status> PutWhere(Context& c) {
  const Argument* given = c.Find("indices");
  if (given == nullptr) return std::nullopt;
  int64_t first = -1;  // the axes in front of those that the mask stands for
  for (size_t i = 0; i < given->names.size(); ++i) {
    if (given->names[i].empty()) continue;
    if (first >= 0 || !IsMask(c.MetaOf(given->names[i]))) return std::nullopt;
    first = static_cast<int64_t>(i);
  }
  if (first < 0) return std::nullopt;
  const std::string& name = given->names[static_cast<size_t>(first)];
  const int64_t covered = c.MetaOf(name).rank();
  const int64_t behind = c.Rank("self") - first - covered;
  // The dimension of the values for the true elements, if they have one.
  const int64_t at = c.Rank("values") - behind - 1;
  if (at >= 0 && c.Dim("values", at) != 1) return std::nullopt;
  const auto range = [](int64_t begin, int64_t count) {
    std::vector<int64_t> axes;
    for (int64_t d = begin; d < begin + count; ++d) axes.push_back(d);
    return axes;
  };
  const std::string mask = c.Unsqueeze(MaskOf(c, name), range(covered, behind));
  std::string value = c.Operand("values", c.CategoryOf("self"));
  if (at >= 0) {
    value = covered > 0 ? c.Unsqueeze(value, range(at, covered - 1)) : c.Squeeze(value, {at});
  }
  if (c.Flag("accumulate", false)) value = c.Op("Add", {c.Need("self"), value});
  return c.Set(0, c.Op("Where", {mask, value, c.Need("self")}));
}

Status EmitIndexPut(Context& c) {
  if (const auto status = PutWhere(c)) return *status;
  const Category category = c.CategoryOf("self");
  ANEMONE_ASSIGN(const Indexing indexing, ReadIndices(c));
  const int64_t rank = c.Rank("self");
  const std::vector<int64_t> perm = IndexedFirst(indexing, rank);
  const std::string turned = c.Transpose(c.Need("self"), perm);
  const std::string stacked = Stacked(c, indexing);
  // The values broadcast to [index dims, other dims], in the place where reading would give them.
  std::string values = c.Operand("values", category);
  const int64_t total = indexing.index_rank + rank - std::ssize(indexing.axes);
  if (indexing.adjacent && c.Rank("values") > 0) {
    const std::vector<int64_t> place = ToPlace(indexing, rank);
    std::vector<int64_t> ones;
    for (int64_t d = c.Rank("values"); d < total; ++d) ones.push_back(d - c.Rank("values"));
    values = c.Transpose(c.Unsqueeze(values, ones), Inverse(place));
  }
  if (!IsWhole(c, indexing, total)) {
    const std::string read = c.Op("GatherND", {turned, stacked});
    values = c.Op("Expand", {values, c.Op("Shape", {read})});
  }
  const std::string y = c.Op("ScatterND", {turned, stacked, values},
                             {Text("reduction", c.Flag("accumulate", false) ? "add" : "none")});
  return c.Set(0, c.Transpose(y, Inverse(perm)));
}

// ---- scatter

Status Scattered(Context& c, const std::string& source, const std::string& reduction) {
  const int64_t rank = c.Rank("self");
  const int64_t axis = c.Axis("dim", 0, rank);
  return c.Set(0, c.Op("ScatterElements", {c.Need("self"), c.Need("index"), source},
                       {Int("axis", axis), Text("reduction", reduction)}));
}

// As much of the source as the index has.
std::string SourceOf(Context& c) {
  std::string source = c.Operand("src", c.CategoryOf("self"));
  std::vector<int64_t> axes, ends;
  for (int64_t d = 0; d < c.Rank("index"); ++d) {
    const auto own = c.Dim("src", d), wanted = c.Dim("index", d);
    if (own && wanted && *own != *wanted) {
      axes.push_back(d);
      ends.push_back(*wanted);
    }
  }
  if (axes.empty()) return source;
  return c.Op("Slice", {source, c.Int64s(std::vector<int64_t>(axes.size(), 0)), c.Int64s(ends),
                        c.Int64s(axes)});
}

std::string ReductionOf(Context& c) {
  const std::string name = c.Text("reduce", "");
  if (name == "add" || name == "sum") return "add";
  if (name == "multiply" || name == "prod") return "mul";
  if (name == "amax") return "max";
  if (name == "amin") return "min";
  if (!name.empty()) (void)c.Fail(Unsupported("the reduction '{}'", name));
  return "none";
}

Status EmitScatterSource(Context& c) { return Scattered(c, SourceOf(c), ReductionOf(c)); }
Status EmitScatterAdd(Context& c) { return Scattered(c, SourceOf(c), "add"); }

Status EmitScatterReduce(Context& c) {
  if (!c.Flag("include_self", true))
    return Unsupported("include_self=False").Advise("fill the places with the neutral value first");
  return EmitScatterSource(c);
}

Status EmitScatterValue(Context& c) {
  const std::string value = c.Operand("value", c.CategoryOf("self"));
  return Scattered(c, c.Op("Expand", {value, c.ShapeOf("index")}), ReductionOf(c));
}

// Whole slices along one axis, at the positions of a vector.
Status Positions(Context& c, const std::string& source, const std::string& reduction) {
  const int64_t rank = c.Rank("self");
  const int64_t axis = c.Axis("dim", 0, rank);
  std::vector<int64_t> perm;
  for (int64_t d = 0; d < rank; ++d) perm.push_back(d);
  perm.erase(perm.begin() + static_cast<std::ptrdiff_t>(axis));
  perm.insert(perm.begin(), axis);
  std::string index = c.Need("index");
  if (c.Rank("index") == 0) index = c.Unsqueeze(index, {0});
  const std::string turned = c.Transpose(c.Need("self"), perm);
  const std::string y =
      c.Op("ScatterND", {turned, c.Unsqueeze(index, {1}), c.Transpose(source, perm)},
           {Text("reduction", reduction)});
  return c.Set(0, c.Transpose(y, Inverse(perm)));
}

Status EmitIndexCopy(Context& c) {
  return Positions(c, c.Operand("source", c.CategoryOf("self")), "none");
}

Status EmitIndexAdd(Context& c) {
  const Category category = c.CategoryOf("self");
  std::string source = c.Operand("source", category);
  const double alpha = c.Number("alpha", 1);
  if (alpha != 1) source = c.Op("Mul", {source, c.Constant(alpha, category)});
  return Positions(c, source, "add");
}

Status EmitIndexFill(Context& c) {
  const int64_t rank = c.Rank("self");
  const int64_t axis = c.Axis("dim", 0, rank);
  const std::string index = c.Need("index");
  const std::string taken = c.Op("Gather", {c.Need("self"), index}, {Int("axis", axis)});
  const std::string value = c.Operand("value", c.CategoryOf("self"));
  return Positions(c, c.Op("Expand", {value, c.Op("Shape", {taken})}), "none");
}

// ---- losses of numbered classes

Status Likelihood(Context& c, std::string x) {
  if (c.Rank("self") < 2 || !c.IsTensor("target"))
    return Unsupported("a loss of one sample").Advise("give it a batch dimension of 1");
  constexpr const char* kReductions[] = {"none", "mean", "sum"};
  const int64_t reduction = c.Int("reduction", 1);
  if (reduction < 0 || reduction > 2) return InvalidInput("its reduction is {}", reduction);
  return c.Set(0,
               c.Op("NegativeLogLikelihoodLoss", {std::move(x), c.Need("target"), c.In("weight")},
                    {Text("reduction", kReductions[reduction]),
                     Int("ignore_index", c.Int("ignore_index", -100))}));
}

Status EmitNllLoss(Context& c) { return Likelihood(c, c.Need("self")); }

Status EmitCrossEntropy(Context& c) {
  if (CategoryOf(c.Meta("target").dtype()) == Category::kFloat ||
      c.Number("label_smoothing", 0) != 0) {
    return Unsupported("a loss against probabilities of classes")
        .Advise("write it with log_softmax and a sum");
  }
  return Likelihood(c, c.Op("LogSoftmax", {c.Need("self")}, {Int("axis", 1)}));
}

constexpr Converter kConverters[] = {
    {.target = "aten.nll_loss_nd.default", .emit = EmitNllLoss},
    {.target = "aten.nll_loss.default", .emit = EmitNllLoss},
    {.target = "aten.nll_loss2d.default", .emit = EmitNllLoss},
    {.target = "aten.cross_entropy_loss.default", .emit = EmitCrossEntropy},
    {.target = "aten.embedding.default", .emit = EmitEmbedding},
    {.target = "aten.index_select.default", .emit = EmitIndexSelect},
    {.target = "aten.take.default", .emit = EmitTake},
    {.target = "aten.gather.default", .emit = EmitGather},
    {.target = "aten.take_along_dim.default", .emit = EmitTakeAlongDim},
    {.target = "aten.index.Tensor", .emit = EmitIndex},
    {.target = "aten._unsafe_index.Tensor", .emit = EmitIndex},
    {.target = "aten.index_put.default", .emit = EmitIndexPut},
    {.target = "aten._unsafe_index_put.default", .emit = EmitIndexPut},
    {.target = "aten._index_put_impl.default", .emit = EmitIndexPut},
    {.target = "aten.scatter.src", .emit = EmitScatterSource},
    {.target = "aten.scatter.reduce", .emit = EmitScatterSource},
    {.target = "aten.scatter.value", .emit = EmitScatterValue},
    {.target = "aten.scatter.value_reduce", .emit = EmitScatterValue},
    {.target = "aten.scatter_add.default", .emit = EmitScatterAdd},
    {.target = "aten.scatter_reduce.two", .emit = EmitScatterReduce},
    {.target = "aten.index_copy.default", .emit = EmitIndexCopy},
    {.target = "aten.index_add.default", .emit = EmitIndexAdd},
    {.target = "aten.index_fill.int_Scalar", .emit = EmitIndexFill},
    {.target = "aten.index_fill.int_Tensor", .emit = EmitIndexFill},
};

}  // namespace

std::span<const Converter> TorchConverters() { return kConverters; }

}  // namespace anemone::ops::gather_scatter
