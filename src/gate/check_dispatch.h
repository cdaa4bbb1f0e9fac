// The effect of `anemone gate --require`. Thread rules: pure functions.
#pragma once

#include <string>

#include "gate/policy.h"

namespace anemone::gate {

// "ane" or "gpu": the unit must be planned, whatever the policy says; "none": it need not be;
// empty: the policy decides. kUsage for another unit.
Status RequireUnit(const std::string& unit, Policy& policy);

}  // namespace anemone::gate
