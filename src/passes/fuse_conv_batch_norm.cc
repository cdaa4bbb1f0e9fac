// Folds a batch_norm into the conv or conv_transpose before it: the weights of output channel c are
// scaled by s = gamma[c] / sqrt(variance[c] + epsilon), and the bias becomes beta + (bias - mean) *
// s. Computed in double.
//
//   before                                           after
//     a = conv(x = x, weight = w);                     y = conv(x = x, weight = w', bias = b');
//     y = batch_norm(x = a, mean = m, variance = v,  } -> (y);
//                    gamma = g, beta = b);
//   } -> (y);
#include <algorithm>
#include <cmath>

#include "ops/batch_norm.h"
#include "passes/conv_affine.h"
#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

// The parameter's values, or `fallback` when it is absent; empty when it is not a constant of that
// many elements.
std::vector<double> ChannelValues(const ir::Operation& norm, std::string_view param,
                                  int64_t channels, double fallback) {
  const ir::Value* value = norm.Input(param);
  if (value == nullptr) return std::vector<double>(channels, fallback);
  auto values = DoublesOf(value);
  if (!values || values->size() != static_cast<size_t>(channels)) return {};
  return *values;
}

}  // namespace

Result<bool> FuseConvBatchNorm(ir::Function& function, PassContext& context) {
  Rewriter rewriter(function);
  for (ir::Operation* norm : rewriter.operations()) {
    if (rewriter.IsDead(*norm) || norm->type() != "batch_norm") continue;
    ANEMONE_TRY(context.CheckCancelled());
    ir::Operation* conv = OwnedConv(rewriter, norm->Input("x"));
    const auto epsilon = ir::OpArgs(*norm, function.opset).Float("epsilon");
    if (conv == nullptr || !epsilon.ok()) continue;
    const int64_t channels = ChannelsOf(*conv, function.opset).count;
    const ops::BatchNorm values{.gamma = ChannelValues(*norm, "gamma", channels, 1),
                                .beta = ChannelValues(*norm, "beta", channels, 0),
                                .mean = ChannelValues(*norm, "mean", channels, 0),
                                .variance = ChannelValues(*norm, "variance", channels, 1),
                                .epsilon = *epsilon};
    if (values.mean.empty() || values.variance.empty() || values.gamma.empty() ||
        values.beta.empty()) {
      continue;
    }
    const auto [scale, shift] = ops::AffineOf(values);
    const auto finite = [](double value) { return std::isfinite(value); };
    if (!std::ranges::all_of(scale, finite) || !std::ranges::all_of(shift, finite)) continue;
    ANEMONE_TRY(FuseIntoConv(rewriter, *conv, *norm, scale, shift).status());
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
