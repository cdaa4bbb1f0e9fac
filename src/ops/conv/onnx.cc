// ONNX: Conv, ConvTranspose.
#include <algorithm>

#include "onnx/converter.h"
#include "onnx/expansion.h"
#include "onnx/integer_products.h"
#include "onnx/windows.h"
#include "ops/conv/deform_onnx.h"

namespace anemone::ops::conv {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

std::vector<int64_t> KernelOf(const NodeContext& c) {
  const auto& weight = c.Dims(1);
  return weight.size() < 3 ? std::vector<int64_t>()
                           : std::vector<int64_t>(weight.begin() + 2, weight.end());
}

ir::Literal PadType(const Windows& windows) {
  return ir::Literal::String(windows.HasPads() ? "custom" : "valid");
}

// A bias known only at run time is added afterwards, over the channels.
Status AddBias(NodeContext& c, ir::Value* y) {
  if (c.Rank(2) != 1) return InvalidInput("the bias has rank {}", c.Rank(2));
  ir::Shape dims(static_cast<size_t>(c.Rank(0)), 1);
  dims[1] = c.Dims(2)[0];
  return c.Emit("add", {{"x", y}, {"y", c.Reshape(c.Value(2), dims)}});
}

Status EmitConv(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1)) return InvalidInput("Conv needs an input and a weight");
  ANEMONE_ASSIGN(const Windows windows, ReadWindows(c, KernelOf(c)));
  if (const auto given = c.IntsAttribute("kernel_shape"); given && *given != windows.kernel) {
    return InvalidInput("kernel_shape differs from the weight's shape");
  }
  const bool late_bias = c.Has(2) && !c.Known(2);
  Args args = {{"x", c.Value(0)},
               {"weight", c.Value(1)},
               {"strides", ir::Ints(windows.strides)},
               {"pad_type", PadType(windows)},
               {"pad", ir::Ints(windows.MilPads())},
               {"dilations", ir::Ints(windows.dilations)},
               {"groups", ir::Literal::Int32(static_cast<int32_t>(c.Int("group", 1)))}};
  if (late_bias) return AddBias(c, c.Op("conv", std::move(args)));
  args.push_back({"bias", c.Value(2)});
  return c.Emit("conv", std::move(args));
}

// Pads of a transposed convolution, where output_shape or auto_pad may take their place. An output that
// is larger than the windows reach has more rows at the end, as output padding adds them.
Status ResolveTransposed(const NodeContext& c, std::vector<int64_t>& extra, Windows& w) {
  const auto spatial = c.IntsAttribute("output_shape");
  const std::string auto_pad = c.String("auto_pad", "NOTSET");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (!spatial && !same) return {};
  if (spatial && spatial->size() < w.count()) return InvalidInput("output_shape is too short");
  for (size_t i = 0; i < w.count(); ++i) {
    const int64_t in = c.Dims(0)[i + 2];
    const int64_t wanted =
        spatial ? (*spatial)[spatial->size() - w.count() + i] : in * w.strides[i];
    if (wanted < 1 || wanted > INT32_MAX) return InvalidInput("an output of {} elements", wanted);
    int64_t total = w.strides[i] * (in - 1) + extra[i] + w.Extent(i) - wanted;
    if (total < 0) {
      extra[i] -= total;
      total = 0;
    }
    w.begin[i] = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    w.end[i] = total - w.begin[i];
  }
  return {};
}

