// Slices: copies when begin and size are known at compile time.
#include "placement/place.h"

namespace anemone::ops::slice {

using placement::BeliefKind;
using placement::No;
using placement::Others;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::WorkKind;

namespace {

// The limits in the compiler's tables for the generations before M4, which were not measured.
Verdict OnOlderEngines(const Query& query) {
  const ir::Type& x = query.args.TypeOf("x");
  const auto begin = query.args.Ints("begin");
  if (!x.has_rank() || !begin.ok() || static_cast<int>(begin->size()) != x.rank()) {
    return placement::YesEverywhere(query);
  }
  if (!query.chip.at_least(placement::AneFamily::kH15) && begin->back() != 0) {
    return placement::YesBut(query, "slice_saturates", placement::kTables,
                             fmt::format("{} saturates values beyond 4094 when the last axis does "
                                         "not begin at 0",
                                         query.chip.title),
                             "transpose, so that another axis is cut");
  }
  const size_t before_map = x.rank() >= 4 ? static_cast<size_t>(x.rank()) - 2 : 0;
  for (size_t axis = 0; axis < before_map; ++axis) {
    if ((*begin)[axis] == 0) continue;
    return placement::Maybe("slice_channels", true, placement::kTables,
                            "cut along the batch, depth or channels: restricted on this generation",
                            "split instead");
  }
  return placement::YesEverywhere(query);
}

Verdict Slice(const Query& query) {
  for (const std::string_view param : {"begin", "end", "size", "stride"}) {
    if (!query.IsDynamic(param)) continue;
    return No("slice_dynamic", placement::kMeasuredM4,
              fmt::format("{} is known only at run time", param),
              "slice at constant places, or mask with a multiplication");
  }
  if (query.follows_m4()) return placement::YesEverywhere(query);
  return OnOlderEngines(query);
}

Verdict SliceUpdate(const Query& query) {
  Verdict verdict = Slice(query);
  if (verdict.expected) verdict = placement::Yes("slice_update", placement::kTables);
  return verdict;
}

Verdict SlidingWindows(const Query&) {
  return No("sliding_windows", placement::kMeasuredM4, "the Neural Engine has no sliding_windows",
            "use slices and a stack, or a convolution with constant weights");
}

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      {"slice_by_index", Slice, WorkKind::kMovement, BeliefKind::kMemory},
      {"slice_by_size", Slice, WorkKind::kMovement, BeliefKind::kMemory},
      {"slice_update", SliceUpdate, WorkKind::kMovement, BeliefKind::kMemory},
      {.op = "sliding_windows",
       .ane = SlidingWindows,
       .work = WorkKind::kMovement,
       .belief = BeliefKind::kNone,
       .others = Others::kCpuOnly},
      {"split", placement::YesEverywhere, WorkKind::kMovement, BeliefKind::kMemory},
  };
  return kRules;
}

}  // namespace anemone::ops::slice
