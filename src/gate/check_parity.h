// The limits of the checks "parity" and "backend_parity", which the comparing code needs too.
#pragma once

#include <string_view>

#include "gate/limits.h"

namespace anemone::gate {

inline constexpr std::string_view kParityKey = "parity";
inline constexpr std::string_view kBackendParityKey = "backend_parity";

// The limits when a policy names none: the product's.
LimitsByPrecision DefaultParityLimits();

struct ParityPolicy : LimitsOf<ParityPolicy> {
  LimitsByPrecision limits = DefaultParityLimits();
  int64_t synthetic_samples = 4;
  int64_t seed = 0;
  bool real_inputs = false;  // when true, INCONCLUSIVE without them

  void Visit(LimitVisitor& visitor) override;
};

}  // namespace anemone::gate
