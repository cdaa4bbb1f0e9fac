// Binary arithmetic, comparisons and logic. Broadcasting is free but along the depth axis on H13.
#include "placement/place.h"

namespace anemone::ops::elementwise_binary {

using placement::BeliefKind;
using placement::Maybe;
using placement::NoKernel;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::WorkKind;
using placement::YesEverywhere;

namespace {

Verdict Arithmetic(const Query& query) {
  const ir::Type& x = query.args.TypeOf("x");
  const ir::Type& y = query.args.TypeOf("y");
  const bool depth = x.has_rank() && y.has_rank() && x.rank() == 5 && y.rank() == 5 &&
                     x.shape()[2] != y.shape()[2];
  if (depth && !query.chip.at_least(placement::AneFamily::kH14)) {
    return placement::No(
        "broadcast_depth", placement::kTables,
        fmt::format("broadcast along the depth axis ({} with {})", x.shape()[2], y.shape()[2]),
        "tile the smaller tensor");
  }
  return YesEverywhere(query);
}

Verdict Logic(const Query& query) {
  if (query.follows_m4()) return placement::Yes("logic_m4", placement::kMeasuredM4);
  return Maybe("logic", false, placement::kTables,
               "M4 takes it; for older engines no path is known",
               "multiply masks of 0 and 1 in float16");
}

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      {"add", Arithmetic, WorkKind::kElementwise, BeliefKind::kMemory},
      {"equal", Arithmetic, WorkKind::kElementwise, BeliefKind::kMemory},
      {"floor_div", Arithmetic, WorkKind::kElementwise, BeliefKind::kMemory},
      {"greater", Arithmetic, WorkKind::kElementwise, BeliefKind::kMemory},
      {"greater_equal", Arithmetic, WorkKind::kElementwise, BeliefKind::kMemory},
      {"less", Arithmetic, WorkKind::kElementwise, BeliefKind::kMemory},
      {"less_equal", Arithmetic, WorkKind::kElementwise, BeliefKind::kMemory},
      {"logical_and", Logic, WorkKind::kElementwise, BeliefKind::kMemory},
      {"logical_or", Logic, WorkKind::kElementwise, BeliefKind::kMemory},
      {"logical_xor", Logic, WorkKind::kElementwise, BeliefKind::kMemory},
      {"maximum", Arithmetic, WorkKind::kElementwise, BeliefKind::kMemory},
      {"minimum", Arithmetic, WorkKind::kElementwise, BeliefKind::kMemory},
      {"mod", NoKernel, WorkKind::kElementwise, BeliefKind::kMemory},
      {"mul", Arithmetic, WorkKind::kElementwise, BeliefKind::kMemory},
      {"not_equal", Arithmetic, WorkKind::kElementwise, BeliefKind::kMemory},
      {"pow", Arithmetic, WorkKind::kElementwise, BeliefKind::kMemory},
      {"real_div", Arithmetic, WorkKind::kElementwise, BeliefKind::kMemory},
      {"sub", Arithmetic, WorkKind::kElementwise, BeliefKind::kMemory},
  };
  return kRules;
}

}  // namespace anemone::ops::elementwise_binary
