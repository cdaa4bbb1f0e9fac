// PyTorch: pooling, adaptive pooling included.
#include <algorithm>

#include "torch/context.h"
#include "torch/converter.h"

namespace anemone::ops::pool {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

// "aten.max_pool2d.default" -> 2.
size_t Spatial(const Context& c) {
  const std::string& target = c.node().target;
  const size_t at = target.find("d.");
  return at == std::string::npos || at == 0 ? 2 : static_cast<size_t>(target[at - 1] - '0');
}

std::string_view InputName(const Context& c) { return c.Has("self") ? "self" : "input"; }

// Runs `pool` on the input with a batch dimension.
template <typename Fn>
Status Batched(Context& c, size_t spatial, Fn&& pool) {
  const auto name = InputName(c);
  std::string x = c.Need(name);
  const bool unbatched = c.Rank(name) == static_cast<int64_t>(spatial) + 1;
  if (unbatched) x = c.Unsqueeze(x, {0});
  Values outputs = pool(x);
  for (size_t i = 0; i < outputs.size() && i < c.OutputCount(); ++i)
    ANEMONE_TRY(c.Set(i, unbatched ? c.Squeeze(outputs[i], {0}) : outputs[i]));
  return {};
}

struct Window {
  std::vector<int64_t> kernel, strides, pads, dilations;
  bool ceil = false;
};

Window ReadWindow(Context& c, size_t spatial) {
  Window w;
  w.kernel = c.IntsFor("kernel_size", spatial, 1);
  w.strides = c.Ints("stride").empty() ? w.kernel : c.IntsFor("stride", spatial, 1);
  w.pads = c.IntsFor("padding", spatial, 0);
  w.pads.insert(w.pads.end(), w.pads.begin(),
                w.pads.begin() + static_cast<std::ptrdiff_t>(spatial));
  w.dilations = c.IntsFor("dilation", spatial, 1);
  w.ceil = c.Flag("ceil_mode", false);
  return w;
}

Attributes AttributesOf(const Window& w) {
  return {Ints("kernel_shape", w.kernel), Ints("strides", w.strides), Ints("pads", w.pads),
          Int("ceil_mode", w.ceil ? 1 : 0)};
}

Status EmitMaxPool(Context& c) {
  const size_t spatial = Spatial(c);
  const Window w = ReadWindow(c, spatial);
  Attributes attributes = AttributesOf(w);
  attributes.push_back(Ints("dilations", w.dilations));
  return Batched(c, spatial,
                 [&](const std::string& x) { return Values{c.Op("MaxPool", {x}, attributes)}; });
}

// PyTorch counts the indices within each channel, ONNX over the whole tensor.
Status EmitMaxPoolWithIndices(Context& c) {
  const size_t spatial = Spatial(c);
  const Window w = ReadWindow(c, spatial);
  Attributes attributes = AttributesOf(w);
  attributes.push_back(Ints("dilations", w.dilations));
  const auto name = InputName(c);
  int64_t plane = 1;
  for (int64_t d = 1; d <= static_cast<int64_t>(spatial); ++d) plane *= c.FixedDim(name, -d);
  return Batched(c, spatial, [&](const std::string& x) {
    Values pooled = c.Ops("MaxPool", {x}, 2, attributes);
    return Values{pooled[0], c.Op("Mod", {pooled[1], c.Int64(plane)})};
  });
}

Status EmitAvgPool(Context& c) {
  const size_t spatial = Spatial(c);
  const Window w = ReadWindow(c, spatial);
  Attributes attributes = AttributesOf(w);
  const bool counts = c.Flag("count_include_pad", true);
  attributes.push_back(Int("count_include_pad", counts ? 1 : 0));
  double factor = 1;
  if (c.Has("divisor_override")) {
    // The sum: the average with padding counted, times the size of the window.
    for (const int64_t size : w.kernel) factor *= static_cast<double>(size);
    factor /= c.Number("divisor_override", 1);
    if (w.ceil) return Unsupported("divisor_override with ceil_mode").Advise("pad explicitly");
    attributes.back() = Int("count_include_pad", 1);
  }
  return Batched(c, spatial, [&](const std::string& x) {
    std::string y = c.Op("AveragePool", {x}, attributes);
    if (factor != 1) y = c.Op("Mul", {y, c.Number(factor)});
    return Values{y};
  });
}

// Bin i of `out` over `in` elements: from floor(i * in / out) up to ceil((i + 1) * in / out).
struct Bin {
  int64_t begin, end;
};
Bin BinOf(int64_t i, int64_t in, int64_t out) {
  return {i * in / out, ((i + 1) * in + out - 1) / out};
}

// One axis, bin by bin.
std::string PoolAxis(Context& c, const std::string& x, int64_t axis, int64_t in, int64_t out,
                     bool average) {
  Values parts;
  for (int64_t i = 0; i < out; ++i) {
    const Bin bin = BinOf(i, in, out);
    const std::string part = c.Slice(x, axis, bin.begin, bin.end);
    parts.push_back(c.Op(average ? "ReduceMean" : "ReduceMax", {part, c.Int64s({axis})}));
  }
  if (parts.size() == 1) return parts[0];
  return c.Op("Concat", parts, {Int("axis", axis)});
}

// The average over bins of one axis is a product with a matrix of their weights.
std::string AverageAxis(Context& c, const std::string& x, int64_t axis, int64_t rank, int64_t in,
                        int64_t out) {
  std::vector<float> weights(static_cast<size_t>(in * out), 0.0f);
  for (int64_t i = 0; i < out; ++i) {
    const Bin bin = BinOf(i, in, out);
    for (int64_t j = bin.begin; j < bin.end; ++j)
      weights[static_cast<size_t>(j * out + i)] = 1.0f / static_cast<float>(bin.end - bin.begin);
  }
  const std::string matrix = c.Known(onnx::Constant::Floats(std::move(weights), {in, out}));
  std::vector<int64_t> perm;
  for (int64_t d = 0; d < rank; ++d) perm.push_back(d);
  std::swap(perm[static_cast<size_t>(axis)], perm.back());
  const std::string y = c.Op("MatMul", {c.Transpose(x, perm), matrix});
  return c.Transpose(y, perm);
}

Status Adaptive(Context& c, bool average) {
  const size_t spatial = Spatial(c);
  const auto name = InputName(c);
  const std::vector<int64_t> sizes = c.IntsFor("output_size", spatial, 1);
  const auto all_ones = std::ranges::count(sizes, 1) == std::ssize(sizes);
  constexpr int64_t kMaxBins = 64;
  return Batched(c, spatial, [&](std::string x) -> Values {
    if (all_ones) return {c.Op(average ? "GlobalAveragePool" : "GlobalMaxPool", {x})};
    std::vector<int64_t> in, kernel;
    bool even = true;
    for (size_t d = 0; d < spatial; ++d) {
      in.push_back(c.FixedDim(name, static_cast<int64_t>(d) - static_cast<int64_t>(spatial)));
      if (sizes[d] < 1) {
        (void)c.Fail(InvalidInput("its output_size holds {}", sizes[d]));
        return {};
      }
      even = even && in[d] % sizes[d] == 0;
      kernel.push_back(in[d] / sizes[d]);
    }
    if (!c.status().ok()) return {};
    if (even) {
      if (std::ranges::count(kernel, 1) == std::ssize(kernel)) return {x};
      return {c.Op(average ? "AveragePool" : "MaxPool", {x},
                   {Ints("kernel_shape", kernel), Ints("strides", kernel)})};
    }
    for (size_t d = 0; d < spatial; ++d) {
      const int64_t axis = static_cast<int64_t>(d) + 2;
      if (in[d] == sizes[d]) continue;
      if (average) {
        x = AverageAxis(c, x, axis, static_cast<int64_t>(spatial) + 2, in[d], sizes[d]);
      } else if (sizes[d] <= kMaxBins) {
        x = PoolAxis(c, x, axis, in[d], sizes[d], false);
      } else {
        (void)c.Fail(Unsupported("{} bins of unequal size", sizes[d])
                         .Advise("choose an output size that divides the input's"));
        return {};
      }
    }
    return {x};
  });
}

Status EmitAdaptiveAvgPool(Context& c) { return Adaptive(c, true); }

// The second output, the indices, has no counterpart.
Status EmitAdaptiveMaxPool(Context& c) { return Adaptive(c, false); }

constexpr Converter kConverters[] = {
    {.target = "aten.max_pool1d.default", .emit = EmitMaxPool},
    {.target = "aten.max_pool2d.default", .emit = EmitMaxPool},
    {.target = "aten.max_pool3d.default", .emit = EmitMaxPool},
    {.target = "aten.max_pool1d_with_indices.default", .emit = EmitMaxPoolWithIndices},
    {.target = "aten.max_pool2d_with_indices.default", .emit = EmitMaxPoolWithIndices},
    {.target = "aten.max_pool3d_with_indices.default", .emit = EmitMaxPoolWithIndices},
    {.target = "aten.avg_pool1d.default", .emit = EmitAvgPool},
    {.target = "aten.avg_pool2d.default", .emit = EmitAvgPool},
    {.target = "aten.avg_pool3d.default", .emit = EmitAvgPool},
    {.target = "aten.adaptive_avg_pool1d.default", .emit = EmitAdaptiveAvgPool},
    {.target = "aten.adaptive_avg_pool2d.default", .emit = EmitAdaptiveAvgPool},
    {.target = "aten.adaptive_avg_pool3d.default", .emit = EmitAdaptiveAvgPool},
    {.target = "aten._adaptive_avg_pool2d.default", .emit = EmitAdaptiveAvgPool},
    {.target = "aten._adaptive_avg_pool3d.default", .emit = EmitAdaptiveAvgPool},
    {.target = "aten.adaptive_max_pool1d.default", .emit = EmitAdaptiveMaxPool},
    {.target = "aten.adaptive_max_pool2d.default", .emit = EmitAdaptiveMaxPool},
    {.target = "aten.adaptive_max_pool3d.default", .emit = EmitAdaptiveMaxPool},
};

}  // namespace

std::span<const Converter> TorchConverters() { return kConverters; }

}  // namespace anemone::ops::pool
