// conv and conv_transpose: definitions.
#include <fmt/core.h>

#include "ir/runtime_values.h"
#include "ir/spatial.h"
#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::conv {
namespace {

using ir::PadType;

// The two operators share these rules under their own labels.
struct Labels {
  std::string_view rank, steps, pad_type, pad, groups, bias, size, dtype;
};
constexpr Labels kConv{"conv_c1", "conv_c2", "conv_c3", "conv_c4",
                       "conv_c5", "conv_c6", "conv_c7", "conv_c8"};
constexpr Labels kTranspose{"conv_transpose_c1", "conv_transpose_c2", "conv_transpose_c3",
                            "conv_transpose_c4", "conv_transpose_c5", "conv_transpose_c6",
                            "conv_transpose_c7", "conv_transpose_c8"};

std::vector<int64_t> KernelSizes(const Type& weight) {
  return {weight.shape().begin() + 2, weight.shape().end()};
}

Status CheckRanks(const OpArgs& args, const Labels& labels) {
  const Type& x = args.TypeOf("x");
  const Type& weight = args.TypeOf("weight");
  if (x.rank() < 3 || x.rank() > 5 || weight.rank() != x.rank()) {
    return Violates(labels.rank, "x of rank {} with weight of rank {}", x.rank(), weight.rank());
  }
  for (size_t i = 0; i < weight.shape().size(); ++i) {
    if (weight.shape()[i] == kDynamic || weight.shape()[i] > 0) continue;
    return Violates(labels.rank, "weight has {} elements along dimension {}", weight.shape()[i], i);
  }
  return {};
}

Status CheckBias(const OpArgs& args, int64_t channels, std::string_view label) {
  if (!args.Has("bias")) return {};
  const Type& bias = args.TypeOf("bias");
  if (!bias.has_rank() || (bias.rank() == 1 && DimsAgree(bias.shape()[0], channels))) return {};
  return Violates(label, "bias of shape {} for {} output channels", ir::ShapeToString(bias.shape()),
                  channels);
}

// Until ios17 the parameters have the dtype of x; which of them must be constant until then
// differs.
Status CheckDTypes(const OpArgs& args, bool constant_weight, std::string_view label) {
  if (args.opset() >= Opset::kIOS17) return {};
  const DType dtype = args.TypeOf("x").dtype();
  for (std::string_view param : {"weight", "bias"}) {
    if (!args.Has(param)) continue;
    if (args.TypeOf(param).dtype() != dtype) {
      return Violates(label, "{} is {} and x is {}", param, DTypeName(args.TypeOf(param).dtype()),
                      DTypeName(dtype));
    }
    if ((param == "bias" || constant_weight) && !IsConstantArg(args, param)) {
      return Violates(label, "{} is known only at run time", param);
    }
  }
  return {};
}

Status InferConv(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  const Type& weight = args.TypeOf("weight");
  if (!x.has_rank() || !weight.has_rank()) {
    *outputs = {Type::UnrankedTensor(x.dtype())};
    return {};
  }
  ANEMONE_TRY(CheckRanks(args, kConv));
  ANEMONE_ASSIGN(ir::Windows windows, ir::ReadWindows(args, KernelSizes(weight),
                                                      {kConv.steps, kConv.pad_type, kConv.pad}));

  ANEMONE_ASSIGN(const int64_t groups, args.Int("groups"));
  const int64_t in_channels = x.shape()[1];
  const int64_t out_channels = weight.shape()[0];
  if (groups <= 0 || (out_channels > 0 && out_channels % groups != 0)) {
    return Violates(kConv.groups, "{} groups do not divide {} output channels", groups,
                    out_channels);
  }
  if (in_channels >= 0 && in_channels % groups != 0) {
    return Violates(kConv.groups, "{} groups do not divide {} input channels", groups, in_channels);
  }
  if (in_channels >= 0 && !DimsAgree(weight.shape()[1], in_channels / groups)) {
    return Violates(kConv.groups, "weight takes {} channels a group, x has {} in {} groups",
                    weight.shape()[1], in_channels, groups);
  }
  ANEMONE_TRY(CheckBias(args, out_channels, kConv.bias));
  ANEMONE_TRY(CheckDTypes(args, /*constant_weight=*/false, kConv.dtype));

  Shape shape = {x.shape()[0], out_channels};
  for (size_t i = 0; i < windows.dims.size(); ++i) {
    ir::WindowDim& dim = windows.dims[i];
    if (dim.dilation > 1 && !IsConstantArg(args, "weight")) {
      return Violates("conv_c9", "dilation {} with a weight known only at run time", dim.dilation);
    }
    if (dim.kernel == kDynamic) {
      shape.push_back(kDynamic);
      continue;
    }
    Status placed = ir::PlaceWindow(x.shape()[i + 2], windows.pad_type, /*ceil_mode=*/false, &dim);
    if (!placed.ok()) {
      return Violates(kConv.size, "spatial dimension {}: {}", i, placed.error().message());
    }
    shape.push_back(dim.output);
  }
  *outputs = {Type::Tensor(x.dtype(), std::move(shape))};
  return {};
}

// Each output element meets every weight of its output channel; adding the bias is not counted.
OpCost ConvCost(const OpArgs& args, std::span<const Type> outputs) {
  const Shape& weight = args.TypeOf("weight").shape();
  const int64_t taps = weight.empty() ? 0 : CostProduct(std::span(weight).subspan(1));
  return {CostProduct({OutputElements(outputs), taps, 2})};
}

// The spatial sizes of `output_shape`, which names batch and channels too.
Result<Shape> GivenOutputShape(const OpArgs& args, int64_t batch, int64_t channels) {
  constexpr std::string_view kLabel = "conv_transpose_c9";
  ANEMONE_ASSIGN(const std::vector<int64_t> given, args.Ints("output_shape"));
  const auto rank = static_cast<size_t>(args.TypeOf("x").rank());
  if (given.size() != rank)
    return Violates(kLabel, "output_shape has {} sizes for rank {}", given.size(), rank);
  if (!DimsAgree(given[0], batch) || !DimsAgree(given[1], channels)) {
    return Violates(kLabel, "output_shape begins with {}, {}, not with batch {} and {} channels",
                    given[0], given[1], batch, channels);
  }
  for (size_t i = 2; i < rank; ++i) {
    if (given[i] <= 0)
      return Violates(kLabel, "output_shape holds {}, which is not positive", given[i]);
  }
  return Shape(given.begin(), given.end());
}

// (input - 1) * stride + extent - padding, or input * stride for `same`; kDynamic when the input
// is.
Result<int64_t> TransposedSize(int64_t input, PadType pad_type, const ir::WindowDim& dim) {
  if (input < 0 || dim.kernel < 0) return kDynamic;
  int64_t size;
  if (pad_type == PadType::kSame) {
    if (!__builtin_mul_overflow(input, dim.stride, &size)) return size;
  } else {
    int64_t extent;
    if (!__builtin_mul_overflow(dim.kernel - 1, dim.dilation, &extent) &&
        !__builtin_mul_overflow(input - 1, dim.stride, &size) &&
        !__builtin_add_overflow(size, extent, &size) &&
        !__builtin_add_overflow(size, int64_t{1}, &size)) {
      return pad_type == PadType::kCustom ? size - dim.pad_before - dim.pad_after : size;
    }
  }
  return InvalidInput("the output size overflows");
}

Status InferConvTranspose(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& x = args.TypeOf("x");
  const Type& weight = args.TypeOf("weight");
  if (!x.has_rank() || !weight.has_rank()) {
    *outputs = {Type::UnrankedTensor(x.dtype())};
    return {};
  }
  ANEMONE_TRY(CheckRanks(args, kTranspose));
  ANEMONE_ASSIGN(const ir::Windows windows,
                 ir::ReadWindows(args, KernelSizes(weight),
                                 {kTranspose.steps, kTranspose.pad_type, kTranspose.pad}));
  if (windows.pad_type == PadType::kSameLower) {
    return Violates(kTranspose.pad_type, "pad_type same_lower is not for transposed convolution");
  }

  ANEMONE_ASSIGN(const int64_t groups, args.Int("groups"));
  const int64_t in_channels = x.shape()[1];
  if (groups <= 0 || (in_channels >= 0 && in_channels % groups != 0)) {
    return Violates(kTranspose.groups, "{} groups do not divide {} input channels", groups,
                    in_channels);
  }
  if (!DimsAgree(weight.shape()[0], in_channels)) {
    return Violates(kTranspose.groups, "weight takes {} channels, x has {}", weight.shape()[0],
                    in_channels);
  }
  Result<int64_t> out_channels = MulDims(weight.shape()[1], groups);
  if (!out_channels.ok()) {
    return Violates(kTranspose.groups, "output channels: {}", out_channels.error().message());
  }
  ANEMONE_TRY(CheckBias(args, *out_channels, kTranspose.bias));
  ANEMONE_TRY(CheckDTypes(args, /*constant_weight=*/true, kTranspose.dtype));

  Shape shape = {x.shape()[0], *out_channels};
  if (args.Has("output_shape")) {
    ANEMONE_ASSIGN(shape, GivenOutputShape(args, x.shape()[0], *out_channels));
  } else {
    for (size_t i = 0; i < windows.dims.size(); ++i) {
      Result<int64_t> size = TransposedSize(x.shape()[i + 2], windows.pad_type, windows.dims[i]);
      if (!size.ok())
        return Violates(kTranspose.size, "spatial dimension {}: {}", i, size.error().message());
      if (*size != kDynamic && *size <= 0) {
        return Violates(kTranspose.size, "spatial dimension {} would have {} elements", i, *size);
      }
      shape.push_back(*size);
    }
  }
  *outputs = {Type::Tensor(x.dtype(), std::move(shape))};
  return {};
}

// Each input element meets every weight of its input channel.
OpCost ConvTransposeCost(const OpArgs& args, std::span<const Type>) {
  const Shape& weight = args.TypeOf("weight").shape();
  const int64_t taps = weight.empty() ? 0 : CostProduct(std::span(weight).subspan(1));
  return {CostProduct({ElementsOf(args, "x"), taps, 2})};
}

constexpr TypeDomain kFloatT{"T", "fp16 fp32"};
constexpr TypeDomain kFloatU{"U", "fp16 fp32"};

Param Steps(std::string_view name) {
  return {.name = name,
          .types = "int32",
          .required = false,
          .constant = true,
          .default_fn = ir::OnesForSpatialDims};
}

}  // namespace

