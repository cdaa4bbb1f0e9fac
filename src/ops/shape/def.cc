// Shapes and constants: operators that make tensors out of little or nothing.
#include <cmath>

#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::shape {
namespace {

constexpr std::string_view kShape = "fill_c1";
constexpr std::string_view kStep = "range_1d_c1";
constexpr std::string_view kLength = "range_1d_c2";
constexpr std::string_view kRandomShape = "random_c1";
constexpr std::string_view kMode = "random_categorical_c1";
constexpr std::string_view kDraws = "random_categorical_c2";

Status InferConst(const OpArgs&, std::vector<Type>*) {
  return Internal("a const has the type of its value and is not inferred");
}

Status InferShape(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  outputs->push_back(Type::Tensor(DType::kInt32, {x.has_rank() ? x.rank() : kDynamic}));
  return {};
}

// The tensor type whose shape is the value of the parameter `shape`.
Result<Type> TypeOfShape(std::string_view label, const OpArgs& args, DType dtype) {
  ANEMONE_ASSIGN(Type unknown, TypeOfUnknownShape(label, dtype, args.TypeOf("shape")));
  if (args.ValueOf("shape") == nullptr) return unknown;
  ANEMONE_ASSIGN(Shape dims, args.Ints("shape"));
  for (int64_t dim : dims) {
    if (dim < 0) return Violates(label, "shape {} holds a negative size", ir::ShapeToString(dims));
  }
  ANEMONE_TRY(MulDims(dims, 0, dims.size()).status());
  return Type::Tensor(dtype, std::move(dims));
}

Status InferFill(const OpArgs& args, std::vector<Type>* outputs) {
  const DType dtype = args.Has("value") ? args.TypeOf("value").dtype() : DType::kFp32;
  ANEMONE_ASSIGN(Type type, TypeOfShape(kShape, args, dtype));
  outputs->push_back(std::move(type));
  return {};
}

Status InferFillLike(const OpArgs& args, std::vector<Type>* outputs) {
  const DType dtype = args.Has("value") ? args.TypeOf("value").dtype() : DType::kFp32;
  const Type& ref = args.TypeOf("ref_tensor");
  outputs->push_back(ref.has_rank() ? Type::Tensor(dtype, ref.shape())
                                    : Type::UnrankedTensor(dtype));
  return {};
}

Status InferRange(const OpArgs& args, std::vector<Type>* outputs) {
  int64_t length = kDynamic;
  if (args.IsKnown("start") && args.IsKnown("end") && args.IsKnown("step")) {
    ANEMONE_ASSIGN(double start, args.Float("start"));
    ANEMONE_ASSIGN(double end, args.Float("end"));
    ANEMONE_ASSIGN(double step, args.Float("step"));
    if (step == 0 || std::isnan(step)) return Violates(kStep, "step is {}", step);
    const double count = std::ceil((end - start) / step);
    if (!(count < 0x1p31)) {
      return Violates(kLength, "a range from {} to {} by {} has {} elements", start, end, step,
                      count);
    }
    length = count > 0 ? static_cast<int64_t>(count) : 0;
  }
  outputs->push_back(Type::Tensor(args.TypeOf("start").dtype(), {length}));
  return {};
}

// Dtype of a random tensor: that of the first of the two parameters that is given.
Status InferRandom(const OpArgs& args, std::string_view first, std::string_view second,
                   std::vector<Type>* outputs) {
  DType dtype = DType::kFp32;
  if (args.Has(first)) {
    dtype = args.TypeOf(first).dtype();
  } else if (args.Has(second)) {
    dtype = args.TypeOf(second).dtype();
  }
  ANEMONE_ASSIGN(Type type, TypeOfShape(kRandomShape, args, dtype));
  outputs->push_back(std::move(type));
  return {};
}

Status InferCategorical(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(std::string mode, args.String("mode"));
  if (mode != "logits" && mode != "probs") return Violates(kMode, "mode is \"{}\"", mode);
  ANEMONE_ASSIGN(int64_t size, args.Int("size"));
  if (size < 0) return Violates(kDraws, "size is {}", size);
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) {
    outputs->push_back(Type::UnrankedTensor(x.dtype()));
    return {};
  }
  if (x.rank() == 0) return Violates(kDraws, "x is a scalar");
  Shape dims = x.shape();
  dims.back() = size;
  outputs->push_back(Type::Tensor(x.dtype(), std::move(dims)));
  return {};
}

// Draws numbers, which a second draw need not repeat.
constexpr ir::Traits kRandomDraw{.run_by = ir::RunBy::kKernel,
                                 .effects = ir::Effects::kReads,
                                 .precision = ir::Precision::kMayBeHalf,
                                 .elements = ElementRule::kComputed,
                                 .sizes = SizeRule::kInferred};

