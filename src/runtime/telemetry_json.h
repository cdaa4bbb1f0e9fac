// A telemetry snapshot as one JSON object (schema anemone.telemetry), for the command, Python and
// the C interface. Thread rules: a pure function.
#pragma once

#include <string>

#include "runtime/telemetry.h"

namespace anemone::runtime {

// Counts by kind list every kind, zeros included, so that readers need no list of their own;
// percentiles are null without a success.
std::string TelemetryJson(const TelemetrySnapshot& snapshot, const TelemetryOptions& labels);

}  // namespace anemone::runtime
