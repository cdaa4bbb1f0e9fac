// A Failure of the library on its way to becoming anemone.Error. Thread rules: values.
#pragma once

#include <utility>

#include "anemone/model.h"

namespace anemone::python {

// The module's exception translator raises anemone.Error for it.
struct FailureException {
  Failure failure;
};

template <typename T>
T Unwrap(Expected<T> expected) {
  if (!expected) throw FailureException{expected.failure()};
  return std::move(*expected);
}

}  // namespace anemone::python
