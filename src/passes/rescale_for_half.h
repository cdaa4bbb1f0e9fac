// Rescaling for half precision: values that would leave half's range, or sink below it, are stored
// multiplied by a power of two. Convolutions, linear layers and batch norms with constant weights
// take the factor in or give it back; what lies between (additions, poolings, relus, shapes) passes
// it on. Powers of two change no digit, so the program gives the same float32 results.
//
// Thread rules: changes the function it is given. Not a pass of the pipeline: it needs to know how
// large values are, which only running the program tells.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "ir/program.h"

namespace anemone::passes {

struct Rescaled {
  int64_t operators = 0;  // whose results are stored with a factor; 0: nothing was changed
  // Names of new operators, which undo a factor in front of an output and must stay in float32.
  std::vector<std::string> keep_float32;
};

// `largest`: for the names of values, the largest magnitude seen in float32.
Result<Rescaled> RescaleForHalf(ir::Function& function,
                                const std::unordered_map<std::string, double>& largest);

}  // namespace anemone::passes
