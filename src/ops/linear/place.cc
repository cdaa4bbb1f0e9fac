// Products of matrices. Limits: rank of linear (the validator's message), length of the inner
// dimension (measured on M4: 32768 passes, 40000 does not).
#include "placement/place.h"

namespace anemone::ops::linear {

using placement::BeliefKind;
using placement::No;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::WorkKind;

namespace {

std::optional<Verdict> CheckInner(const Query& query, int64_t inner) {
  if (inner <= query.chip.max_matmul_inner) return std::nullopt;
  return No("matmul_inner", query.evidence(),
            fmt::format("inner dimension {} > {}", inner, query.chip.max_matmul_inner),
            "split the product along the inner dimension and add the parts");
}

Verdict Linear(const Query& query) {
  const ir::Type& x = query.args.TypeOf("x");
  if (x.has_rank() && x.rank() >= 5) {
    return No("linear_rank", placement::kStrings, fmt::format("linear with rank {}", x.rank()),
              "reshape to at most 4 dimensions before it");
  }
  const ir::Type& weight = query.args.TypeOf("weight");
  if (weight.has_rank() && weight.rank() == 2) {
    if (auto verdict = CheckInner(query, weight.shape()[1])) return std::move(*verdict);
  }
  return placement::YesEverywhere(query);
}

Verdict Matmul(const Query& query) {
  const ir::Type& x = query.args.TypeOf("x");
  if (x.has_rank() && x.rank() >= 1) {
    const auto transposed = query.args.Bool("transpose_x");
    const bool swap = transposed.ok() && *transposed && x.rank() >= 2;
    const int64_t inner = x.shape()[x.shape().size() - (swap ? 2 : 1)];
    if (auto verdict = CheckInner(query, inner)) return std::move(*verdict);
    if (x.rank() == 5 && x.shape()[2] != 1) {
      return placement::Maybe(
          "matmul_depth", false, placement::kTables,
          fmt::format("depth axis of {}, the engine multiplies with 1 only", x.shape()[2]),
          "reshape to 4 dimensions before it");
    }
  }
  return placement::YesEverywhere(query);
}

Verdict Attention(const Query& query) {
  if (query.follows_m4()) return placement::YesEverywhere(query);
  return placement::Yes("attention", {placement::kCoremltools, placement::Confidence::kDocumented});
}

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      {.op = "einsum",
       .ane = placement::YesEverywhere,
       .work = WorkKind::kMatmul,
       .belief = BeliefKind::kMatmul},
      {.op = "linear", .ane = Linear, .work = WorkKind::kMatmul, .belief = BeliefKind::kMatmul},
      {.op = "matmul", .ane = Matmul, .work = WorkKind::kMatmul, .belief = BeliefKind::kMatmul},
      {.op = "scaled_dot_product_attention",
       .ane = Attention,
       .work = WorkKind::kMatmul,
       .belief = BeliefKind::kAttention},
  };
  return kRules;
}

}  // namespace anemone::ops::linear
