// Recognizes the hard sigmoid of mobile networks, clip(x + 3, 0, 6) / 6, also inside a hard swish,
// x * clip(x + 3, 0, 6) / 6, which stays a product because MIL has no hard swish. In general clip(x
// + c, 0, d) / d becomes sigmoid_hard(alpha = 1 / d, beta = c / d).
//
//   before                                      after
//     a = add(x = x, y = 3.0);                    y = sigmoid_hard(x = x, alpha = 0.16666667,
//     b = clip(x = a, alpha = 0.0, beta = 6.0);                    beta = 0.5);
//     y = real_div(x = b, y = 6.0);             } -> (y);
//   } -> (y);
#include "passes/match.h"
#include "passes/pass.h"
#include "passes/product.h"

namespace anemone::passes {
namespace {

struct HardSigmoid {
  ir::Value* x = nullptr;
  double offset = 0;  // c
  double limit = 0;   // d
};

// clip(x + c, 0, d), written as clip or relu6, used once.
std::optional<HardSigmoid> MatchClip(const Rewriter& rewriter, const ir::Value* value) {
  HardSigmoid found;
  const ir::Operation* clip = OwnedProducer(rewriter, value, "clip");
  if (clip != nullptr) {
    const auto low = UniformValue(clip->Input("alpha"));
    const auto high = UniformValue(clip->Input("beta"));
    if (!low || *low != 0 || !high || !(*high > 0)) return std::nullopt;
    found.limit = *high;
  } else {
    clip = OwnedProducer(rewriter, value, "relu6");
    if (clip == nullptr) return std::nullopt;
    found.limit = 6;
  }
  const ir::Operation* sum = OwnedProducer(rewriter, clip->Input("x"), "add");
  const auto operands = sum != nullptr ? MatchWithConst(*sum) : std::nullopt;
  const auto offset = operands ? UniformValue(operands->constant) : std::nullopt;
  if (!offset || !(operands->value->type == sum->output()->type)) return std::nullopt;
  found.x = operands->value;
  found.offset = *offset;
  return found;
}

}  // namespace

Result<bool> FuseHardSigmoid(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  const auto rewrite = [&](const ir::Operation& op,
                           const Product& product) -> std::optional<ir::Value*> {
    if (product.factors.empty() || product.factors.size() > 2) return std::nullopt;
    for (size_t i = 0; i < product.factors.size(); ++i) {
      const auto match = MatchClip(rewriter, product.factors[i]);
      if (!match || !IsAbout(product.constant * match->limit, 1)) continue;
      const DType dtype = match->x->type.dtype();
      const auto scalar = [&](double value) {
        return ir::Literal::Float(dtype, static_cast<float>(value));
      };
      ir::Value* y = rewriter.builder().Op("sigmoid_hard",
                                           {{"x", match->x},
                                            {"alpha", scalar(1 / match->limit)},
                                            {"beta", scalar(match->offset / match->limit)}},
                                           op.name());
      if (y != nullptr && product.factors.size() == 2) {
        ir::Value* other = product.factors[1 - i];
        y = rewriter.builder().Op("mul", {{"x", other}, {"y", y}}, op.name());
      }
      if (y == nullptr || y->type == op.output()->type) return y;
      rewriter.Discard();
    }
    return std::nullopt;
  };
  ANEMONE_TRY(RewriteProducts(rewriter, rewrite));
  return rewriter.Finish();
}

}  // namespace anemone::passes
