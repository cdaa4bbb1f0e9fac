// Joining, padding, repeating, choosing, sorting.
#include "placement/place.h"

namespace anemone::ops::tensor_ops {

using placement::BeliefKind;
using placement::Maybe;
using placement::No;
using placement::Others;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::WorkKind;
using placement::YesEverywhere;

namespace {

Verdict Concat(const Query& query) {
  if (query.IsDynamic("axis"))
    return No("concat_axis", placement::kTables, "axis known only at run time");
  return YesEverywhere(query);
}

// Counts along the leading axis (the batch of rank 4) and fills other than 0 are refused.
Verdict Pad(const Query& query) {
  if (query.IsDynamic("pad")) {
    return No("pad_dynamic", placement::kTables, "pad known only at run time",
              "pad by constant amounts");
  }
  const auto mode = query.args.String("mode");
  const auto fill = query.args.Float("constant_val");
  if (mode.ok() && *mode == "constant" && fill.ok() && *fill != 0) {
    return No("pad_value", placement::kStrings, fmt::format("padding with {}, not with 0", *fill),
              "subtract the value, pad with 0, add it again");
  }
  const ir::Type& x = query.args.TypeOf("x");
  const auto counts = query.args.Ints("pad");
  if (counts.ok() && x.has_rank() && x.rank() >= 4 &&
      static_cast<int>(counts->size()) == 2 * x.rank() && ((*counts)[0] > 0 || (*counts)[1] > 0)) {
    return Maybe("pad_batch", false, placement::kTables, "padding along the batch",
                 "concat constants instead");
  }
  if (counts.ok() && x.has_rank() && x.rank() == 4 && counts->size() == 8 &&
      ((*counts)[2] > 0 || (*counts)[3] > 0)) {
    return Maybe("pad_channels", false, placement::kTables, "padding along the channels",
                 "concat constants instead");
  }
  const bool mirrored = mode.ok() && *mode != "constant";
  if (mirrored && !query.chip.at_least(placement::AneFamily::kH14)) {
    return No("pad_mirrored", placement::kTables,
              fmt::format("{} has no {} padding", query.chip.title, *mode),
              "concat slices of the border instead");
  }
  return YesEverywhere(query);
}

Verdict Tile(const Query& query) {
  if (query.IsDynamic("reps"))
    return No("tile_dynamic", placement::kTables, "reps known only at run time");
  const auto reps = query.args.Ints("reps");
  for (const int64_t rep : reps.ok() ? *reps : std::vector<int64_t>{}) {
    if (rep <= 4 || rep == 8) continue;
    return Maybe("tile_factor", true, placement::kTables,
                 fmt::format("{} copies: the tables know 2, 3, 4 and 8", rep),
                 "tile in steps of 2, 3, 4 and 8, or let the next operator broadcast");
  }
  return YesEverywhere(query);
}

Verdict Cumsum(const Query& query) {
  return No("cumsum", query.evidence(), "cumsum leaves the Neural Engine",
            "multiply by a triangular matrix of ones");
}

Verdict Topk(const Query& query) {
  if (!query.chip.at_least(placement::AneFamily::kH14)) {
    return No("topk_old", placement::kTables, fmt::format("{} has no topk", query.chip.title),
              "take the top values outside the model");
  }
  const Verdict verdict =
      Maybe("topk_slow", true, query.evidence(),
            "supported, but measured at 6 to 10 ms on M4: Core ML underestimates it 200 times",
            "take the top values outside the model");
  return verdict;
}

Verdict Structural(const Query& query) {
  return No("structural", placement::kMeasuredM4,
            fmt::format("the Neural Engine has no {}", query.args.def().name),
            "compute it at conversion time, or outside the model");
}

Verdict Boxes(const Query&) {
  return No("non_maximum_suppression", placement::kTables,
            "the CPU suppresses the boxes of Core ML models",
            "end the model before it and suppress outside");
}

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      {.op = "argsort",
       .ane = Structural,
       .work = WorkKind::kReduction,
       .belief = BeliefKind::kNone,
       .int32_outputs_allowed = true},
      {.op = "band_part",
       .ane = Structural,
       .work = WorkKind::kMovement,
       .belief = BeliefKind::kClassicCpu},
      {.op = "classify",
       .ane = Structural,
       .work = WorkKind::kElementwise,
       .belief = BeliefKind::kMemory,
       .others = Others::kCpuOnly},
      {.op = "concat", .ane = Concat, .work = WorkKind::kMovement, .belief = BeliefKind::kConcat},
      {.op = "cumsum", .ane = Cumsum, .work = WorkKind::kReduction, .belief = BeliefKind::kMemory},
      {"flatten2d", YesEverywhere, WorkKind::kMovement, BeliefKind::kMemory},
      {.op = "non_maximum_suppression",
       .ane = Boxes,
       .work = WorkKind::kElementwise,
       .belief = BeliefKind::kNone,
       .others = Others::kCpuOnly,
       .int32_outputs_allowed = true},
      {.op = "non_zero",
       .ane = Structural,
       .work = WorkKind::kElementwise,
       .belief = BeliefKind::kNone,
       .others = Others::kCpuOnly,
       .int32_outputs_allowed = true},
      {.op = "one_hot",
       .ane = Structural,
       .work = WorkKind::kElementwise,
       .belief = BeliefKind::kNone},
      {"pad", Pad, WorkKind::kMovement, BeliefKind::kMemory},
      {"select", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {.op = "stack", .ane = Concat, .work = WorkKind::kMovement, .belief = BeliefKind::kConcat},
      {"tile", Tile, WorkKind::kMovement, BeliefKind::kMemory},
      {.op = "topk",
       .ane = Topk,
       .work = WorkKind::kReduction,
       .belief = BeliefKind::kMemory,
       .int32_outputs_allowed = true},
  };
  return kRules;
}

}  // namespace anemone::ops::tensor_ops
