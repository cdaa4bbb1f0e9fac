#include "ops/gather_scatter/more_onnx.h"

#include <algorithm>
#include <numeric>

#include "onnx/expansion.h"
#include "onnx/places.h"
#include "ops/infer.h"

namespace anemone::ops::gather_scatter {
namespace {

using namespace onnx;             // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

int64_t Product(const ir::Shape& dims, size_t begin, size_t end) {
  return std::accumulate(dims.begin() + static_cast<std::ptrdiff_t>(begin),
                         dims.begin() + static_cast<std::ptrdiff_t>(end), int64_t{1},
                         std::multiplies<>());
}

// The value of one reduction over all of `loss`, or each.
Result<std::string> Reduced(Expansion& e, const std::string& reduction, const std::string& loss,
                            const std::string& weight, const ir::Shape& dims) {
  const auto sum = [&](const std::string& x) {
    return e.Op("ReduceSum", {x}, {Int("keepdims", 0)});
  };
  if (reduction == "none") return e.Op("Reshape", {loss, e.Int64s(dims)});
  if (reduction == "sum") return sum(loss);
  if (reduction != "mean") return InvalidInput("reduction is '{}'", reduction);
  if (weight.empty()) return e.Op("ReduceMean", {loss}, {Int("keepdims", 0)});
  return e.Op("Div", {sum(loss), sum(weight)});
}

// The loss of log-probabilities `x` [N, C, D] by class numbers.
Result<std::string> Loss(NodeContext& c, Expansion& e, const std::string& log_probabilities) {
  const ir::Shape& dims = c.Dims(0);
  if (dims.size() < 2) return InvalidInput("the scores need rank 2 or more");
  const int64_t batch = dims[0], classes = dims[1], rest = Product(dims, 2, dims.size());
  const auto x = e.Op("Reshape", {log_probabilities, e.Int64s({batch, classes, rest})});
  auto target = e.Op("Reshape", {e.In(1), e.Int64s({batch, rest})});
  std::string ignored;
  if (c.HasAttribute("ignore_index")) {
    ignored =
        e.Op("Equal", {e.Cast(target, ElementType::kInt64), e.Int64(c.Int("ignore_index", 0))});
    // Any class will do: what it gives is multiplied by 0.
    target = e.Op("Where", {ignored, e.Int64(0), e.Cast(target, ElementType::kInt64)});
  }
  const auto column = e.Op("Unsqueeze", {target, e.Int64s({1})});
  auto loss = e.Op("GatherElements", {x, column}, {Int("axis", 1)});
  loss = e.Op("Neg", {e.Op("Squeeze", {loss, e.Int64s({1})})});
  std::string weight;
  if (e.Has(2)) weight = e.Op("Gather", {e.In(2), target}, {Int("axis", 0)});
  if (!ignored.empty()) {
    if (weight.empty()) weight = e.Number(1);
    weight = e.Op("Where", {ignored, e.Number(0), weight});
    // What is ignored may be infinite, and then even 0 times it is no number.
    loss = e.Op("Where", {ignored, e.Number(0), loss});
  }
  if (!weight.empty()) loss = e.Op("Mul", {loss, weight});
  return Reduced(e, c.String("reduction", "mean"), loss, weight, c.Dims(1));
}

}  // namespace

Status EmitNegativeLogLikelihood(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1)) return InvalidInput("scores or classes are missing");
  Expansion e(c);
  ANEMONE_ASSIGN(const auto loss, Loss(c, e, e.In(0)));
  return e.Finish({loss});
}

Status EmitSoftmaxCrossEntropy(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1)) return InvalidInput("scores or classes are missing");
  Expansion e(c);
  const auto log_probabilities = e.Op("LogSoftmax", {e.In(0)}, {Int("axis", 1)});
  ANEMONE_ASSIGN(const auto loss, Loss(c, e, log_probabilities));
  return e.Finish({loss, log_probabilities});
}