Status EmitConvTranspose(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1)) return InvalidInput("ConvTranspose needs an input and a weight");
  if (!c.Known(1)) {
    return Unsupported("a weight computed at run time").Advise("make the weight an initializer");
  }
  ANEMONE_ASSIGN(Windows w, ReadWindows(c, KernelOf(c)));
  const size_t count = w.count();
  auto extra = c.IntsAttribute("output_padding").value_or(std::vector<int64_t>(count, 0));
  if (extra.size() != count) return InvalidInput("output_padding has the wrong length");
  if (std::ranges::any_of(extra, [](int64_t e) { return e < 0 || e > INT32_MAX; }))
    return InvalidInput("output_padding must not be negative or huge");
  ANEMONE_TRY(ResolveTransposed(c, extra, w));
  // Output padding lengthens the far end: it removes padding there, and beyond that adds rows that
  // no window reaches.
  std::vector<int64_t> beyond(2 * count, 0);
  for (size_t i = 0; i < count; ++i) {
    w.end[i] -= extra[i];
    beyond[2 * i + 1] = std::max<int64_t>(-w.end[i], 0);
    w.end[i] = std::max<int64_t>(w.end[i], 0);
  }
  const bool grows = std::any_of(beyond.begin(), beyond.end(), [](int64_t b) { return b != 0; });
  const bool late_bias = c.Has(2) && (grows || !c.Known(2));
  Args args = {{"x", c.Value(0)},
               {"weight", c.Value(1)},
               {"strides", ir::Ints(w.strides)},
               {"pad_type", PadType(w)},
               {"pad", ir::Ints(w.MilPads())},
               {"dilations", ir::Ints(w.dilations)},
               {"groups", ir::Literal::Int32(static_cast<int32_t>(c.Int("group", 1)))}};
  if (!late_bias) args.push_back({"bias", c.Value(2)});
  if (!grows && !late_bias) return c.Emit("conv_transpose", std::move(args));
  ir::Value* y = c.Op("conv_transpose", std::move(args));
  if (grows) {
    Args pad = {{"x", y},
                {"pad", ir::Ints(beyond)},
                {"mode", ir::Literal::String("constant")},
                {"constant_val", ir::Literal::Fp32(0)}};
    if (!late_bias) return c.Emit("pad", std::move(pad));
    y = c.Op("pad", std::move(pad));
  }
  return AddBias(c, y);
}

// A convolution along time that sees the past only: the rows before the input come from the state.
Status EmitCausalConv(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1) || c.Rank(0) != 3 || c.Rank(1) != 3 || c.Dims(1)[2] < 1) {
    return InvalidInput("the input and the weight need rank 3, and the weight elements");
  }
  const std::string activation = c.String("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish") {
    return InvalidInput("activation is '{}'", activation);
  }
  Expansion e(c);
  const int64_t channels = c.Dims(0)[1], before = c.Dims(1)[2] - 1;
  auto x = e.In(0);
  if (e.Has(3)) {
    x = e.Op("Concat", {e.In(3), x}, {attribute::Int("axis", 2)});
  } else if (before > 0) {
    const auto zeros =
        BroadcastConstant(Constant::Floats({0}, {}), {c.Dims(0)[0], channels, before});
    x = e.Op("Concat", {e.Known(zeros), x}, {attribute::Int("axis", 2)});
  }
  auto y = e.Op("Conv", {x, e.In(1), e.In(2)}, {attribute::Int("group", channels)});
  if (activation != "none") y = e.Op("Mul", {y, e.Op("Sigmoid", {y})});
  const int64_t length = c.Dims(0)[2] + before;
  const auto state =
      e.Op("Slice", {x, e.Int64s({length - before}), e.Int64s({length}), e.Int64s({2})});
  return e.Finish({y, state});
}

// ---- Convolutions of integers.

// `x` is the input, and the weights' output channels are the first axis. The window attributes are
// those of Conv.
std::string QuantizedConv(NodeContext& c, Expansion& e, std::string x, std::string weight,
                          std::string bias) {
  return e.Op("Conv", {std::move(x), std::move(weight), std::move(bias)}, c.node().attributes);
}

// The products are summed in float32, which holds integers up to 2^24 exactly.
Status CheckExact(const NodeContext& c, size_t weight, size_t zero) {
  int64_t products = 1;
  for (size_t d = 1; d < c.Dims(weight).size(); ++d) products *= c.Dims(weight)[d];
  constexpr int64_t kLargestSum = int64_t{1} << 24;
  constexpr int64_t kLargest = 255;
  if (products * kLargest * kLargest < kLargestSum) return {};
  // What the weights of each output channel, less its zero point, can sum up to.
  int64_t largest = products * kLargest * kLargest;
  const auto ints = [&](size_t i) {
    const auto* known = c.Has(i) ? c.Const(i) : nullptr;
    return known != nullptr ? known->AsInts() : std::nullopt;
  };
  const auto values = ints(weight);
  const auto zeros = c.Has(zero) ? ints(zero) : std::vector<int64_t>{0};
  if (values && zeros && !zeros->empty()) {
    const auto count = static_cast<size_t>(products);
    largest = 0;
    for (size_t row = 0; (row + 1) * count <= values->size(); ++row) {
      const int64_t zero_point =
          zeros->size() == 1 ? zeros->front() : zeros->at(row % zeros->size());
      int64_t sum = 0;
      for (size_t i = 0; i < count; ++i) sum += std::abs((*values)[row * count + i] - zero_point);
      largest = std::max(largest, sum * kLargest);
    }
  }
  if (largest < kLargestSum) return {};
  return Unsupported("sums of {} products of integers, which float32 does not hold exactly",
                     products)
      .Advise("export the float model, or one in QDQ form");
}

