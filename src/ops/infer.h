// What the definitions of all families share: arithmetic of dimensions that knows dynamic sizes
// and refuses to overflow, broadcasting, axes. Errors carry the label of the constraint that was
// broken. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ir/op_def.h"

namespace anemone::ops {

using ir::Constraint;
using ir::ElementRule;
using ir::kDynamic;
using ir::NamesItsDType;
using ir::OpArgs;
using ir::OpCost;
using ir::OpDef;
using ir::Opset;
using ir::Param;
using ir::Shape;
using ir::SizeRule;
using ir::TensorFunction;
using ir::Type;
using ir::TypeDomain;
using ir::Violates;
using ir::WithGrowingIntegers;

// a + b and a * b of sizes; kDynamic when either is; an error when the result does not fit into
// int64.
Result<int64_t> AddDims(int64_t a, int64_t b);
Result<int64_t> MulDims(int64_t a, int64_t b);
// Product of dims[begin, end).
Result<int64_t> MulDims(const Shape& dims, size_t begin, size_t end);

// Whether two sizes can be equal at run time.
inline bool DimsAgree(int64_t a, int64_t b) { return a == kDynamic || b == kDynamic || a == b; }
// The more exact of two sizes that agree.
inline int64_t MergeDims(int64_t a, int64_t b) { return a == kDynamic ? b : a; }

// The same for whole shapes; false when the ranks differ.
bool ShapesAgree(const Shape& a, const Shape& b);

// NumPy's broadcasting. A dynamic dimension takes the other size when that is above 1.
Result<Shape> BroadcastShapes(std::string_view label, const Shape& a, const Shape& b);
// The shape of `param` of the tensors; BroadcastShapes over types, unranked when either is.
Result<Type> BroadcastTypes(std::string_view label, const Type& a, const Type& b, DType dtype);

// `axis` within [-rank, rank), made non-negative.
Result<int64_t> NormalizeAxis(std::string_view label, int64_t axis, int64_t rank);
// All of them; no two the same.
Result<std::vector<int64_t>> NormalizeAxes(std::string_view label, std::vector<int64_t> axes,
                                           int64_t rank);
// The same where no constraint of ours is broken, as in the nodes of other formats.
inline Result<int64_t> NormalizeAxis(int64_t axis, int64_t rank) {
  return NormalizeAxis("", axis, rank);
}
inline Result<std::vector<int64_t>> NormalizeAxes(std::vector<int64_t> axes, int64_t rank) {
  return NormalizeAxes("", std::move(axes), rank);
}

// An error with `label` unless the tensor argument `param` has rank within [low, high] (or no known
// rank).
Status CheckRank(const OpArgs& args, std::string_view param, int low, int high,
                 std::string_view label);
inline Status CheckRank(const OpArgs& args, std::string_view param, int rank,
                        std::string_view label) {
  return CheckRank(args, param, rank, rank, label);
}

// `value` in the dtype of argument `x`: for defaults of float parameters.
Result<ir::Literal> FloatLikeX(const OpArgs& args, float value);

// The type of a tensor whose sizes are the elements of a vector of type `shape`, when these are not
// known: dynamic ones, or no rank.
Result<Type> TypeOfUnknownShape(std::string_view label, DType dtype, const Type& shape);

// A constant parameter that may be left out.
Param ConstantParam(std::string_view name, std::string_view types, std::string_view default_text,
                    Opset since = Opset::kIOS15);

// "[1, -1, 3]".
std::string NumbersToString(const std::vector<int64_t>& numbers);

// The output has the type of argument `x`.
Status InferLikeX(const OpArgs& args, std::vector<Type>* outputs);
// Pure movement of data: no arithmetic.
OpCost NoCost(const OpArgs& args, std::span<const Type> outputs);
// Elements of all outputs; 0 for those with dynamic dimensions.
int64_t OutputElements(std::span<const Type> outputs);
// Elements of argument `param`; 0 when not static.
int64_t ElementsOf(const OpArgs& args, std::string_view param);
// Product of counts for a cost: 0 when one is dynamic, the largest int64 when it overflows.
int64_t CostProduct(std::span<const int64_t> counts);
inline int64_t CostProduct(std::initializer_list<int64_t> counts) {
  return CostProduct(std::span(counts.begin(), counts.size()));
}

}  // namespace anemone::ops
