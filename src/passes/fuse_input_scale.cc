// Folds the normalization of an input (a multiplication, division or addition of a constant for each
// channel) into the weights and bias of the conv that takes it. An addition only where the conv does not pad: its zeros stand
// for zeros after the addition, so folding it would be wrong at the borders.
//
//   before                                             after
//     a = mul(x = x, y = [2, 3] of each channel);        y = conv(x = x, weight = [2, 3] w,
//     y = conv(x = a, weight = w, pad = [1, 1, 1, 1]);            pad = [1, 1, 1, 1]);
//   } -> (y);                                          } -> (y);
#include <algorithm>
#include <cmath>

#include "passes/match.h"
#include "passes/pass.h"

namespace anemone::passes {
namespace {

// What an operation does to each channel of its one tensor: scale[c] * x + shift[c].
struct ChannelAffine {
  ir::Value* x = nullptr;
  std::vector<double> scale;
  std::vector<double> shift;
};

std::optional<ChannelAffine> AffineOf(const ir::Operation& operation, int64_t channels) {
  const std::string& type = operation.type();
  const bool multiplies = type == "mul" || type == "real_div";
  if (!multiplies && type != "add" && type != "sub") return std::nullopt;
  const auto operands = MatchWithConst(operation);
  if (!operands || !operands->value->type.has_rank()) return std::nullopt;
  if (operands->constant_first && (type == "real_div" || type == "sub")) return std::nullopt;
  const auto values = PerChannel(operands->constant, operands->value->type.rank(), 1, channels);
  if (!values) return std::nullopt;
  ChannelAffine affine{operands->value, std::vector<double>(values->size(), 1),
                       std::vector<double>(values->size(), 0)};
  for (size_t c = 0; c < values->size(); ++c) {
    const double value = (*values)[c];
    if (type == "mul") affine.scale[c] = value;
    if (type == "real_div") affine.scale[c] = 1 / value;
    if (type == "add") affine.shift[c] = value;
    if (type == "sub") affine.shift[c] = -value;
    if (!std::isfinite(affine.scale[c]) || !std::isfinite(affine.shift[c])) return std::nullopt;
  }
  return affine;
}

bool PadsNothing(const ir::Operation& conv, ir::Opset opset) {
  const ir::OpArgs args(conv, opset);
  const auto pad_type = args.String("pad_type");
  if (!pad_type.ok()) return false;
  if (*pad_type == "valid") return true;
  if (*pad_type != "custom") return false;
  const auto pad = args.Ints("pad");
  return pad.ok() && std::ranges::all_of(*pad, [](int64_t amount) { return amount == 0; });
}

// The conv's weights and bias when they are constant floats; nullopt for anything else.
struct ConvValues {
  std::vector<double> weight;
  std::vector<double> bias;
  int64_t channels_in = 0;
  int64_t groups = 1;
};

std::optional<ConvValues> ValuesOf(const ir::Operation& conv, ir::Opset opset) {
  const ir::Value* weight = conv.Input("weight");
  const ir::Value* bias = conv.Input("bias");
  const auto groups = ir::OpArgs(conv, opset).Int("groups");
  if (weight == nullptr || weight->type.rank() < 3 || !groups.ok()) return std::nullopt;
  auto weights = DoublesOf(weight);
  if (!weights || weights->empty()) return std::nullopt;
  ConvValues values;
  values.weight = *std::move(weights);
  values.groups = *groups;
  values.channels_in = weight->type.shape()[1] * values.groups;
  values.bias.assign(static_cast<size_t>(weight->type.shape()[0]), 0);
  if (bias != nullptr) {
    auto biases = DoublesOf(bias);
    if (!biases || biases->size() != values.bias.size()) return std::nullopt;
    values.bias = *std::move(biases);
  }
  return values;
}

// conv(scale * x + shift) as weights and a bias for x.
void FoldAffine(const ChannelAffine& affine, const ir::Shape& shape, ConvValues* values) {
  const auto per_group = static_cast<size_t>(shape[1]);
  const size_t outputs = values->bias.size();
  const size_t outputs_per_group = outputs / static_cast<size_t>(values->groups);
  const size_t kernel = values->weight.size() / (outputs * per_group);
  for (size_t o = 0; o < outputs; ++o) {
    const size_t first = o / outputs_per_group * per_group;
    for (size_t i = 0; i < per_group; ++i) {
      double* row = values->weight.data() + (o * per_group + i) * kernel;
      for (size_t k = 0; k < kernel; ++k) {
        values->bias[o] += row[k] * affine.shift[first + i];
        row[k] *= affine.scale[first + i];
      }
    }
  }
}

// Whether the value is an input of the function, or arithmetic with constants on one. Scales inside
// the network are left alone: they may be the steps of a quantization.
bool IsNormalizedInput(const ir::Value* value) {
  while (value->producer != nullptr) {
    const ir::Operation& operation = *value->producer;
    if (operation.is_const()) return false;
    const auto operands = MatchWithConst(operation);
    if (operands) {
      value = operands->value;
    } else if (operation.type() == "transpose" || operation.type() == "cast") {
      value = operation.Input("x");
    } else {
      return false;
    }
  }
  return true;
}

// Whether the weights keep their digits in half, to which they may be rounded later.
bool StaysInHalf(const std::vector<double>& weight) {
  double largest = 0;
  for (const double value : weight) largest = std::max(largest, std::abs(value));
  return largest == 0 || (largest >= 0x1p-12 && largest <= 0x1p12);
}

}  // namespace

Result<bool> FuseInputScale(ir::Function& function, PassContext& context) {
  Rewriter rewriter(function);
  for (ir::Operation* conv : rewriter.operations()) {
    if (rewriter.IsDead(*conv) || conv->type() != "conv") continue;
    const ir::Value* x = conv->Input("x");
    const ir::Operation* before = x != nullptr ? x->producer : nullptr;
    if (before == nullptr || OwnedProducer(rewriter, x, before->type()) == nullptr) continue;
    if (!IsNormalizedInput(x)) continue;
    auto values = ValuesOf(*conv, function.opset);
    if (!values) continue;
    const auto affine = AffineOf(*before, values->channels_in);
    // The conv's own shape rules the number of channels: a constant may not broadcast x.
    if (!affine || affine->x->type.ToString() != x->type.ToString()) continue;
    const bool shifts = std::ranges::any_of(affine->shift, [](double s) { return s != 0; });
    if (shifts && !PadsNothing(*conv, function.opset)) continue;
    ANEMONE_TRY(context.CheckCancelled());
    const ir::Literal& weight = *conv->Input("weight")->literal;
    FoldAffine(*affine, weight.shape(), &*values);
    if (!StaysInHalf(values->weight) || !FitDType(values->bias, weight.dtype())) continue;
    std::vector<ir::ArgInit> inits = {
        {"x", affine->x},
        {"weight", FloatsFromDoubles(weight.dtype(), values->weight, weight.shape())}};
    for (const ir::Argument& argument : conv->arguments()) {
      const bool replaced =
          argument.name == "x" || argument.name == "weight" || (shifts && argument.name == "bias");
      if (!replaced) inits.push_back({argument.name, argument.values[0]});
    }
    if (shifts) {
      const auto count = static_cast<int64_t>(values->bias.size());
      inits.push_back({"bias", FloatsFromDoubles(weight.dtype(), values->bias, {count})});
    }
    ir::Value* fused = rewriter.builder().Op("conv", std::move(inits), conv->name());
    ANEMONE_TRY(rewriter.Commit(*conv));
    rewriter.Replace(conv->output(), fused);
  }
  return rewriter.Finish();
}

}  // namespace anemone::passes