Status EmitConvInteger(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  ANEMONE_TRY(CheckExact(c, 1, 3));
  Expansion e(c);
  const auto y = QuantizedConv(c, e, e.Dequantized(0, {}, 2, 1), e.Dequantized(1, {}, 3, 0), "");
  return e.Finish({e.Cast(y, ElementType::kInt32)});
}

// x, w, the scales of both, their zero points: ConvInteger and the scaling of its result, as
// quantizers write it (onnx/integer_products.h).
Status EmitConvIntegerToFloat(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(4));
  Expansion e(c);
  return e.Finish({QuantizedConv(c, e, e.Dequantized(0, 2, 4, 1), e.Dequantized(1, 3, 5, 0), "")});
}

// x, its scale and zero point, w, its scale and zero point, y's scale and zero point, bias.
Status EmitQLinearConv(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(8));
  if (c.Int("channels_last", 0) != 0) {
    return Unsupported("channels_last")
        .Advise("save the model before it is optimized for one device");
  }
  Expansion e(c);
  auto bias = e.In(8);
  if (!bias.empty()) {
    const auto flat = [&](size_t input) { return e.Op("Reshape", {e.In(input), e.Int64s({-1})}); };
    bias = e.Op("Mul", {e.Cast(bias, ElementType::kFloat), e.Op("Mul", {flat(1), flat(4)})});
  }
  const auto y = QuantizedConv(c, e, e.Dequantized(0, 1, 2, 1), e.Dequantized(3, 4, 5, 0), bias);
  return e.Finish({e.Op("QuantizeLinear", {y, e.In(6), e.In(7)})});
}

// ONNX Runtime's: x, weight, bias, and a tensor that is added before the activation.
Status EmitFusedConv(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(2));
  Expansion e(c);
  std::vector<Attribute> windows;
  for (const auto& attribute : c.node().attributes) {
    if (!attribute.name.starts_with("activation")) windows.push_back(attribute);
  }
  auto y = e.Op("Conv", {e.In(0), e.In(1), e.In(2)}, std::move(windows));
  if (e.Has(3)) y = e.Op("Add", {y, e.In(3)});
  const std::string name = c.String("activation", "");
  const auto* given = c.node().Find("activation_params");
  const std::vector<float> parameters = given != nullptr ? given->floats : std::vector<float>();
  const size_t needed = name == "LeakyRelu" ? 1 : name == "Clip" || name == "HardSigmoid" ? 2 : 0;
  if (parameters.size() < needed) return InvalidInput("activation_params is too short");
  if (name == "LeakyRelu") {
    y = e.Op(name, {y}, {attribute::Float("alpha", parameters[0])});
  } else if (name == "HardSigmoid") {
    y = e.Op(name, {y},
             {attribute::Float("alpha", parameters[0]), attribute::Float("beta", parameters[1])});
  } else if (name == "Clip") {
    y = e.Op(name, {y, e.Number(parameters[0]), e.Number(parameters[1])});
  } else if (name == "Relu" || name == "Tanh" || name == "Sigmoid" || name == "HardSwish") {
    y = e.Op(name, {y});
  } else if (!name.empty()) {
    return Unsupported("the activation {}", name).Advise("save the model before it is optimized");
  }
  return e.Finish({y});
}

constexpr std::string_view kRuntime = "com.microsoft";

constexpr Converter kConverters[] = {
    {.op = "Conv", .emit = EmitConv},
    {.op = "ConvTranspose", .emit = EmitConvTranspose},
    {.op = "CausalConvWithState", .emit = EmitCausalConv},
    {.op = "ConvInteger", .emit = EmitConvInteger},
    {.op = "ConvIntegerToFloat", .emit = EmitConvIntegerToFloat, .domain = kOwnDomain},
    {.op = "QLinearConv", .emit = EmitQLinearConv},
    {.op = "QLinearConv", .emit = EmitQLinearConv, .domain = kRuntime},
    {.op = "FusedConv", .emit = EmitFusedConv, .domain = kRuntime},
    {.op = "DeformConv", .emit = EmitDeformConv},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::conv
