// The reference interpreter as a backend ("reference"): the oracle to compare with, selectable by
// name, never chosen automatically.
#pragma once

#include "exec/backend.h"

namespace anemone::exec {

const Backend& ReferenceBackend();

}  // namespace anemone::exec
