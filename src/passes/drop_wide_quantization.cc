// Before the conversion to half precision: a tensor that is quantized to more whole numbers than
// half precision holds, and back, is only clipped to its range. The numbers reach 65535, beyond
// float16's 65504 and far beyond 2048, up to which it holds whole numbers; its own rounding is
// coarser than that of 16 bits but near 0, where the difference is at most half a step.
//
//   before                                             after
//     a = real_div(x = x, y = s);                        y = clip(x = x, alpha = (low - z) * s,
//     b = round(x = a);                                           beta = (high - z) * s);
//     c = add(x = b, y = z);                           } -> (y);
//     d = clip(x = c, alpha = low, beta = high);
//     e = sub(x = d, y = z);
//     y = mul(x = e, y = s);
//   } -> (y);
#include <cmath>

#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

// Half precision holds every whole number up to here.
constexpr double kWholeHalves = 2048;

// value = operand op constant, for a scalar constant; x is `value` itself when there is no such
// operation and one may be missing.
struct ScalarStep {
  ir::Value* x = nullptr;
  double constant = 0;
};
std::optional<ScalarStep> MatchScalar(const Rewriter& rewriter, ir::Value* value,
                                      std::string_view type) {
  const ir::Operation* operation = OwnedProducer(rewriter, value, type);
  const auto operands = operation != nullptr ? MatchWithConst(*operation) : std::nullopt;
  const auto constant = operands ? UniformValue(operands->constant) : std::nullopt;
  if (!constant || operands->constant->type.element_count() != 1) return std::nullopt;
  const bool ordered = type == "real_div" || type == "sub";
  if (ordered && operands->constant_first) return std::nullopt;
  if (!(operands->value->type == operation->output()->type)) return std::nullopt;
  return ScalarStep{operands->value, *constant};
}

struct WideQuantization {
  ir::Value* x = nullptr;
  double low = 0, high = 0;  // of the result
};

std::optional<WideQuantization> Match(const Rewriter& rewriter, const ir::Operation& scaling) {
  const auto operands = MatchWithConst(scaling);
  const auto scale = operands ? UniformValue(operands->constant) : std::nullopt;
  if (!scale || operands->constant->type.element_count() != 1) return std::nullopt;
  ir::Value* centered = operands->value;
  double zero = 0;
  if (const auto step = MatchScalar(rewriter, centered, "sub")) {
    centered = step->x;
    zero = step->constant;
  }
  const ir::Operation* clip = OwnedProducer(rewriter, centered, "clip");
  if (clip == nullptr) return std::nullopt;
  const auto low = UniformValue(clip->Input("alpha"));
  const auto high = UniformValue(clip->Input("beta"));
  if (!low || !high || *high - *low < kWholeHalves) return std::nullopt;
  ir::Value* whole = clip->Input("x");
  double offset = 0;
  if (const auto step = MatchScalar(rewriter, whole, "add")) {
    whole = step->x;
    offset = step->constant;
  }
  const ir::Operation* round = OwnedProducer(rewriter, whole, "round");
  if (round == nullptr || offset != zero) return std::nullopt;
  const auto divided = MatchScalar(rewriter, round->Input("x"), "real_div");
  if (!divided || divided->constant != *scale || !(*scale > 0)) return std::nullopt;
  return WideQuantization{divided->x, (*low - zero) * *scale, (*high - zero) * *scale};
}

}  // namespace

Result<bool> DropWideQuantization(ir::Function& function, PassContext& context) {
  Rewriter rewriter(function);
  std::string first;
  int64_t dropped = 0;
  for (ir::Operation* scaling : rewriter.operations()) {
    if (rewriter.IsDead(*scaling) || scaling->type() != "mul") continue;
    const auto found = Match(rewriter, *scaling);
    if (!found) continue;
    ANEMONE_TRY(context.CheckCancelled());
    const DType dtype = found->x->type.dtype();
    const auto bound = [&](double value) {
      return ir::Literal::Float(dtype, static_cast<float>(value));
    };
    ir::Value* y = rewriter.builder().Op(
        "clip", {{"x", found->x}, {"alpha", bound(found->low)}, {"beta", bound(found->high)}},
        scaling->name());
    ANEMONE_TRY(rewriter.Commit(*scaling));
    rewriter.Replace(scaling->output(), y);
    if (++dropped == 1) first = scaling->name();
  }
  if (dropped > 0) {
    const std::string others = dropped > 1 ? fmt::format(", like {} others", dropped - 1) : "";
    context.AddNote("drop_wide_quantization", first,
                    fmt::format("is quantized to 16 bits{}, which half precision cannot hold: "
                                "clipped to the range instead",
                                others));
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
