#include "ops/infer.h"
#include "ops/tensor_ops/selection.h"

namespace anemone::ops::tensor_ops {
namespace {

constexpr std::string_view kSortAxis = "argsort_c1";
constexpr std::string_view kTopkAxis = "topk_c1";
constexpr std::string_view kTopkCount = "topk_c2";
constexpr std::string_view kTopkDType = "topk_c3";
constexpr std::string_view kOneHotAxis = "one_hot_c1";
constexpr std::string_view kOneHotSize = "one_hot_c2";
constexpr std::string_view kNmsThreshold = "non_maximum_suppression_c1";
constexpr std::string_view kNmsShapes = "non_maximum_suppression_c2";
constexpr std::string_view kNmsCount = "non_maximum_suppression_c3";
constexpr std::string_view kClassifyList = "classify_c1";
constexpr std::string_view kClassifyCount = "classify_c2";

Status InferArgsort(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  if (!x.has_rank()) {
    outputs->push_back(Type::UnrankedTensor(DType::kInt32));
    return {};
  }
  ANEMONE_ASSIGN(int64_t axis, args.Int("axis"));
  ANEMONE_TRY(NormalizeAxis(kSortAxis, axis, x.rank()).status());
  outputs->push_back(Type::Tensor(DType::kInt32, x.shape()));
  return {};
}

Status InferTopk(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  ANEMONE_ASSIGN(bool with_indices, args.Bool("return_indices"));
  DType index_dtype = DType::kInt32;
  if (args.Has("output_indices_dtype")) {
    ANEMONE_ASSIGN(std::string name, args.String("output_indices_dtype"));
    if (!with_indices) {
      return Violates(kTopkDType, "output_indices_dtype is given, but return_indices is false");
    }
    if (name == "uint16") {
      index_dtype = DType::kUInt16;
    } else if (name != "int32") {
      return Violates(kTopkDType, "output_indices_dtype is \"{}\"", name);
    }
  }
  if (!x.has_rank()) {
    outputs->push_back(Type::UnrankedTensor(x.dtype()));
    if (with_indices) outputs->push_back(Type::UnrankedTensor(index_dtype));
    return {};
  }
  ANEMONE_ASSIGN(int64_t axis, args.Int("axis"));
  ANEMONE_ASSIGN(axis, NormalizeAxis(kTopkAxis, axis, x.rank()));
  ANEMONE_ASSIGN(int64_t k, args.Int("k"));
  Shape shape = x.shape();
  int64_t& dim = shape[static_cast<size_t>(axis)];
  if (k < -1 || (dim != kDynamic && k > dim)) {
    return Violates(kTopkCount, "k is {}, the axis has {} elements", k, dim);
  }
  if (k != -1) dim = k;
  outputs->push_back(Type::Tensor(x.dtype(), shape));
  if (with_indices) outputs->push_back(Type::Tensor(index_dtype, shape));
  return {};
}

Status InferNonZero(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  outputs->push_back(Type::Tensor(DType::kInt32, {kDynamic, x.has_rank() ? x.rank() : kDynamic}));
  return {};
}

// on_value and off_value: each defaults to 1 or 0 of the other's dtype, int32 when both are absent.
template <int kValue>
Result<ir::Literal> OneHotDefault(const OpArgs& args) {
  const std::string_view other = kValue == 1 ? "off_value" : "on_value";
  const DType dtype = args.Has(other) ? args.TypeOf(other).dtype() : DType::kInt32;
  if (IsFloat(dtype)) return ir::Literal::Float(dtype, kValue);
  if (dtype == DType::kBool) return ir::Literal::Bool(kValue == 1);
  return ir::Literal::Int32(kValue);
}

Status InferOneHot(const OpArgs& args, std::vector<Type>* outputs) {
  DType dtype = DType::kInt32;
  if (args.Has("on_value")) {
    dtype = args.TypeOf("on_value").dtype();
  } else if (args.Has("off_value")) {
    dtype = args.TypeOf("off_value").dtype();
  }
  const Type& indices = args.TypeOf("indices");
  if (!indices.has_rank()) {
    outputs->push_back(Type::UnrankedTensor(dtype));
    return {};
  }
  ANEMONE_ASSIGN(int64_t axis, args.Int("axis"));
  ANEMONE_ASSIGN(axis, NormalizeAxis(kOneHotAxis, axis, indices.rank() + 1));
  int64_t size = kDynamic;
  if (args.IsKnown("one_hot_vector_size")) {
    ANEMONE_ASSIGN(size, args.Int("one_hot_vector_size"));
    if (size < 0) return Violates(kOneHotSize, "one_hot_vector_size is {}", size);
  }
  Shape shape = indices.shape();
  shape.insert(shape.begin() + axis, size);
  ANEMONE_TRY(MulDims(shape, 0, shape.size()).status());
  outputs->push_back(Type::Tensor(dtype, std::move(shape)));
  return {};
}

// Before ios17 a box is a row ([n, B, 4], scores [n, B, K]); from then on a column ([n, 4, B],
// scores [n, K, B]).
Status InferNms(const OpArgs& args, std::vector<Type>* outputs) {
  const bool rows = args.opset() < Opset::kIOS17;
  if (args.Has("score_threshold") != rows) {
    return Violates(kNmsThreshold, "score_threshold is {} in {}", rows ? "missing" : "given",
                    ir::OpsetName(args.opset()));
  }
  ANEMONE_TRY(CheckRank(args, "boxes", 3, kNmsShapes));
  ANEMONE_TRY(CheckRank(args, "scores", 3, kNmsShapes));
  const Type& boxes = args.TypeOf("boxes");
  const Type& scores = args.TypeOf("scores");
  const Shape unknown(3, kDynamic);
  const Shape& b = boxes.has_rank() ? boxes.shape() : unknown;
  const Shape& s = scores.has_rank() ? scores.shape() : unknown;
  const size_t box_axis = rows ? 1 : 2;
  const size_t value_axis = rows ? 2 : 1;
  if (!DimsAgree(b[value_axis], 4) || !DimsAgree(b[0], s[0]) ||
      !DimsAgree(b[box_axis], s[box_axis])) {
    return Violates(kNmsShapes, "boxes are {}, scores are {}", boxes.ToString(), scores.ToString());
  }
  ANEMONE_ASSIGN(int64_t max_boxes, args.Int("max_boxes"));
  if (max_boxes < 0) return Violates(kNmsCount, "max_boxes is {}", max_boxes);
  const int64_t batch = MergeDims(b[0], s[0]);
  const int64_t classes = s[value_axis];
  outputs->push_back(
      Type::Tensor(boxes.dtype(), rows ? Shape{batch, max_boxes, 4} : Shape{batch, 4, max_boxes}));
  outputs->push_back(Type::Tensor(
      scores.dtype(), rows ? Shape{batch, max_boxes, classes} : Shape{batch, classes, max_boxes}));
  outputs->push_back(Type::Tensor(DType::kInt32, {batch, max_boxes}));
  if (rows) outputs->push_back(Type::Tensor(DType::kInt32, {batch}));
  for (const Type& type : *outputs) {
    ANEMONE_TRY(MulDims(type.shape(), 0, type.shape().size()).status());
  }
  return {};
}

OpCost CostOfNms(const OpArgs& args, std::span<const Type> outputs) {
  // About a dozen operations for each pair of a kept box and a candidate.
  const int64_t candidates = ElementsOf(args, "boxes") / 4;
  const int64_t kept = outputs[0].element_count().value_or(0) / 4;
  return {CostProduct({candidates, kept, 12})};
}

Status InferClassify(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& classes = args.TypeOf("classes");
  const bool list = classes.is_list() && classes.elements()[0].is_scalar();
  const DType dtype = list ? classes.elements()[0].dtype() : DType::kInvalid;
  if (dtype != DType::kString && dtype != DType::kInt64) {
    return Violates(kClassifyList, "classes are {}", classes.ToString());
  }
  const std::optional<int64_t> count = args.TypeOf("probabilities").element_count();
  if (count && classes.list_length() != kDynamic && *count != classes.list_length()) {
    return Violates(kClassifyCount, "{} probabilities, {} classes", *count, classes.list_length());
  }
  outputs->push_back(Type::Scalar(dtype));
  outputs->push_back(Type::Dictionary(Type::Scalar(dtype), Type::Scalar(DType::kFp64)));
  return {};
}

// n log2(n) comparisons for each row of n elements.
OpCost CostOfSort(const OpArgs& args, std::span<const Type>) {
  int64_t log2 = 1;
  const int64_t elements = ElementsOf(args, "x");
  const Type& x = args.TypeOf("x");
  auto axis = args.Int("axis");
  if (elements == 0 || x.rank() == 0 || !axis.ok()) return {0};
  const auto at = static_cast<size_t>(*axis < 0 ? *axis + x.rank() : *axis);
  if (at >= x.shape().size()) return {0};
  while (log2 < 62 && (int64_t{1} << log2) < x.shape()[at]) ++log2;
  return {CostProduct({elements, log2})};
}

}  // namespace

std::vector<OpDef> SelectionDefs() {
  return {
      {.name = "argsort",
       .doc = "Indices that put x in order along axis, descending unless ascending is set. Equal "
              "elements keep their order.",
       .params = {{.name = "x", .types = "T"},
                  ConstantParam("axis", "int32", "-1"),
                  ConstantParam("ascending", "bool", "false")},
       .domains = {{.name = "T", .dtypes = "fp16 fp32 int32"}},
       .constraints = {{kSortAxis, "axis is within [-rank, rank)."}},
       .infer = InferArgsort,
       .cost = CostOfSort,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kOfFirst)},
      {.name = "classify",
       .doc = "The class of the highest probability, and a dictionary from each class to its "
              "probability. Ends a classifier model.",
       .params = {{.name = "probabilities", .types = "fp32"},
                  {.name = "classes", .types = "list", .constant = true}},
       .constraints = {{kClassifyList, "classes is a list of strings or of int64."},
                       {kClassifyCount, "There are as many classes as probabilities."}},
       .infer = InferClassify,
       .cost = [](const OpArgs& args, std::span<const Type>) -> OpCost {
         return {ElementsOf(args, "probabilities")};
       },
       .traits = {.run_by = ir::RunBy::kNothing,
                  .effects = ir::Effects::kNone,
                  .precision = ir::Precision::kAsDeclared,
                  .elements = ElementRule::kComputed,
                  .sizes = SizeRule::kInferred}},
      {.name = "non_maximum_suppression",
       .doc = "Picks up to max_boxes boxes by descending best score, passing over each that "
              "overlaps an already picked one (of its class with per_class_suppression) by more "
              "than iou_threshold, intersection over union. Boxes are center x, center y, width, "
              "height. Gives the boxes, their scores, their indices and, before ios17, their "
              "number; unused places hold 0, the index -1.",
       .params = {{.name = "boxes", .types = "T"},
                  {.name = "scores", .types = "T"},
                  {.name = "iou_threshold", .types = "T", .constant = true},
                  {.name = "score_threshold", .types = "T", .required = false, .constant = true},
                  {.name = "max_boxes", .types = "int32", .constant = true},
                  ConstantParam("per_class_suppression", "bool", "false")},
       .domains = {{.name = "T", .dtypes = "fp16 fp32"}},
       .constraints = {{kNmsThreshold,
                        "score_threshold is given before ios17 and does not exist from then on."},
                       {kNmsShapes,
                        "boxes are [n, B, 4] and scores [n, B, K]; from ios17 on, [n, 4, B] and "
                        "[n, K, B]."},
                       {kNmsCount, "max_boxes is not negative."}},
       .infer = InferNms,
       .cost = CostOfNms,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "non_zero",
       .doc = "Indices of the elements that are not 0, in row-major order: one row of rank(x) "
              "numbers each.",
       .params = {{.name = "x", .types = "T"}},
       .domains = {{.name = "T", .dtypes = "fp16 fp32 int32 bool"}},
       .infer = InferNonZero,
       .cost = [](const OpArgs& args, std::span<const Type>) -> OpCost {
         return {ElementsOf(args, "x")};
       },
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "one_hot",
       .doc = "For each index a vector, along a new dimension at axis, that holds on_value at that "
              "index and off_value elsewhere.",
       .params = {{.name = "indices", .types = "int32"},
                  {.name = "one_hot_vector_size", .types = "int32"},
                  ConstantParam("axis", "int32", "-1"),
                  {.name = "on_value",
                   .types = "T",
                   .required = false,
                   .constant = true,
                   .default_fn = OneHotDefault<1>},
                  {.name = "off_value",
                   .types = "T",
                   .required = false,
                   .constant = true,
                   .default_fn = OneHotDefault<0>}},
       .domains = {{.name = "T", .dtypes = "fp16 fp32 int32 bool"}},
       .constraints = {{kOneHotAxis, "axis is within [-rank - 1, rank] of indices."},
                       {kOneHotSize, "one_hot_vector_size is not negative."}},
       .infer = InferOneHot,
       .cost = NoCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "topk",
       .doc = "The k largest elements along axis (smallest with ascending; all for k = -1) and "
              "their indices, in order. Of equal elements the first comes first.",
       .params = {{.name = "x", .types = "T"},
                  ConstantParam("k", "K", "1"),
                  ConstantParam("axis", "int32", "-1"),
                  ConstantParam("ascending", "bool", "false"),
                  ConstantParam("sort", "bool", "true", Opset::kIOS16),
                  ConstantParam("return_indices", "bool", "true", Opset::kIOS16),
                  ConstantParam("output_indices_dtype", "string", "\"int32\"", Opset::kIOS17)},
       .domains = {{.name = "T",
                    .dtypes = "fp16 fp32 int32",
                    .wider_since = Opset::kIOS17,
                    .wider_dtypes = "int8 uint8 int16 uint16"},
                   {.name = "K",
                    .dtypes = "int32",
                    .wider_since = Opset::kIOS17,
                    .wider_dtypes = "int8 int16"}},
       .constraints = {{kTopkAxis, "axis is within [-rank, rank)."},
                       {kTopkCount, "k is from -1 to the size of the axis."},
                       {kTopkDType,
                        "output_indices_dtype is int32 or uint16, and only given with "
                        "return_indices."}},
       .infer = InferTopk,
       .cost = CostOfSort,
       .traits = TensorFunction(ElementRule::kOfFirst, SizeRule::kInferred)},
  };
}

}  // namespace anemone::ops::tensor_ops
