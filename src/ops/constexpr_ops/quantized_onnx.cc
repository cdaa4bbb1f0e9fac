#include "ops/constexpr_ops/quantized_onnx.h"

#include <algorithm>

#include "onnx/expansion.h"
#include "ops/infer.h"

namespace anemone::ops::constexpr_ops {
namespace {

using namespace onnx;             // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

// A tensor, its scale and its zero point are three inputs in a row; the zero point may be left out.
std::string Dequantized(Expansion& e, size_t first) {
  return e.Op("DequantizeLinear", {e.In(first), e.In(first + 1), e.In(first + 2)});
}

// The zero point says the dtype of the result, which is that of input `like` where it is left out.
std::string QuantizedLike(NodeContext& c, Expansion& e, std::string value, size_t scale,
                          size_t like) {
  const auto zero =
      e.Has(scale + 1) ? e.In(scale + 1) : e.Known(IntegerConstant(c.Type(like), {0}, {}));
  return e.Op("QuantizeLinear", {std::move(value), e.In(scale), zero});
}

Status CheckChannelsFirst(const NodeContext& c) {
  if (c.Int("channels_last", 0) == 0) return {};
  return Unsupported("channels_last")
      .Advise("save the model before it is optimized for one device");
}

}  // namespace

// A, its scale and zero point, B, its scale and zero point, the result's scale and zero point.
Status EmitQLinearPair(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1) || !c.Has(3) || !c.Has(4) || !c.Has(6))
    return InvalidInput("a tensor or a scale is missing");
  Expansion e(c);
  const std::string op = c.node().op == "QLinearAdd" ? "Add" : "Mul";
  const auto y = e.Op(op, {Dequantized(e, 0), Dequantized(e, 3)});
  return e.Finish({QuantizedLike(c, e, y, 6, 0)});
}

// X, its scale and zero point, the result's scale and zero point.
Status EmitQLinearUnary(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1) || !c.Has(3)) return InvalidInput("a tensor or a scale is missing");
  Expansion e(c);
  const std::string& op = c.node().op;
  auto x = Dequantized(e, 0);
  if (op == "QLinearSigmoid") {
    x = e.Op("Sigmoid", {x});
  } else if (op == "QLinearLeakyRelu") {
    x = e.Op("LeakyRelu", {x}, {Float("alpha", c.Float("alpha", 0.01))});
  } else if (op == "QLinearReduceMean") {
    const auto axes = c.IntsAttribute("axes");
    x = e.Op("ReduceMean", {x, axes ? e.Int64s(*axes) : ""},
             {Int("keepdims", c.Int("keepdims", 1))});
  } else {
    ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", -1), c.Rank(0)));
    // Before opset 13 Softmax saw a matrix: the dims before the axis by those from it on.
    const bool matrix = c.Int("opset", 13) < 13;
    int64_t rows = 1;
    for (int64_t d = 0; d < axis; ++d) rows *= c.Dims(0)[static_cast<size_t>(d)];
    if (matrix) x = e.Op("Reshape", {x, e.Int64s({rows, -1})});
    x = e.Op("Softmax", {x}, {Int("axis", matrix ? 1 : axis)});
    if (matrix) x = e.Op("Reshape", {x, e.Int64s(c.Dims(0))});
  }
  return e.Finish({QuantizedLike(c, e, x, 3, 0)});
}

Status EmitQLinearPool(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1) || !c.Has(3)) return InvalidInput("a tensor or a scale is missing");
  ANEMONE_TRY(CheckChannelsFirst(c));
  Expansion e(c);
  const bool global = c.node().op == "QLinearGlobalAveragePool";
  std::vector<Attribute> attributes;
  if (!global) {
    for (const auto& attribute : c.node().attributes) {
      if (attribute.name != "channels_last") attributes.push_back(attribute);
    }
  }
  const auto y = e.Op(global ? "GlobalAveragePool" : "AveragePool", {Dequantized(e, 0)},
                      std::move(attributes));
  return e.Finish({QuantizedLike(c, e, y, 3, 0)});
}

// The result's scale and zero point, then each tensor, its scale and zero point.
Status EmitQLinearConcat(NodeContext& c) {
  const size_t count = c.InputCount();
  if (count < 5 || (count - 2) % 3 != 0) return InvalidInput("{} inputs", count);
  ANEMONE_TRY(c.NeedInputs(count));
  Expansion e(c);
  std::vector<std::string> parts;
  for (size_t i = 2; i < count; i += 3) parts.push_back(Dequantized(e, i));
  const auto y = e.Op("Concat", std::move(parts), {Int("axis", c.Int("axis", 0))});
  return e.Finish({QuantizedLike(c, e, y, 0, 2)});
}

// The condition, X and Y with scale and zero point each, the result's scale and zero point.
Status EmitQLinearWhere(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(9));
  Expansion e(c);
  const auto y = e.Op("Where", {e.In(0), Dequantized(e, 1), Dequantized(e, 4)});
  return e.Finish({QuantizedLike(c, e, y, 7, 1)});
}

}  // namespace anemone::ops::constexpr_ops
