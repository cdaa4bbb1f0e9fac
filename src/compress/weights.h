// Shared by all weight compressions: which constants are weights, which operators take them, and
// how a compressed form replaces them. Thread rules: one thread per program.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compress/report.h"
#include "passes/rewriter.h"

namespace anemone::compress {

// One constant that could be compressed, with everything that uses it.
struct Weight {
  ir::Operation* op = nullptr;  // the const
  ir::Value* value = nullptr;
  std::vector<ir::Use> uses;  // at least one
};

// True: compress this one (`weight.uses` lists its uses). Empty takes all.
using Selector = std::function<bool(const Weight& weight)>;

// The float constants of `function` with 10 or more elements that operations use, in program order:
// those that Core ML keeps in the weight file. Constants that are part of a compressed constant are
// not included.
std::vector<Weight> FindWeights(const passes::Rewriter& rewriter);

// Why its values cannot be compressed ("element 7 is NaN"); empty when all are finite.
std::string WhyNotFinite(const ir::Literal& literal);
// kInvalidInput with that reason; integers are finite.
Status CheckFinite(const ir::Literal& literal);

// Channel dimensions of a weight, from the operations that use it: dimension 0 out, 1 in, except
// for conv_transpose (1, 0) and matmul, where they depend on the side and on transposition. nullopt
// when two users disagree.
struct ChannelAxes {
  std::optional<int> output;
  std::optional<int> input;
};
ChannelAxes AxesOf(const Weight& weight);

// A record with everything but the outcome.
TensorRecord RecordOf(const Weight& weight);
// Bytes of all constants with 10 or more elements of a function: its size in a package.
int64_t ConstantBytes(const ir::Function& function);

}  // namespace anemone::compress
