// PyTorch: quantized exports: PT2E's `quantized_decomposed.*`, and torchao's affine forms.
//
// What one scale serves along an axis is QuantizeLinear or DequantizeLinear, whose lowering keeps known
// tensors as constexpr operators, and quantizes at run time with `quantize` and `dequantize`. Scales
// that the run time computes (dynamic quantization) are arithmetic on whole numbers.
#include <algorithm>
#include <cmath>
#include <limits>

#include "onnx/quantized.h"
#include "ops/ops.h"
#include "torch/context.h"
#include "torch/converter.h"

namespace anemone::ops::constexpr_ops {
namespace {

using namespace torch;            // NOLINT: a converter file speaks both
using namespace onnx::attribute;  // NOLINT

// ---- The integers of a quantized tensor.

struct Integers {
  DType type = DType::kInt8;
  int64_t low = -128, high = 127;  // what is used of the type

  bool narrow() const { return low > Lowest(type) || high < Highest(type); }
  static int64_t Lowest(DType type) {
    return IsSignedInt(type) ? -(int64_t{1} << (BitWidth(type) - 1)) : 0;
  }
  static int64_t Highest(DType type) {
    return (int64_t{1} << (BitWidth(type) - (IsSignedInt(type) ? 1 : 0))) - 1;
  }
};

Result<Integers> ReadIntegers(Context& c, std::string_view type_name) {
  Integers integers;
  const auto type = c.Type(type_name);
  if (!type || !IsInt(*type) || BitWidth(*type) > 32)
    return Unsupported("quantization to a type that is no integer of up to 32 bits");
  integers.type = *type;
  integers.low = Integers::Lowest(*type);
  integers.high = Integers::Highest(*type);
  if (c.Has("quant_min") && !c.IsTensor("quant_min"))
    integers.low = std::max(integers.low, c.Int("quant_min", integers.low));
  if (c.Has("quant_max") && !c.IsTensor("quant_max"))
    integers.high = std::min(integers.high, c.Int("quant_max", integers.high));
  if (integers.low > 0 || integers.high < integers.low)
    return InvalidInput("a range from {} to {}", integers.low, integers.high);
  return integers;
}

// ---- Scale and zero point.

struct Scale {
  std::string scale, zero;  // zero: with the type of the integers
  int64_t axis = 0;         // of scales that are not one
  int64_t block = 0;        // elements along the axis that share one; 0: each has its own
  int64_t rank = 0;         // of the tensor that is quantized
  bool one = true;          // a scale for the whole tensor
};

// Numbers, or tensors of one element.
Scale TensorScale(Context& c, const Integers& integers) {
  Scale s;
  if (c.IsTensor("scale")) {
    s.scale = c.Reshape(c.FloatIn("scale"), {});
    s.zero = c.Cast(c.Reshape(c.Need("zero_point"), {}), integers.type);
    return s;
  }
  s.scale = c.Number(c.Number("scale", 1));
  s.zero = c.Known(onnx::IntegerConstant(integers.type, {c.Int("zero_point", 0)}, {}));
  return s;
}

// `count` scales along an axis.
Scale ChannelScale(Context& c, const Integers& integers, std::string_view scale,
                   std::string_view zero, int64_t axis, int64_t rank, int64_t count) {
  Scale s{.scale = c.Reshape(c.FloatIn(scale), {count}),
          .zero = {},
          .axis = axis,
          .rank = rank,
          .one = false};
  const std::vector<int64_t> zeros(static_cast<size_t>(std::max<int64_t>(count, 0)), 0);
  s.zero = c.Has(zero) ? c.Cast(c.Reshape(c.Need(zero), {count}), integers.type)
                       : c.Known(onnx::IntegerConstant(integers.type, zeros, {count}));
  return s;
}

// A float value for each scale, in the place where it broadcasts over the tensor.
std::string Along(Context& c, std::string value, const Scale& s) {
  if (s.one) return value;
  std::vector<int64_t> dims(static_cast<size_t>(s.rank), 1);
  dims[static_cast<size_t>(s.axis)] = -1;
  return c.Reshape(std::move(value), dims);
}

std::vector<onnx::Attribute> AttributesOf(const Scale& s) {
  std::vector<onnx::Attribute> attributes = {Int("axis", s.axis)};
  if (s.block > 0) attributes.push_back(Int("block_size", s.block));
  return attributes;
}

std::string Quantized(Context& c, std::string x, const Scale& s, const Integers& integers) {
  // QuantizeLinear cuts off at the ends of the type: a narrower range is cut off before.
  if (integers.narrow()) {
    const auto zero = c.Cast(s.zero, DType::kFp32);
    const auto bound = [&](int64_t at) {
      const auto steps = c.Op("Sub", {c.Number(static_cast<double>(at)), zero});
      return Along(c, c.Op("Mul", {steps, s.scale}), s);
    };
    x = c.Op("Min", {c.Op("Max", {x, bound(integers.low)}), bound(integers.high)});
  }
  return c.Op("QuantizeLinear", {x, s.scale, s.zero}, AttributesOf(s));
}

// By a scale that the run time computes, as PyTorch rounds: times the reciprocal, then whole steps.
std::string QuantizedAtRunTime(Context& c, const std::string& x, const std::string& scale,
                               const std::string& zero, const Integers& integers) {
  auto y = c.Op("Mul", {x, c.Op("Div", {c.Number(1), scale})});
  if (!zero.empty()) y = c.Op("Add", {c.Op("Round", {y}), zero});
  const Scale one{.scale = c.Number(1),
                  .zero = c.Known(onnx::IntegerConstant(integers.type, {0}, {}))};
  return Quantized(c, y, one, integers);
}

Status EmitQuantizeTensor(Context& c) {
  ANEMONE_ASSIGN(const Integers integers, ReadIntegers(c, "dtype"));
  if (c.IsTensor("scale") && !c.IsHeld("scale")) {
    const auto scalar = [&](std::string_view name) { return c.Reshape(c.FloatIn(name), {}); };
    return c.Set(0, QuantizedAtRunTime(c, c.FloatIn("input"), scalar("scale"), scalar("zero_point"),
                                       integers));
  }
  return c.Set(0, Quantized(c, c.FloatIn("input"), TensorScale(c, integers), integers));
}

Status EmitDequantizeTensor(Context& c) {
  ANEMONE_ASSIGN(const Integers integers, ReadIntegers(c, "dtype"));
  const Scale s = TensorScale(c, integers);
  return c.Set(0, c.Op("DequantizeLinear", {c.Need("input"), s.scale, s.zero}, AttributesOf(s)));
}

Result<Scale> ReadChannels(Context& c, const Integers& integers) {
  const int64_t rank = c.Rank("input");
  const int64_t axis = c.Axis("axis", 0, rank);
  ANEMONE_TRY(c.status());
  const int64_t count = c.FixedDim("input", axis);
  ANEMONE_TRY(c.status());
  return ChannelScale(c, integers, "scales", "zero_points", axis, rank, count);
}

Status EmitQuantizeChannel(Context& c) {
  ANEMONE_ASSIGN(const Integers integers, ReadIntegers(c, "dtype"));
  ANEMONE_ASSIGN(const Scale s, ReadChannels(c, integers));
  return c.Set(0, Quantized(c, c.FloatIn("input"), s, integers));
}

Status EmitDequantizeChannel(Context& c) {
  ANEMONE_ASSIGN(const Integers integers, ReadIntegers(c, "dtype"));
  ANEMONE_ASSIGN(const Scale s, ReadChannels(c, integers));
  return c.Set(0, c.Op("DequantizeLinear", {c.Need("input"), s.scale, s.zero}, AttributesOf(s)));
}

// A matrix whose rows have a scale for each group of elements.
Status EmitDequantizeGroup(Context& c) {
  ANEMONE_ASSIGN(const Integers integers, ReadIntegers(c, "dtype"));
  const int64_t rows = c.FixedDim("w_int8", 0), columns = c.FixedDim("w_int8", 1);
  int64_t group = c.Int("group_size", 128);
  ANEMONE_TRY(c.status());
  if (c.Rank("w_int8") != 2 || group < 1 || columns % std::min(group, columns) != 0)
    return InvalidInput("groups of {} in a row of {}", group, columns);
  group = std::min(group, columns);
  const std::vector<int64_t> dims = {rows, columns / group};
  const auto scale = c.Reshape(c.FloatIn("scales"), dims);
  const auto zero = c.Has("zero_points")
                        ? c.Cast(c.Reshape(c.Need("zero_points"), dims), integers.type)
                        : std::string();
  return c.Set(0, c.Op("DequantizeLinear", {c.Need("w_int8"), scale, zero},
                       {Int("axis", 1), Int("block_size", group)}));
}

// ---- Scales that the run time computes: whole numbers in float.

std::string Clipped(Context& c, const std::string& x, int64_t low, int64_t high) {
  return c.Op("Clip", {x, c.Number(static_cast<double>(low)), c.Number(static_cast<double>(high))});
}

// The least and the greatest element with 0 between them, over `axes` (none: over all).
struct Extremes {
  std::string low, high;
};
Extremes ExtremesOf(Context& c, const std::string& x, const std::vector<int64_t>& axes) {
  const auto fold = [&](const char* op) {
    Values inputs = {x};
    if (!axes.empty()) inputs.push_back(c.Int64s(axes));
    return c.Op(op, inputs, {Int("keepdims", axes.empty() ? 0 : 1)});
  };
  return {c.Op("Min", {fold("ReduceMin"), c.Number(0)}),
          c.Op("Max", {fold("ReduceMax"), c.Number(0)})};
}

std::string AtLeast(Context& c, const std::string& x, double low) {
  return c.Op("Max", {x, c.Number(low)});
}

struct Chosen {
  std::string scale, zero;  // floats
};

// Zero in the middle, and the farther end at the end of the range.
Chosen Symmetric(Context& c, const Extremes& ends, const Integers& integers, double eps) {
  const auto most = c.Op("Max", {c.Op("Neg", {ends.low}), ends.high});
  const double steps = static_cast<double>(integers.high - integers.low) / 2;
  const auto scale = AtLeast(c, c.Op("Div", {most, c.Number(steps)}), eps);
  const double middle = IsSignedInt(integers.type) ? 0 : 128;
  return {scale, c.Number(middle)};
}

Chosen Asymmetric(Context& c, const Extremes& ends, const Integers& integers, double eps) {
  const auto steps = static_cast<double>(integers.high - integers.low);
  const auto scale =
      AtLeast(c, c.Op("Div", {c.Op("Sub", {ends.high, ends.low}), c.Number(steps)}), eps);
  const auto below = c.Op("Round", {c.Op("Div", {ends.low, scale})});
  const auto zero = c.Op("Sub", {c.Number(static_cast<double>(integers.low)), below});
  return {scale, Clipped(c, zero, integers.low, integers.high)};
}

// A symmetric zero point is one number for all.
Status SetChosen(Context& c, const Chosen& chosen, bool one_zero,
                 const std::vector<int64_t>& dims) {
  const auto zero =
      one_zero ? c.Op("Expand", {chosen.zero, c.Int64s(dims)}) : c.Reshape(chosen.zero, dims);
  ANEMONE_TRY(c.Set(0, c.Reshape(chosen.scale, dims)));
  return c.Set(1, c.OutCategory(1) == Category::kFloat ? zero : c.Cast(zero, DType::kInt64));
}

Status EmitChoose(Context& c) {
  Integers integers;
  ANEMONE_ASSIGN(integers, ReadIntegers(c, "dtype"));
  integers.low = c.Int("qmin", c.Int("quant_min", integers.low));
  integers.high = c.Int("qmax", c.Int("quant_max", integers.high));
  const double eps = c.Number("eps", std::numeric_limits<float>::epsilon());
  const Extremes ends = ExtremesOf(c, c.FloatIn("input"), {});
  const bool symmetric = c.node().target.find("symmetric") != std::string::npos;
  const Chosen chosen =
      symmetric ? Symmetric(c, ends, integers, eps) : Asymmetric(c, ends, integers, eps);
  return SetChosen(c, chosen, symmetric, {1});
}

// For the last dimension of each row. XNNPACK's choice of the zero point: from the end whose rounding
// errs less.
Status EmitChooseToken(Context& c) {
  const Integers integers{DType::kInt8, -128, 127};
  const Extremes ends = ExtremesOf(c, c.FloatIn("input"), {-1});
  auto scale = c.Op("Div", {c.Op("Sub", {ends.high, ends.low}), c.Number(255)});
  scale = AtLeast(c, scale, std::numeric_limits<float>::epsilon());
  const auto low = c.Op("Div", {ends.low, scale}), high = c.Op("Div", {ends.high, scale});
  const auto errors = c.Op("Add", {c.Op("Add", {low, high}),
                                   c.Number(static_cast<double>(integers.low + integers.high))});
  auto zero = c.Op("Where", {c.Op("Greater", {errors, c.Number(0)}),
                             c.Op("Sub", {c.Number(static_cast<double>(integers.low)), low}),
                             c.Op("Sub", {c.Number(static_cast<double>(integers.high)), high})});
  zero = c.Op("Round", {Clipped(c, zero, integers.low, integers.high)});
  ANEMONE_TRY(c.Set(0, scale));
  return c.Set(1, c.Cast(zero, DType::kInt64));
}

// Scales that broadcast over the tensor.
Status EmitQuantizeToken(Context& c) {
  ANEMONE_ASSIGN(const Integers integers, ReadIntegers(c, "dtype"));
  auto y = c.Op("Div", {c.FloatIn("input"), c.FloatIn("scales")});
  y = c.Op("Round", {c.Op("Add", {y, c.FloatIn("zero_points")})});
  return c.Set(0, c.Cast(Clipped(c, y, integers.low, integers.high), integers.type));
}

Status EmitDequantizeToken(Context& c) {
  const auto whole = c.Op("Sub", {c.FloatIn("input"), c.FloatIn("zero_points")});
  return c.Set(0, c.Op("Mul", {whole, c.FloatIn("scales")}));
}

// ---- torchao: a scale for each block of elements.

// How the blocks lie in the tensor: one for all, one for each element of an axis, or several along one.
Result<Scale> BlockScale(Context& c, const Integers& integers) {
  const int64_t rank = c.Rank("input");
  const auto block = c.Ints("block_size");
  ANEMONE_TRY(c.status());
  if (static_cast<int64_t>(block.size()) != rank)
    return InvalidInput("a block_size of {} numbers for a tensor of rank {}", block.size(), rank);
  const std::string domain = c.Text("zero_point_domain", "INT");
  if (domain == "FLOAT")
    return Unsupported("zero points that are floats").Advise("quantize with integer zero points");
  std::vector<int64_t> counts, divided;  // of blocks; the axes that have more than one
  std::vector<int64_t> dims;
  for (int64_t d = 0; d < rank; ++d) {
    const int64_t size = c.FixedDim("input", d), one = block[static_cast<size_t>(d)];
    ANEMONE_TRY(c.status());
    const int64_t length = one == -1 ? size : one;
    if (length < 1 || size % length != 0)
      return InvalidInput("blocks of {} in a dimension of {}", length, size);
    dims.push_back(size);
    counts.push_back(size / length);
    if (size / length > 1) divided.push_back(d);
  }
  if (divided.empty()) {
    Scale s{.scale = c.Reshape(c.FloatIn("scale"), {}), .zero = {}, .rank = rank};
    s.zero = c.Has("zero_point") ? c.Cast(c.Reshape(c.Need("zero_point"), {}), integers.type)
                                 : c.Known(onnx::IntegerConstant(integers.type, {0}, {}));
    return s;
  }
  if (divided.size() == 1 &&
      counts[static_cast<size_t>(divided[0])] == dims[static_cast<size_t>(divided[0])]) {
    return ChannelScale(c, integers, "scale", "zero_point", divided[0], rank,
                        dims[static_cast<size_t>(divided[0])]);
  }
  // One axis has blocks of several elements; every element of the others has scales of its own.
  Scale s{.scale = c.Reshape(c.FloatIn("scale"), counts),
          .zero = {},
          .axis = -1,
          .rank = rank,
          .one = false};
  for (int64_t d = 0; d < rank; ++d) {
    const auto i = static_cast<size_t>(d);
    if (counts[i] == dims[i]) continue;
    if (s.axis >= 0)
      return Unsupported("blocks of several elements along two dimensions")
          .Advise("quantize with groups along one dimension");
    s.axis = d;
    s.block = dims[i] / counts[i];
  }
  if (c.Has("zero_point")) {
    s.zero = c.Cast(c.Reshape(c.Need("zero_point"), counts), integers.type);
  } else {
    int64_t count = 1;
    for (const int64_t n : counts) count *= n;
    s.zero = c.Known(onnx::IntegerConstant(
        integers.type, std::vector<int64_t>(static_cast<size_t>(count), 0), counts));
  }
  return s;
}

Status EmitQuantizeAffine(Context& c) {
  ANEMONE_ASSIGN(const Integers integers, ReadIntegers(c, "output_dtype"));
  ANEMONE_ASSIGN(const Scale s, BlockScale(c, integers));
  if (!s.one && s.block == 0 && !c.IsHeld("scale")) {
    const auto zero = c.Has("zero_point") ? Along(c, c.FloatIn("zero_point"), s) : "";
    return c.Set(0,
                 QuantizedAtRunTime(c, c.FloatIn("input"), Along(c, s.scale, s), zero, integers));
  }
  if (s.block > 0 && integers.narrow())
    return Unsupported("blocks quantized at run time to a part of {}", DTypeName(integers.type));
  return c.Set(0, Quantized(c, c.FloatIn("input"), s, integers));
}

Status EmitDequantizeAffine(Context& c) {
  ANEMONE_ASSIGN(const Integers integers, ReadIntegers(c, "input_dtype"));
  ANEMONE_ASSIGN(const Scale s, BlockScale(c, integers));
  return c.Set(0, c.Op("DequantizeLinear", {c.Need("input"), s.scale, s.zero}, AttributesOf(s)));
}

// Scales of blocks that are whole rows, or everything.
Status EmitChooseAffine(Context& c) {
  ANEMONE_ASSIGN(const Integers integers, ReadIntegers(c, "target_dtype"));
  const auto block = c.Ints("block_size");
  const int64_t rank = c.Rank("input");
  ANEMONE_TRY(c.status());
  if (static_cast<int64_t>(block.size()) != rank)
    return InvalidInput("a block_size of {} numbers for a tensor of rank {}", block.size(), rank);
  std::vector<int64_t> axes;
  for (int64_t d = 0; d < rank; ++d) {
    const int64_t one = block[static_cast<size_t>(d)];
    if (one == 1) continue;
    const auto size = c.Dim("input", d);
    if (one != -1 && size != one)
      return Unsupported("scales of parts of a row, computed at run time");
    axes.push_back(d);
  }
  double eps = c.Number("eps", 0);
  if (!c.Has("eps")) eps = std::numeric_limits<float>::epsilon();
  const Extremes ends = ExtremesOf(c, c.FloatIn("input"), axes);
  const std::string mapping = c.Text("mapping_type", "ASYMMETRIC");
  if (mapping != "SYMMETRIC" && mapping != "ASYMMETRIC")
    return Unsupported("the mapping {}", mapping).Advise("quantize with SYMMETRIC or ASYMMETRIC");
  const auto dims = c.OutDims(0);
  if (!dims) return Unsupported("scales of a number that only the run time knows");
  const bool symmetric = mapping == "SYMMETRIC";
  const Chosen chosen =
      symmetric ? Symmetric(c, ends, integers, eps) : Asymmetric(c, ends, integers, eps);
  return SetChosen(c, chosen, symmetric, *dims);
}

constexpr Converter kConverters[] = {
    {.target = "quantized_decomposed.quantize_per_tensor.default", .emit = EmitQuantizeTensor},
    {.target = "quantized_decomposed.quantize_per_tensor.tensor", .emit = EmitQuantizeTensor},
    {.target = "quantized_decomposed.dequantize_per_tensor.default", .emit = EmitDequantizeTensor},
    {.target = "quantized_decomposed.dequantize_per_tensor.tensor", .emit = EmitDequantizeTensor},
    {.target = "quantized_decomposed.quantize_per_channel.default", .emit = EmitQuantizeChannel},
    {.target = "quantized_decomposed.dequantize_per_channel.default",
     .emit = EmitDequantizeChannel},
    {.target = "quantized_decomposed.dequantize_per_channel_group.default",
     .emit = EmitDequantizeGroup},
    {.target = "quantized_decomposed.choose_qparams.tensor", .emit = EmitChoose},
    {.target = "quantized_decomposed.choose_qparams_symmetric.tensor", .emit = EmitChoose},
    {.target = "quantized_decomposed.choose_qparams_per_token_asymmetric.default",
     .emit = EmitChooseToken},
    {.target = "quantized_decomposed._choose_qparams_per_token_asymmetric_impl.default",
     .emit = EmitChooseToken},
    {.target = "quantized_decomposed.quantize_per_token.default", .emit = EmitQuantizeToken},
    {.target = "quantized_decomposed.dequantize_per_token.default", .emit = EmitDequantizeToken},
    {.target = "torchao.quantize_affine.default", .emit = EmitQuantizeAffine},
    {.target = "torchao.dequantize_affine.default", .emit = EmitDequantizeAffine},
    {.target = "torchao.choose_qparams_affine.default", .emit = EmitChooseAffine},
};

}  // namespace

std::span<const torch::Converter> TorchConverters() { return kConverters; }

}  // namespace anemone::ops::constexpr_ops
