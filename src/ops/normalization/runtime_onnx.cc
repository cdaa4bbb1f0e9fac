#include "ops/normalization/runtime_onnx.h"

#include "onnx/expansion.h"

namespace anemone::ops::normalization {
namespace {

using namespace onnx;             // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

// 1 / sqrt(mean(x * x) + epsilon) along the last axis.
std::string InverseRms(Expansion& e, const std::string& x, double epsilon) {
  const auto mean = e.Op("ReduceMean", {e.Op("Mul", {x, x}), e.Int64s({-1})});
  return e.Op("Reciprocal", {e.Op("Sqrt", {e.Op("Add", {mean, e.Number(epsilon)})})});
}

std::string Sum(Expansion& e, std::string x, size_t input) {
  return e.Has(input) ? e.Op("Add", {std::move(x), e.In(input)}) : x;
}

constexpr double kSmall = 1e-12;  // ONNX Runtime's epsilon

}  // namespace

// x, skip, gamma, beta, bias: the norm of their sum, its moments, and the sum.
Status EmitSkipLayerNorm(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(3));
  Expansion e(c);
  const auto sum = Sum(e, e.Op("Add", {e.In(0), e.In(1)}), 4);
  const bool moments = c.Wants(1) || c.Wants(2);
  auto y = e.Ops("LayerNormalization", {sum, e.In(2), e.In(3)}, moments ? 3 : 1,
                 {Int("axis", -1), Float("epsilon", c.Float("epsilon", kSmall))});
  y.resize(3);
  return e.Finish({y[0], y[1], y[2], sum});
}

// x, skip, gamma, bias: the same without a mean.
Status EmitSkipRmsNorm(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(3));
  Expansion e(c);
  const double epsilon = c.Float("epsilon", kSmall);
  const auto sum = Sum(e, e.Op("Add", {e.In(0), e.In(1)}), 3);
  if (c.Wants(1)) return Unsupported("the mean, which this norm does not have");
  const auto y =
      e.Op("RMSNormalization", {sum, e.In(2)}, {Int("axis", -1), Float("epsilon", epsilon)});
  return e.Finish({y, "", c.Wants(2) ? InverseRms(e, sum, epsilon) : "", sum});
}

// x, gamma: the norm and the inverse of the deviation.
Status EmitSimplifiedLayerNorm(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  const int64_t axis = c.Int("axis", -1);
  if (c.Wants(1) && axis != -1 && axis + 1 != c.Rank(0))
    return Unsupported("the inverse of the deviation along several axes");
  Expansion e(c);
  const double epsilon = c.Float("epsilon", 1e-5);
  const auto y =
      e.Op("RMSNormalization", {e.In(0), e.In(1)}, {Int("axis", axis), Float("epsilon", epsilon)});
  return e.Finish({y, c.Wants(1) ? InverseRms(e, e.In(0), epsilon) : ""});
}

// ids [batch, length], segments, the tables of words, positions and segments, gamma, beta, mask,
// positions: the norm of the sum of the rows, how many words the mask shows, and the sum.
// QEmbedLayerNormalization: after the mask come the scales of the tables, gamma and beta, and then
// their zero points.
Status EmitEmbedLayerNorm(NodeContext& c) {
  constexpr size_t kSegments = 1, kWords = 2, kPositions = 3, kSegmentTable = 4, kGamma = 5,
                   kBeta = 6, kMask = 7, kPositionIds = 8, kScales = 8, kZeros = 13;
  const bool quantized = c.node().op == "QEmbedLayerNormalization";
  for (const size_t i : {size_t{0}, kWords, kPositions, kGamma, kBeta}) {
    if (!c.Has(i)) return InvalidInput("input {} is missing", i);
  }
  if (c.Rank(0) != 2 || c.Dims(0)[0] > int64_t{1} << 24)
    return InvalidInput("the ids need rank 2, and a batch of at most 2^24");
  if (quantized && (!c.Has(kScales) || !c.Has(kScales + 1) || !c.Has(kScales + 3) ||
                    !c.Has(kScales + 4) || (c.Has(kSegmentTable) && !c.Has(kScales + 2)))) {
    return InvalidInput("a scale is missing");
  }
  Expansion e(c);
  const auto floats = [&](size_t input) {
    const size_t place = input - kWords;
    return quantized ? e.Dequantized(input, kScales + place, kZeros + place, 0) : e.In(input);
  };
  const auto rows = [&](size_t table, const std::string& ids) {
    return e.Op("Gather", {floats(table), ids}, {Int("axis", 0)});
  };
  auto sum = rows(kWords, e.In(0));
  std::string positions;
  if (!quantized && e.Has(kPositionIds)) {
    positions = rows(kPositions, e.In(kPositionIds));
  } else {
    positions =
        e.Op("Slice", {floats(kPositions), e.Int64s({0}), e.Int64s({c.Dims(0)[1]}), e.Int64s({0})});
  }
  sum = e.Op("Add", {sum, positions});
  if (e.Has(kSegments) && e.Has(kSegmentTable))
    sum = e.Op("Add", {sum, rows(kSegmentTable, e.In(kSegments))});
  const auto y = e.Op("LayerNormalization", {sum, floats(kGamma), floats(kBeta)},
                      {Int("axis", -1), Float("epsilon", c.Float("epsilon", kSmall))});
  std::string shown;
  if (c.Wants(1)) {
    shown = e.Has(kMask)
                ? e.Op("ReduceSum", {e.Cast(e.In(kMask), ElementType::kInt32), e.Int64s({1})},
                       {Int("keepdims", 0)})
                : e.Known(Constant::FromInts(
                      DType::kInt32, std::vector<int64_t>(static_cast<size_t>(c.Dims(0)[0]), 0),
                      {c.Dims(0)[0]}));
  }
  return e.Finish({y, shown, sum});
}

}  // namespace anemone::ops::normalization
