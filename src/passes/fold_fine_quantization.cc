// For half precision only: a quantization of activations whose steps are finer than half's own (16
// bits, where half has 11) is not a rounding that half could hold. What remains of it is its
// saturation.
//
//   before                                            after
//     a = real_div(x = x, y = s);                       y = clip(x = x,
//     b = round(x = a);                                          alpha = s * (low - z),
//     c = add(x = b, y = z);                                     beta = s * (high - z));
//     d = clip(x = c, alpha = low, beta = high);      } -> (y);
//     e = sub(x = d, y = z);
//     y = mul(x = e, y = s);
//   } -> (y);
//
// Where the division was folded into a conv before, `a` is multiplied by s in front of the clip, so
// that fuse_conv_scale takes it back.
#include <cmath>
#include <optional>

#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

// Half has 2^11 steps between a power of two and the next; as many again below and above zero.
constexpr double kFinerThanHalf = 4096;

// The constant that `type` combines with the value that comes before; moves `value` there. nullopt,
// and no move, when `value` does not come from such an operation, or others use it.
std::optional<double> TakeConstant(const Rewriter& rewriter, std::string_view type,
                                   ir::Value** value) {
  const ir::Operation* operation = OwnedProducer(rewriter, *value, type);
  if (operation == nullptr) return std::nullopt;
  const auto operands = MatchWithConst(*operation);
  if (!operands || (operands->constant_first && type != "add")) return std::nullopt;
  const auto constant = UniformValue(operands->constant);
  if (constant) *value = operands->value;
  return constant;
}

struct FineQuantization {
  ir::Value* quantized = nullptr;  // in front of round, in steps
  double low = 0;                  // in steps, zero point taken off
  double high = 0;
  double step = 1;
};

std::optional<FineQuantization> MatchFine(const Rewriter& rewriter, const ir::Operation& product) {
  const auto operands = MatchWithConst(product);
  if (!operands) return std::nullopt;
  const auto step = UniformValue(operands->constant);
  if (!step || !(*step > 0)) return std::nullopt;
  FineQuantization found;
  found.step = *step;
  ir::Value* value = operands->value;
  const double zero = TakeConstant(rewriter, "sub", &value).value_or(0);
  const ir::Operation* clip = OwnedProducer(rewriter, value, "clip");
  if (clip == nullptr) return std::nullopt;
  const auto low = UniformValue(clip->Input("alpha"));
  const auto high = UniformValue(clip->Input("beta"));
  if (!low || !high || *high - *low < kFinerThanHalf) return std::nullopt;
  value = clip->Input("x");
  if (TakeConstant(rewriter, "add", &value).value_or(0) != zero) return std::nullopt;
  const ir::Operation* round = OwnedProducer(rewriter, value, "round");
  if (round == nullptr) return std::nullopt;
  found.quantized = round->Input("x");
  found.low = *low - zero;
  found.high = *high - zero;
  return found;
}

}  // namespace

Result<bool> FoldFineQuantization(ir::Function& function, PassContext& context) {
  Rewriter rewriter(function);
  for (ir::Operation* product : rewriter.operations()) {
    if (rewriter.IsDead(*product) || product->type() != "mul") continue;
    const auto fine = MatchFine(rewriter, *product);
    if (!fine || fine->quantized->type.dtype() != DType::kFp32) continue;
    ANEMONE_TRY(context.CheckCancelled());
    ir::Value* value = fine->quantized;
    const auto divisor = TakeConstant(rewriter, "real_div", &value);
    if (!divisor || *divisor != fine->step) {
      const ir::Literal step = ir::Literal::Fp32(static_cast<float>(fine->step));
      value = rewriter.builder().Op("mul", {{"x", fine->quantized}, {"y", step}},
                                    product->name() + "_values");
    }
    const auto bound = [&](double steps) {
      return ir::Literal::Fp32(static_cast<float>(steps * fine->step));
    };
    ir::Value* clipped = rewriter.builder().Op(
        "clip", {{"x", value}, {"alpha", bound(fine->low)}, {"beta", bound(fine->high)}},
        product->name());
    ANEMONE_TRY(rewriter.Commit(*product));
    context.AddNote("fold_fine_quantization", product->name(),
                    "its 16 bits are finer than float16, which rounds instead");
    rewriter.Replace(product->output(), clipped);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
