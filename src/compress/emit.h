// Emit: the tools with which methods put compressed weights into a function: literals and constexpr
// operators of its op set, and the replacement itself. Thread rules: one thread. Errors: those of
// the builder.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "compress/linear_codec.h"
#include "compress/sites.h"
#include "passes/rewriter.h"

namespace anemone::compress {

inline int64_t SizeOf(const ir::Literal& literal) {
  return static_cast<int64_t>(literal.bytes().size());
}

// One bit for each element.
Result<ir::Literal> MaskLiteral(const std::vector<uint8_t>& mask, const ir::Shape& shape);
// The shape as a literal, as the flat forms before ios18 require it.
Result<ir::Literal> ShapeLiteral(const ir::Shape& shape);
Result<ir::Literal> BytesLiteral(Bytes bytes);
// The offsets of `tensor` in its integers' dtype, zeros where it has none.
Result<ir::Literal> OffsetLiteral(const LinearTensor& tensor, const ir::Shape& shape);
// The elements of `literal` (of any dtype of one byte or more, or of integers) where `mask` is set.
Result<ir::Literal> Gather(const ir::Literal& literal, const std::vector<uint8_t>& mask);

// Arguments of constexpr_blockwise_shift_scale but for the data; adds their size to `bytes`.
Result<std::vector<ir::ArgInit>> ShiftScale(const LinearTensor& tensor, DType dtype,
                                            int64_t* bytes);
// The operator with data; adds the size of all to `bytes`.
Result<ir::Value*> BlockwiseShiftScale(passes::Rewriter& rewriter, const LinearTensor& tensor,
                                       DType dtype, std::string_view name, int64_t* bytes);

// The mask of a constexpr operator (its parameter `name`), one byte for each element.
Result<std::vector<uint8_t>> MaskOf(const ir::Operation& op, std::string_view name);

// Replaces the dense constant, or the argument of the constexpr operator at a joint site.
Status TakePlace(passes::Rewriter& rewriter, const Site& site, ir::Value* value);
// Puts constexpr_sparse_to_dense of `values` where the sparse constant (or the constexpr operator)
// of the site was. The new operators go before `before`. `scale` multiplies the dense tensor, block
// by block.
Status TakeSparsePlace(passes::Rewriter& rewriter, ir::Operation& before, ir::Value* values,
                       ir::Value* mask, std::optional<ir::Literal> scale = std::nullopt);

}  // namespace anemone::compress
