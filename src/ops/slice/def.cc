// Parts of tensors: slices, splits and windows.
#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/slice/ranges.h"

namespace anemone::ops::slice {
namespace {

constexpr std::string_view kSizeLength = "slice_by_size_c1";
constexpr std::string_view kSizeRange = "slice_by_size_c2";
constexpr std::string_view kUpdateShape = "slice_update_c1";
constexpr std::string_view kUpdateScalar = "slice_update_c2";
constexpr std::string_view kWindowAxis = "sliding_windows_c1";
constexpr std::string_view kWindowSize = "sliding_windows_c2";
constexpr std::string_view kSplitAxis = "split_c1";
constexpr std::string_view kSplitGiven = "split_c2";
constexpr std::string_view kSplitEven = "split_c3";
constexpr std::string_view kSplitSizes = "split_c4";

constexpr std::string_view kBasic = "fp16 fp32 int32 bool";
constexpr std::string_view kSmallInts = "int8 uint8 int16 uint16";

Status InferSliceByIndex(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) {
    outputs->push_back(Type::UnrankedTensor(x.dtype()));
    return {};
  }
  ANEMONE_ASSIGN(std::vector<Range> ranges, SliceRanges(args));
  outputs->push_back(Type::Tensor(x.dtype(), SlicedShape(ranges)));
  return {};
}

Status InferSliceUpdate(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  const Type& update = args.TypeOf("update");
  if (update.is_scalar()) return Violates(kUpdateScalar, "update is a scalar");
  if (x.has_rank()) {
    ANEMONE_ASSIGN(std::vector<Range> ranges, SliceRanges(args));
    const Shape wanted = SlicedShape(ranges);
    bool fits = !update.has_rank() || update.shape().size() == wanted.size();
    for (size_t i = 0; fits && update.has_rank() && i < wanted.size(); ++i) {
      fits = DimsAgree(update.shape()[i], wanted[i]);
    }
    if (!fits) {
      return Violates(kUpdateShape, "update is {}, the slice has shape {}", update.ToString(),
                      ir::ShapeToString(wanted));
    }
  }
  outputs->push_back(x);
  return {};
}

Status InferSliceBySize(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) {
    outputs->push_back(Type::UnrankedTensor(x.dtype()));
    return {};
  }
  for (std::string_view param : {"begin", "size"}) {
    const Type& type = args.TypeOf(param);
    if (type.has_rank() && (type.rank() != 1 || !DimsAgree(type.shape()[0], x.rank()))) {
      return Violates(kSizeLength, "{} is {}, but x has rank {}", param, type.ToString(), x.rank());
    }
  }
  Shape shape(x.shape().size(), kDynamic);
  if (args.IsKnown("size")) {
    ANEMONE_ASSIGN(std::vector<int64_t> size, args.Ints("size"));
    std::vector<int64_t> begin;
    if (args.IsKnown("begin")) {
      ANEMONE_ASSIGN(begin, args.Ints("begin"));
    }
    for (size_t i = 0; i < shape.size(); ++i) {
      const int64_t dim = x.shape()[i];
      if (size[i] < -1) return Violates(kSizeRange, "size is {} in dimension {}", size[i], i);
      shape[i] = size[i];
      if (dim == kDynamic || begin.empty()) continue;
      const int64_t first = begin[i] < 0 ? begin[i] + dim : begin[i];
      if (first < 0 || first > dim || (size[i] != -1 && size[i] > dim - first)) {
        return Violates(kSizeRange, "{} elements from {} exceed dimension {} of size {}", size[i],
                        begin[i], i, dim);
      }
      if (size[i] == -1) shape[i] = dim - first;
    }
  }
  outputs->push_back(Type::Tensor(x.dtype(), std::move(shape)));
  return {};
}

