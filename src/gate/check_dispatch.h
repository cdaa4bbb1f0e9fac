// What `anemone gate --require` asks for. Thread rules: pure functions.
#pragma once

#include <string>

#include "gate/policy.h"

namespace anemone::gate {

// "ane" or "gpu": the unit must be planned, whatever the policy says of it; "none": it need not;
// empty: as the policy says. kUsage for another unit.
Status RequireUnit(const std::string& unit, Policy& policy);

}  // namespace anemone::gate