std::vector<ir::OpDef> Defs() {
  const Param pad_type{.name = "pad_type",
                       .types = "string",
                       .required = false,
                       .constant = true,
                       .default_text = "\"valid\""};
  const Param pad{.name = "pad",
                  .types = "int32",
                  .required = false,
                  .constant = true,
                  .default_fn = ir::ZeroPadForSpatialDims};
  const Param groups{
      .name = "groups", .types = "int32", .required = false, .constant = true, .default_text = "1"};
  return {
      {.name = "conv",
       .doc = "Convolution over 1, 2 or 3 spatial dimensions (cross-correlation: the kernel is "
              "not flipped). x is [n, C_in, d...], weight [C_out, C_in / groups, k...], the "
              "result [n, C_out, (d + pads - ((k - 1) * dilation + 1)) / stride + 1 ...], each "
              "output channel seeing the input channels of its own group.",
       .params = {{.name = "x", .types = "T"},
                  {.name = "weight", .types = "U"},
                  {.name = "bias", .types = "U", .required = false},
                  Steps("strides"),
                  pad_type,
                  pad,
                  Steps("dilations"),
                  groups},
       .domains = {kFloatT, kFloatU},
       .constraints =
           {{kConv.rank, "x has rank 3, 4 or 5; weight has that rank too and no empty dimension"},
            {kConv.steps,
             "strides and dilations hold one positive value for each spatial dimension"},
            {kConv.pad_type, "pad_type is valid, same or custom, or from ios16 on same_lower"},
            {kConv.pad,
             "with pad_type custom, pad holds two values >= 0 for each spatial dimension"},
            {kConv.groups,
             "groups divides C_in and C_out, and weight has C_in / groups input channels"},
            {kConv.bias, "bias has rank 1 and C_out elements"},
            {kConv.size, "the dilated kernel fits into the padded input along every dimension"},
            {kConv.dtype,
             "before ios17, weight and bias have the dtype of x, and bias is constant"},
            {"conv_c9", "a dilated convolution has a constant weight"}},
       .infer = InferConv,
       .cost = ConvCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
      {.name = "conv_transpose",
       .doc = "Transposed convolution (the gradient of conv with respect to its input). x is [n, "
              "C_in, d...], weight [C_in, C_out / groups, k...]: each input element adds its "
              "weighted kernel to the output at its position times the stride. Output sizes are "
              "(d - 1) * stride + (k - 1) * dilation + 1 - pads, d * stride for pad_type same, or "
              "those of output_shape.",
       .params = {{.name = "x", .types = "T"},
                  {.name = "weight", .types = "U"},
                  {.name = "bias", .types = "U", .required = false},
                  pad,
                  {.name = "output_shape", .types = "int32", .required = false, .constant = true},
                  pad_type,
                  Steps("strides"),
                  Steps("dilations"),
                  groups},
       .domains = {kFloatT, kFloatU},
       .constraints =
           {{kTranspose.rank,
             "x has rank 3, 4 or 5; weight has that rank too and no empty dimension"},
            {kTranspose.steps,
             "strides and dilations hold one positive value for each spatial dimension"},
            {kTranspose.pad_type, "pad_type is valid, same or custom"},
            {kTranspose.pad,
             "with pad_type custom, pad holds two values >= 0 for each spatial dimension"},
            {kTranspose.groups, "groups divides C_in, and weight has C_in input channels"},
            {kTranspose.bias, "bias has rank 1 and C_out elements"},
            {kTranspose.size, "every output size is positive"},
            {kTranspose.dtype,
             "before ios17, weight and bias have the dtype of x and are constant"},
            {"conv_transpose_c9",
             "output_shape holds the batch, C_out and a positive size for each spatial dimension"}},
       .infer = InferConvTranspose,
       .cost = ConvTransposeCost,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)},
  };
}

}  // namespace anemone::ops::conv