// A cache whose rows from each batch's index on are replaced: every row of the result is read from
// the update where that reaches, else from the cache.
Status EmitTensorScatter(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1)) return InvalidInput("cache or update is missing");
  const ir::Shape &cache = c.Dims(0), &update = c.Dims(1);
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("axis", -2), c.Rank(0)));
  const std::string mode = c.String("mode", "linear");
  if (mode != "linear" && mode != "circular") return InvalidInput("mode is '{}'", mode);
  if (axis == 0 || cache.size() != update.size()) return InvalidInput("the axis is {}", axis);
  const int64_t rows = cache[static_cast<size_t>(axis)];
  const int64_t given = update[static_cast<size_t>(axis)];
  Expansion e(c);
  std::vector<int64_t> positions(static_cast<size_t>(rows));
  std::iota(positions.begin(), positions.end(), 0);
  ir::Shape along(cache.size(), 1), by_batch(cache.size(), 1);
  along[static_cast<size_t>(axis)] = rows;
  by_batch[0] = cache[0];
  auto from = e.Int64s(std::move(positions), along);
  if (e.Has(2)) from = e.Op("Sub", {from, e.Op("Reshape", {e.In(2), e.Int64s(by_batch)})});
  if (mode == "circular") from = e.Op("Mod", {from, e.Int64(rows)});
  const auto reached = e.Op(
      "And", {e.Op("GreaterOrEqual", {from, e.Int64(0)}), e.Op("Less", {from, e.Int64(given)})});
  from = e.Op("Max", {e.Op("Min", {from, e.Int64(given - 1)}), e.Int64(0)});
  from = e.Op("Expand", {from, e.Int64s(cache)});
  const auto rows_of_update = e.Op("GatherElements", {e.In(1), from}, {Int("axis", axis)});
  return e.Finish({e.Op("Where", {reached, rows_of_update, e.In(0)})});
}

// Adds up the columns of blocks into the image that they were taken from.
Status EmitCol2Im(NodeContext& c) {
  if (!c.Has(0) || c.Rank(0) != 3) return InvalidInput("the input needs rank 3");
  ANEMONE_ASSIGN(const auto image, c.Ints(1, "the shape of the image"));
  ANEMONE_ASSIGN(const auto block, c.Ints(2, "the shape of the blocks"));
  const size_t spatial = image.size();
  const auto strides = c.IntsAttribute("strides").value_or(std::vector<int64_t>(spatial, 1));
  const auto dilations = c.IntsAttribute("dilations").value_or(std::vector<int64_t>(spatial, 1));
  const auto pads = c.IntsAttribute("pads").value_or(std::vector<int64_t>(2 * spatial, 0));
  if (block.size() != spatial || strides.size() != spatial || dilations.size() != spatial ||
      pads.size() != 2 * spatial || spatial == 0) {
    return InvalidInput("the attributes do not fit an image of {} dims", spatial);
  }
  ir::Shape steps(spatial);  // how many blocks along each dimension
  for (size_t d = 0; d < spatial; ++d) {
    for (const int64_t value : {image[d], block[d], strides[d], dilations[d]}) {
      if (value < 1 || value > INT32_MAX) return InvalidInput("an attribute is {}", value);
    }
    for (const int64_t pad : {pads[d], pads[d + spatial]}) {
      if (pad < 0 || pad > INT32_MAX) return InvalidInput("a pad is {}", pad);
    }
    const int64_t reach = dilations[d] * (block[d] - 1) + 1;
    steps[d] = (image[d] + pads[d] + pads[d + spatial] - reach) / strides[d] + 1;
    if (steps[d] < 1) return InvalidInput("the blocks do not fit the image");
  }
  if (!FoldableCount(image) || !FoldableCount(block) || !FoldableCount(steps)) {
    return Unsupported("an image of {}", ir::ShapeToString(image));
  }
  const int64_t size = Product(block, 0, spatial), count = Product(steps, 0, spatial);
  const int64_t pixels = Product(image, 0, spatial);
  const ir::Shape& dims = c.Dims(0);
  if (dims[1] % size != 0 || dims[2] != count || !FoldableCount({size, count})) {
    return InvalidInput("{} blocks of {} do not fit an input of {}", count, size,
                        ir::ShapeToString(dims));
  }
  const int64_t channels = dims[1] / size;
  std::vector<int64_t> to;  // the pixel of each element of a channel; `pixels`: in the padding
  for (int64_t k = 0; k < size; ++k) {
    for (int64_t n = 0; n < count; ++n) {
      int64_t pixel = 0, scale = 1, in_block = k, in_steps = n;
      bool inside = true;
      for (size_t d = spatial; d-- > 0;) {
        const int64_t at =
            in_steps % steps[d] * strides[d] + in_block % block[d] * dilations[d] - pads[d];
        inside = inside && at >= 0 && at < image[d];
        pixel += at * scale;
        scale *= image[d];
        in_block /= block[d];
        in_steps /= steps[d];
      }
      to.push_back(inside ? pixel : pixels);
    }
  }
  Expansion e(c);
  const int64_t columns = dims[0] * channels;
  auto x = e.Op("Reshape", {e.In(0), e.Int64s({columns, size * count})});
  x = e.Op("Transpose", {x}, {Ints("perm", {1, 0})});
  const auto zeros = e.Known(BroadcastConstant(Constant::Floats({0}, {}), {pixels + 1, columns}));
  auto y = e.Op("ScatterND", {zeros, e.Int64s(std::move(to), {size * count, 1}), x},
                {Text("reduction", "add")});
  y = e.Op("Slice", {y, e.Int64s({0}), e.Int64s({pixels}), e.Int64s({0})});
  y = e.Op("Transpose", {y}, {Ints("perm", {1, 0})});
  ir::Shape out = {dims[0], channels};
  out.insert(out.end(), image.begin(), image.end());
  return e.Finish({e.Op("Reshape", {y, e.Int64s(out)})});
}

