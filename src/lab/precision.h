// Precision: what a model is, as far as limits of parity go. Thread rules: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "ir/model.h"
#include "lab/parity.h"

namespace anemone::lab {

struct Precision {
  bool compressed = false;  // weights of any compressed form
  bool half = false;        // some value is in half precision
};
// Of its default function; nothing of a model without one.
Precision LookAtPrecision(const ir::Model& model);

// "int8" with compressed weights of any kind, "fp16" with half-precision arithmetic, else "fp32".
std::string PrecisionOf(const ir::Model& model);

// The limits for a variant, and the facts that they follow from, for people.
struct ChosenLimits {
  ParityLimits limits;
  std::string precision;  // as PrecisionOf
  std::string reason;     // "the variant computes in half precision"
};
// `half`: the variant is run in half precision whatever its types say.
ChosenLimits ChooseLimits(const ir::Model& reference, const ir::Model& variant, bool half = false);

}  // namespace anemone::lab
