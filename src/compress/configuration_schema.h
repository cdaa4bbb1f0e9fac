// The JSON Schema of a compression's configuration: the two documents that compress/
// configuration_json.h reads, for editors and validators. Thread rules: pure functions.
#pragma once

#include "base/json.h"

namespace anemone::compress {

Json ConfigurationSchema();

}  // namespace anemone::compress
