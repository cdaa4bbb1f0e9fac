#include "passes/conv_affine.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/uninitialized.h"
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

// A compressed weight keeps its form: it can have a bias, but not be scaled.
bool IsFloatWeight(const ir::Value* value) {
  return value != nullptr && value->is_stored() && value->type.is_tensor() &&
         IsFloat(value->type.dtype()) && value->type.is_static();
}

// out = in * scale; returns the largest magnitude of out in bits (NaN above infinity).
uint32_t ScaleRow(const float* in, size_t n, double scale, float* out) {
  uint32_t largest = 0;
  constexpr size_t kBlock = 64;  // a fixed count, so that compilers vectorize
  size_t i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    for (size_t k = 0; k < kBlock; ++k) out[i + k] = static_cast<float>(in[i + k] * scale);
    for (size_t k = 0; k < kBlock; ++k) {
      const uint32_t bits = std::bit_cast<uint32_t>(out[i + k]) & 0x7fffffffu;
      largest = bits > largest ? bits : largest;
    }
  }
  for (; i < n; ++i) {
    out[i] = static_cast<float>(in[i] * scale);
    largest = std::max(largest, std::bit_cast<uint32_t>(out[i]) & 0x7fffffffu);
  }
  return largest;
}

// The weights scaled for each output channel, rounded once from double; nullopt when one leaves the
// range of the dtype (or is not finite to begin with).
std::optional<ir::Literal> ScaledWeight(const ir::Operation& conv, ir::Opset opset,
                                        const std::vector<double>& scale) {
  const ir::Literal& weight = *conv.Input("weight")->literal;
  const ir::Shape& shape = weight.shape();
  const bool half = weight.dtype() == DType::kFp16;
  const auto count = static_cast<size_t>(weight.element_count());
  if (count == 0) return weight;
  const bool transposed = conv.type() == "conv_transpose";
  const int64_t groups = std::max<int64_t>(1, GroupsOf(conv, opset));
  // All weights of one output channel are adjacent in a conv, [C_out, C_in / groups, ...]. In a
  // conv_transpose, [C_in, C_out / groups, ...], each input channel has a row for each output
  // channel of its group.
  const auto rows = static_cast<size_t>(transposed ? shape[0] * shape[1] : shape[0]);
  const size_t length = count / rows;
  const auto channel_of = [&](size_t row) {
    if (!transposed) return row;
    const auto per_group = static_cast<size_t>(shape[1]);
    const size_t group = row / per_group / static_cast<size_t>(shape[0] / groups);
    return group * per_group + row % per_group;
  };
  std::vector<float> widened;
  if (half) widened = *weight.AsFloats();
  const float* in = half ? widened.data() : weight.As<float>().data();
  const Uninitialized<float> scaled(count);
  uint32_t largest = 0;
  for (size_t row = 0; row < rows; ++row) {
    const size_t begin = row * length;
    largest = std::max(largest,
                       ScaleRow(in + begin, length, scale[channel_of(row)], scaled.data() + begin));
  }
  const float limit = half ? 65504.0f : std::numeric_limits<float>::max();
  if (largest > std::bit_cast<uint32_t>(limit)) return std::nullopt;
  if (!half) return ir::Literal::FromBytes(weight.type(), scaled.ToBytes()).value();
  const Uninitialized<Half> halves(count);
  FloatToHalf(scaled.span(), halves.span());
  return ir::Literal::FromBytes(weight.type(), halves.ToBytes()).value();
}

}  // namespace

ConvChannels ChannelsOf(const ir::Operation& conv, ir::Opset opset) {
  const ir::Value* weight = conv.Input("weight");
  const ir::Value* bias = conv.Input("bias");
  if (!IsFloatWeight(weight) || (bias != nullptr && !IsDenseFloat(bias))) return {};
  const ir::Shape& shape = weight->type.shape();
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
  const DType dtype = weight->type.dtype();
  const auto channels = static_cast<int64_t>(scale.size());
  std::vector<double> bias(channels, 0);
  if (const ir::Value* old = conv.Input("bias")) bias = *old->literal->AsDoubles();
  for (int64_t c = 0; c < channels; ++c) bias[c] = bias[c] * scale[c] + shift[c];
  if (!FitDType(bias, dtype)) return false;

  std::vector<ir::ArgInit> args;
  const bool scales = std::ranges::any_of(scale, [](double s) { return s != 1; });
  if (scales) {
    if (!IsDenseFloat(weight)) return false;
    auto scaled = ScaledWeight(conv, rewriter.opset(), scale);
    if (!scaled) return false;
    args.push_back({"weight", *std::move(scaled)});
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
