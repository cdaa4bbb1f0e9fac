// OperatorName: the name of an operator as an argument of a template, so that one function serves
// all layers that differ by it. Literal type; no thread rules.
#pragma once

#include <cstddef>

namespace anemone::neural_network {

template <size_t kSize>
struct OperatorName {
  char text[kSize];
  constexpr OperatorName(const char (&name)[kSize]) {  // NOLINT: converts from a literal by design
    for (size_t i = 0; i < kSize; ++i) text[i] = name[i];
  }
};

}  // namespace anemone::neural_network
