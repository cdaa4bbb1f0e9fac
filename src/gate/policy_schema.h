// The JSON Schema of a gate's policy: what gate/policy.h reads, for editors and validators. Thread
// rules: pure functions.
#pragma once

#include "base/json.h"

namespace anemone::gate {

Json PolicySchema();

}  // namespace anemone::gate
