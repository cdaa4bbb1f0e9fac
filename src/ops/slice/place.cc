// Slices: copies when begin and size are known at compile time.
#include "placement/place.h"

namespace anemone::ops::slice {

using placement::EstimateKind;
using placement::No;
using placement::Others;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;

namespace {

Verdict Slice(const Query& query) {
  for (const std::string_view param : {"begin", "end", "size", "stride"}) {
    if (!query.IsDynamic(param)) continue;
    return No("slice_dynamic", placement::kMeasuredM4,
              fmt::format("{} is known only at run time", param),
              "slice at constant places, or mask with a multiplication");
  }
  return placement::YesEverywhere(query);
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
      {"slice_by_index", Slice},
      {"slice_by_size", Slice},
      {"slice_update", SliceUpdate},
      {.op = "sliding_windows",
       .ane = SlidingWindows,
       .others = Others::kCpuOnly,
       .estimate = EstimateKind::kNone},
      {"split", placement::YesEverywhere},
  };
  return kRules;
}

}  // namespace anemone::ops::slice
