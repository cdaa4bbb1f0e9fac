// PyTorch: activations.
#include <cmath>

#include "torch/context.h"
#include "torch/converter.h"

namespace anemone::ops::activation {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

std::string Input(Context& c) { return c.Has("self") ? c.FloatIn("self") : c.FloatIn("input"); }

Status Simple(Context& c, std::string op, Attributes attributes = {}) {
  return c.SetAs(0, c.Op(std::move(op), {Input(c)}, std::move(attributes)), Category::kFloat);
}

Status EmitRelu(Context& c) {
  if (c.CategoryOf("self") == Category::kInt)
    return c.Set(0, c.Op("Max", {c.In("self"), c.Int64(0)}));
  return Simple(c, "Relu");
}
Status EmitRelu6(Context& c) {
  return c.Set(0, c.Op("Clip", {Input(c), c.Number(0), c.Number(6)}));
}
Status EmitSigmoid(Context& c) { return Simple(c, "Sigmoid"); }
Status EmitTanh(Context& c) { return Simple(c, "Tanh"); }
Status EmitLeakyRelu(Context& c) {
  return Simple(c, "LeakyRelu", {Float("alpha", c.Number("negative_slope", 0.01))});
}

Status EmitElu(Context& c) {
  const double alpha = c.Number("alpha", 1), scale = c.Number("scale", 1);
  const double input_scale = c.Number("input_scale", 1);
  if (scale == 1 && input_scale == 1) return Simple(c, "Elu", {Float("alpha", alpha)});
  // scale * (max(x, 0) + alpha * (exp(input_scale * min(x, 0)) - 1))
  const std::string x = Input(c);
  std::string low = c.Op("Min", {x, c.Number(0)});
  if (input_scale != 1) low = c.Op("Mul", {low, c.Number(input_scale)});
  low = c.Op("Mul", {c.Op("Sub", {c.Op("Exp", {low}), c.Number(1)}), c.Number(alpha * scale)});
  const std::string high = c.Op("Mul", {c.Op("Relu", {x}), c.Number(scale)});
  return c.Set(0, c.Op("Add", {high, low}));
}

Status EmitCelu(Context& c) { return Simple(c, "Celu", {Float("alpha", c.Number("alpha", 1))}); }
Status EmitSelu(Context& c) { return Simple(c, "Selu"); }

Status EmitGelu(Context& c) {
  return Simple(c, "Gelu", {Text("approximate", c.Text("approximate", "none"))});
}

Status EmitSilu(Context& c) {
  const std::string x = Input(c);
  return c.Set(0, c.Op("Mul", {x, c.Op("Sigmoid", {x})}));
}

Status EmitMish(Context& c) { return Simple(c, "Mish"); }
Status EmitHardSwish(Context& c) { return Simple(c, "HardSwish"); }
Status EmitHardSigmoid(Context& c) { return Simple(c, "HardSigmoid", {Float("alpha", 1.0 / 6)}); }

Status EmitHardTanh(Context& c) {
  return c.Set(0, c.Op("Clip", {Input(c), c.Number(c.Number("min_val", -1)),
                                c.Number(c.Number("max_val", 1))}));
}

// log(1 + exp(beta x)) / beta; above the threshold it is x, as it is to the precision of floats.
Status EmitSoftplus(Context& c) {
  const double beta = c.Number("beta", 1), threshold = c.Number("threshold", 20);
  const std::string x = Input(c);
  std::string y = beta == 1 ? x : c.Op("Mul", {x, c.Number(beta)});
  const std::string scaled = y;
  y = c.Op("Softplus", {y});
  if (beta != 1) y = c.Op("Div", {y, c.Number(beta)});
  if (threshold < 15) y = c.Op("Where", {c.Op("Greater", {scaled, c.Number(threshold)}), x, y});
  return c.Set(0, y);
}

Status EmitSoftsign(Context& c) { return Simple(c, "Softsign"); }

Status EmitLogSigmoid(Context& c) {
  const std::string x = Input(c);
  return c.Set(0, c.Op("Neg", {c.Op("Softplus", {c.Op("Neg", {x})})}));
}

// The slopes are of the channels, dimension 1.
Status EmitPRelu(Context& c) {
  std::string slope = c.Need("weight");
  const int64_t rank = c.Rank("self");
  if (c.Rank("weight") == 1 && rank > 1) {
    std::vector<int64_t> dims(static_cast<size_t>(rank) - 1, 1);
    dims[0] = -1;
    slope = c.Reshape(slope, dims);
  }
  return c.Set(0, c.Op("PRelu", {Input(c), slope}));
}

Status EmitThreshold(Context& c) {
  const std::string x = Input(c);
  const std::string above = c.Op("Greater", {x, c.Number(c.Number("threshold", 0))});
  return c.Set(0, c.Op("Where", {above, x, c.Number(c.Number("value", 0))}));
}

Status EmitHardShrink(Context& c) {
  return Simple(c, "Shrink", {Float("lambd", c.Number("lambd", 0.5)), Float("bias", 0)});
}

Status EmitSoftShrink(Context& c) {
  const double lambda = c.Number("lambd", 0.5);
  return Simple(c, "Shrink", {Float("lambd", lambda), Float("bias", lambda)});
}

Status EmitTanhShrink(Context& c) {
  const std::string x = Input(c);
  return c.Set(0, c.Op("Sub", {x, c.Op("Tanh", {x})}));
}

Status EmitGlu(Context& c) {
  const int64_t axis = c.Axis("dim", -1, c.Rank("self"));
  const Values halves = c.Ops("Split", {Input(c)}, 2, {Int("axis", axis), Int("num_outputs", 2)});
  return c.Set(0, c.Op("Mul", {halves[0], c.Op("Sigmoid", {halves[1]})}));
}

// Between lower and upper, outside of training their mean.
Status EmitRRelu(Context& c) {
  if (c.Flag("training", false)) return Unsupported("training mode").Advise("call model.eval()");
  const double slope = (c.Number("lower", 1.0 / 8) + c.Number("upper", 1.0 / 3)) / 2;
  return Simple(c, "LeakyRelu", {Float("alpha", slope)});
}

Status Softmaxed(Context& c, std::string op) {
  const std::string x = Input(c);
  const int64_t rank = c.Rank("self");
  if (rank == 0) {
    const std::string y = c.Op(std::move(op), {c.Unsqueeze(x, {0})}, {Int("axis", 0)});
    return c.Set(0, c.Squeeze(y, {0}));
  }
  return c.Set(0, c.Op(std::move(op), {x}, {Int("axis", c.Axis("dim", -1, rank))}));
}

Status EmitSoftmax(Context& c) { return Softmaxed(c, "Softmax"); }
Status EmitLogSoftmax(Context& c) { return Softmaxed(c, "LogSoftmax"); }

constexpr Converter kConverters[] = {
    {.target = "aten.relu.default", .emit = EmitRelu},
    {.target = "aten.relu6.default", .emit = EmitRelu6},
    {.target = "aten.sigmoid.default", .emit = EmitSigmoid},
    {.target = "aten.special_expit.default", .emit = EmitSigmoid},
    {.target = "aten.tanh.default", .emit = EmitTanh},
    {.target = "aten.leaky_relu.default", .emit = EmitLeakyRelu},
    {.target = "aten.elu.default", .emit = EmitElu},
    {.target = "aten.celu.default", .emit = EmitCelu},
    {.target = "aten.selu.default", .emit = EmitSelu},
    {.target = "aten.gelu.default", .emit = EmitGelu},
    {.target = "aten.silu.default", .emit = EmitSilu},
    {.target = "aten.mish.default", .emit = EmitMish},
    {.target = "aten.hardswish.default", .emit = EmitHardSwish},
    {.target = "aten.hardsigmoid.default", .emit = EmitHardSigmoid},
    {.target = "aten.hardtanh.default", .emit = EmitHardTanh},
    {.target = "aten.softplus.default", .emit = EmitSoftplus},
    {.target = "aten.softsign.default", .emit = EmitSoftsign},
    {.target = "aten.log_sigmoid.default", .emit = EmitLogSigmoid},
    {.target = "aten.log_sigmoid_forward.default", .emit = EmitLogSigmoid},
    {.target = "aten.prelu.default", .emit = EmitPRelu},
    {.target = "aten._prelu_kernel.default", .emit = EmitPRelu},
    {.target = "aten.threshold.default", .emit = EmitThreshold},
    {.target = "aten.hardshrink.default", .emit = EmitHardShrink},
    {.target = "aten.softshrink.default", .emit = EmitSoftShrink},
    {.target = "aten.tanhshrink.default", .emit = EmitTanhShrink},
    {.target = "aten.glu.default", .emit = EmitGlu},
    {.target = "aten.rrelu.default", .emit = EmitRRelu},
    {.target = "aten.softmax.int", .emit = EmitSoftmax},
    {.target = "aten._softmax.default", .emit = EmitSoftmax},
    {.target = "aten.special_softmax.int", .emit = EmitSoftmax},
    {.target = "aten._safe_softmax.default", .emit = EmitSoftmax},
    {.target = "aten.log_softmax.int", .emit = EmitLogSoftmax},
    {.target = "aten._log_softmax.default", .emit = EmitLogSoftmax},
};

}  // namespace

std::span<const Converter> TorchConverters() { return kConverters; }

}  // namespace anemone::ops::activation
