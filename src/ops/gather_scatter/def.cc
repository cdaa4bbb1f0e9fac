// Elements picked by index, and elements put at an index.
#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::gather_scatter {
namespace {

constexpr std::string_view kAxis = "gather_scatter_c1";
constexpr std::string_view kIndexRange = "gather_scatter_c2";
constexpr std::string_view kMode = "gather_scatter_c3";
constexpr std::string_view kUpdates = "gather_scatter_c4";
constexpr std::string_view kAlong = "gather_scatter_c5";
constexpr std::string_view kDepth = "gather_scatter_c6";
constexpr std::string_view kBatchDims = "gather_scatter_c7";
constexpr std::string_view kIndexDType = "gather_scatter_c8";

// With validate_indices, known indices lie within [0, size).
Status ValidateIndices(const OpArgs& args, int64_t size) {
  const ir::Literal* validate = args.ValueOf("validate_indices");
  if (args.opset() < Opset::kIOS17 || validate == nullptr || !validate->AsBool().value_or(false)) {
    return {};
  }
  if (size == kDynamic || !args.IsKnown("indices")) return {};
  ANEMONE_ASSIGN(std::vector<int64_t> indices, args.Ints("indices"));
  for (int64_t index : indices) {
    if (index < 0 || index >= size) {
      return Violates(kIndexRange, "index {} is outside [0, {})", index, size);
    }
  }
  return {};
}

// The type domain of indices widened twice; this is the second time.
Status CheckIndexDType(const OpArgs& args) {
  const DType dtype = args.TypeOf("indices").dtype();
  if (args.opset() >= Opset::kIOS17 || (dtype != DType::kInt8 && dtype != DType::kUInt8)) return {};
  return Violates(kIndexDType, "indices are {} in {}", DTypeName(dtype),
                  ir::OpsetName(args.opset()));
}

// dims[begin, end) appended to `shape`.
void Append(const Shape& dims, size_t begin, size_t end, Shape* shape) {
  for (size_t i = begin; i < end; ++i) shape->push_back(dims[i]);
}

Status InferGather(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckIndexDType(args));
  const Type& x = args.TypeOf("x");
  const Type& indices = args.TypeOf("indices");
  if (!x.has_rank() || !indices.has_rank()) {
    outputs->push_back(Type::UnrankedTensor(x.dtype()));
    return {};
  }
  ANEMONE_ASSIGN(int64_t axis, args.Int("axis"));
  ANEMONE_ASSIGN(axis, NormalizeAxis(kAxis, axis, x.rank()));
  ANEMONE_ASSIGN(int64_t batch_dims, args.Int("batch_dims"));
  const auto batch = static_cast<size_t>(batch_dims);
  bool fits = batch_dims >= 0 && batch_dims <= axis && batch_dims <= indices.rank();
  for (size_t i = 0; fits && i < batch; ++i) fits = DimsAgree(x.shape()[i], indices.shape()[i]);
  if (!fits) {
    return Violates(kBatchDims, "batch_dims is {} with axis {}, x {} and indices {}", batch_dims,
                    axis, x.ToString(), indices.ToString());
  }
  const auto at = static_cast<size_t>(axis);
  ANEMONE_TRY(ValidateIndices(args, x.shape()[at]));
  Shape shape;
  Append(x.shape(), 0, at, &shape);
  Append(indices.shape(), batch, indices.shape().size(), &shape);
  Append(x.shape(), at + 1, x.shape().size(), &shape);
  ANEMONE_TRY(MulDims(shape, 0, shape.size()).status());
  outputs->push_back(Type::Tensor(x.dtype(), std::move(shape)));
  return {};
}

