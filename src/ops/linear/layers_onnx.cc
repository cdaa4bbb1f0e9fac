#include "ops/linear/layers_onnx.h"

#include <cmath>
#include <limits>

#include "onnx/expansion.h"

namespace anemone::ops::linear {
namespace {

using namespace onnx;             // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

constexpr double kNothing = -std::numeric_limits<double>::infinity();

// Query i sees the keys 0 to i, however many keys there are.
std::string CausalMask(NodeContext& c, Expansion& e) {
  const int64_t queries = c.Sizes(0)[static_cast<size_t>(c.Rank(0)) - 2];
  const int64_t keys = c.Sizes(1)[static_cast<size_t>(c.Rank(1)) - 2];
  const auto counted = [&](int64_t size) {
    return e.Op("Range", {e.Int64(0), e.Int64(size), e.Int64(1)});
  };
  const auto rows = e.Op("Unsqueeze", {counted(queries), e.Int64s({1})});
  return e.Op("LessOrEqual", {counted(keys), rows});
}

// The operator of iOS18 takes equal batch dimensions and a mask that has the length of the keys.
bool FitsOperator(const NodeContext& c, bool mask) {
  if (c.target() < ir::Opset::kIOS18 || c.Rank(0) < 3 || c.Rank(0) > kMaxRank) return false;
  if (c.Rank(1) != c.Rank(0) || c.Rank(2) != c.Rank(0)) return false;
  for (size_t d = 0; d + 2 < c.Sizes(0).size(); ++d) {
    if (c.Sizes(0)[d] != c.Sizes(1)[d] || c.Sizes(0)[d] != c.Sizes(2)[d]) return false;
  }
  if (!mask) return true;
  if (c.Rank(3) < 2 || c.Rank(3) > c.Rank(0)) return false;
  return c.Sizes(3).back() == c.Sizes(1)[c.Sizes(1).size() - 2];
}

}  // namespace

Status EmitLinearLayer(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  if (c.Rank(1) != 2 && c.Rank(1) != 1) return InvalidInput("its weight has rank {}", c.Rank(1));
  const bool known_bias = !c.Has(2) || (c.Known(2) && c.Rank(2) == 1);
  if (c.Known(1) && c.Rank(1) == 2 && c.Rank(0) >= 1 && known_bias && c.IsFloat(0)) {
    ir::Value* x = c.Value(0);
    ir::Value* weight = c.Value(1);
    return c.Emit("linear", {{"x", x}, {"weight", weight}, {"bias", c.Value(2)}});
  }
  Expansion e(c);
  auto weight = e.In(1);
  if (c.Rank(1) == 2) weight = e.Op("Transpose", {weight}, {Ints("perm", {1, 0})});
  auto y = e.Op("MatMul", {e.In(0), weight});
  if (c.Has(2)) y = e.Op("Add", {y, e.In(2)});
  return e.Finish({y});
}

Status EmitScaledDotProduct(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(3));
  const auto rank = static_cast<size_t>(c.Rank(0));
  if (rank < 2 || c.Rank(1) < 2 || c.Rank(2) < 2)
    return InvalidInput("query, key and value need rank 2 or more");
  const double usual = 1 / std::sqrt(static_cast<double>(c.Dims(0)[rank - 1]));
  const double scale = c.Float("scale", usual);
  const bool causal = c.Int("is_causal", 0) != 0;
  Expansion e(c);
  std::string mask = causal ? CausalMask(c, e) : c.Has(3) ? e.In(3) : "";
  const bool boolean = causal || (c.Has(3) && c.Dtype(3) == DType::kBool);
  if (FitsOperator(c, !causal && c.Has(3))) {
    ir::Value* bound = nullptr;
    if (causal) {
      ANEMONE_ASSIGN(auto masks, e.Convert({mask}));
      bound = c.ValueOf(masks[0]);
    } else if (c.Has(3)) {
      bound = c.Value(3);
    }
    ir::Value* query = c.Value(0);
    if (std::abs(scale - usual) > 1e-6 * usual)
      query = c.Binary("mul", {query, c.Float32(static_cast<float>(scale / usual))});
    ir::Value* key = c.Value(1);
    return c.Emit("scaled_dot_product_attention",
                  {{"query", query}, {"key", key}, {"value", c.Value(2)}, {"attn_mask", bound}});
  }
  const auto last_two_swapped = [&](size_t input) {
    std::vector<int64_t> perm;
    for (int64_t d = 0; d < c.Rank(input); ++d) perm.push_back(d);
    std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
    return e.Op("Transpose", {e.In(input)}, {Ints("perm", perm)});
  };
  const auto query = e.Op("Mul", {e.In(0), e.Number(scale)});
  auto scores = e.Op("MatMul", {query, last_two_swapped(1)});
  std::string guard;
  if (boolean) {
    // A query that nothing is let through for gives zeros.
    if (!causal) {
      const auto numbers = e.Cast(mask, ElementType::kFloat);
      const auto most = e.Op("ReduceMax", {numbers, e.Int64s({-1})}, {Int("keepdims", 1)});
      guard = e.Op("Greater", {most, e.Number(0)});
    }
    mask = e.Op("Where", {mask, e.Number(0), e.Number(kNothing)});
  }
  if (!mask.empty()) scores = e.Op("Add", {scores, mask});
  auto y = e.Op("MatMul", {e.Op("Softmax", {scores}, {Int("axis", -1)}), e.In(2)});
  if (!guard.empty()) y = e.Op("Where", {guard, y, e.Number(0)});
  return e.Finish({y});
}

}  // namespace anemone::ops::linear
