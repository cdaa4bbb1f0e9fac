// The chips that placement knows, as JSON, for the reference (docs/reference/chips.md). Thread rules:
// pure function.
#pragma once

#include "base/json.h"

namespace anemone::facade {

// One object for each chip; null where nothing is published.
Json ChipTable();

}  // namespace anemone::facade
