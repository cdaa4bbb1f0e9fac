// The binding of anemone::FeatureModel. Python's values come as they are: an ndarray, a number, a text,
// a dict, a list of texts or integers, or _anemone.Image. Thread rules: under the interpreter's lock.
#pragma once

#include <nanobind/nanobind.h>

#include "anemone/model.h"

namespace anemone::python {

// Adds FeatureModel and Image to the module.
void AddFeatureModel(nanobind::module_& module);

// An array of the library and NumPy's, in binding.cc; FromNumpy borrows the elements.
Array FromNumpy(const std::string& name, nanobind::handle array);
nanobind::object ToNumpy(const Array& array);

}  // namespace anemone::python
