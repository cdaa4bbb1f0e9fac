// Exponentials and products of a program's inputs: softmax, exp, products and the like over values that
// nothing bounds. Half precision overflows from e^11 on, and of 10000 it holds every eighth number
// only, whatever random inputs show. In a network such operators work on results, not on inputs, so
// that keeping these in float32 costs almost nothing. Thread rules: pure functions.
#pragma once

#include <string>
#include <vector>

#include "ir/program.h"
#include "passes/value_ranges.h"

namespace anemone::passes {

// Names of the operators that read float inputs without an interval in `inputs`, through operators
// that move elements or through differences and maxima; with those that they need for it, and those
// that take a sum or a logarithm of what they give.
std::vector<std::string> InputExponentials(const ir::Function& function, const ValueRanges& inputs);

}  // namespace anemone::passes
