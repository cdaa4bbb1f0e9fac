// Operators that join, repeat, order and pick elements of whole tensors.
#include <algorithm>

#include "ops/infer.h"
#include "ops/ops.h"
#include "ops/tensor_ops/selection.h"

namespace anemone::ops::tensor_ops {
namespace {

constexpr std::string_view kConcatRank = "concat_c1";
constexpr std::string_view kConcatAxis = "concat_c2";
constexpr std::string_view kConcatDims = "concat_c3";
constexpr std::string_view kConcatInterleave = "concat_c4";
constexpr std::string_view kStackShapes = "stack_c1";
constexpr std::string_view kStackAxis = "stack_c2";
constexpr std::string_view kTileReps = "tile_c1";
constexpr std::string_view kTilePositive = "tile_c2";
constexpr std::string_view kPadLength = "pad_c1";
constexpr std::string_view kPadNegative = "pad_c2";
constexpr std::string_view kPadMode = "pad_c3";
constexpr std::string_view kPadReach = "pad_c4";
constexpr std::string_view kSelectShapes = "select_c1";
constexpr std::string_view kBandRank = "band_part_c1";
constexpr std::string_view kCumsumAxis = "cumsum_c1";
constexpr std::string_view kFlattenAxis = "flatten2d_c1";

constexpr std::string_view kBasic = "fp16 fp32 int32 bool";
// concat and stack take any tensors.
constexpr std::string_view kAll =
    "fp16 fp32 fp64 int8 uint8 int16 uint16 int32 uint32 int64 uint64 bool";

Status InferConcat(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& first = args.TypeOf("values", 0);
  ANEMONE_ASSIGN(bool interleave, args.Bool("interleave"));
  const size_t count = args.Count("values");
  for (size_t i = 0; i < count; ++i) {
    const Type& type = args.TypeOf("values", i);
    if (!type.has_rank()) {
      outputs->push_back(Type::UnrankedTensor(first.dtype()));
      return {};
    }
    if (type.rank() != first.rank()) {
      return Violates(kConcatRank, "values[{}] has rank {}, values[0] has rank {}", i, type.rank(),
                      first.rank());
    }
  }
  // Scalars join to a vector.
  if (first.rank() == 0) {
    outputs->push_back(Type::Tensor(first.dtype(), {static_cast<int64_t>(count)}));
    return {};
  }
  ANEMONE_ASSIGN(int64_t axis, args.Int("axis"));
  ANEMONE_ASSIGN(axis, NormalizeAxis(kConcatAxis, axis, first.rank()));
  const auto at = static_cast<size_t>(axis);
  Shape shape = first.shape();
  for (size_t i = 1; i < count; ++i) {
    const Shape& other = args.TypeOf("values", i).shape();
    for (size_t d = 0; d < shape.size(); ++d) {
      if (d == at) {
        if (interleave && !DimsAgree(first.shape()[d], other[d])) {
          return Violates(kConcatInterleave,
                          "values[{}] has {} elements along the axis, values[0] has {}", i,
                          other[d], first.shape()[d]);
        }
        ANEMONE_ASSIGN(shape[d], AddDims(shape[d], other[d]));
      } else if (!DimsAgree(shape[d], other[d])) {
        return Violates(kConcatDims, "values[{}] has size {} in dimension {}, others have {}", i,
                        other[d], d, shape[d]);
      } else {
        shape[d] = MergeDims(shape[d], other[d]);
      }
    }
  }
  outputs->push_back(Type::Tensor(first.dtype(), std::move(shape)));
  return {};
}

Status InferStack(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& first = args.TypeOf("values", 0);
  Shape shape = first.shape();
  const size_t count = args.Count("values");
  for (size_t i = 0; i < count; ++i) {
    const Type& type = args.TypeOf("values", i);
    if (!type.has_rank()) {
      outputs->push_back(Type::UnrankedTensor(first.dtype()));
      return {};
    }
    bool same = type.shape().size() == shape.size();
    for (size_t d = 0; same && d < shape.size(); ++d) {
      same = DimsAgree(shape[d], type.shape()[d]);
      shape[d] = MergeDims(shape[d], type.shape()[d]);
    }
    if (!same) {
      return Violates(kStackShapes, "values[{}] is {}, values[0] is {}", i, type.ToString(),
                      first.ToString());
    }
  }
  ANEMONE_ASSIGN(int64_t axis, args.Int("axis"));
  ANEMONE_ASSIGN(axis, NormalizeAxis(kStackAxis, axis, first.rank() + 1));
  shape.insert(shape.begin() + axis, static_cast<int64_t>(count));
  outputs->push_back(Type::Tensor(first.dtype(), std::move(shape)));
  return {};
}

Status InferTile(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  const Type& reps_type = args.TypeOf("reps");
  if (!x.has_rank()) {
    outputs->push_back(Type::UnrankedTensor(x.dtype()));
    return {};
  }
  if (x.rank() == 0 || (reps_type.has_rank() &&
                        (reps_type.rank() != 1 || !DimsAgree(reps_type.shape()[0], x.rank())))) {
    return Violates(kTileReps, "reps is {}, x has rank {}", reps_type.ToString(), x.rank());
  }
  Shape shape(x.shape().size(), kDynamic);
  if (args.IsKnown("reps")) {
    ANEMONE_ASSIGN(std::vector<int64_t> reps, args.Ints("reps"));
    for (size_t i = 0; i < shape.size(); ++i) {
      if (reps[i] <= 0) return Violates(kTilePositive, "reps is {} in dimension {}", reps[i], i);
      ANEMONE_ASSIGN(shape[i], MulDims(x.shape()[i], reps[i]));
    }
    ANEMONE_TRY(MulDims(shape, 0, shape.size()).status());
  }
  outputs->push_back(Type::Tensor(x.dtype(), std::move(shape)));
  return {};
}

Status InferPad(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(std::string mode, args.String("mode"));
  if (mode != "constant" && mode != "reflect" && mode != "replicate") {
    return Violates(kPadMode, "mode is \"{}\"", mode);
  }
  const Type& x = args.TypeOf("x");
  const Type& pad_type = args.TypeOf("pad");
  if (!x.has_rank()) {
    outputs->push_back(Type::UnrankedTensor(x.dtype()));
    return {};
  }
  if (!args.IsKnown("pad")) {
    if (pad_type.has_rank() &&
        (pad_type.rank() != 1 || !DimsAgree(pad_type.shape()[0], 2 * x.rank()))) {
      return Violates(kPadLength, "pad is {} and not constant, x has rank {}", pad_type.ToString(),
                      x.rank());
    }
    outputs->push_back(Type::Tensor(x.dtype(), Shape(x.shape().size(), kDynamic)));
    return {};
  }
  ANEMONE_ASSIGN(std::vector<int64_t> pad, args.Ints("pad"));
  if (pad_type.rank() != 1 || pad.size() % 2 != 0 || pad.size() > 2 * x.shape().size()) {
    return Violates(kPadLength, "pad is {}, x has rank {}", pad_type.ToString(), x.rank());
  }
  Shape shape = x.shape();
  const size_t padded = pad.size() / 2;
  for (size_t i = 0; i < padded; ++i) {
    int64_t& dim = shape[shape.size() - padded + i];
    const int64_t most = std::max(pad[2 * i], pad[2 * i + 1]);
    if (pad[2 * i] < 0 || pad[2 * i + 1] < 0) {
      return Violates(kPadNegative, "pad holds {} and {}", pad[2 * i], pad[2 * i + 1]);
    }
    if (dim != kDynamic && most > 0 &&
        ((mode == "reflect" && most > dim - 1) || (mode == "replicate" && dim == 0))) {
      return Violates(kPadReach, "{} padding of {} elements at a dimension of size {}", mode, most,
                      dim);
    }
    ANEMONE_ASSIGN(dim, AddDims(dim, pad[2 * i]));
    ANEMONE_ASSIGN(dim, AddDims(dim, pad[2 * i + 1]));
  }
  outputs->push_back(Type::Tensor(x.dtype(), std::move(shape)));
  return {};
}

Status InferSelect(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& a = args.TypeOf("a");
  ANEMONE_ASSIGN(Type type, BroadcastTypes(kSelectShapes, a, args.TypeOf("b"), a.dtype()));
  ANEMONE_ASSIGN(type, BroadcastTypes(kSelectShapes, args.TypeOf("cond"), type, a.dtype()));
  outputs->push_back(std::move(type));
  return {};
}

Status InferBandPart(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckRank(args, "x", 2, INT32_MAX, kBandRank));
  return InferLikeX(args, outputs);
}

Status InferCumsum(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  if (x.has_rank()) {
    ANEMONE_ASSIGN(int64_t axis, args.Int("axis"));
    ANEMONE_TRY(NormalizeAxis(kCumsumAxis, axis, x.rank()).status());
  }
  outputs->push_back(x);
  return {};
}

Status InferFlatten2d(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) {
    outputs->push_back(Type::Tensor(x.dtype(), {kDynamic, kDynamic}));
    return {};
  }
  ANEMONE_ASSIGN(int64_t axis, args.Int("axis"));
  if (axis < -x.rank() || axis > x.rank()) {
    return Violates(kFlattenAxis, "axis {} is outside [{}, {}]", axis, -x.rank(), x.rank());
  }
  const auto cut = static_cast<size_t>(axis < 0 ? axis + x.rank() : axis);
  ANEMONE_ASSIGN(int64_t rows, MulDims(x.shape(), 0, cut));
  ANEMONE_ASSIGN(int64_t columns, MulDims(x.shape(), cut, x.shape().size()));
  outputs->push_back(Type::Tensor(x.dtype(), {rows, columns}));
  return {};
}

}  // namespace

