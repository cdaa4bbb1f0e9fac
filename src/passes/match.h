// Small questions that passes ask about operations and constants. Thread rules: pure functions.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "ir/program.h"
#include "passes/rewriter.h"

namespace anemone::passes {

// The operation that makes `value`, when it has this type; null otherwise.
ir::Operation* ProducerOf(const ir::Value* value, std::string_view type);
// The same, but only when `user`'s block holds it and its result has a single use, so that it may
// be merged into its user.
ir::Operation* OwnedProducer(const Rewriter& rewriter, const ir::Value* value,
                             std::string_view type);

// The value that all elements of a constant (float or integer) have; nullopt for other values and
// for empty tensors.
std::optional<double> UniformValue(const ir::Value* value);
// Whether UniformValue is `wanted` up to a few units of float16 or float32 rounding.
bool IsAbout(const ir::Value* value, double wanted);
bool IsAbout(double value, double wanted);

// A binary operation with exactly one constant operand.
struct WithConst {
  ir::Value* value = nullptr;
  ir::Value* constant = nullptr;
  bool constant_first = false;
};
std::optional<WithConst> MatchWithConst(const ir::Operation& operation);

// A float tensor times a number: `operation` is a product with, or a quotient by, a constant of one
// element, and changes nothing but the elements.
struct Scaled {
  ir::Value* value = nullptr;
  double scale = 1;
};
std::optional<Scaled> MatchScaled(const ir::Operation& operation);

// The order of a transpose, its axes counted from the front; empty when it is no constant.
std::vector<int64_t> OrderOf(const ir::Operation& transpose);

// Elements of a float constant as doubles, one for each of `channels` output channels, from a
// constant that is a scalar or whose only dimension above 1 is `axis` of a tensor of rank
// `rank` (aligned at the right). nullopt for any other shape, and when adding it would
// broadcast the tensor.
std::optional<std::vector<double>> PerChannel(const ir::Value* constant, int rank, int axis,
                                              int64_t channels);

// The float constant as doubles.
std::optional<std::vector<double>> DoublesOf(const ir::Value* constant);
// Doubles rounded to `dtype` (fp16 or fp32).
ir::Literal FloatsFromDoubles(DType dtype, const std::vector<double>& values, ir::Shape shape);
// Whether every value rounds to a finite number of `dtype`.
bool FitDType(const std::vector<double>& values, DType dtype);

}  // namespace anemone::passes
