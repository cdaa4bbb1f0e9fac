// Turns a matmul by a constant matrix on the right into a linear, whose weight w' is w transposed,
// [D_out, D_in]: linear has Core ML's fastest kernels, and its weights compress by output channel.
//
//   before                                             after
//     y = matmul(x = x, y = w);  // w: [D_in, D_out]     y = linear(x = x, weight = w');
//   } -> (y);                                          } -> (y);
#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "base/uninitialized.h"
#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

template <typename T>
Bytes Transposed(const ir::Literal& matrix) {
  constexpr int64_t kTile = 32;
  const int64_t rows = matrix.shape()[0];
  const int64_t columns = matrix.shape()[1];
  // Read where the file has them, at any address: an aligned copy would take memory.
  const std::byte* in = matrix.bytes().data();
  const Uninitialized<T> out(static_cast<size_t>(rows * columns));
  for (int64_t row = 0; row < rows; row += kTile) {
    for (int64_t column = 0; column < columns; column += kTile) {
      for (int64_t i = row; i < std::min(rows, row + kTile); ++i) {
        for (int64_t j = column; j < std::min(columns, column + kTile); ++j)
          std::memcpy(out.data() + j * rows + i, in + (i * columns + j) * sizeof(T), sizeof(T));
      }
    }
  }
  return out.ToBytes();
}

Result<ir::Literal> TransposedLiteral(const ir::Literal& matrix) {
  const ir::Type type = ir::Type::Tensor(matrix.dtype(), {matrix.shape()[1], matrix.shape()[0]});
  return ir::Literal::FromBytes(type, matrix.dtype() == DType::kFp16
                                          ? Transposed<uint16_t>(matrix)
                                          : Transposed<uint32_t>(matrix));
}

// The flags of a matmul by a constant matrix on the right that may be a linear; nullopt when it is
// none.
std::optional<bool> TransposedWeight(const ir::Operation& matmul, ir::Opset opset) {
  const ir::Value* x = matmul.Input("x");
  const ir::Value* y = matmul.Input("y");
  if (x == nullptr || y == nullptr || x->is_const() || !y->is_const()) return std::nullopt;
  if (!IsFloat(y->type.dtype()) || y->type.rank() != 2 || x->type.dtype() != y->type.dtype())
    return std::nullopt;
  if (!x->type.has_rank() || x->type.rank() < 2) return std::nullopt;
  const ir::OpArgs args(matmul, opset);
  const auto transpose_x = args.Bool("transpose_x");
  const auto transpose_y = args.Bool("transpose_y");
  if (!transpose_x.ok() || *transpose_x || !transpose_y.ok()) return std::nullopt;
  return *transpose_y;
}

// The products that each constant matrix is the right factor of, in order.
using Products = std::vector<std::pair<ir::Value*, std::vector<ir::Operation*>>>;

Products ByMatrix(const Rewriter& rewriter) {
  Products products;
  std::unordered_map<const ir::Value*, size_t> at;
  for (ir::Operation* op : rewriter.operations()) {
    if (op->type() != "matmul" || !TransposedWeight(*op, rewriter.opset())) continue;
    ir::Value* matrix = op->Input("y");
    const auto [found, fresh] = at.emplace(matrix, products.size());
    if (fresh) products.push_back({matrix, {}});
    products[found->second].second.push_back(op);
  }
  return products;
}

}  // namespace

Result<bool> FuseMatmulToLinear(ir::Function& function, PassContext& context) {
  Rewriter rewriter(function);
  for (const auto& [matrix, products] : ByMatrix(rewriter)) {
    // What others use as well would be stored twice.
    if (rewriter.UseCount(matrix) != products.size()) continue;
    const bool transposed = *TransposedWeight(*products.front(), function.opset);
    if (std::ranges::any_of(products, [&](const ir::Operation* op) {
          return TransposedWeight(*op, function.opset) != transposed ||
                 op->parent() != products.front()->parent();
        })) {
      continue;
    }
    ANEMONE_TRY(context.CheckCancelled());
    ir::Value* weight = matrix;
    if (!transposed) {
      ANEMONE_ASSIGN(ir::Literal turned, TransposedLiteral(*matrix->literal));
      weight = rewriter.builder().Const(std::move(turned), matrix->name);
    }
    for (ir::Operation* matmul : products) {
      ir::Value* linear = rewriter.builder().Op(
          "linear", {{"x", matmul->Input("x")}, {"weight", weight}}, matmul->name());
      ANEMONE_TRY(rewriter.Commit(*matmul));
      rewriter.Replace(matmul->output(), linear);
    }
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
