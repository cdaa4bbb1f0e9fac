// The JSON Schema of the options: what options/json.h reads, for editors and validators. Thread
// rules: pure functions.
#pragma once

#include "base/json.h"

namespace anemone::options {

// One document (draft 2020-12) with a definition for each table: "#/$defs/convert".
Json OptionsSchema();

}  // namespace anemone::options