Status InferGatherAlongAxis(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckIndexDType(args));
  const Type& x = args.TypeOf("x");
  const Type& indices = args.TypeOf("indices");
  if (!x.has_rank() || !indices.has_rank()) {
    outputs->push_back(indices.has_rank() ? Type::Tensor(x.dtype(), indices.shape())
                                          : Type::UnrankedTensor(x.dtype()));
    return {};
  }
  ANEMONE_ASSIGN(int64_t axis, args.Int("axis"));
  ANEMONE_ASSIGN(axis, NormalizeAxis(kAxis, axis, x.rank()));
  const auto at = static_cast<size_t>(axis);
  bool fits = x.rank() == indices.rank();
  for (size_t i = 0; fits && i < x.shape().size(); ++i) {
    fits = i == at || DimsAgree(x.shape()[i], indices.shape()[i]);
  }
  if (!fits) {
    return Violates(kAlong, "x is {}, indices are {}, axis is {}", x.ToString(), indices.ToString(),
                    axis);
  }
  ANEMONE_TRY(ValidateIndices(args, x.shape()[at]));
  outputs->push_back(Type::Tensor(x.dtype(), indices.shape()));
  return {};
}

// What gather_nd picks and scatter_nd overwrites: indices.shape[:-1] + x.shape[batch_dims +
// indices.shape[-1]:].
Result<Type> NdSelection(const OpArgs& args, const Type& x, int64_t batch_dims) {
  const Type& indices = args.TypeOf("indices");
  if (!x.has_rank() || !indices.has_rank()) return Type::UnrankedTensor(x.dtype());
  if (indices.rank() == 0) return Violates(kDepth, "indices is a scalar");
  bool fits = batch_dims >= 0 && batch_dims < indices.rank() && batch_dims <= x.rank();
  for (size_t i = 0; fits && i < static_cast<size_t>(batch_dims); ++i) {
    fits = DimsAgree(x.shape()[i], indices.shape()[i]);
  }
  if (!fits) {
    return Violates(kBatchDims, "batch_dims is {} with x {} and indices {}", batch_dims,
                    x.ToString(), indices.ToString());
  }
  const int64_t depth = indices.shape().back();
  if (depth == kDynamic) return Type::UnrankedTensor(x.dtype());
  if (depth > x.rank() - batch_dims) {
    return Violates(kDepth, "indices of {} numbers into {} dimensions", depth,
                    x.rank() - batch_dims);
  }
  Shape shape;
  Append(indices.shape(), 0, indices.shape().size() - 1, &shape);
  Append(x.shape(), static_cast<size_t>(batch_dims + depth), x.shape().size(), &shape);
  ANEMONE_TRY(MulDims(shape, 0, shape.size()).status());
  // With validate_indices, each number of an index lies within its dimension.
  const ir::Literal* validate = args.ValueOf("validate_indices");
  if (args.opset() >= Opset::kIOS17 && validate != nullptr && validate->AsBool().value_or(false) &&
      args.IsKnown("indices")) {
    ANEMONE_ASSIGN(std::vector<int64_t> values, args.Ints("indices"));
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t dim = static_cast<size_t>(batch_dims) + i % static_cast<size_t>(depth);
      const int64_t size = x.shape()[dim];
      if (values[i] < 0 || (size != kDynamic && values[i] >= size)) {
        return Violates(kIndexRange, "index {} is outside [0, {})", values[i], size);
      }
    }
  }
  return Type::Tensor(x.dtype(), std::move(shape));
}

Status InferGatherNd(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckIndexDType(args));
  ANEMONE_ASSIGN(int64_t batch_dims, args.Int("batch_dims"));
  ANEMONE_ASSIGN(Type type, NdSelection(args, args.TypeOf("x"), batch_dims));
  outputs->push_back(std::move(type));
  return {};
}

Status CheckMode(const OpArgs& args) {
  ANEMONE_ASSIGN(std::string mode, args.String("mode"));
  for (std::string_view known : {"update", "add", "sub", "mul", "div", "max", "min"}) {
    if (mode == known) return {};
  }
  return Violates(kMode, "mode is \"{}\"", mode);
}

