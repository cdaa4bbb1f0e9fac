// Compressed constants (constexpr_*) and run-time quantization: definitions.
#include <bit>
#include <cmath>

#include "ops/constexpr_ops/layout.h"
#include "ops/infer.h"
#include "ops/ops.h"

namespace anemone::ops::constexpr_ops {
namespace {

constexpr std::string_view kDense = "int8 uint8 fp16 fp32";
constexpr std::string_view kDenseFrom18 = "int4 uint4";
constexpr std::string_view kSource = "int4 uint4 int8 uint8 fp16 fp32";
constexpr std::string_view kSubByteIndices = "uint1 uint2 uint3 uint4 uint6";
constexpr TypeDomain kFloat{"DstT", "fp16 fp32"};

Param ConstantParam(std::string_view name, std::string_view types) {
  return {.name = name, .types = types, .constant = true};
}
Param MayBeConstant(std::string_view name, std::string_view types, Opset since = Opset::kIOS15) {
  return {.name = name, .types = types, .required = false, .constant = true, .since = since};
}

// ---- constexpr_affine_dequantize, constexpr_cast ----

Status InferAffineDequantize(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& data = args.TypeOf("quantized_data");
  ANEMONE_ASSIGN(int64_t axis, args.Int("axis"));
  ANEMONE_ASSIGN(axis, NormalizeAxis("constexpr_affine_dequantize_c1", axis, data.rank()));
  for (std::string_view param : {"scale", "zero_point"}) {
    const Type& type = args.TypeOf(param);
    const bool vector =
        type.rank() == 1 && DimsAgree(type.shape()[0], data.shape()[static_cast<size_t>(axis)]);
    if (type.rank() == 0 || vector) continue;
    return Violates("constexpr_affine_dequantize_c2",
                    "{} has shape {} for axis {} of data of shape {}", param,
                    ir::ShapeToString(type.shape()), axis, ir::ShapeToString(data.shape()));
  }
  *outputs = {Type::Tensor(args.TypeOf("scale").dtype(), data.shape())};
  return {};
}

Status InferCast(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(const std::string dtype, args.String("output_dtype"));
  if (dtype != "fp32") return Violates("constexpr_cast_c1", "output_dtype is \"{}\"", dtype);
  *outputs = {Type::Tensor(DType::kFp32, args.TypeOf("source_val").shape())};
  return {};
}

// ---- the flat forms of ios16 and ios17: packed bytes and a shape ----

// The shape that `shape` spells out, with a known number of elements.
Result<Shape> SpelledShape(const OpArgs& args, std::string_view label) {
  if (!args.Has("shape")) return Violates(label, "shape is missing before ios18");
  ANEMONE_ASSIGN(const Shape shape, args.Ints("shape"));
  if (args.TypeOf("shape").rank() != 1 || !ir::ElementCount(shape)) {
    return Violates(label, "shape is {}", ir::ShapeToString(shape));
  }
  return shape;
}

Status InferFlatLut(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& indices = args.TypeOf("indices");
  const Type& lut = args.TypeOf("lut");
  if (indices.dtype() != DType::kUInt8 || indices.rank() != 1 || lut.rank() != 1) {
    return Violates("constexpr_lut_to_dense_c1",
                    "indices of type {} with lut of type {} before ios18", indices.ToString(),
                    lut.ToString());
  }
  const int64_t entries = lut.shape()[0];
  if (entries != 2 && entries != 4 && entries != 16 && entries != 64 && entries != 256) {
    return Violates("constexpr_lut_to_dense_c2", "lut has {} entries", entries);
  }
  ANEMONE_ASSIGN(const Shape shape, SpelledShape(args, "constexpr_lut_to_dense_c3"));
  const int64_t bits = std::countr_zero(static_cast<uint64_t>(entries));
  const std::optional<int64_t> bytes = PackedBytes(*ir::ElementCount(shape), bits);
  if (!bytes || indices.shape()[0] != *bytes) {
    return Violates("constexpr_lut_to_dense_c3", "{} bytes of indices for {} elements of {} bits",
                    indices.shape()[0], *ir::ElementCount(shape), bits);
  }
  *outputs = {Type::Tensor(lut.dtype(), shape)};
  return {};
}

// Bits set in the first `count` bits of `bytes`, and whether any is set after them.
struct BitCount {
  int64_t set = 0;
  bool beyond = false;
};
BitCount CountBits(std::span<const uint8_t> bytes, int64_t count) {
  BitCount result;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int64_t left = count - static_cast<int64_t>(i) * 8;
    const unsigned mask = left >= 8 ? 0xFFu : left <= 0 ? 0u : (1u << left) - 1;
    result.set += std::popcount(bytes[i] & mask);
    result.beyond |= (bytes[i] & ~mask & 0xFFu) != 0;
  }
  return result;
}

// As many values as bits of the mask are set, checked where the mask is known.
Status CheckMaskBits(const OpArgs& args, std::string_view mask, int64_t elements,
                     const Type& values, std::string_view label) {
  if (values.rank() != 1) return Violates(label, "nonzero data has rank {}", values.rank());
  const ir::Literal* known = args.ValueOf(mask);
  if (known == nullptr) return {};
  const BitCount bits = CountBits(known->As<uint8_t>(), elements);
  if (bits.beyond) return Violates(label, "bits are set behind the last of {} elements", elements);
  if (DimsAgree(bits.set, values.shape()[0])) return {};
  return Violates(label, "{} values for {} bits that are set", values.shape()[0], bits.set);
}

Status InferFlatSparse(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& mask = args.TypeOf("mask");
  const Type& values = args.TypeOf("nonzero_data");
  if (mask.dtype() != DType::kUInt8 || mask.rank() != 1) {
    return Violates("constexpr_sparse_to_dense_c1", "mask of type {} before ios18",
                    mask.ToString());
  }
  ANEMONE_ASSIGN(const Shape shape, SpelledShape(args, "constexpr_sparse_to_dense_c2"));
  const int64_t elements = *ir::ElementCount(shape);
  if (mask.shape()[0] != PackedBytes(elements, 1)) {
    return Violates("constexpr_sparse_to_dense_c2", "{} bytes of mask for {} elements",
                    mask.shape()[0], elements);
  }
  ANEMONE_TRY(CheckMaskBits(args, "mask", elements, values, "constexpr_sparse_to_dense_c3"));
  *outputs = {Type::Tensor(values.dtype(), shape)};
  return {};
}

// ---- the shaped forms of ios18 ----

// Whether each dimension of `data` is a multiple of that of `blocks`.
bool DividesInto(const Shape& blocks, const Shape& data) {
  for (size_t i = 0; i < data.size(); ++i) {
    if (data[i] < 0 || blocks[i] < 0) continue;
    if (blocks[i] == 0 || data[i] % blocks[i] != 0) return false;
  }
  return true;
}

// Rules of a lookup table for `indices`, and the shape that indices make with it.
Result<Shape> LookedUpShape(const OpArgs& args, const Shape& indices, DType index_dtype,
                            std::string_view shape_label, std::string_view entries_label,
                            std::string_view axis_label) {
  const Shape& lut = args.TypeOf("lut").shape();
  const size_t rank = indices.size();
  if (rank < 1 || lut.size() != rank + 2 || !DividesInto({lut.begin(), lut.end() - 2}, indices)) {
    return Violates(shape_label, "lut of shape {} for indices of shape {}", ir::ShapeToString(lut),
                    ir::ShapeToString(indices));
  }
  const int64_t entries = lut[rank], vector_size = lut[rank + 1];
  if (entries != int64_t{1} << BitWidth(index_dtype) || vector_size < 1) {
    return Violates(entries_label, "{} entries of {} values for indices of type {}", entries,
                    vector_size, DTypeName(index_dtype));
  }
  Shape shape = indices;
  if (!args.Has("vector_axis")) {
    if (vector_size > 1)
      return Violates(axis_label, "vectors of {} values without vector_axis", vector_size);
    return shape;
  }
  ANEMONE_ASSIGN(int64_t axis, args.Int("vector_axis"));
  ANEMONE_ASSIGN(axis, NormalizeAxis(axis_label, axis, static_cast<int64_t>(rank)));
  ANEMONE_ASSIGN(shape[static_cast<size_t>(axis)],
                 MulDims(shape[static_cast<size_t>(axis)], vector_size));
  return shape;
}

Status InferLutToDense(const OpArgs& args, std::vector<Type>* outputs) {
  if (args.opset() < Opset::kIOS18) return InferFlatLut(args, outputs);
  if (args.Has("shape"))
    return Violates("constexpr_lut_to_dense_c3", "shape is given from ios18 on");
  const Type& indices = args.TypeOf("indices");
  ANEMONE_ASSIGN(Shape shape,
                 LookedUpShape(args, indices.shape(), indices.dtype(), "constexpr_lut_to_dense_c4",
                               "constexpr_lut_to_dense_c5", "constexpr_lut_to_dense_c6"));
  *outputs = {Type::Tensor(args.TypeOf("lut").dtype(), std::move(shape))};
  return {};
}

Status InferSparseToDense(const OpArgs& args, std::vector<Type>* outputs) {
  if (args.opset() < Opset::kIOS18) return InferFlatSparse(args, outputs);
  const Type& mask = args.TypeOf("mask");
  const Type& values = args.TypeOf("nonzero_data");
  if (mask.dtype() != DType::kUInt1) {
    return Violates("constexpr_sparse_to_dense_c1", "mask of type {} from ios18 on",
                    mask.ToString());
  }
  if (args.Has("shape"))
    return Violates("constexpr_sparse_to_dense_c2", "shape is given from ios18 on");
  ANEMONE_TRY(CheckMaskBits(args, "mask", mask.element_count().value_or(0), values,
                            "constexpr_sparse_to_dense_c3"));
  *outputs = {Type::Tensor(values.dtype(), mask.shape())};
  return {};
}

// Rules of scale and offset for data of `shape`.
Status CheckShiftScale(const OpArgs& args, const Shape& shape, DType data_dtype,
                       std::string_view scale_label, std::string_view offset_label) {
  const Type& scale = args.TypeOf("scale");
  if (shape.empty() || scale.shape().size() != shape.size() || !DividesInto(scale.shape(), shape)) {
    return Violates(scale_label, "scale of shape {} for data of shape {}",
                    ir::ShapeToString(scale.shape()), ir::ShapeToString(shape));
  }
  if (!args.Has("offset")) return {};
  const Type& offset = args.TypeOf("offset");
  if (!(offset.shape() == scale.shape())) {
    return Violates(offset_label, "offset of shape {} for scale of shape {}",
                    ir::ShapeToString(offset.shape()), ir::ShapeToString(scale.shape()));
  }
  if (!IsFloat(offset.dtype()) && offset.dtype() != data_dtype) {
    return Violates(offset_label, "offset is {} and data is {}", DTypeName(offset.dtype()),
                    DTypeName(data_dtype));
  }
  return {};
}

Status InferShiftScale(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& data = args.TypeOf("data");
  ANEMONE_TRY(CheckShiftScale(args, data.shape(), data.dtype(),
                              "constexpr_blockwise_shift_scale_c1",
                              "constexpr_blockwise_shift_scale_c2"));
  *outputs = {Type::Tensor(args.TypeOf("scale").dtype(), data.shape())};
  return {};
}

Status InferSparseShiftScale(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& mask = args.TypeOf("data_mask");
  const Type& values = args.TypeOf("nonzero_data");
  ANEMONE_TRY(CheckMaskBits(args, "data_mask", mask.element_count().value_or(0), values,
                            "constexpr_sparse_blockwise_shift_scale_c1"));
  ANEMONE_TRY(CheckShiftScale(args, mask.shape(), values.dtype(),
                              "constexpr_sparse_blockwise_shift_scale_c2",
                              "constexpr_sparse_blockwise_shift_scale_c3"));
  *outputs = {mask, Type::Tensor(args.TypeOf("scale").dtype(), values.shape())};
  return {};
}

Status InferLutToSparse(const OpArgs& args, std::vector<Type>* outputs) {
  const Type& mask = args.TypeOf("indices_mask");
  const Type& indices = args.TypeOf("indices_nonzero_data");
  const Type& lut = args.TypeOf("lut");
  ANEMONE_TRY(CheckMaskBits(args, "indices_mask", mask.element_count().value_or(0), indices,
                            "constexpr_lut_to_sparse_c1"));
  ANEMONE_ASSIGN(Shape shape,
                 LookedUpShape(args, mask.shape(), indices.dtype(), "constexpr_lut_to_sparse_c2",
                               "constexpr_lut_to_sparse_c3", "constexpr_lut_to_sparse_c4"));
  ANEMONE_ASSIGN(const int64_t count, MulDims(indices.shape()[0], lut.shape().back()));
  *outputs = {Type::Tensor(DType::kUInt1, std::move(shape)), Type::Tensor(lut.dtype(), {count})};
  return {};
}

// ---- quantize, dequantize ----

Status CheckScaleAndZeroPoint(const OpArgs& args) {
  constexpr std::string_view kLabel = "quantization_c1";
  const Type& input = args.TypeOf("input");
  const Type& scale = args.TypeOf("scale");
  const bool has_zero_point = args.Has("zero_point");
  if (scale.rank() > 1 || (has_zero_point && args.TypeOf("zero_point").rank() != scale.rank())) {
    return Violates(kLabel, "scale of rank {}, zero_point of rank {}", scale.rank(),
                    has_zero_point ? args.TypeOf("zero_point").rank() : scale.rank());
  }
  if (scale.rank() == 0) {
    if (args.Has("axis")) return Violates(kLabel, "axis is given with a scalar scale");
    return {};
  }
  if (!args.Has("axis")) return Violates(kLabel, "axis is missing for a scale of rank 1");
  if (!input.has_rank()) return {};
  ANEMONE_ASSIGN(int64_t axis, args.Int("axis"));
  ANEMONE_ASSIGN(axis, NormalizeAxis(kLabel, axis, input.rank()));
  const int64_t size = input.shape()[static_cast<size_t>(axis)];
  for (std::string_view param : {"scale", "zero_point"}) {
    if (!args.Has(param) || DimsAgree(args.TypeOf(param).shape()[0], size)) continue;
    return Violates(kLabel, "{} has {} values for {} along axis {}", param,
                    args.TypeOf(param).shape()[0], size, axis);
  }
  return {};
}

Type LikeInput(const OpArgs& args, DType dtype) {
  const Type& input = args.TypeOf("input");
  return input.has_rank() ? Type::Tensor(dtype, input.shape()) : Type::UnrankedTensor(dtype);
}

Status InferQuantize(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_ASSIGN(const std::string name, args.String("output_dtype"));
  const std::optional<DType> dtype = DTypeFromName(name);
  if (dtype != DType::kInt8 && dtype != DType::kUInt8) {
    return Violates("quantize_c1", "output_dtype is \"{}\"", name);
  }
  if (args.Has("zero_point") && args.TypeOf("zero_point").dtype() != *dtype) {
    return Violates("quantize_c2", "zero_point is {} and output_dtype {}",
                    DTypeName(args.TypeOf("zero_point").dtype()), name);
  }
  if (const ir::Literal* scale = args.ValueOf("scale")) {
    bool zero = true;
    for (double value : scale->AsDoubles().value_or(std::vector<double>()))
      zero = zero && value == 0;
    if (zero) return Violates("quantize_c3", "scale is 0");
  }
  ANEMONE_TRY(CheckScaleAndZeroPoint(args));
  *outputs = {LikeInput(args, *dtype)};
  return {};
}

Status InferDequantize(const OpArgs& args, std::vector<Type>* outputs) {
  ANEMONE_TRY(CheckScaleAndZeroPoint(args));
  *outputs = {LikeInput(args, args.TypeOf("scale").dtype())};
  return {};
}

OpCost TwoFlops(const OpArgs&, std::span<const Type> outputs) {
  return {CostProduct({OutputElements(outputs), 2})};
}

// A definition evaluated when the model is loaded: no arithmetic at run time.
OpDef Constexpr(OpDef def) {
  def.cost = NoCost;
  def.constexpr_op = true;
  return def;
}

}  // namespace

