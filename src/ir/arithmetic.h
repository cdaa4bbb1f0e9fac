// The arithmetic of one operation, for reports and for deciding what is worth its time. Thread
// rules: pure functions.
#pragma once

#include <cstdint>
#include <optional>

#include "ir/program.h"

namespace anemone::ir {

// As the operator's definition counts it (a multiply-accumulate counts as two), or one for each
// element of the first output. nullopt for an unknown operator, and for outputs of unknown size.
std::optional<int64_t> FlopsOf(const Operation& operation, Opset opset);

}  // namespace anemone::ir