Status CheckUpdates(const OpArgs& args, const Shape& wanted) {
  const Type& updates = args.TypeOf("updates");
  if (!updates.has_rank()) return {};
  bool fits = updates.shape().size() == wanted.size();
  for (size_t i = 0; fits && i < wanted.size(); ++i) {
    fits = DimsAgree(updates.shape()[i], wanted[i]);
  }
  if (fits) return {};
  return Violates(kUpdates, "updates is {}, wanted shape {}", updates.ToString(),
                  ir::ShapeToString(wanted));
}

Status InferScatter(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckMode(args));
  const Type& data = args.TypeOf("data");
  const Type& indices = args.TypeOf("indices");
  if (data.has_rank()) {
    ANEMONE_ASSIGN(int64_t axis, args.Int("axis"));
    ANEMONE_ASSIGN(axis, NormalizeAxis(kAxis, axis, data.rank()));
    const auto at = static_cast<size_t>(axis);
    ANEMONE_TRY(ValidateIndices(args, data.shape()[at]));
    if (indices.has_rank()) {
      Shape wanted;
      Append(data.shape(), 0, at, &wanted);
      Append(indices.shape(), 0, indices.shape().size(), &wanted);
      Append(data.shape(), at + 1, data.shape().size(), &wanted);
      ANEMONE_TRY(CheckUpdates(args, wanted));
    }
  }
  outputs->push_back(data);
  return {};
}

Status InferScatterAlongAxis(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckMode(args));
  const Type& data = args.TypeOf("data");
  const Type& indices = args.TypeOf("indices");
  if (data.has_rank()) {
    ANEMONE_ASSIGN(int64_t axis, args.Int("axis"));
    ANEMONE_ASSIGN(axis, NormalizeAxis(kAxis, axis, data.rank()));
    const auto at = static_cast<size_t>(axis);
    if (indices.has_rank()) {
      bool fits = data.rank() == indices.rank();
      for (size_t i = 0; fits && i < data.shape().size(); ++i) {
        fits = i == at || DimsAgree(data.shape()[i], indices.shape()[i]);
      }
      if (!fits) {
        return Violates(kAlong, "data is {}, indices are {}, axis is {}", data.ToString(),
                        indices.ToString(), axis);
      }
      ANEMONE_TRY(CheckUpdates(args, indices.shape()));
    }
    ANEMONE_TRY(ValidateIndices(args, data.shape()[at]));
  }
  outputs->push_back(data);
  return {};
}

Status InferScatterNd(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckMode(args));
  const Type& data = args.TypeOf("data");
  ANEMONE_ASSIGN(Type selection, NdSelection(args, data, 0));
  if (selection.has_rank()) ANEMONE_TRY(CheckUpdates(args, selection.shape()));
  outputs->push_back(data);
  return {};
}

// One operation for each element of updates.
OpCost CostOfScatter(const OpArgs& args, std::span<const Type>) {
  return {ElementsOf(args, "updates")};
}

std::vector<TypeDomain> GatherDomains() {
  return {{.name = "T",
           .dtypes = "fp16 fp32 int32",
           .wider_since = Opset::kIOS17,
           .wider_dtypes = "int8 uint8 int16 uint16"},
          {.name = "I",
           .dtypes = "int32",
           .wider_since = Opset::kIOS16,
           .wider_dtypes = "int8 uint8 int16 uint16"}};
}

const Constraint kAxisRule{kAxis, "axis is within [-rank, rank)."};
const Constraint kIndexRule{
    kIndexRange,
    "With validate_indices, every index is from 0 to the size of its dimension less 1."};
const Constraint kModeRule{kMode, "mode is update, add, sub, mul, div, max or min."};
const Constraint kUpdatesRule{kUpdates, "updates has the shape of the elements that it goes to."};
const Constraint kAlongRule{kAlong,
                            "indices has the rank of the tensor and its size in each dimension but "
                            "axis."};
const Constraint kDepthRule{
    kDepth,
    "indices is not a scalar, and its last dimension is at most the rank left "
    "after batch_dims."};
const Constraint kBatchRule{kBatchDims,
                            "The first batch_dims dimensions of x and indices are equal; axis, if "
                            "any, is not before them."};