// Puts each element where MaxPool found it; the positions count through the whole output.
Status EmitMaxUnpool(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1)) return InvalidInput("values or indices are missing");
  const ir::Shape& dims = c.Dims(0);
  const auto kernel = c.IntsAttribute("kernel_shape").value_or(std::vector<int64_t>());
  const size_t spatial = kernel.size();
  if (dims.size() != spatial + 2) return InvalidInput("kernel_shape has {} entries", spatial);
  const auto strides = c.IntsAttribute("strides").value_or(std::vector<int64_t>(spatial, 1));
  const auto pads = c.IntsAttribute("pads").value_or(std::vector<int64_t>(2 * spatial, 0));
  if (strides.size() != spatial || pads.size() != 2 * spatial) {
    return InvalidInput("strides or pads do not fit the kernel");
  }
  for (const auto* values : {&kernel, &strides, &pads}) {
    for (const int64_t value : *values) {
      if (value < 0 || value > INT32_MAX) return InvalidInput("an attribute is {}", value);
    }
  }
  ir::Shape out = dims;
  for (size_t d = 0; d < spatial; ++d) {
    out[d + 2] = (dims[d + 2] - 1) * strides[d] + kernel[d] - pads[d] - pads[d + spatial];
    if (out[d + 2] < 1) return InvalidInput("its output is empty");
  }
  // The declared shape is the only one that a shape known at run time can give.
  if (c.Has(2) && !c.Known(2) && c.Declared(0) != nullptr) {
    out = *c.Declared(0);
  } else if (c.Has(2)) {
    ANEMONE_ASSIGN(out, c.Ints(2, "the output's shape"));
  }
  if (c.Has(2)) {
    if (out.size() != dims.size()) return InvalidInput("the output's shape has the wrong rank");
  }
  const auto out_count = ir::ElementCount(out), count = ir::ElementCount(dims);
  if (!out_count || !count || !FoldableCount(out))
    return Unsupported("an output of {}", ir::ShapeToString(out));
  Expansion e(c);
  const auto zeros = e.Known(BroadcastConstant(Constant::Floats({0}, {}), {*out_count}));
  const auto indices = e.Op("Reshape", {e.In(1), e.Int64s({*count})});
  const auto values = e.Op("Reshape", {e.In(0), e.Int64s({*count})});
  const auto y = e.Op("ScatterElements", {zeros, indices, values}, {Int("axis", 0)});
  return e.Finish({e.Op("Reshape", {y, e.Int64s(out)})});
}

