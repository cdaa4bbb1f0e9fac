// Recognizes gelu in the forms that exporters write, whatever the order of the factors:
//   exact      0.5 x (1 + erf(x / sqrt 2))
//   tanh       0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
//   sigmoid    x sigmoid(1.702 x)
//
//   before                                       after
//     a = real_div(x = x, y = 1.4142135);          y = gelu(x = x, mode = "EXACT");
//     b = erf(x = a);                            } -> (y);
//     c = add(x = b, y = 1.0);
//     d = mul(x = x, y = c);
//     y = mul(x = d, y = 0.5);
//   } -> (y);
#include <cmath>
#include <numbers>

#include "passes/match.h"
#include "passes/pass.h"
#include "passes/product.h"

namespace anemone::passes {
namespace {

// Whether `value` is `scale` * x.
bool IsScaled(const Rewriter& rewriter, ir::Value* value, const ir::Value* x, double scale) {
  const Product product = FlattenProduct(rewriter, value);
  return product.factors.size() == 1 && product.factors[0] == x && IsAbout(product.constant, scale);
}

// Whether `value` is `scale` * x^3.
bool IsCube(const Rewriter& rewriter, ir::Value* value, const ir::Value* x, double scale) {
  const Product product = FlattenProduct(rewriter, value);
  return product.factors == std::vector<ir::Value*>(3, const_cast<ir::Value*>(x)) &&
         IsAbout(product.constant, scale);
}

// x + 0.044715 x^3, or x (1 + 0.044715 x^2), each times sqrt(2 / pi).
bool IsTanhArgument(const Rewriter& rewriter, ir::Value* value, const ir::Value* x) {
  constexpr double kCubic = 0.044715;
  const double scale = std::sqrt(2 / std::numbers::pi);
  const Product product = FlattenProduct(rewriter, value);
  if (!IsAbout(product.constant, scale)) return false;
  if (product.factors.size() == 1) {
    const ir::Operation* sum = ProducerOf(product.factors[0], "add");
    if (sum == nullptr) return false;
    ir::Value* a = sum->Input("x");
    ir::Value* b = sum->Input("y");
    return (a == x && IsCube(rewriter, b, x, kCubic)) || (b == x && IsCube(rewriter, a, x, kCubic));
  }
  if (product.factors.size() != 2) return false;
  for (size_t i = 0; i < 2; ++i) {
    if (product.factors[i] != x) continue;
    ir::Value* square = AddedTo(rewriter, product.factors[1 - i], 1);
    if (square == nullptr) continue;
    const Product inner = FlattenProduct(rewriter, square);
    if (inner.factors == std::vector<ir::Value*>(2, const_cast<ir::Value*>(x)) &&
        IsAbout(inner.constant, kCubic)) {
      return true;
    }
  }
  return false;
}

// The mode when the product of `x` and `other` and `constant` is a gelu of x; null otherwise.
const char* ModeOf(const Rewriter& rewriter, const ir::Value* x, ir::Value* other,
                   double constant) {
  if (IsAbout(constant, 1)) {
    const ir::Operation* sigmoid = ProducerOf(other, "sigmoid");
    const bool matches = sigmoid != nullptr && IsScaled(rewriter, sigmoid->Input("x"), x, 1.702);
    return matches ? "SIGMOID_APPROXIMATION" : nullptr;
  }
  if (!IsAbout(constant, 0.5)) return nullptr;
  ir::Value* inner = AddedTo(rewriter, other, 1);
  if (const ir::Operation* erf = ProducerOf(inner, "erf")) {
    return IsScaled(rewriter, erf->Input("x"), x, 1 / std::numbers::sqrt2) ? "EXACT" : nullptr;
  }
  if (const ir::Operation* tanh = ProducerOf(inner, "tanh")) {
    return IsTanhArgument(rewriter, tanh->Input("x"), x) ? "TANH_APPROXIMATION" : nullptr;
  }
  return nullptr;
}

}  // namespace

Result<bool> FuseGelu(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  const auto rewrite = [&](const ir::Operation& op,
                           const Product& product) -> std::optional<ir::Value*> {
    if (product.factors.size() != 2) return std::nullopt;
    for (size_t i = 0; i < 2; ++i) {
      ir::Value* x = product.factors[i];
      const char* mode = ModeOf(rewriter, x, product.factors[1 - i], product.constant);
      if (mode == nullptr || !(x->type == op.output()->type)) continue;
      return rewriter.builder().Op("gelu", {{"x", x}, {"mode", ir::Literal::String(mode)}},
                                   op.name());
    }
    return std::nullopt;
  };
  ANEMONE_TRY(RewriteProducts(rewriter, rewrite));
  return rewriter.Finish();
}

}  // namespace anemone::passes