std::vector<OpDef> Defs() {
  const Constraint scale_fits{"quantization_c1",
                              "scale and zero_point are scalars, without axis, or have one value "
                              "for each element along axis"};
  return {
      Constexpr(
          {.name = "constexpr_affine_dequantize",
           .doc = "scale * (quantized_data - zero_point); scale and zero_point are scalars or run "
                  "along `axis`.",
           .since = Opset::kIOS16,
           .params = {ConstantParam("quantized_data", "SrcT"),
                      ConstantParam("zero_point", "ZeroPointT"), ConstantParam("scale", "DstT"),
                      ConstantParam("axis", "int32")},
           .domains = {{"SrcT", "uint8 int8"}, {"ZeroPointT", "uint8 int8 fp32"}, kFloat},
           .constraints =
               {{"constexpr_affine_dequantize_c1", "axis lies in [-rank, rank)"},
                {"constexpr_affine_dequantize_c2",
                 "scale and zero_point are scalars or have one value for each element along axis"}},
           .infer = InferAffineDequantize,
           .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)}),
      Constexpr(
          {.name = "constexpr_cast",
           .doc = "source_val, kept in half precision, as float32.",
           .since = Opset::kIOS16,
           .params = {ConstantParam("source_val", "fp16"), ConstantParam("output_dtype", "string")},
           .constraints = {{"constexpr_cast_c1", "output_dtype is fp32"}},
           .infer = InferCast,
           .traits = NamesItsDType(ElementRule::kComputed, SizeRule::kInferred)}),
      Constexpr({.name = "constexpr_lut_to_dense",
                 .doc = "Values looked up in a table (palettized weights). Before ios18: indices "
                        "[M] are bytes into which the indices, log2(table size) bits each, are "
                        "packed from the lowest bit on, lut [N] is one table, `shape` the "
                        "result's. From ios18 on: indices have the result's shape; lut [b..., "
                        "2^bits, V] holds one table for each block of them; with V > 1 each index "
                        "gives V values along vector_axis.",
                 .since = Opset::kIOS16,
                 .params = {ConstantParam("indices", "IndicesT"), ConstantParam("lut", "T"),
                            MayBeConstant("shape", "uint32"),
                            MayBeConstant("vector_axis", "int32", Opset::kIOS18)},
                 .domains = {{"IndicesT", "uint8", Opset::kIOS18, kSubByteIndices}, {"T", kDense}},
                 .constraints = {{"constexpr_lut_to_dense_c1",
                                  "before ios18 indices are uint8, and both have rank 1"},
                                 {"constexpr_lut_to_dense_c2",
                                  "before ios18 lut has 2, 4, 16, 64 or 256 entries"},
                                 {"constexpr_lut_to_dense_c3",
                                  "before ios18 shape is given, and indices hold just the bytes "
                                  "for it; then it is gone"},
                                 {"constexpr_lut_to_dense_c4",
                                  "from ios18 on lut has two dimensions more than indices, and "
                                  "the others divide theirs"},
                                 {"constexpr_lut_to_dense_c5",
                                  "from ios18 on there are 2^bits entries for the indices' bits"},
                                 {"constexpr_lut_to_dense_c6",
                                  "vector_axis lies in [-rank, rank), and is given when vectors "
                                  "have several values"}},
                 .infer = InferLutToDense,
                 .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)}),
      Constexpr(
          {.name = "constexpr_sparse_to_dense",
           .doc = "nonzero_data [D] put, in order, where the mask is set, zeros elsewhere. Before "
                  "ios18 the mask is packed into bytes [M] from the lowest bit on and `shape` is "
                  "the result's; from ios18 on the mask has the result's shape.",
           .since = Opset::kIOS16,
           .params = {ConstantParam("nonzero_data", "T"), ConstantParam("mask", "uint8 uint1"),
                      MayBeConstant("shape", "uint32")},
           .domains = {{"T", kDense, Opset::kIOS18, kDenseFrom18}},
           .constraints =
               {{"constexpr_sparse_to_dense_c1",
                 "mask is uint8 [M] before ios18, uint1 from then on"},
                {"constexpr_sparse_to_dense_c2",
                 "before ios18 shape is given, and mask holds just the bytes for it; then it is "
                 "gone"},
                {"constexpr_sparse_to_dense_c3",
                 "nonzero_data has rank 1 and one value for each bit set, none set past the end"}},
           .infer = InferSparseToDense,
           .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)}),
      Constexpr(
          {.name = "constexpr_blockwise_shift_scale",
           .doc = "scale * (data - offset), where each element of scale and offset serves a block "
                  "of data: blocks have data's size over scale's along each dimension.",
           .since = Opset::kIOS18,
           .params = {ConstantParam("data", "SrcT"), ConstantParam("scale", "DstT"),
                      MayBeConstant("offset", "OffsetT")},
           .domains = {{"SrcT", kSource}, kFloat, {"OffsetT", kSource}},
           .constraints = {{"constexpr_blockwise_shift_scale_c1",
                            "scale has data's rank, 1 or more, and its dimensions divide data's"},
                           {"constexpr_blockwise_shift_scale_c2",
                            "offset has scale's shape, and is a float or of data's dtype"}},
           .infer = InferShiftScale,
           .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)}),
      Constexpr(
          {.name = "constexpr_sparse_blockwise_shift_scale",
           .doc = "constexpr_blockwise_shift_scale of the values that a mask keeps: data_mask has "
                  "the dense shape, nonzero_data [D] its set elements in order. Gives the mask "
                  "and the scaled values.",
           .since = Opset::kIOS18,
           .params = {ConstantParam("data_mask", "uint1"), ConstantParam("nonzero_data", "SrcT"),
                      ConstantParam("scale", "DstT"), MayBeConstant("offset", "OffsetT")},
           .domains = {{"SrcT", kSource}, kFloat, {"OffsetT", kSource}},
           .constraints =
               {{"constexpr_sparse_blockwise_shift_scale_c1",
                 "nonzero_data has rank 1 and one value for each bit set"},
                {"constexpr_sparse_blockwise_shift_scale_c2",
                 "scale has the mask's rank, 1 or more, and its dimensions divide the mask's"},
                {"constexpr_sparse_blockwise_shift_scale_c3",
                 "offset has scale's shape, and is a float or of the data's dtype"}},
           .infer = InferSparseShiftScale,
           .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)}),
      Constexpr(
          {.name = "constexpr_lut_to_sparse",
           .doc = "constexpr_lut_to_dense of the indices that a mask keeps: indices_mask has the "
                  "dense shape, indices_nonzero_data [D] its set elements in order. Gives the "
                  "mask, widened along vector_axis for vectors, and the values looked up, in the "
                  "order of the widened mask.",
           .since = Opset::kIOS18,
           .params = {ConstantParam("indices_mask", "uint1"),
                      ConstantParam("indices_nonzero_data", "IndicesT"), ConstantParam("lut", "T"),
                      MayBeConstant("vector_axis", "int32")},
           .domains = {{"IndicesT", "uint1 uint2 uint3 uint4 uint6 uint8"}, {"T", kDense}},
           .constraints =
               {{"constexpr_lut_to_sparse_c1",
                 "indices_nonzero_data has rank 1 and one value for each bit set"},
                {"constexpr_lut_to_sparse_c2",
                 "lut has two dimensions more than the mask, and the others divide the mask's"},
                {"constexpr_lut_to_sparse_c3", "there are 2^bits entries for the indices' bits"},
                {"constexpr_lut_to_sparse_c4",
                 "vector_axis lies in [-rank, rank), and is given when vectors have several "
                 "values"}},
           .infer = InferLutToSparse,
           .traits = TensorFunction(ElementRule::kComputed, SizeRule::kInferred)}),
      {.name = "quantize",
       .doc = "round(input / scale) + zero_point, halves to even, clipped to the range of "
              "output_dtype; scale and zero_point are scalars or run along `axis`.",
       .since = Opset::kIOS17,
       .params = {{.name = "input", .types = "SrcT"},
                  MayBeConstant("zero_point", "DstT"),
                  ConstantParam("scale", "SrcT"),
                  MayBeConstant("axis", "int32"),
                  ConstantParam("output_dtype", "string")},
       .domains = {{"SrcT", "fp16 fp32"}, {"DstT", "uint8 int8"}},
       .constraints = {scale_fits,
                       {"quantize_c1", "output_dtype is int8 or uint8"},
                       {"quantize_c2", "zero_point has output_dtype"},
                       {"quantize_c3", "not all of scale is 0"}},
       .infer = InferQuantize,
       .cost = TwoFlops,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kOfFirst)},
      {.name = "dequantize",
       .doc = "scale * (input - zero_point); scale and zero_point are scalars or run along `axis`.",
       .since = Opset::kIOS17,
       .params = {{.name = "input", .types = "SrcT"},
                  MayBeConstant("zero_point", "SrcT"),
                  ConstantParam("scale", "DstT"),
                  MayBeConstant("axis", "int32")},
       .domains = {{"SrcT", "uint8 int8"}, kFloat},
       .constraints = {scale_fits},
       .infer = InferDequantize,
       .cost = TwoFlops,
       .traits = TensorFunction(ElementRule::kComputed, SizeRule::kOfFirst)},
  };
}

}  // namespace anemone::ops::constexpr_ops