Status InferSlidingWindows(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) {
    outputs->push_back(Type::UnrankedTensor(x.dtype()));
    return {};
  }
  ANEMONE_ASSIGN(int64_t axis, args.Int("axis"));
  ANEMONE_ASSIGN(axis, NormalizeAxis(kWindowAxis, axis, x.rank()));
  ANEMONE_ASSIGN(int64_t size, args.Int("size"));
  ANEMONE_ASSIGN(int64_t stride, args.Int("stride"));
  Shape shape = x.shape();
  int64_t& dim = shape[static_cast<size_t>(axis)];
  if (size < 1 || stride < 1 || (dim != kDynamic && size > dim)) {
    return Violates(kWindowSize, "windows of {} by steps of {} over {} elements", size, stride,
                    dim);
  }
  if (dim != kDynamic) dim = (dim - size) / stride + 1;
  shape.insert(shape.begin() + axis + 1, size);
  ANEMONE_TRY(MulDims(shape, 0, shape.size()).status());
  outputs->push_back(Type::Tensor(x.dtype(), std::move(shape)));
  return {};
}

// The sizes of the parts along the axis, whose own size is `dim`.
Result<std::vector<int64_t>> SplitSizes(const OpArgs& args, int64_t dim) {
  if (!args.Has("num_splits") && !args.Has("split_sizes")) {
    return Violates(kSplitGiven, "neither num_splits nor split_sizes is given");
  }
  int64_t parts = 0;
  if (args.Has("num_splits")) {
    ANEMONE_ASSIGN(parts, args.Int("num_splits"));
    if (parts < 1) return Violates(kSplitGiven, "num_splits is {}", parts);
  }
  if (!args.Has("split_sizes")) {
    if (dim != kDynamic && dim % parts != 0) {
      return Violates(kSplitEven, "{} elements do not divide into {} equal parts", dim, parts);
    }
    if (parts > (int64_t{1} << 20)) return Violates(kSplitGiven, "num_splits is {}", parts);
    return std::vector<int64_t>(static_cast<size_t>(parts),
                                dim == kDynamic ? kDynamic : dim / parts);
  }
  ANEMONE_ASSIGN(std::vector<int64_t> sizes, args.Ints("split_sizes"));
  int64_t total = 0;
  for (int64_t size : sizes) {
    if (size < 0) return Violates(kSplitSizes, "split_sizes holds {}", size);
    ANEMONE_ASSIGN(total, AddDims(total, size));
  }
  if (!DimsAgree(total, dim)) {
    return Violates(kSplitSizes, "split_sizes add up to {}, the axis has {} elements", total, dim);
  }
  if (args.Has("num_splits") && parts != static_cast<int64_t>(sizes.size())) {
    return Violates(kSplitSizes, "num_splits is {}, split_sizes has {} elements", parts,
                    sizes.size());
  }
  return sizes;
}

Status InferSplit(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) return Violates(kSplitAxis, "the rank of x is not known");
  ANEMONE_ASSIGN(int64_t axis, args.Int("axis"));
  ANEMONE_ASSIGN(axis, NormalizeAxis(kSplitAxis, axis, x.rank()));
  Shape shape = x.shape();
  ANEMONE_ASSIGN(std::vector<int64_t> sizes, SplitSizes(args, shape[static_cast<size_t>(axis)]));
  for (int64_t size : sizes) {
    shape[static_cast<size_t>(axis)] = size;
    outputs->push_back(Type::Tensor(x.dtype(), shape));
  }
  return {};
}

// The parameters after x (and update): begin, end, stride and the masks.
std::vector<Param> WithRanges(std::vector<Param> params) {
  params.push_back({.name = "begin", .types = "U"});
  params.push_back({.name = "end", .types = "U"});
  params.push_back({.name = "stride", .types = "U", .required = false, .constant = true});
  for (std::string_view name : {"begin_mask", "end_mask", "squeeze_mask"}) {
    params.push_back({.name = name, .types = "bool", .required = false, .constant = true});
  }
  return params;
}

const std::vector<TypeDomain>& SliceDomains() {
  static const std::vector<TypeDomain> domains = {
      {.name = "T", .dtypes = kBasic, .wider_since = Opset::kIOS17, .wider_dtypes = kSmallInts},
      {.name = "U", .dtypes = "int32", .wider_since = Opset::kIOS17, .wider_dtypes = "int8 int16"}};
  return domains;
}

