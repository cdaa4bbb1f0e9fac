// Unary arithmetic. No Neural Engine has most inverse and hyperbolic functions (M4's plans and the
// compiler's tables agree). Sine and cosine have kernels from H15 on.
#include "placement/place.h"

namespace anemone::ops::elementwise_unary {

using placement::BeliefKind;
using placement::NoKernel;
using placement::PlaceRule;
using placement::Query;
using placement::Verdict;
using placement::WorkKind;
using placement::YesEverywhere;

namespace {

Verdict Trigonometry(const Query& query) {
  if (query.chip.at_least(placement::AneFamily::kH15)) return YesEverywhere(query);
  return placement::No(
      "sin_cos", placement::kTables,
      fmt::format("{} has no kernel for {}", query.chip.title, query.args.def().name),
      "precompute the table when the angles are constant");
}

// The Neural Engine converts between half and single precision, but not integers.
Verdict Cast(const Query& query) {
  const auto plain = [](DType dtype) { return dtype == DType::kFp16 || dtype == DType::kFp32; };
  const DType from = query.args.TypeOf("x").dtype();
  const DType to = query.outputs.empty() ? DType::kInvalid : query.outputs[0].dtype();
  if (plain(from) && plain(to)) return placement::Yes("cast_float", placement::kMeasuredM4);
  const std::string what = fmt::format("cast from {} to {}", DTypeName(from), DTypeName(to));
  if (from == DType::kBool || to == DType::kBool) {
    const DType other = from == DType::kBool ? to : from;
    if (plain(other)) {
      return placement::Maybe("cast_bool", true, placement::kTables,
                              what + ": no published plan shows it",
                              "use select with float16 constants");
    }
  }
  return placement::No("cast_int", placement::kMeasuredM4, what,
                       "keep the values in float16 from the start");
}

}  // namespace

std::span<const PlaceRule> PlaceRules() {
  static constexpr PlaceRule kRules[] = {
      {"abs", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"acos", NoKernel, WorkKind::kElementwise, BeliefKind::kMemory},
      {"asin", NoKernel, WorkKind::kElementwise, BeliefKind::kMemory},
      {"atan", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"atanh", NoKernel, WorkKind::kElementwise, BeliefKind::kMemory},
      {.op = "cast",
       .ane = Cast,
       .work = WorkKind::kElementwise,
       .belief = BeliefKind::kMemory,
       .own_dtypes = true},
      {"ceil", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"clip", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"cos", Trigonometry, WorkKind::kElementwise, BeliefKind::kMemory},
      {"cosh", NoKernel, WorkKind::kElementwise, BeliefKind::kMemory},
      {"erf", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"exp", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"exp2", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"floor", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"inverse", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"log", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"logical_not", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"round", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"rsqrt", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"sign", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"sin", Trigonometry, WorkKind::kElementwise, BeliefKind::kMemory},
      {"sinh", NoKernel, WorkKind::kElementwise, BeliefKind::kMemory},
      {"sqrt", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"square", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"tan", NoKernel, WorkKind::kElementwise, BeliefKind::kMemory},
      {"tanh", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
      {"threshold", YesEverywhere, WorkKind::kElementwise, BeliefKind::kMemory},
  };
  return kRules;
}

}  // namespace anemone::ops::elementwise_unary
