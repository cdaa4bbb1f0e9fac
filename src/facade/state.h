// The body of State of the public interface, and the states that a function declares. Ownership: a
// State owns its values. Thread rules: one call at a time for each State. Errors: kUsage for values
// that do not fit a declared state.
#pragma once

#include "anemone/model.h"
#include "base/status.h"
#include "exec/backend.h"
#include "ir/program.h"

namespace anemone::facade {

// The values of a State.
exec::State& ValuesOf(State& state);
// A State that knows the states of `function`, each of them zero.
Result<State> MakeState(const ir::Function& function);

}  // namespace anemone::facade
