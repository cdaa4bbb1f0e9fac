// Binary arithmetic, comparisons and logic. Broadcasting is free but along the depth axis on H13.
#include "placement/place.h"

namespace anemone::ops::elementwise_binary {

using placement::Maybe;
using placement::NoKernel;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
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
  if (query.on_m4()) return placement::Yes("logic_m4", placement::kMeasuredM4);
  return Maybe("logic", false, placement::kTables,
               "M4 takes it; for older engines no path is known",
               "multiply masks of 0 and 1 in float16");
}

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      {"add", Arithmetic},        {"equal", Arithmetic},         {"floor_div", Arithmetic},
      {"greater", Arithmetic},    {"greater_equal", Arithmetic}, {"less", Arithmetic},
      {"less_equal", Arithmetic}, {"logical_and", Logic},        {"logical_or", Logic},
      {"logical_xor", Logic},     {"maximum", Arithmetic},       {"minimum", Arithmetic},
      {"mod", NoKernel},          {"mul", Arithmetic},           {"not_equal", Arithmetic},
      {"pow", Arithmetic},        {"real_div", Arithmetic},      {"sub", Arithmetic},
  };
  return kRules;
}

}  // namespace anemone::ops::elementwise_binary
