// Folds zero padding of the spatial dimensions into the padding of the conv after it.
//
//   before                                               after
//     a = pad(x = x, pad = [0, 0, 0, 0, 1, 1, 2, 2],       y = conv(x = x, weight = w,
//             mode = "constant", constant_val = 0.0);               pad_type = "custom",
//     y = conv(x = a, weight = w, pad_type = "valid");              pad = [1, 1, 2, 2]);
//   } -> (y);                                            } -> (y);
#include <algorithm>

#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

// The padding of the last `spatial` dimensions, [before, after] each; empty when `pad` pads
// anything else, or not by zeros.
std::vector<int64_t> ZeroPadding(const ir::Operation& pad, ir::Opset opset, size_t spatial) {
  const ir::OpArgs args(pad, opset);
  const auto amounts = args.Ints("pad");
  const auto mode = args.String("mode");
  const auto value = args.Float("constant_val");
  if (!amounts.ok() || !mode.ok() || *mode != "constant" || !value.ok() || *value != 0) return {};
  const size_t size = amounts->size();
  const size_t leading = size > 2 * spatial ? size - 2 * spatial : 0;
  if (std::any_of(amounts->begin(), amounts->begin() + static_cast<std::ptrdiff_t>(leading),
                  [](int64_t amount) { return amount != 0; })) {
    return {};
  }
  // When there are fewer amounts than dimensions, they apply to the last ones.
  std::vector<int64_t> result(2 * spatial - (size - leading), 0);
  result.insert(result.end(), amounts->begin() + static_cast<std::ptrdiff_t>(leading),
                amounts->end());
  return result;
}

}  // namespace

Result<bool> FuseConvPad(ir::Function& function, PassContext&) {
  Rewriter rewriter(function);
  for (ir::Operation* conv : rewriter.operations()) {
    if (rewriter.IsDead(*conv) || conv->type() != "conv") continue;
    const ir::Operation* pad = OwnedProducer(rewriter, conv->Input("x"), "pad");
    const ir::Value* weight = conv->Input("weight");
    if (pad == nullptr || weight == nullptr || weight->type.rank() < 3) continue;
    const auto spatial = static_cast<size_t>(weight->type.rank() - 2);
    std::vector<int64_t> amounts = ZeroPadding(*pad, function.opset, spatial);
    const ir::OpArgs args(*conv, function.opset);
    const auto pad_type = args.String("pad_type");
    if (amounts.empty() || !pad_type.ok()) continue;
    if (*pad_type == "custom") {
      const auto own = args.Ints("pad");
      if (!own.ok() || own->size() != amounts.size()) continue;
      for (size_t i = 0; i < amounts.size(); ++i) amounts[i] += (*own)[i];
    } else if (*pad_type != "valid") {
      continue;  // "same" depends on the size of its input
    }
    std::vector<ir::ArgInit> inits;
    for (const ir::Argument& argument : conv->arguments()) {
      if (argument.name == "x" || argument.name == "pad" || argument.name == "pad_type") continue;
      inits.push_back({argument.name, argument.values[0]});
    }
    inits.push_back({"x", pad->Input("x")});
    inits.push_back({"pad_type", ir::Literal::String("custom")});
    inits.push_back({"pad", ir::Ints(amounts)});
    ir::Value* fused = rewriter.builder().Op("conv", std::move(inits), conv->name());
    ANEMONE_TRY(rewriter.Commit(*conv));
    rewriter.Replace(conv->output(), fused);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