std::vector<Constraint> WithRangeConstraints(std::vector<Constraint> constraints) {
  constraints.push_back(
      {"slice_c1", "begin, end, stride and the masks have one element for each dimension of x."});
  constraints.push_back({"slice_c2", "No stride is 0."});
  constraints.push_back({"slice_c3", "The begin of a squeezed dimension is an index of it."});
  return constraints;
}

}  // namespace

std::vector<OpDef> Defs() {
  return {
      {.name = "slice_by_index",
       .doc = "x[begin:end:stride] in every dimension, with NumPy's meaning of negative and "
              "out-of-range numbers. A set begin_mask or end_mask goes from or to the border; a "
              "set squeeze_mask takes the element at begin and drops the dimension.",
       .params = WithRanges({{.name = "x", .types = "T"}}),
       .domains = SliceDomains(),
       .constraints = WithRangeConstraints({}),
       .infer = InferSliceByIndex,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      {.name = "slice_by_size",
       .doc = "The box of x that starts at begin and spans size elements in each dimension; a size "
              "of -1 reaches to the end. A negative begin counts from the end.",
       .params = {{.name = "x", .types = "T"},
                  {.name = "begin", .types = "U"},
                  {.name = "size", .types = "U"}},
       .domains = SliceDomains(),
       .constraints = {{kSizeLength, "begin and size have one element for each dimension of x."},
                       {kSizeRange, "The box lies within x; a size is not below -1."}},
       .infer = InferSliceBySize,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      {.name = "slice_update",
       .doc = "A copy of x in which update stands where slice_by_index with the same arguments "
              "would read.",
       .since = Opset::kIOS18,
       .params = WithRanges({{.name = "x", .types = "T"}, {.name = "update", .types = "T"}}),
       .domains = SliceDomains(),
       .constraints = WithRangeConstraints({{kUpdateShape, "update has the shape of the slice."},
                                            {kUpdateScalar, "update is not a scalar."}}),
       .infer = InferSliceUpdate,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "sliding_windows",
       .doc = "All windows of size elements along axis, stride apart: a dimension of n elements "
              "becomes two, (n - size) / stride + 1 and size.",
       .params = {{.name = "x", .types = "T"},
                  {.name = "axis", .types = "int32", .constant = true},
                  {.name = "size", .types = "int32", .constant = true},
                  {.name = "stride",
                   .types = "int32",
                   .required = false,
                   .constant = true,
                   .default_text = "1"}},
       .domains = {{.name = "T",
                    .dtypes = "fp16 fp32 int32",
                    .wider_since = Opset::kIOS17,
                    .wider_dtypes = "int8 uint8 int16 uint16 bool"}},
       .constraints = {{kWindowAxis, "axis is within [-rank, rank)."},
                       {kWindowSize, "size and stride are positive, and a window fits the axis."}},
       .infer = InferSlidingWindows,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      {.name = "split",
       .doc = "Cuts x along axis into num_splits equal parts, or into parts of split_sizes. One "
              "output for each part.",
       .params = {{.name = "x", .types = "T"},
                  {.name = "num_splits", .types = "int32", .required = false, .constant = true},
                  {.name = "split_sizes", .types = "int32", .required = false, .constant = true},
                  {.name = "axis", .types = "int32", .constant = true}},
       .domains = {{.name = "T", .dtypes = kBasic}},
       .constraints = {{kSplitAxis, "axis is within [-rank, rank), of a known rank."},
                       {kSplitGiven,
                        "num_splits or split_sizes is given; num_splits is from 1 to 2^20."},
                       {kSplitEven, "num_splits alone divides the axis."},
                       {kSplitSizes,
                        "split_sizes holds num_splits sizes that add up to that of the axis."}},
       .infer = InferSplit,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
  };
}

}  // namespace anemone::ops::slice
