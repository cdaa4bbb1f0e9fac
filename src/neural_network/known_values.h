// Values that are known when a network is lifted: constants, and what is computed from constants
// alone, such as the arithmetic on a shape that decides a branch. Thread rules: any thread, while
// nobody changes the function.
#pragma once

#include <optional>

#include "ir/program.h"

namespace anemone::neural_network {

// The value, when it follows from constants through a few small operators; nullopt otherwise.
std::optional<ir::Literal> KnownValue(const ir::Value& value, ir::Opset opset);

}  // namespace anemone::neural_network
