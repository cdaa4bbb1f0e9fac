// Calls of the library without the interpreter's lock. Thread rules: any thread that holds the lock.
#pragma once

#include <nanobind/nanobind.h>

namespace anemone::python {

// What `body` returns. While it works, handlers of signals may run on this thread (binding.cc has the library ask for
// them): what one of them raised, usually KeyboardInterrupt, comes before whatever the library made of it.
template <typename Body>
auto Released(const Body& body) {
  auto result = [&] {
    const nanobind::gil_scoped_release release;
    return body();
  }();
  if (PyErr_Occurred() != nullptr) throw nanobind::python_error();
  return result;
}

}  // namespace anemone::python
