// ONNX: MaxPool, AveragePool and the global poolings.
#include <algorithm>
#include <limits>
#include <numeric>

#include "onnx/converter.h"
#include "onnx/windows.h"
#include "ops/pool/indices_onnx.h"

namespace anemone::ops::pool {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

Result<Windows> PoolWindows(const NodeContext& c) {
  if (!c.Has(0)) return InvalidInput("the input is missing");
  const auto kernel = c.IntsAttribute("kernel_shape");
  if (!kernel) return InvalidInput("kernel_shape is missing");
  return ReadWindows(c, *kernel);
}

// Whether the windows, ceil_mode's elements included, can be gathered one by one.
Status CheckGathered(const NodeContext& c, const Windows& w) {
  for (size_t i = 0; i < w.count(); ++i) {
    const int64_t free = c.Dims(0)[i + 2] + w.begin[i] + w.end[i] - w.Extent(i);
    if (free < 0) return InvalidInput("a window of {} does not fit its input", w.Extent(i));
    const int64_t steps = free / w.strides[i] + 1;
    if (!FoldableCount({steps, w.kernel[i]})) {
      return Unsupported("{} windows of {} elements", steps, w.kernel[i]);
    }
  }
  return {};
}

bool IsDilated(const Windows& w) {
  return std::any_of(w.dilations.begin(), w.dilations.end(), [](int64_t d) { return d != 1; });
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
    const int64_t free = size + w.begin[i] + w.end[i] - w.Extent(i);
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

// The elements of each window along dimension `d` of x, folded by a reduction; what lies outside the
// tensor is `outside`. MIL's pooling has no dilations, and this works for any window: along one
// dimension after the other, the elements are gathered and reduced.
ir::Value* FoldWindows(NodeContext& c, ir::Value* x, size_t d, const Windows& w, size_t i,
                       std::string_view reduction, float outside) {
  if (x == nullptr) return nullptr;
  const ir::Shape dims = c.DimsOf(x);
  const int64_t size = dims[d];
  const int64_t steps = (size + w.begin[i] + w.end[i] - w.Extent(i)) / w.strides[i] + 1;
  const auto multiply = [&](int64_t a, int64_t b) { return c.MulSizes(a, b); };
  const int64_t outer = std::accumulate(dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(d),
                                        int64_t{1}, multiply);
  const int64_t inner = std::accumulate(dims.begin() + static_cast<std::ptrdiff_t>(d) + 1,
                                        dims.end(), int64_t{1}, multiply);
  x = c.Reshape(x, {outer, size, inner});
  // One more element, for what lies outside.
  x = c.Op("pad", {{"x", x},
                   {"pad", ir::Ints({0, 0, 0, 1, 0, 0})},
                   {"mode", ir::Literal::String("constant")},
                   {"constant_val", ir::Literal::Fp32(outside)}});
  std::vector<int64_t> at;
  for (int64_t step = 0; step < steps; ++step) {
    for (int64_t k = 0; k < w.kernel[i]; ++k) {
      const int64_t from = step * w.strides[i] + k * w.dilations[i] - w.begin[i];
      at.push_back(from >= 0 && from < size ? from : size);
    }
  }
  x = c.Op("gather", {{"x", x}, {"indices", ir::Ints(at)}, {"axis", ir::Literal::Int32(1)}});
  x = c.Reshape(x, {outer, steps, w.kernel[i], inner});
  x = c.Op(reduction, {{"x", x}, {"axes", ir::Ints({2})}, {"keep_dims", ir::Literal::Bool(false)}});
  ir::Shape out = dims;
  out[d] = steps;
  return c.Reshape(x, out);
}

ir::Value* FoldAllWindows(NodeContext& c, ir::Value* x, const Windows& w,
                          std::string_view reduction, float outside) {
  for (size_t i = 0; i < w.count(); ++i) {
    x = FoldWindows(c, x, i + 2, w, i, reduction, outside);
  }
  return x;
}

// How many elements an average counts in each window of dimension i: those of the tensor, and of
// the pads when they count; never those that ceil_mode adds.
std::vector<float> Counts(const Windows& w, size_t i, int64_t size, int64_t extra, bool pads) {
  const int64_t steps = (size + w.begin[i] + w.end[i] - w.Extent(i)) / w.strides[i] + 1;
  const int64_t low = pads ? -w.begin[i] : 0;
  const int64_t high = pads ? size + w.end[i] - extra : size;
  std::vector<float> counts;
  for (int64_t step = 0; step < steps; ++step) {
    int64_t count = 0;
    for (int64_t k = 0; k < w.kernel[i]; ++k) {
      const int64_t from = step * w.strides[i] + k * w.dilations[i] - w.begin[i];
      count += from >= low && from < high ? 1 : 0;
    }
    counts.push_back(static_cast<float>(count));
  }
  return counts;
}

Status EmitMaxPool(NodeContext& c) {
  ANEMONE_ASSIGN(Windows w, PoolWindows(c));
  Add(w.end, CeilExtra(c, w));
  if (c.Wants(1)) return EmitMaxPoolWithIndices(c, w);
  if (IsDilated(w)) ANEMONE_TRY(CheckGathered(c, w));
  ir::Value* x = c.Cast(c.Value(0), DType::kFp32);  // integers of 8 bits are exact there
  ir::Value* y =
      IsDilated(w) ? FoldAllWindows(c, x, w, "reduce_max", -std::numeric_limits<float>::infinity())
                   : c.Op("max_pool", PoolArgs(x, w));
  return c.Set(0, c.Cast(y, c.Dtype(0)));
}

// Sums of the windows divided by the numbers of elements that count.
Status EmitAverageByGather(NodeContext& c, const Windows& w, const std::vector<int64_t>& extra,
                           bool pads) {
  ANEMONE_TRY(CheckGathered(c, w));
  ir::Value* y = FoldAllWindows(c, c.Value(0), w, "reduce_sum", 0);
  for (size_t i = 0; i < w.count(); ++i) {
    auto counts = Counts(w, i, c.Dims(0)[i + 2], extra[i], pads);
    ir::Shape dims(c.Sizes(0).size(), 1);
    dims[i + 2] = static_cast<int64_t>(counts.size());
    y = c.Binary("real_div",
                 {y, c.MakeConst(onnx::Constant::Floats(std::move(counts), dims), "counts")});
  }
  return c.Set(0, y);
}

Status EmitAveragePool(NodeContext& c) {
  ANEMONE_ASSIGN(Windows w, PoolWindows(c));
  const auto extra = CeilExtra(c, w);
  const bool include = c.Int("count_include_pad", 0) != 0;
  if (IsDilated(w)) {
    Add(w.end, extra);
    return EmitAverageByGather(c, w, extra, include);
  }
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

Status EmitGlobalLp(NodeContext& c) {
  const int64_t p = c.Int("p", 2);
  if (p == 1) return EmitGlobal(c, "reduce_l1_norm");
  if (p == 2) return EmitGlobal(c, "reduce_l2_norm");
  return Unsupported("global Lp pooling with p = {}", p).Advise("use Abs, Pow and ReduceSum");
}

Status EmitLpPool(NodeContext& c) {
  const int64_t p = c.Int("p", 2);
  if (p < 1) return InvalidInput("p is {}", p);
  ANEMONE_ASSIGN(Windows w, PoolWindows(c));
  Add(w.end, CeilExtra(c, w));
  if (p != 2 || IsDilated(w)) {
    ANEMONE_TRY(CheckGathered(c, w));
    const auto power = static_cast<float>(p);
    ir::Value* x = c.Binary("pow", {c.Op("abs", {{"x", c.Value(0)}}), c.Float32(power)});
    ir::Value* sum = FoldAllWindows(c, x, w, "reduce_sum", 0);
    return c.Emit("pow", {{"x", sum}, {"y", c.Float32(1 / power)}});
  }
  return c.Emit("l2_pool", PoolArgs(c.Value(0), w));
}

constexpr Converter kConverters[] = {
    {.op = "MaxPool", .emit = EmitMaxPool},
    {.op = "AveragePool", .emit = EmitAveragePool},
    {.op = "GlobalAveragePool", .emit = EmitGlobalAverage},
    {.op = "GlobalMaxPool", .emit = EmitGlobalMax},
    {.op = "LpPool", .emit = EmitLpPool},
    {.op = "GlobalLpPool", .emit = EmitGlobalLp},
    {.op = "MaxRoiPool", .refusal = "Core ML has no max RoI pooling", .rewrite = "use RoiAlign"},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::pool
