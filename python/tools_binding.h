// The tools (include/anemone/tools.h) in the Python module.
#pragma once

#include <nanobind/nanobind.h>

namespace anemone::python {

// Adds gate(options, progress), lab, compare and so on, a function for each tool: it takes its options
// as a JSON object and returns the document that the command prints with --json.
void AddTools(nanobind::module_& module);

}  // namespace anemone::python
