// ONNX: constants, shapes of tensors, ranges.
#include <algorithm>
#include <numeric>

#include "onnx/converter.h"

namespace anemone::ops::shape {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

Status EmitConstant(NodeContext& c) {
  const Node& node = c.node();
  if (const auto* value = node.Find("value"); value != nullptr && !value->tensors.empty()) {
    ANEMONE_ASSIGN(onnx::Constant constant, Constant::FromTensor(value->tensors[0]));
    return c.SetConstant(0, std::move(constant));
  }
  if (const auto* value = node.Find("value_float")) {
    return c.SetConstant(0, Constant::Floats({value->f}, {}));
  }
  if (const auto* value = node.Find("value_int")) {
    return c.SetConstant(0, Constant::Int64s({value->i}, {}));
  }
  if (const auto* value = node.Find("value_floats")) {
    return c.SetConstant(
        0, Constant::Floats(value->floats, {static_cast<int64_t>(value->floats.size())}));
  }
  if (const auto* value = node.Find("value_ints")) {
    return c.SetConstant(0, Constant::Int64s(value->ints));
  }
  return Unsupported("a constant that is not a number").Advise("remove strings and sparse tensors");
}

Status EmitShape(NodeContext& c) {
  if (!c.Has(0)) return InvalidInput("the input is missing");
  const auto& dims = c.Dims(0);
  const int64_t rank = c.Rank(0);
  const auto clamp = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const int64_t start = clamp(c.Int("start", 0));
  const int64_t end = std::max(start, clamp(c.Int("end", rank)));
  return c.SetConstant(0, Constant::Int64s({dims.begin() + start, dims.begin() + end}));
}

Status EmitSize(NodeContext& c) {
  if (!c.Has(0)) return InvalidInput("the input is missing");
  const auto count = ir::ElementCount(c.Dims(0));
  if (!count) return InvalidInput("the number of elements overflows");
  return c.SetConstant(0, Constant::Int64s({*count}, {}));
}

Status EmitIdentity(NodeContext& c) { return c.Forward(0, 0); }

// At inference time, dropout passes its input on and its mask is all true.
Status EmitDropout(NodeContext& c) {
  if (!c.Has(0)) return InvalidInput("the input is missing");
  if (c.Has(2)) {
    const auto* training = c.Const(2);
    if (training == nullptr || training->AsInts() != std::vector<int64_t>{0}) {
      return Unsupported("training mode").Advise("export the model in evaluation mode");
    }
  }
  if (c.Wants(1)) {
    if (!FoldableCount(c.Dims(0))) return Unsupported("a mask of {}", ir::ShapeToString(c.Dims(0)));
    if (c.opset() < 12) {
      ANEMONE_TRY(c.SetConstant(1, BroadcastConstant(Constant::Floats({1}, {}), c.Dims(0))));
    } else {
      ANEMONE_TRY(c.SetConstant(
          1, BroadcastConstant(Constant::FromInts(DType::kBool, {1}, {}), c.Dims(0))));
    }
  }
  return c.Forward(0, 0);
}

Status EmitConstantOfShape(NodeContext& c) {
  auto known = c.KnownSizes(0);
  // The declared shape is the only one that a shape known at run time can give.
  if (!known && c.Declared(0) != nullptr) known = *c.Declared(0);
  if (!known) {
    ANEMONE_ASSIGN(known, c.Ints(0, "the shape"));
  }
  const ir::Shape& dims = *known;
  const bool open = Symbols::AnySymbol(dims);
  // Too large to be made here.
  const auto count = ir::ElementCount(dims);
  if (!open && (!count || *count > int64_t{1} << 30)) {
    return Unsupported("a constant of shape {}, which is too large", ir::ShapeToString(dims));
  }
  ir::Literal value = ir::Literal::Fp32(0);
  if (const auto* attribute = c.node().Find("value"); attribute && !attribute->tensors.empty()) {
    ANEMONE_ASSIGN(const Constant given, Constant::FromTensor(attribute->tensors[0]));
    c.SetType(0, given.dtype);
    ANEMONE_ASSIGN(value, given.Reshaped({}).ToLiteral());
  }
  if (!open) return c.Emit("fill", {{"shape", ir::Ints(dims)}, {"value", value}});
  ir::Value* filled = c.Op("fill", {{"shape", c.SizesValue(dims, "shape")}, {"value", value}});
  return c.Set(0, c.WithDims(filled, dims));
}

// From whole numbers that are sizes known only at run time.
Status EmitOpenRange(NodeContext& c, int64_t start, int64_t limit, int64_t delta) {
  if (Symbols::IsSymbol(delta) || delta < 1) {
    return Unsupported("a range over open dimensions whose step is no positive number")
        .Advise("give the inputs that it depends on fixed sizes");
  }
  const int64_t distance = c.AddSizes(limit, c.MulSizes(start, -1));
  const auto steps = c.symbols().FloorDiv(c.AddSizes(distance, delta - 1), delta);
  const auto count = steps ? c.symbols().Max(*steps, 0) : std::nullopt;
  if (!count) return Unsupported("a range whose length cannot be computed");
  const auto scalar = [&](int64_t size) { return c.Reshape(c.SizeValue(size), {}); };
  ir::Value* end = scalar(limit);
  ir::Value* first = scalar(start);
  ir::Value* range = c.Op("range_1d", {{"end", end}, {"start", first}, {"step", scalar(delta)}});
  range = c.WithDims(range, {*count});
  return c.Set(0, c.IsFloat(1) ? c.Cast(range, DType::kFp32) : range);
}

// Numbers that only the run time knows, where the file declares how many the range has.
Status EmitDeclaredRange(NodeContext& c, int64_t count) {
  if (!FoldableCount({count}) || count < 1) return Unsupported("a range of {} numbers", count);
  std::vector<int64_t> steps(static_cast<size_t>(count));
  std::iota(steps.begin(), steps.end(), 0);
  ir::Value* counted =
      c.MakeConst(c.IsFloat(0) ? onnx::Constant::Floats({steps.begin(), steps.end()}, {count})
                               : onnx::Constant::Int64s(std::move(steps)),
                  "steps");
  ir::Value* distance = c.Binary("mul", {counted, c.Reshape(c.Value(2), {})});
  return c.Emit("add", {{"x", distance}, {"y", c.Reshape(c.Value(0), {})}});
}

Status EmitRange(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(3));
  const auto start = c.KnownSizes(0), limit = c.KnownSizes(1), delta = c.KnownSizes(2);
  if (start && limit && delta && (c.In(0).sizes || c.In(1).sizes || c.In(2).sizes)) {
    if (start->size() != 1 || limit->size() != 1 || delta->size() != 1)
      return InvalidInput("Range needs three scalars");
    return EmitOpenRange(c, (*start)[0], (*limit)[0], (*delta)[0]);
  }
  const bool all_known = c.Known(0) && c.Known(1) && c.Known(2);
  if (!all_known && c.Declared(0) != nullptr && c.Declared(0)->size() == 1)
    return EmitDeclaredRange(c, c.Declared(0)->front());
  ANEMONE_TRY(c.Number(0, "start").status());
  ANEMONE_TRY(c.Number(1, "limit").status());
  ANEMONE_TRY(c.Number(2, "delta").status());
  return Unsupported("a range of more than 2^24 numbers");
}

constexpr std::string_view kRandom = "random numbers differ on every run";
constexpr std::string_view kFeed = "make the numbers an input of the model";

constexpr Converter kConverters[] = {
    {.op = "Constant", .emit = EmitConstant},
    {.op = "ConstantOfShape", .emit = EmitConstantOfShape},
    {.op = "Shape", .emit = EmitShape},
    {.op = "Size", .emit = EmitSize},
    {.op = "Identity", .emit = EmitIdentity},
    {.op = "Dropout", .emit = EmitDropout},
    {.op = "Range", .emit = EmitRange},
    {.op = "RandomNormal", .refusal = kRandom, .rewrite = kFeed},
    {.op = "RandomNormalLike", .refusal = kRandom, .rewrite = kFeed},
    {.op = "RandomUniform", .refusal = kRandom, .rewrite = kFeed},
    {.op = "RandomUniformLike", .refusal = kRandom, .rewrite = kFeed},
    {.op = "Bernoulli", .refusal = kRandom, .rewrite = kFeed},
    {.op = "Multinomial", .refusal = kRandom, .rewrite = kFeed},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::shape
