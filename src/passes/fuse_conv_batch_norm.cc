// Folds a batch_norm into the conv or conv_transpose before it: the weights of output channel c are
// scaled by s = gamma[c] / sqrt(variance[c] + epsilon), and the bias becomes beta + (bias - mean) *
// s. Computed in double.
//
//   before                                           after
//     a = conv(x = x, weight = w);                     y = conv(x = x, weight = w', bias = b');
//     y = batch_norm(x = a, mean = m, variance = v,  } -> (y);
//                    gamma = g, beta = b);
//   } -> (y);
#include <cmath>

#include "passes/conv_affine.h"
#include "passes/match.h"
#include "passes/passes.h"

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
    const auto mean = ChannelValues(*norm, "mean", channels, 0);
    const auto variance = ChannelValues(*norm, "variance", channels, 1);
    const auto gamma = ChannelValues(*norm, "gamma", channels, 1);
    const auto beta = ChannelValues(*norm, "beta", channels, 0);
    if (mean.empty() || variance.empty() || gamma.empty() || beta.empty()) continue;
    std::vector<double> scale(channels);
    std::vector<double> shift(channels);
    bool finite = true;
    for (int64_t c = 0; c < channels; ++c) {
      scale[c] = gamma[c] / std::sqrt(variance[c] + *epsilon);
      shift[c] = beta[c] - mean[c] * scale[c];
      finite &= std::isfinite(scale[c]) && std::isfinite(shift[c]);
    }
    if (!finite) continue;
    ANEMONE_TRY(FuseIntoConv(rewriter, *conv, *norm, scale, shift).status());
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
