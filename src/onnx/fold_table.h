// The rows in which FoldNode looks up operators, and what both files of folders share. Internal
// to src/onnx.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "onnx/fold.h"

namespace anemone::onnx {

struct FoldRow {
  std::string_view op;
  Result<std::vector<Constant>> (*fold)(const FoldArgs& args);
  size_t required;  // inputs that must be given
};
std::span<const FoldRow> StructureFolds();
std::span<const FoldRow> MathFolds();

// A folder returns this when the result is better left to the program.
inline Error NotFolded() { return Error(ErrorCode::kUnavailable, "not folded"); }

// Whether arithmetic on a tensor of these dims is cheap enough to be done at import.
bool ComputableCount(const ir::Shape& dims);

Result<ir::Shape> SqueezedDims(const ir::Shape& dims,
                               const std::optional<std::vector<int64_t>>& axes);
Result<ir::Shape> UnsqueezedDims(const ir::Shape& dims, const std::vector<int64_t>& axes);
// The `perm` attribute of a Transpose, checked; reversed order by default.
Result<std::vector<int64_t>> Permutation(const Node& node, size_t rank);

}  // namespace anemone::onnx
