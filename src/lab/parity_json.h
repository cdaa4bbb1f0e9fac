// Parity as JSON: one form for compare, manifests and the lab. Values that are not finite are null,
// because JSON has no infinity; figures of rows are null when the output has no rows.
#pragma once

#include "base/json.h"
#include "lab/parity.h"

namespace anemone::lab {

Json ParityJson(const Parity& parity);
// The number, or null when it is not finite.
Json FiniteOrNull(double value);

}  // namespace anemone::lab
