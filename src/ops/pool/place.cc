// Poolings. Measured on M4: a max_pool window is at most 8 wide (9 high passes); averages passed up
// to the 14 that were tried, the compiler's tables say 31 (29 on H13).
#include <algorithm>

#include "placement/place.h"

namespace anemone::ops::pool {

using placement::BeliefKind;
using placement::No;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::WorkKind;

namespace {

constexpr int64_t kMaxPoolWidth = 8;
constexpr std::string_view kTwice = "pool twice with smaller windows";

// One window over the whole map, larger than 1.
bool SpansTheMap(const Query& query, const ir::Type& x) {
  const auto kernel = query.args.Ints("kernel_sizes");
  if (!kernel.ok() || !x.is_static() || x.rank() < static_cast<int>(kernel->size()) + 2) {
    return false;
  }
  const size_t first = static_cast<size_t>(x.rank()) - kernel->size();
  return std::equal(kernel->begin(), kernel->end(), x.shape().begin() + first) &&
         *std::max_element(kernel->begin(), kernel->end()) > 1;
}

Verdict Pool(const Query& query, bool maximum) {
  const auto kernel = query.args.Ints("kernel_sizes");
  if (kernel.ok() && !kernel->empty()) {
    const int64_t width = kernel->back();
    const int64_t largest = *std::max_element(kernel->begin(), kernel->end());
    if (maximum && width > kMaxPoolWidth) {
      return No("max_pool_width", placement::kMeasuredM4,
                fmt::format("window width {} > {}", width, kMaxPoolWidth), std::string(kTwice));
    }
    if (largest > query.chip.max_pool_window) {
      return No("pool_window", placement::kTables,
                fmt::format("window {} > {}", largest, query.chip.max_pool_window),
                maximum ? std::string(kTwice) : "use reduce_mean when it spans the whole map");
    }
  }
  const ir::Type& x = query.args.TypeOf("x");
  const auto pad = query.args.String("pad_type");
  const auto strides = query.args.Ints("strides");
  const bool strided = strides.ok() && std::any_of(strides->begin(), strides->end(),
                                                   [](int64_t stride) { return stride > 1; });
  if (pad.ok() && *pad == "same" && strided && x.is_tensor() && !x.is_static()) {
    return No("pool_dynamic_same", placement::kStrings,
              "dynamic shape with same padding and a stride > 1", "fix the shape, or pad by hand");
  }
  if (maximum && SpansTheMap(query, x)) {
    return placement::YesBut(query, "max_pool_global", placement::kStrings,
                             "a window over the whole map: the compiler's messages refuse some",
                             "reduce_max over the spatial axes");
  }
  if (x.has_rank() && x.rank() == 5 && !query.chip.rules_measured) {
    return placement::Maybe("pool_3d", true, placement::kMeasuredM4,
                            "three spatial dimensions: taken on M4");
  }
  return placement::YesEverywhere(query);
}

Verdict Average(const Query& query) { return Pool(query, false); }
Verdict Maximum(const Query& query) { return Pool(query, true); }

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      {"avg_pool", Average, WorkKind::kReduction, BeliefKind::kMemory},
      {"l2_pool", Average, WorkKind::kReduction, BeliefKind::kMemory},
      {"max_pool", Maximum, WorkKind::kReduction, BeliefKind::kMemory},
  };
  return kRules;
}

}  // namespace anemone::ops::pool
