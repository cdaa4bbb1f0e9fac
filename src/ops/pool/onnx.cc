// ONNX: MaxPool, AveragePool and the global poolings.
#include <algorithm>
#include <numeric>

#include "onnx/converter.h"
#include "onnx/windows.h"

namespace anemone::ops::pool {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

Result<Windows> PoolWindows(const NodeContext& c) {
  if (!c.Has(0)) return InvalidInput("the input is missing");
  const auto kernel = c.IntsAttribute("kernel_shape");
  if (!kernel) return InvalidInput("kernel_shape is missing");
  ANEMONE_ASSIGN(Windows w, ReadWindows(c, *kernel));
  for (const int64_t dilation : w.dilations) {
    if (dilation != 1) {
      return Unsupported("Core ML has no dilated pooling").Advise("use dilations of 1");
    }
  }
  return w;
}

// The elements by which ceil_mode lengthens each dimension, so that the last window fits: the
// number of windows is rounded up, less one when that window would begin behind the input and its
// leading pad.
std::vector<int64_t> CeilExtra(const NodeContext& c, const Windows& w) {
  std::vector<int64_t> extra(w.count(), 0);
  const std::string auto_pad = c.String("auto_pad", "NOTSET");
  if (c.Int("ceil_mode", 0) == 0 || auto_pad.starts_with("SAME")) return extra;
  for (size_t i = 0; i < w.count(); ++i) {
    const int64_t size = c.Dims(0)[i + 2];
    const int64_t free = size + w.begin[i] + w.end[i] - w.kernel[i];
    if (free < 0) continue;
    int64_t steps = (free + w.strides[i] - 1) / w.strides[i];
    if (steps * w.strides[i] >= size + w.begin[i]) --steps;
    extra[i] = std::max<int64_t>(steps * w.strides[i] - free, 0);
  }
  return extra;
}

Args PoolArgs(ir::Value* x, const Windows& w) {
  return {{"x", x},
          {"kernel_sizes", ir::Ints(w.kernel)},
          {"strides", ir::Ints(w.strides)},
          {"pad_type", ir::Literal::String(w.HasPads() ? "custom" : "valid")},
          {"pad", ir::Ints(w.MilPads())},
          {"ceil_mode", ir::Literal::Bool(false)}};
}

void Add(std::vector<int64_t>& to, const std::vector<int64_t>& what) {
  for (size_t i = 0; i < to.size(); ++i) to[i] += what[i];
}

Status EmitMaxPool(NodeContext& c) {
  if (c.Wants(1)) {
    return Unsupported("Core ML's pooling does not return indices")
        .Advise("remove the use of Indices");
  }
  ANEMONE_ASSIGN(Windows w, PoolWindows(c));
  Add(w.end, CeilExtra(c, w));
  return c.Emit("max_pool", PoolArgs(c.Value(0), w));
}

Status EmitAveragePool(NodeContext& c) {
  ANEMONE_ASSIGN(Windows w, PoolWindows(c));
  const auto extra = CeilExtra(c, w);
  const bool include = c.Int("count_include_pad", 0) != 0;
  const bool longer = std::any_of(extra.begin(), extra.end(), [](int64_t e) { return e != 0; });
  ir::Value* x = c.Value(0);
  bool exclude = !include;
  if (include && longer) {
    // The pads count in the average, but the elements that ceil_mode adds do not: so the pads
    // become part of the input.
    if (w.HasPads()) {
      x = c.Op("pad", {{"x", x},
                       {"pad", ir::Ints(w.MilPads())},
                       {"mode", ir::Literal::String("constant")},
                       {"constant_val", ir::Literal::Fp32(0)}});
      std::fill(w.begin.begin(), w.begin.end(), 0);
      std::fill(w.end.begin(), w.end.end(), 0);
    }
    exclude = true;
  }
  Add(w.end, extra);
  Args args = PoolArgs(x, w);
  args.push_back({"exclude_padding_from_average", ir::Literal::Bool(exclude)});
  return c.Emit("avg_pool", std::move(args));
}

Status EmitGlobal(NodeContext& c, std::string_view type) {
  if (!c.Has(0) || c.Rank(0) < 3) return InvalidInput("the input needs rank 3 or more");
  std::vector<int64_t> axes(static_cast<size_t>(c.Rank(0) - 2));
  std::iota(axes.begin(), axes.end(), 2);
  return c.Emit(
      type, {{"x", c.Value(0)}, {"axes", ir::Ints(axes)}, {"keep_dims", ir::Literal::Bool(true)}});
}
Status EmitGlobalAverage(NodeContext& c) { return EmitGlobal(c, "reduce_mean"); }
Status EmitGlobalMax(NodeContext& c) { return EmitGlobal(c, "reduce_max"); }

Status EmitLpPool(NodeContext& c) {
  if (c.Int("p", 2) != 2) return Unsupported("Lp pooling other than p = 2");
  ANEMONE_ASSIGN(Windows w, PoolWindows(c));
  Add(w.end, CeilExtra(c, w));
  return c.Emit("l2_pool", PoolArgs(c.Value(0), w));
}

constexpr Converter kConverters[] = {
    {.op = "MaxPool", .emit = EmitMaxPool},
    {.op = "AveragePool", .emit = EmitAveragePool},
    {.op = "GlobalAveragePool", .emit = EmitGlobalAverage},
    {.op = "GlobalMaxPool", .emit = EmitGlobalMax},
    {.op = "LpPool", .emit = EmitLpPool},
    {.op = "GlobalLpPool", .refusal = "no conversion yet", .rewrite = "use ReduceL2"},
    {.op = "MaxUnpool", .refusal = "Core ML has no unpooling", .rewrite = "use Resize"},
    {.op = "MaxRoiPool", .refusal = "Core ML has no max RoI pooling", .rewrite = "use RoiAlign"},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::pool
