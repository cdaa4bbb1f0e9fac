// The body of State of the public interface, and the states that a function declares. Ownership: a
// State owns its values. Thread rules: one call at a time for each State. Errors: kUsage for values
// that do not fit a declared state, or a state that is missing.
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
// kUsage when `function` keeps states and none is given, as Core ML has it: a prediction on states
// that are zero each time would look like an answer. Takes nothing from the heap otherwise.
Status CheckStateIsGiven(const ir::Function& function, const exec::State* state);

}  // namespace anemone::facade
