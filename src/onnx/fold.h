// Evaluates ONNX nodes whose inputs are all known, in ONNX's own types and int64 arithmetic. Many
// parameters (the shape of a Reshape, the pads of a Pad) are computed in the graph; folding also
// rearranges weights at import rather than at run time. Thread rules: pure functions.
#pragma once

#include <optional>
#include <vector>

#include "base/status.h"
#include "onnx/constant.h"
#include "onnx/model.h"

namespace anemone::onnx {

struct FoldArgs {
  const Node& node;
  int64_t opset;
  std::vector<const Constant*> inputs;  // null where an optional input is left out

  const Constant* In(size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
  int64_t Int(std::string_view attribute, int64_t fallback) const;
  // The integers of input `i` or, when it is absent, of the attribute; nullopt when neither
  // is given.
  std::optional<std::vector<int64_t>> Ints(size_t i, std::string_view attribute) const;
};

// The values of the node's outputs; nullopt when the operator is not one that is folded, when the
// result would exceed 256 MiB, or when its dtype is not handled. Errors: kInvalidInput when the
// node breaks its operator's rules.
Result<std::optional<std::vector<Constant>>> FoldNode(const FoldArgs& args);

// ---- shared by the converters ----

// Whether a tensor of these dims is small enough to be made at import (2^26 elements).
bool FoldableCount(const ir::Shape& dims);

// The shape that Reshape gives `dims`.
Result<ir::Shape> ReshapedDims(const ir::Shape& dims, const std::vector<int64_t>& shape,
                               bool allow_zero);
// The shape that Expand gives `dims`: both broadcast together.
Result<ir::Shape> ExpandedDims(const ir::Shape& dims, const std::vector<int64_t>& shape);
// Start, step and count of elements that Slice takes along each dimension.
struct SliceRange {
  int64_t start = 0;
  int64_t step = 1;
  int64_t count = 0;
};
Result<std::vector<SliceRange>> SliceRanges(const ir::Shape& dims,
                                            const std::vector<int64_t>& starts,
                                            const std::vector<int64_t>& ends,
                                            const std::optional<std::vector<int64_t>>& axes,
                                            const std::optional<std::vector<int64_t>>& steps);
// Sizes of the outputs of Split along a dimension of `size`.
Result<std::vector<int64_t>> SplitSizes(int64_t size, size_t outputs,
                                        const std::optional<std::vector<int64_t>>& sizes);
// Rearranged copies.
Constant TransposeConstant(const Constant& x, const std::vector<int64_t>& perm);
Constant BroadcastConstant(const Constant& x, const ir::Shape& dims);

}  // namespace anemone::onnx
