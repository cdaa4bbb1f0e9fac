// The dims of an operation's outputs, as sizes, by its operator. A rule may give kDynamic for a
// dimension that it does not derive, and operators without a rule lose nothing but the knowledge
// that two sizes are equal.
#include <algorithm>

#include "onnx/runtime_sizes.h"
#include "ops/infer.h"

namespace anemone::onnx {

using ir::kDynamic;
using ir::Shape;

namespace {

std::optional<std::vector<int64_t>> Numbers(const ir::OpArgs& args, std::string_view param) {
  if (!args.IsKnown(param)) return std::nullopt;
  auto values = args.Ints(param);
  if (!values.ok()) return std::nullopt;
  return std::move(*values);
}

std::optional<int64_t> Number(const ir::OpArgs& args, std::string_view param) {
  auto value = args.Int(param);
  return value.ok() ? std::optional(*value) : std::nullopt;
}

std::optional<bool> Flag(const ir::OpArgs& args, std::string_view param) {
  auto value = args.Bool(param);
  return value.ok() ? std::optional(*value) : std::nullopt;
}

// Axes made non-negative; nullopt when they are not known.
std::optional<std::vector<int64_t>> Axes(const ir::OpArgs& args, std::string_view param,
                                         size_t rank) {
  auto axes = Numbers(args, param);
  if (!axes) return std::nullopt;
  auto normal = ops::NormalizeAxes(std::move(*axes), static_cast<int64_t>(rank));
  return normal.ok() ? std::optional(std::move(*normal)) : std::nullopt;
}

std::optional<size_t> Axis(const ir::OpArgs& args, size_t rank) {
  const auto given = Number(args, "axis");
  if (!given) return std::nullopt;
  const auto axis = ops::NormalizeAxis(*given, static_cast<int64_t>(rank));
  return axis.ok() ? std::optional(static_cast<size_t>(*axis)) : std::nullopt;
}

}  // namespace

Shape RuntimeSizes::Broadcast(const std::vector<ir::Value*>& values) {
  Shape out;
  for (ir::Value* value : values) {
    const Shape dims = DimsOf(value);
    if (dims.size() > out.size()) out.insert(out.begin(), dims.size() - out.size(), 1);
    for (size_t i = 0; i < dims.size(); ++i) {
      int64_t& size = out[out.size() - 1 - i];
      const int64_t other = dims[dims.size() - 1 - i];
      if (size == other || other == 1) continue;
      if (size == 1) {
        size = other;
      } else if (!Symbols::IsSymbol(other) && other > 1) {
        size = other;  // the size that the other must have, or 1
      } else if (Symbols::IsSymbol(size) || size == kDynamic) {
        // Equal at run time, or one of them 1: the larger one.
        size = size == kDynamic ? size : symbols_.Max(size, other).value_or(kDynamic);
      }
    }
  }
  return out;
}

std::optional<Shape> RuntimeSizes::WindowRule(const ir::Operation& operation, ir::Opset opset) {
  const ir::OpArgs args(operation, opset);
  const Shape x = DimsOf(operation.Input("x"));
  const auto strides = Numbers(args, "strides"), pad = Numbers(args, "pad");
  const auto type = args.String("pad_type");
  const bool pooling = operation.type().ends_with("_pool");
  if (!strides || !type.ok() || (*type != "valid" && *type != "custom") || x.size() < 3)
    return std::nullopt;
  std::vector<int64_t> kernel;
  Shape out = {x[0], x[1]};
  if (pooling) {
    const auto sizes = Numbers(args, "kernel_sizes");
    if (!sizes || Flag(args, "ceil_mode").value_or(true)) return std::nullopt;
    kernel = *sizes;
  } else {
    const Shape& weight = operation.Input("weight")->type.shape();
    const auto dilations = Numbers(args, "dilations");
    if (!dilations || weight.size() != x.size()) return std::nullopt;
    for (size_t i = 2; i < weight.size(); ++i) {
      if (weight[i] < 0) return std::nullopt;
      kernel.push_back((weight[i] - 1) * (*dilations)[i - 2] + 1);
    }
    out[1] = operation.type() == "conv" ? weight[0] : kDynamic;  // the type says it
  }
  if (*type == "custom" && (!pad || pad->size() != 2 * kernel.size())) return std::nullopt;
  for (size_t i = 0; i < kernel.size(); ++i) {
    const int64_t pads = *type == "custom" ? (*pad)[2 * i] + (*pad)[2 * i + 1] : 0;
    const int64_t stride = (*strides)[i];
    std::optional<int64_t> size;
    if (operation.type() == "conv_transpose") {
      size = symbols_.Mul(x[i + 2], stride);
      if (size) size = symbols_.Add(*size, kernel[i] - pads - stride);
    } else {
      size = symbols_.Add(x[i + 2], pads - kernel[i]);
      if (size) size = symbols_.FloorDiv(*size, stride);
      if (size) size = symbols_.Add(*size, 1);
    }
    out.push_back(size.value_or(kDynamic));
  }
  return out;
}

// The dims that follow from the operator's definition alone.
std::optional<Shape> RuntimeSizes::RuleOfTraits(const ir::Operation& operation) {
  if (operation.def() == nullptr) return std::nullopt;
  switch (operation.def()->traits.sizes) {
    case ir::SizeRule::kOfFirst:
      return DimsOf(operation.Input(operation.def()->params.front().name));
    case ir::SizeRule::kBroadcast:
      return Broadcast({operation.Input("x"), operation.Input("y")});
    case ir::SizeRule::kUnset:
    case ir::SizeRule::kInferred:
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Shape> RuntimeSizes::Rule(const ir::Operation& operation, size_t output,
                                        ir::Opset opset) {
  const std::string& type = operation.type();
  const ir::OpArgs args(operation, opset);
  ir::Value* x = operation.Input("x");
  if (const std::optional<Shape> dims = RuleOfTraits(operation)) {
    return output == 0 ? dims : std::nullopt;
  }
  if (type == "select")
    return Broadcast({operation.Input("cond"), operation.Input("a"), operation.Input("b")});
  if (type == "conv" || type == "conv_transpose" || type.ends_with("_pool"))
    return WindowRule(operation, opset);
  if (type == "concat") {
    const auto& values = operation.Inputs("values");
    Shape dims = DimsOf(values[0]);
    const auto axis = Axis(args, dims.size());
    if (!axis) return std::nullopt;
    for (size_t i = 1; i < values.size(); ++i) {
      const Shape other = DimsOf(values[i]);
      for (size_t d = 0; d < dims.size(); ++d) {
        if (d == *axis) {
          dims[d] =
              dims[d] == kDynamic ? kDynamic : symbols_.Add(dims[d], other[d]).value_or(kDynamic);
        } else if (Symbols::IsSymbol(dims[d]) && !Symbols::IsSymbol(other[d])) {
          dims[d] = other[d];  // equal, or the run fails
        }
      }
    }
    return dims;
  }
  if (x == nullptr || !x->type.has_rank()) return std::nullopt;
  const Shape dims = DimsOf(x);
  const size_t rank = dims.size();
  if (type == "transpose") {
    const auto perm = Axes(args, "perm", rank);
    if (!perm || perm->size() != rank) return std::nullopt;
    Shape out;
    for (const int64_t axis : *perm) out.push_back(dims[static_cast<size_t>(axis)]);
    return out;
  }
  if (type == "expand_dims") {
    const auto given = Numbers(args, "axes");
    if (!given) return std::nullopt;
    auto axes = ops::NormalizeAxes(*given, static_cast<int64_t>(rank + given->size()));
    if (!axes.ok()) return std::nullopt;
    std::ranges::sort(*axes);
    Shape out = dims;
    for (const int64_t axis : *axes) out.insert(out.begin() + axis, 1);
    return out;
  }
  if (type == "squeeze" || type.starts_with("reduce_")) {
    const bool one = type == "reduce_argmax" || type == "reduce_argmin";
    std::optional<std::vector<int64_t>> axes;
    if (one) {
      if (const auto axis = Axis(args, rank)) axes = {static_cast<int64_t>(*axis)};
    } else {
      axes = Axes(args, "axes", rank);
    }
    if (!axes) return std::nullopt;
    const bool keep = type != "squeeze" && Flag(args, "keep_dims").value_or(false);
    Shape out;
    for (size_t d = 0; d < rank; ++d) {
      const bool reduced = std::ranges::find(*axes, static_cast<int64_t>(d)) != axes->end();
      if (!reduced) out.push_back(dims[d]);
      if (reduced && keep) out.push_back(1);
    }
    return out;
  }
  if (type == "linear") {
    Shape out = dims;
    out.back() = operation.Input("weight")->type.shape()[0];
    return out;
  }
  if (type == "matmul") {
    const Shape y = DimsOf(operation.Input("y"));
    const auto tx = Flag(args, "transpose_x"), ty = Flag(args, "transpose_y");
    if (!tx || !ty || rank < 2 || y.size() < 2) return std::nullopt;
    Shape out(std::max(rank, y.size()) - 2, 1);
    for (size_t i = 2; i < out.size() + 2; ++i) {
      const int64_t a = i < rank ? dims[rank - 1 - i] : 1;
      const int64_t b = i < y.size() ? y[y.size() - 1 - i] : 1;
      out[out.size() + 1 - i] = a == b || b == 1        ? a
                                : a == 1                ? b
                                : !Symbols::IsSymbol(b) ? b
                                : !Symbols::IsSymbol(a) ? a
                                                        : symbols_.Max(a, b).value_or(kDynamic);
    }
    out.push_back(dims[*tx ? rank - 1 : rank - 2]);
    out.push_back(y[*ty ? y.size() - 2 : y.size() - 1]);
    return out;
  }
  if (type == "pad") {
    const auto pad = Numbers(args, "pad");
    if (!pad || pad->size() > 2 * rank) return std::nullopt;
    Shape out = dims;
    for (size_t i = 0; i < pad->size() / 2; ++i) {
      int64_t& size = out[rank - pad->size() / 2 + i];
      size = symbols_.Add(size, (*pad)[2 * i] + (*pad)[2 * i + 1]).value_or(kDynamic);
    }
    return out;
  }
  if (type == "tile") {
    const auto reps = Numbers(args, "reps");
    if (!reps || reps->size() != rank) return std::nullopt;
    Shape out;
    for (size_t d = 0; d < rank; ++d)
      out.push_back(symbols_.Mul(dims[d], (*reps)[d]).value_or(kDynamic));
    return out;
  }
  if (type == "gather") {
    const Shape indices = DimsOf(operation.Input("indices"));
    const auto axis = Axis(args, rank);
    if (!axis) return std::nullopt;
    Shape out(dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(*axis));
    out.insert(out.end(), indices.begin(), indices.end());
    out.insert(out.end(), dims.begin() + static_cast<std::ptrdiff_t>(*axis) + 1, dims.end());
    return out;
  }
  if (type == "gather_along_axis") return DimsOf(operation.Input("indices"));
  if (type == "upsample_nearest_neighbor" || type == "upsample_bilinear") {
    Shape out = dims;
    const auto scale = [&](size_t d, std::string_view param) {
      const auto factor = args.Float(param);
      const bool whole = factor.ok() && *factor >= 1 && *factor == static_cast<int64_t>(*factor);
      out[d] = whole ? symbols_.Mul(dims[d], static_cast<int64_t>(*factor)).value_or(kDynamic)
                     : kDynamic;
    };
    scale(rank - 2, "scale_factor_height");
    scale(rank - 1, "scale_factor_width");
    return out;
  }
  if (type == "split") {
    const auto axis = Axis(args, rank);
    if (!axis) return std::nullopt;
    Shape out = dims;
    const Shape& known = operation.output(output)->type.shape();
    out[*axis] = known[*axis];
    if (known[*axis] == kDynamic) {
      const auto parts = static_cast<int64_t>(operation.outputs().size());
      const auto part = symbols_.FloorDiv(dims[*axis], parts);
      // Only a split into equal parts, which the run checks.
      out[*axis] = part.value_or(kDynamic);
    }
    return out;
  }
  return std::nullopt;
}

}  // namespace anemone::onnx
