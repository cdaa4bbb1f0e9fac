// Gathering by indices known at compile time is a copy, which the Neural Engine does. Indices known
// only at run time are int32 arithmetic, which it does not do; nor does it scatter.
#include "placement/place.h"

namespace anemone::ops::gather_scatter {

using placement::BeliefKind;
using placement::No;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::WorkKind;

namespace {

constexpr std::string_view kConstantIndex =
    "make the indices constants, or replace the look-up by a matmul with a one-hot matrix";

Verdict DynamicIndex() {
  return No("dynamic_index", placement::kMeasuredM4, "dynamic index: known only at run time",
            std::string(kConstantIndex));
}

Verdict Gather(const Query& query) {
  if (query.IsDynamic("indices")) return DynamicIndex();
  if (query.IsDynamic("axis"))
    return No("gather_axis", placement::kTables, "axis known only at run time");
  if (query.chip.at_least(placement::AneFamily::kH14)) return placement::YesEverywhere(query);
  const ir::Type& x = query.args.TypeOf("x");
  const bool batch = x.has_rank() && x.rank() >= 4 && x.shape()[0] != 1;
  const bool depth = x.has_rank() && x.rank() == 5 && x.shape()[2] != 1;
  if (batch || depth) {
    return No(
        "gather_software", placement::kTables,
        fmt::format("{} gathers in software, with batch 1 and depth 1 only", query.chip.title),
        "replace it by slices and a concat");
  }
  return placement::Maybe("gather_software", true, placement::kTables,
                          fmt::format("{} gathers in software", query.chip.title));
}

Verdict IndexArithmetic(const Query& query) {
  if (query.IsDynamic("indices")) return DynamicIndex();
  return No("gather_indexed", placement::kMeasuredM4,
            fmt::format("{} computes with int32 indices", query.args.def().name),
            "use gather along one axis, or slices");
}

// For gather_along_axis, the plans on M4 name only the cast of its indices as unsupported by
// the engine.
Verdict GatherAlongAxis(const Query& query) {
  if (query.args.TypeOf("indices").dtype() == DType::kInt32) return IndexArithmetic(query);
  return placement::Maybe("gather_along_axis", query.follows_m4(), placement::kMeasuredM4,
                          "sources disagree: some see only the cast of its indices refused",
                          std::string(kConstantIndex));
}

Verdict Scatter(const Query& query) {
  return No("scatter", placement::kMeasuredM4,
            fmt::format("{} leaves the Neural Engine", query.args.def().name),
            "use slice_update when the place is constant, or select with a mask");
}

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      {.op = "gather", .ane = Gather, .work = WorkKind::kMovement, .belief = BeliefKind::kMemory},
      {.op = "gather_along_axis",
       .ane = GatherAlongAxis,
       .work = WorkKind::kMovement,
       .belief = BeliefKind::kMemory},
      {.op = "gather_nd",
       .ane = IndexArithmetic,
       .work = WorkKind::kMovement,
       .belief = BeliefKind::kNone},
      {.op = "scatter", .ane = Scatter, .work = WorkKind::kMovement, .belief = BeliefKind::kNone},
      {.op = "scatter_along_axis",
       .ane = Scatter,
       .work = WorkKind::kMovement,
       .belief = BeliefKind::kNone},
      {.op = "scatter_nd",
       .ane = Scatter,
       .work = WorkKind::kMovement,
       .belief = BeliefKind::kNone},
  };
  return kRules;
}

}  // namespace anemone::ops::gather_scatter
