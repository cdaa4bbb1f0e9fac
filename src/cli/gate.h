// What the commands `gate` and `matrix` share.
#pragma once

#include <string>

#include "base/status.h"
#include "cli/command.h"
#include "gate/policy.h"

namespace anemone::cli {

void AddGate(Command app, Context& context);
void AddMatrix(Command app, Context& context);

// A policy file; empty: Gate C as it is built in (gates/gate-c.json).
Result<gate::Policy> FindPolicy(const std::string& path);
// Writes atomically.
Status WriteWhole(const std::string& path, const std::string& text);

}  // namespace anemone::cli