std::vector<OpDef> Defs() {
  std::vector<OpDef> defs = {
      {.name = "band_part",
       .doc = "Keeps the elements of each matrix (the last two dimensions) that lie at most lower "
              "rows below and upper columns right of the main diagonal; the others become 0. A "
              "negative number keeps that whole side.",
       .params = {{.name = "x", .types = "T"},
                  ConstantParam("lower", "int32", "-1"),
                  ConstantParam("upper", "int32", "-1")},
       .domains = {{.name = "T", .dtypes = kBasic}},
       .constraints = {{kBandRank, "x has at least two dimensions."}},
       .infer = InferBandPart,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kScaleWithFirst, SizeRule::kOfFirst)},
      {.name = "concat",
       .doc = "Joins values along axis. With interleave, slice i of every value comes before slice "
              "i + 1 of any. Scalars join to a vector.",
       .params = {{.name = "values", .types = "T", .variadic = true},
                  {.name = "axis", .types = "int32", .constant = true},
                  ConstantParam("interleave", "bool", "false")},
       .domains = {{.name = "T", .dtypes = kAll}},
       .constraints = {{kConcatRank, "All values have the same rank."},
                       {kConcatAxis, "axis is within [-rank, rank)."},
                       {kConcatDims, "The values have equal sizes in all dimensions but axis."},
                       {kConcatInterleave, "With interleave, also those along axis are equal."}},
       .infer = InferConcat,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "cumsum",
       .doc =
           "Running sums along axis. exclusive leaves the element itself out of its sum; reverse "
           "sums from the end.",
       .params = {{.name = "x", .types = "T"},
                  ConstantParam("axis", "int32", "0"),
                  ConstantParam("exclusive", "bool", "false"),
                  ConstantParam("reverse", "bool", "false")},
       .domains = {{.name = "T", .dtypes = "fp16 fp32 int32"}},
       .constraints = {{kCumsumAxis, "axis is within [-rank, rank)."}},
       .infer = InferCumsum,
       .traits = TensorFunction(ElementRule::kScaleWithFirst, SizeRule::kOfFirst),
       .integers_grow = true},
      {.name = "flatten2d",
       .doc = "x as a matrix: the dimensions before axis become rows, the others columns.",
       .params = {{.name = "x", .types = "T"}, ConstantParam("axis", "int32", "1")},
       .domains = {{.name = "T", .dtypes = kBasic}},
       .constraints = {{kFlattenAxis, "axis is within [-rank, rank]."}},
       .infer = InferFlatten2d,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      {.name = "pad",
       .doc = "Adds elements around x: pad holds a count before and a count after for each of the "
              "last dimensions. mode constant fills with constant_val, reflect mirrors x without "
              "its border element, replicate repeats the border element.",
       .params = {{.name = "x", .types = "T"},
                  {.name = "pad", .types = "int32"},
                  ConstantParam("mode", "string", "\"constant\""),
                  ConstantParam("constant_val", "T", "0.0")},
       .domains = {{.name = "T", .dtypes = "fp16 fp32"}},
       .constraints =
           {{kPadLength,
             "pad is a vector of two counts for each of at most rank dimensions; exactly "
             "rank when it is not a constant."},
            {kPadNegative, "No count is negative."},
            {kPadMode, "mode is constant, reflect or replicate."},
            {kPadReach,
             "A reflection is shorter than the dimension; an empty dimension has no "
             "border to replicate."}},
       .infer = InferPad,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "select",
       .doc = "The element of a where cond is true, that of b elsewhere; all three broadcast.",
       .params = {{.name = "cond", .types = "bool"},
                  {.name = "a", .types = "T"},
                  {.name = "b", .types = "T"}},
       .domains = {{.name = "T", .dtypes = kBasic}},
       .constraints = {{kSelectShapes, "The shapes of cond, a and b broadcast."}},
       .infer = InferSelect,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "stack",
       .doc = "Joins values, tensors of one shape, along a new dimension at axis.",
       .params = {{.name = "values", .types = "T", .variadic = true},
                  {.name = "axis", .types = "int32", .constant = true}},
       .domains = {{.name = "T", .dtypes = kAll}},
       .constraints = {{kStackShapes, "All values have the same shape."},
                       {kStackAxis, "axis is within [-rank - 1, rank]."}},
       .infer = InferStack,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "tile",
       .doc = "Repeats x reps[i] times along each dimension i.",
       .params = {{.name = "x", .types = "T"}, {.name = "reps", .types = "int32"}},
       .domains = {{.name = "T", .dtypes = kBasic}},
       .constraints = {{kTileReps, "reps has one element for each dimension of x, at least one."},
                       {kTilePositive, "All reps are positive."}},
       .infer = InferTile,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
  };
  std::ranges::move(SelectionDefs(), std::back_inserter(defs));
  return defs;
}

}  // namespace anemone::ops::tensor_ops
