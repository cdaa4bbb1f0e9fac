// Ranges: an interval that holds every value that a tensor can take, found by interval arithmetic
// over the program from its constants and from what is declared of its inputs (pixels, integer
// types). Sound, and coarse: a weight matrix multiplies the interval by the largest sum of
// magnitudes of a row, so an interval widens from layer to layer, and operators without a rule have
// none. Useful for what must overflow, and for what cannot. Thread rules: pure functions.
#pragma once

#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

#include "ir/model.h"
#include "ir/program.h"

namespace anemone::passes {

struct Interval {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool bounded() const {
    return low > -std::numeric_limits<double>::infinity() &&
           high < std::numeric_limits<double>::infinity();
  }
  friend bool operator==(const Interval&, const Interval&) = default;
};

// Values without an entry are unbounded.
using ValueRanges = std::unordered_map<const ir::Value*, Interval>;

// Of the function's inputs: 0 to 255 for images, and what an integer type can hold.
ValueRanges DeclaredRanges(const ir::Model& model, const ir::Function& function);

// Of all values, from those of the inputs. Values may be NaN besides: an interval bounds numbers.
ValueRanges PropagateRanges(const ir::Function& function, const ValueRanges& inputs);

// Names of the operators whose float results float16 can only lose: every possible value is beyond
// 65504, or not zero and too small for it.
std::vector<std::string> LostInHalf(const ir::Function& function, const ValueRanges& ranges);

// Names of the operators whose bounded interval reaches beyond 65504.
std::vector<std::string> MayExceedHalf(const ir::Function& function, const ValueRanges& ranges);

}  // namespace anemone::passes