const Constraint kIndexDTypeRule{kIndexDType, "Before ios17, indices are not int8 or uint8."};

OpDef Scatter(std::string_view name, std::string_view doc, bool with_axis, ir::InferFn infer,
              std::vector<Constraint> constraints) {
  std::vector<Param> params = {{.name = "data", .types = "T"},
                               {.name = "indices", .types = "int32"},
                               {.name = "updates", .types = "T"}};
  if (with_axis) params.push_back(ConstantParam("axis", "int32", "0"));
  params.push_back(ConstantParam("mode", "string", "\"add\""));
  params.push_back(ConstantParam("validate_indices", "bool", "false", Opset::kIOS17));
  return {.name = name,
          .doc = doc,
          .params = std::move(params),
          .domains = {{.name = "T", .dtypes = "fp16 fp32 int32"}},
          .constraints = std::move(constraints),
          .infer = infer,
          .cost = CostOfScatter,
          .traits = TensorFunction(ElementRule::kComputed, SizeRule::kOfFirst),
          .integers_grow = true};
}

}  // namespace

std::vector<OpDef> Defs() {
  return {
      {.name = "gather",
       .doc = "Slices of x picked along axis: the dimension at axis is replaced by those of "
              "indices. The first batch_dims dimensions of x and indices go together. A negative "
              "index counts from the end.",
       .params = {{.name = "x", .types = "T"},
                  {.name = "indices", .types = "I"},
                  ConstantParam("axis", "int32", "0"),
                  ConstantParam("batch_dims", "int32", "0", Opset::kIOS16),
                  ConstantParam("validate_indices", "bool", "false", Opset::kIOS17)},
       .domains = GatherDomains(),
       .constraints = {kAxisRule, kIndexRule, kBatchRule, kIndexDTypeRule},
       .infer = InferGather,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      {.name = "gather_along_axis",
       .doc = "Elements of x picked along axis: out[.., i, ..] = x[.., indices[.., i, ..], ..]. A "
              "negative index counts from the end.",
       .params = {{.name = "x", .types = "T"},
                  {.name = "indices", .types = "I"},
                  ConstantParam("axis", "int32", "0"),
                  ConstantParam("validate_indices", "bool", "false", Opset::kIOS17)},
       .domains = GatherDomains(),
       .constraints = {kAxisRule, kIndexRule, kAlongRule, kIndexDTypeRule},
       .infer = InferGatherAlongAxis,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      {.name = "gather_nd",
       .doc =
           "Each row of indices (its last dimension) names an element or slice of x by its first "
           "coordinates. The first batch_dims dimensions of x and indices go together.",
       .params = {{.name = "x", .types = "T"},
                  {.name = "indices", .types = "I"},
                  ConstantParam("batch_dims", "int32", "0", Opset::kIOS16),
                  ConstantParam("validate_indices", "bool", "false", Opset::kIOS17)},
       .domains = GatherDomains(),
       .constraints = {kIndexRule, kDepthRule, kBatchRule, kIndexDTypeRule},
       .infer = InferGatherNd,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
      Scatter("scatter",
              "A copy of data whose slices at indices along axis are combined with those of "
              "updates: replaced (update), or added to, reduced by, multiplied, divided, or the "
              "larger or smaller one kept. A negative index counts from the end; since ios17 "
              "updates at indices outside the dimension are left out instead.",
              true, InferScatter, {kAxisRule, kIndexRule, kModeRule, kUpdatesRule}),
      Scatter("scatter_along_axis",
              "A copy of data in which updates[.., i, ..] is combined by mode with element "
              "indices[.., i, ..] along axis.",
              true, InferScatterAlongAxis,
              {kAxisRule, kIndexRule, kModeRule, kUpdatesRule, kAlongRule}),
      Scatter("scatter_nd",
              "A copy of data in which each element or slice that a row of indices names is "
              "combined by mode with that of updates.",
              false, InferScatterNd, {kIndexRule, kModeRule, kUpdatesRule, kDepthRule, kBatchRule}),
  };
}

}  // namespace anemone::ops::gather_scatter
