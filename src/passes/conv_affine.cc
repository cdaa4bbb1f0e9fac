#include "passes/conv_affine.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "passes/match.h"

namespace anemone::passes {
namespace {

int64_t GroupsOf(const ir::Operation& conv, ir::Opset opset) {
  const auto groups = ir::OpArgs(conv, opset).Int("groups");
  return groups.ok() ? *groups : 1;
}

bool IsDenseFloat(const ir::Value* value) {
  return value != nullptr && value->is_const() &&
         (value->literal->dtype() == DType::kFp32 || value->literal->dtype() == DType::kFp16);
}

}  // namespace

ConvChannels ChannelsOf(const ir::Operation& conv, ir::Opset opset) {
  const ir::Value* weight = conv.Input("weight");
  const ir::Value* bias = conv.Input("bias");
  if (!IsDenseFloat(weight) || (bias != nullptr && !IsDenseFloat(bias))) return {};
  const ir::Shape& shape = weight->literal->shape();
  if (shape.size() < 3) return {};
  const bool transposed = conv.type() == "conv_transpose";
  return {transposed ? shape[1] * GroupsOf(conv, opset) : shape[0], 1};
}

ir::Operation* OwnedConv(const Rewriter& rewriter, const ir::Value* value) {
  ir::Operation* conv = OwnedProducer(rewriter, value, "conv");
  if (conv == nullptr) conv = OwnedProducer(rewriter, value, "conv_transpose");
  if (conv == nullptr || rewriter.IsDead(*conv) || ChannelsOf(*conv, rewriter.opset()).count == 0)
    return nullptr;
  return conv;
}

Result<bool> FuseIntoConv(Rewriter& rewriter, ir::Operation& conv, ir::Operation& last,
                          const std::vector<double>& scale, const std::vector<double>& shift) {
  const ir::Value* weight = conv.Input("weight");
  const ir::Shape& shape = weight->literal->shape();
  const DType dtype = weight->literal->dtype();
  const auto channels = static_cast<int64_t>(scale.size());
  std::vector<double> bias(channels, 0);
  if (const ir::Value* old = conv.Input("bias")) bias = *old->literal->AsDoubles();
  for (int64_t c = 0; c < channels; ++c) bias[c] = bias[c] * scale[c] + shift[c];
  if (!FitDType(bias, dtype)) return false;

  std::vector<ir::ArgInit> args;
  const bool scales = std::ranges::any_of(scale, [](double s) { return s != 1; });
  if (scales) {
    const auto old = weight->literal->AsFloats();
    std::vector<float> values = *old;
    const int64_t spatial =
        std::accumulate(shape.begin() + 2, shape.end(), int64_t{1}, std::multiplies<>());
    const bool transposed = conv.type() == "conv_transpose";
    // Rows of `spatial` weights; in a conv all rows of one output channel are neighbours, in a
    // conv_transpose [C_in, C_out / groups, ...] the group of the row's input channel picks the
    // output channel.
    const int64_t per_group = channels / std::max<int64_t>(1, GroupsOf(conv, rewriter.opset()));
    const int64_t in_per_group = shape[0] / std::max<int64_t>(1, GroupsOf(conv, rewriter.opset()));
    for (int64_t i = 0; i < shape[0]; ++i) {
      for (int64_t j = 0; j < shape[1]; ++j) {
        const double s = scale[transposed ? i / in_per_group * per_group + j : i];
        float* row = values.data() + (i * shape[1] + j) * spatial;
        for (int64_t k = 0; k < spatial; ++k) row[k] = static_cast<float>(row[k] * s);
      }
    }
    const float limit = dtype == DType::kFp16 ? 65504.0f : 3.4028234663852886e38f;
    for (size_t i = 0; i < values.size(); ++i) {
      if (!(std::abs(values[i]) <= limit) && std::abs((*old)[i]) <= limit) return false;
    }
    args.push_back({"weight", ir::Literal::Floats(dtype, values, shape)});
  }
  for (const ir::Argument& argument : conv.arguments()) {
    if (argument.name == "bias" || (scales && argument.name == "weight")) continue;
    args.push_back({argument.name, argument.values[0]});
  }
  args.push_back({"bias", FloatsFromDoubles(dtype, bias, {channels})});
  ir::Value* fused = rewriter.builder().Op(conv.type(), std::move(args), conv.name());
  ANEMONE_TRY(rewriter.Commit(last));
  rewriter.Replace(last.output(), fused);
  return true;
}

}  // namespace anemone::passes
