// Poolings. Measured on M4: a max_pool window is at most 8 wide (9 high passes); averages passed up
// to the 14 that were tried, the compiler's tables say 31 (29 on H13).
#include <algorithm>

#include "placement/place.h"

namespace anemone::ops::pool {

using placement::No;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;

namespace {

constexpr int64_t kMaxPoolWidth = 8;
constexpr std::string_view kTwice = "pool twice with smaller windows";

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
      {"avg_pool", Average}, {"l2_pool", Average}, {"max_pool", Maximum}};
  return kRules;
}

}  // namespace anemone::ops::pool
