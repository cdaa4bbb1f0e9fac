// ONNX: Conv, ConvTranspose.
#include <algorithm>

#include "onnx/converter.h"
#include "onnx/windows.h"

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
  const bool late_bias = c.Has(2) && c.Const(2) == nullptr;
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

// Pads of a transposed convolution, where output_shape or auto_pad may take their place.
Status ResolveTransposed(const NodeContext& c, const std::vector<int64_t>& extra, Windows& w) {
  const auto spatial = c.IntsAttribute("output_shape");
  const std::string auto_pad = c.String("auto_pad", "NOTSET");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (!spatial && !same) return {};
  if (spatial && spatial->size() < w.count()) return InvalidInput("output_shape is too short");
  for (size_t i = 0; i < w.count(); ++i) {
    const int64_t in = c.Dims(0)[i + 2];
    const int64_t wanted =
        spatial ? (*spatial)[spatial->size() - w.count() + i] : in * w.strides[i];
    const int64_t total = w.strides[i] * (in - 1) + extra[i] + w.Extent(i) - wanted;
    if (total < 0) return Unsupported("an output larger than the windows reach");
    w.begin[i] = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    w.end[i] = total - w.begin[i];
  }
  return {};
}

Status EmitConvTranspose(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1)) return InvalidInput("ConvTranspose needs an input and a weight");
  if (c.Const(1) == nullptr) {
    return Unsupported("a weight computed at run time").Advise("make the weight an initializer");
  }
  ANEMONE_ASSIGN(Windows w, ReadWindows(c, KernelOf(c)));
  const size_t count = w.count();
  const auto extra = c.IntsAttribute("output_padding").value_or(std::vector<int64_t>(count, 0));
  if (extra.size() != count) return InvalidInput("output_padding has the wrong length");
  ANEMONE_TRY(ResolveTransposed(c, extra, w));
  // Output padding lengthens the far end: it removes padding there, and beyond that adds rows that
  // no window reaches.
  std::vector<int64_t> beyond(2 * count, 0);
  for (size_t i = 0; i < count; ++i) {
    if (extra[i] < 0) return InvalidInput("output_padding is negative");
    w.end[i] -= extra[i];
    beyond[2 * i + 1] = std::max<int64_t>(-w.end[i], 0);
    w.end[i] = std::max<int64_t>(w.end[i], 0);
  }
  const bool grows = std::any_of(beyond.begin(), beyond.end(), [](int64_t b) { return b != 0; });
  const bool late_bias = c.Has(2) && (grows || c.Const(2) == nullptr);
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

constexpr std::string_view kFloatRewrite = "export the float model, or one in QDQ form";

constexpr Converter kConverters[] = {
    {.op = "Conv", .emit = EmitConv},
    {.op = "ConvTranspose", .emit = EmitConvTranspose},
    {.op = "ConvInteger", .refusal = "integer convolution", .rewrite = kFloatRewrite},
    {.op = "QLinearConv", .refusal = "convolution on quantized tensors", .rewrite = kFloatRewrite},
    {.op = "DeformConv",
     .refusal = "Core ML has no deformable convolution",
     .rewrite = "replace it by GridSample and Conv"},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::conv