OpDef Random(std::string_view name, std::string_view doc, std::vector<Param> params,
             ir::InferFn infer) {
  params.insert(params.begin(), Param{.name = "shape", .types = "int32"});
  params.push_back(ConstantParam("seed", "int32", "-1"));
  return {.name = name,
          .doc = doc,
          .params = std::move(params),
          .domains = {{.name = "T", .dtypes = "fp16 fp32"}},
          .constraints = {{kRandomShape, "shape is a vector of at most 32 sizes, none negative."}},
          .infer = infer,
          .cost = NoCost,
          .traits = kRandomDraw};
}

}  // namespace

std::vector<OpDef> Defs() {
  constexpr std::string_view kAny = "fp16 fp32 int32 bool";
  return {
      {.name = "const",
       .doc = "A constant: its output holds a literal, in place or as a view of weight.bin.",
       .params = {},
       .infer = InferConst,
       .cost = NoCost,
       .traits = {.run_by = ir::RunBy::kNothing,
                  .effects = ir::Effects::kNone,
                  .precision = ir::Precision::kAsDeclared,
                  .elements = ElementRule::kComputed,
                  .sizes = SizeRule::kInferred}},
      {.name = "fill",
       .doc = "A tensor of the given shape with value in every element.",
       .params = {{.name = "shape", .types = "int32"}, ConstantParam("value", "T", "0.0")},
       .domains = {{.name = "T", .dtypes = kAny}},
       .constraints = {{kShape, "shape is a vector of at most 32 sizes, none negative."}},
       .infer = InferFill,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "fill_like",
       .doc = "A tensor of the shape of ref_tensor with value in every element.",
       .since = Opset::kIOS16,
       .params = {{.name = "ref_tensor", .types = "T"}, ConstantParam("value", "U", "0.0")},
       .domains = {{.name = "T", .dtypes = kAny}, {.name = "U", .dtypes = kAny}},
       .infer = InferFillLike,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kOfFirst)},
      {.name = "identity",
       .doc = "x itself: a new name for a tensor or a list.",
       .params = {{.name = "x", .types = "any"}},
       .infer = InferLikeX,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kOfFirst)},
      Random("random_bernoulli",
             "Ones with probability prob, zeros otherwise. The same seed gives the same tensor.",
             {ConstantParam("prob", "T", "0.5")},
             [](const OpArgs& args, std::vector<Type>* outputs) {
               return InferRandom(args, "prob", "prob", outputs);
             }),
      {.name = "random_categorical",
       .doc = "Draws size indices, with replacement, for each row of x (its last dimension), which "
              "holds log-probabilities (mode logits) or probabilities (probs). The indices are "
              "floats. The same seed gives the same draws.",
       .params = {{.name = "x", .types = "T"},
                  ConstantParam("mode", "string", "\"logits\""),
                  ConstantParam("size", "int32", "1"),
                  ConstantParam("seed", "int32", "-1")},
       .domains = {{.name = "T", .dtypes = "fp16 fp32"}},
       .constraints = {{kMode, "mode is logits or probs."},
                       {kDraws, "size is not negative and x is not a scalar."}},
       .infer = InferCategorical,
       .cost = NoCost,
       .traits = kRandomDraw},
      Random("random_normal",
             "Numbers of the normal distribution with the given mean and standard deviation. The "
             "same seed gives the same tensor.",
             {ConstantParam("mean", "T", "0.0"), ConstantParam("stddev", "T", "1.0")},
             [](const OpArgs& args, std::vector<Type>* outputs) {
               return InferRandom(args, "mean", "stddev", outputs);
             }),
      Random("random_uniform",
             "Numbers spread evenly over [low, high). The same seed gives the same tensor.",
             {ConstantParam("low", "T", "0.0"), ConstantParam("high", "T", "1.0")},
             [](const OpArgs& args, std::vector<Type>* outputs) {
               return InferRandom(args, "low", "high", outputs);
             }),
      {.name = "range_1d",
       .doc = "start, start + step, start + 2 * step ... as long as end is not reached: "
              "max(0, ceil((end - start) / step)) elements.",
       .params = {{.name = "end", .types = "T"},
                  {.name = "start", .types = "T"},
                  {.name = "step", .types = "T"}},
       .domains = {{.name = "T", .dtypes = "fp16 fp32 int32"}},
       .constraints = {{kStep, "step is not 0."}, {kLength, "There are fewer than 2^31 elements."}},
       .infer = InferRange,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "shape",
       .doc = "The sizes of the dimensions of x, as a vector.",
       .params = {{.name = "x", .types = "T"}},
       .domains = {{.name = "T", .dtypes = kAny}},
       .infer = InferShape,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
  };
}

}  // namespace anemone::ops::shape
