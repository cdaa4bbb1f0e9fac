// Unary arithmetic. No Neural Engine has most inverse and hyperbolic functions (M4's plans and the
// compiler's tables agree). Sine and cosine have kernels from H15 on.
#include "placement/place.h"

namespace anemone::ops::elementwise_unary {

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
      {"abs", YesEverywhere, WorkKind::kElementwise},
      {"acos", NoKernel, WorkKind::kElementwise},
      {"asin", NoKernel, WorkKind::kElementwise},
      {"atan", YesEverywhere, WorkKind::kElementwise},
      {"atanh", NoKernel, WorkKind::kElementwise},
      {.op = "cast", .ane = Cast, .work = WorkKind::kElementwise, .own_dtypes = true},
      {"ceil", YesEverywhere, WorkKind::kElementwise},
      {"clip", YesEverywhere, WorkKind::kElementwise},
      {"cos", Trigonometry, WorkKind::kElementwise},
      {"cosh", NoKernel, WorkKind::kElementwise},
      {"erf", YesEverywhere, WorkKind::kElementwise},
      {"exp", YesEverywhere, WorkKind::kElementwise},
      {"exp2", YesEverywhere, WorkKind::kElementwise},
      {"floor", YesEverywhere, WorkKind::kElementwise},
      {"inverse", YesEverywhere, WorkKind::kElementwise},
      {"log", YesEverywhere, WorkKind::kElementwise},
      {"logical_not", YesEverywhere, WorkKind::kElementwise},
      {"round", YesEverywhere, WorkKind::kElementwise},
      {"rsqrt", YesEverywhere, WorkKind::kElementwise},
      {"sign", YesEverywhere, WorkKind::kElementwise},
      {"sin", Trigonometry, WorkKind::kElementwise},
      {"sinh", NoKernel, WorkKind::kElementwise},
      {"sqrt", YesEverywhere, WorkKind::kElementwise},
      {"square", YesEverywhere, WorkKind::kElementwise},
      {"tan", NoKernel, WorkKind::kElementwise},
      {"tanh", YesEverywhere, WorkKind::kElementwise},
      {"threshold", YesEverywhere, WorkKind::kElementwise},
  };
  return kRules;
}

}  // namespace anemone::ops::elementwise_unary
