// Turns a matmul by a constant matrix on the right into a linear, whose weight w' is w transposed,
// [D_out, D_in]: linear has Core ML's fastest kernels, and its weights compress by output channel.
//
//   before                                             after
//     y = matmul(x = x, y = w);  // w: [D_in, D_out]     y = linear(x = x, weight = w');
//   } -> (y);                                          } -> (y);
#include <algorithm>
#include <span>

#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

template <typename T>
Bytes Transposed(const ir::Literal& matrix) {
  constexpr int64_t kTile = 32;
  const int64_t rows = matrix.shape()[0];
  const int64_t columns = matrix.shape()[1];
  const std::span<const T> in = matrix.As<T>();
  std::vector<T> out(in.size());
  for (int64_t row = 0; row < rows; row += kTile) {
    for (int64_t column = 0; column < columns; column += kTile) {
      for (int64_t i = row; i < std::min(rows, row + kTile); ++i) {
        for (int64_t j = column; j < std::min(columns, column + kTile); ++j)
          out[j * rows + i] = in[i * columns + j];
      }
    }
  }
  return Bytes::FromVector(std::move(out));
}

Result<ir::Literal> TransposedLiteral(const ir::Literal& matrix) {
  const ir::Type type = ir::Type::Tensor(matrix.dtype(), {matrix.shape()[1], matrix.shape()[0]});
  return ir::Literal::FromBytes(type, matrix.dtype() == DType::kFp16
                                          ? Transposed<uint16_t>(matrix)
                                          : Transposed<uint32_t>(matrix));
}

}  // namespace

Result<bool> FuseMatmulToLinear(ir::Function& function, PassContext& context) {
  Rewriter rewriter(function);
  for (ir::Operation* matmul : rewriter.operations()) {
    if (rewriter.IsDead(*matmul) || matmul->type() != "matmul") continue;
    ir::Value* x = matmul->Input("x");
    ir::Value* y = matmul->Input("y");
    if (x == nullptr || y == nullptr || x->is_const() || !y->is_const()) continue;
    if (!IsFloat(y->type.dtype()) || y->type.rank() != 2 || x->type.dtype() != y->type.dtype())
      continue;
    // A matrix used twice would be stored twice.
    if (rewriter.UseCount(y) != 1 || !x->type.has_rank() || x->type.rank() < 2) continue;
    const ir::OpArgs args(*matmul, function.opset);
    const auto transpose_x = args.Bool("transpose_x");
    const auto transpose_y = args.Bool("transpose_y");
    if (!transpose_x.ok() || *transpose_x || !transpose_y.ok()) continue;
    ANEMONE_TRY(context.CheckCancelled());
    ir::Value* weight = y;
    if (!*transpose_y) {
      ANEMONE_ASSIGN(ir::Literal transposed, TransposedLiteral(*y->literal));
      weight = rewriter.builder().Const(std::move(transposed), y->name);
    }
    ir::Value* linear =
        rewriter.builder().Op("linear", {{"x", x}, {"weight", weight}}, matmul->name());
    ANEMONE_TRY(rewriter.Commit(*matmul));
    rewriter.Replace(matmul->output(), linear);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
