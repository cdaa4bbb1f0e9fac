// The structure of a program as JSON: functions, operations, the names that are bound to their
// parameters, nested blocks. For tools that show a program or look for its operations without
// reading values. Thread rules: pure functions.
#pragma once

#include <string>

#include "ir/program.h"

namespace anemone::facade {

// {"functions": {NAME: {"inputs": [NAME...], "operations": [...], "outputs": [NAME...]}}}; an
// operation has "type", "arguments" ({PARAMETER: [NAME...]}), "outputs" and "blocks", which look
// like functions.
std::string StructureJson(const ir::Program& program);

}  // namespace anemone::facade