// Elements, or slices along an axis, for which the condition holds: a gather.
Status EmitCompress(NodeContext& c) {
  if (!c.Has(0) || !c.Has(1)) return InvalidInput("the input or the condition is missing");
  if (c.Rank(1) != 1) return InvalidInput("the condition is not a vector");
  const bool flat = !c.HasAttribute("axis");
  const auto* condition = c.Const(1);
  const auto keep = condition != nullptr ? condition->AsInts() : std::nullopt;
  if (keep) {
    std::vector<int64_t> kept;
    for (size_t i = 0; i < keep->size(); ++i) {
      if ((*keep)[i] != 0) kept.push_back(static_cast<int64_t>(i));
    }
    if (kept.empty()) return Unsupported("its output is empty");
    Expansion e(c);
    const auto x = flat ? e.Op("Reshape", {e.In(0), e.Int64s({-1})}) : e.In(0);
    const int64_t axis = flat ? 0 : c.Int("axis", 0);
    return e.Finish({e.Op("Gather", {x, e.Int64s(std::move(kept))}, {Int("axis", axis)})});
  }
  int64_t axis = 0;
  ir::Value* x = c.Dtype(0) == DType::kBool ? c.Cast(c.Value(0), DType::kInt32) : c.Value(0);
  if (flat) {
    const auto count = ir::ElementCount(c.Dims(0));
    if (!count) return InvalidInput("its input has too many elements");
    x = c.Reshape(x, {*count});
  } else {
    ANEMONE_ASSIGN(axis, NormalizeAxis(c.Int("axis", 0), c.Rank(0)));
  }
  const int64_t size = x == nullptr ? 0 : x->type.shape()[static_cast<size_t>(axis)];
  if (size > 0 && c.Sizes(1)[0] > size)
    return InvalidInput("the condition has {} elements, the axis {}", c.Sizes(1)[0], size);
  ir::Value* places = PlacesOf(c, c.Value(1));
  ANEMONE_TRY(c.status());
  ir::Value* y =
      c.Op("gather", {{"x", x},
                      {"indices", c.Op("squeeze", {{"x", places}, {"axes", ir::Ints({1})}})},
                      {"axis", ir::Literal::Int32(static_cast<int32_t>(axis))}});
  return c.Set(0, c.Dtype(0) == DType::kBool ? c.Cast(y, DType::kBool) : y);
}

// A table whose integers have a scale for each block along an axis, indices, scales, zero points.
// Integers of 4 bits may be packed into bytes, two neighbors along the last axis in one.
Status EmitGatherBlockQuantized(NodeContext& c) {
  ANEMONE_TRY(c.NeedInputs(3));
  if (!c.Known(0) || !c.Known(2) || (c.Has(3) && !c.Known(3)))
    return Unsupported("a table computed at run time").Advise("make the table an initializer");
  const int64_t bits = c.Int("bits", 4), block = c.Int("block_size", 128);
  if (bits != 4 && bits != 8) return Unsupported("a table of {} bits", bits);
  onnx::Constant table = *c.Const(0);
  const bool bytes = table.dtype == DType::kUInt8;
  if (table.dims.empty()) return InvalidInput("the table is a scalar");
  if (bytes && bits == 4) {
    table.dtype = DType::kUInt4;
    table.dims.back() *= 2;
  }
  ANEMONE_ASSIGN(const int64_t axis, NormalizeAxis(c.Int("quantize_axis", 1), c.Rank(0)));
  std::optional<onnx::Constant> zero;
  if (c.Has(3)) {
    zero = *c.Const(3);
    if (bytes && bits == 4) {
      zero->dtype = DType::kUInt4;
      if (zero->dims.empty()) return InvalidInput("the zero points are a scalar");
      // A row of blocks of an odd number ends in the middle of a byte.
      if (zero->dims.back() * 2 != c.Dims(2).back())
        return Unsupported("{} blocks, whose zero points fill their bytes in part",
                           c.Dims(2).back());
      zero->dims.back() *= 2;
    }
  } else if (bytes) {
    // Unsigned bytes stand for numbers around the middle.
    const std::vector<int64_t> middle(static_cast<size_t>(c.Const(2)->count()),
                                      bits == 4 ? 8 : 128);
    zero = IntegerConstant(table.dtype, middle, c.Dims(2));
  }
  Expansion e(c);
  const auto rows = e.Op("DequantizeLinear", {e.Known(table), e.In(2), zero ? e.Known(*zero) : ""},
                         {Int("axis", axis), Int("block_size", block)});
  return e.Finish({e.Op("Gather", {rows, e.In(1)}, {Int("axis", c.Int("gather_axis", 0))})});
}

}  // namespace anemone::ops::gather_scatter
