// Decompression of weights happens when the model is loaded, or as the weights stream in, so it has
// no unit of its own. quantize and dequantize do.
#include "placement/place.h"

namespace anemone::ops::constexpr_ops {

using placement::BeliefKind;
using placement::Others;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::WorkKind;

namespace {

Verdict NoUnit(const Query&) { return placement::Unknown("no_unit", "constants have no unit"); }

// Scale and zero point of every element's quantization must be known; a zero point bars it.
Verdict Quantization(const Query& query) {
  if (query.IsDynamic("scale") || query.IsDynamic("zero_point")) {
    return placement::Maybe("quantize_dynamic_scale", false, placement::kTables,
                            "scale known only at run time");
  }
  if (const ir::Literal* zero = query.args.ValueOf("zero_point")) {
    const auto values = zero->AsInts();
    for (const int64_t value : values.value_or(std::vector<int64_t>{})) {
      if (value == 0) continue;
      return placement::Maybe("quantize_zero_point", false, placement::kStrings,
                              fmt::format("zero point {}: the compiler refuses asymmetric "
                                          "quantization",
                                          value),
                              "quantize symmetrically (mode linear_symmetric)");
    }
  }
  if (!query.chip.int8_compute) {
    return placement::Yes("quantize_no_int8",
                          {placement::kCoremltools, placement::Confidence::kDocumented},
                          fmt::format("{} computes int8 activations in float16: smaller, not "
                                      "faster",
                                      query.chip.title));
  }
  return placement::YesEverywhere(query);
}

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      {"constexpr_affine_dequantize", NoUnit, WorkKind::kNone, BeliefKind::kNone, Others::kNobody},
      {"constexpr_blockwise_shift_scale", NoUnit, WorkKind::kNone, BeliefKind::kNone,
       Others::kNobody},
      {"constexpr_cast", NoUnit, WorkKind::kNone, BeliefKind::kNone, Others::kNobody},
      {"constexpr_lut_to_dense", NoUnit, WorkKind::kNone, BeliefKind::kNone, Others::kNobody},
      {"constexpr_lut_to_sparse", NoUnit, WorkKind::kNone, BeliefKind::kNone, Others::kNobody},
      {"constexpr_sparse_blockwise_shift_scale", NoUnit, WorkKind::kNone, BeliefKind::kNone,
       Others::kNobody},
      {"constexpr_sparse_to_dense", NoUnit, WorkKind::kNone, BeliefKind::kNone, Others::kNobody},
      {"dequantize", Quantization, WorkKind::kElementwise, BeliefKind::kMemory},
      {"quantize", Quantization, WorkKind::kElementwise, BeliefKind::kMemory},
  };
  return kRules;
}

}  // namespace anemone::ops::constexpr_ops
