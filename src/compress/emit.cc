// See emit.h.
//
//   before (int8, per tensor, ios16)                after
//     w = const()[val = tensor<fp32, ...>];           w = constexpr_affine_dequantize(
//     y = conv(x = x, weight = w);                            quantized_data = int8 tensor,
//   } -> (y);                                                 zero_point = 0, scale = 0.0125,
//                                                             axis = 0);
//                                                     y = conv(x = x, weight = w);
//                                                   } -> (y);
#include "compress/emit.h"

#include <algorithm>

#include "compress/pack_bits.h"

namespace anemone::compress {
namespace {

int64_t SizeOf(const ir::Literal& literal) { return static_cast<int64_t>(literal.bytes().size()); }

DType IndexDType(int nbits) {
  switch (nbits) {
    case 1:
      return DType::kUInt1;
    case 2:
      return DType::kUInt2;
    case 3:
      return DType::kUInt3;
    case 4:
      return DType::kUInt4;
    case 6:
      return DType::kUInt6;
    default:
      return DType::kUInt8;
  }
}

Result<ir::Literal> OffsetLiteral(const LinearTensor& tensor, DType dtype, const ir::Shape& shape) {
  std::vector<int64_t> values;
  for (const int8_t bits : tensor.offset)
    values.push_back(IsUnsignedInt(dtype) ? static_cast<uint8_t>(bits) : bits);
  if (values.empty()) values.assign(tensor.scale.size(), 0);
  return ir::Literal::FromBytes(ir::Type::Tensor(dtype, shape), ir::PackInts(values, dtype));
}

Result<ir::Literal> MaskLiteral(const std::vector<uint8_t>& mask, const ir::Shape& shape) {
  return ir::Literal::FromBytes(ir::Type::Tensor(DType::kUInt1, shape), PackBits(mask, 1));
}

// The shape as the flat forms before ios18 spell it out.
Result<ir::Literal> ShapeLiteral(const ir::Shape& shape) {
  return ir::Literal::FromBytes(
      ir::Type::Tensor(DType::kUInt32, {static_cast<int64_t>(shape.size())}),
      ir::PackInts(shape, DType::kUInt32));
}

Result<ir::Literal> BytesLiteral(Bytes bytes) {
  const auto count = static_cast<int64_t>(bytes.size());
  return ir::Literal::FromBytes(ir::Type::Tensor(DType::kUInt8, {count}), std::move(bytes));
}

// Arguments of constexpr_blockwise_shift_scale but for the data.
Result<std::vector<ir::ArgInit>> ShiftScale(const LinearTensor& tensor, DType dtype,
                                            int64_t* bytes) {
  std::vector<ir::ArgInit> args;
  ir::Literal scale = ir::Literal::Floats(dtype, tensor.scale, tensor.scale_shape);
  *bytes += SizeOf(scale);
  args.push_back({"scale", std::move(scale)});
  if (!tensor.offset.empty()) {
    ANEMONE_ASSIGN(ir::Literal offset,
                   OffsetLiteral(tensor, tensor.data.dtype(), tensor.scale_shape));
    *bytes += SizeOf(offset);
    args.push_back({"offset", std::move(offset)});
  }
  return args;
}

// The flat form, up to ios17: scale and zero point are scalars or run along one axis.
Result<ir::Value*> AffineDequantize(passes::Rewriter& rewriter, const LinearTensor& tensor,
                                    DType dtype, std::string_view name, int64_t* bytes) {
  const auto axis =
      std::ranges::find_if(tensor.scale_shape, [](int64_t size) { return size != 1; });
  const int64_t position = axis == tensor.scale_shape.end() ? 0 : axis - tensor.scale_shape.begin();
  ir::Shape shape;
  if (tensor.scale.size() != 1) shape.push_back(static_cast<int64_t>(tensor.scale.size()));
  ir::Literal scale = ir::Literal::Floats(dtype, tensor.scale, shape);
  ANEMONE_ASSIGN(ir::Literal offset, OffsetLiteral(tensor, tensor.data.dtype(), shape));
  *bytes += SizeOf(tensor.data) + SizeOf(scale) + SizeOf(offset);
  return rewriter.builder().Op("constexpr_affine_dequantize",
                               {{"quantized_data", tensor.data},
                                {"zero_point", std::move(offset)},
                                {"scale", std::move(scale)},
                                {"axis", ir::Literal::Int32(static_cast<int32_t>(position))}},
                               name);
}

Result<ir::Value*> BlockwiseShiftScale(passes::Rewriter& rewriter, const LinearTensor& tensor,
                                       DType dtype, std::string_view name, int64_t* bytes) {
  ANEMONE_ASSIGN(auto args, ShiftScale(tensor, dtype, bytes));
  args.insert(args.begin(), {"data", tensor.data});
  *bytes += SizeOf(tensor.data);
  return rewriter.builder().Op("constexpr_blockwise_shift_scale", std::move(args), name);
}

// Replaces the dense constant, or the argument that the constant of a joint site is.
Status TakePlace(passes::Rewriter& rewriter, const Site& site, ir::Value* value) {
  ANEMONE_TRY(rewriter.Commit(*site.weight.op));
  if (site.kind == SiteKind::kDense || site.kind == SiteKind::kCompressed) {
    rewriter.Replace(site.weight.value, value);
    return {};
  }
  for (const ir::Argument& argument : site.child->arguments()) {
    if (argument.values.size() != 1 || argument.values[0] != site.weight.value) continue;
    rewriter.SetInputs(*site.child, argument.name, {value});
    return {};
  }
  return Internal("'{}' is no argument of '{}'", site.weight.value->name, site.child->name());
}

// Puts constexpr_sparse_to_dense of `values` where the sparse constant (or the constexpr operator)
// of the site was. `before` is what the new operators stand before.
Status TakeSparsePlace(passes::Rewriter& rewriter, ir::Operation& before, ir::Value* values,
                       ir::Value* mask) {
  ir::Value* old = before.output();
  ir::Value* dense = rewriter.builder().Op("constexpr_sparse_to_dense",
                                           {{"nonzero_data", values}, {"mask", mask}}, old->name);
  ANEMONE_TRY(rewriter.Commit(before));
  rewriter.Replace(old, dense);
  return {};
}

}  // namespace

Result<std::vector<uint8_t>> MaskOf(const ir::Operation& op, std::string_view name) {
  const ir::Value* value = op.Input(name);
  if (value == nullptr || !value->is_const())
    return InvalidInput("the mask of '{}' is no constant", op.name());
  const int64_t count = value->literal->element_count();
  std::vector<uint8_t> mask(static_cast<size_t>(count));
  const auto bits = value->literal->As<uint8_t>();
  for (size_t i = 0; i < mask.size(); ++i) mask[i] = (bits[i / 8] >> (i % 8)) & 1;
  return mask;
}

Status EmitLinear(passes::Rewriter& rewriter, const Site& site, const LinearTensor& tensor,
                  int64_t* bytes) {
  *bytes = 0;
  const std::string& name = site.weight.value->name;
  const DType dtype = site.weight.value->type.dtype();
  if (site.kind == SiteKind::kSparseValues) {
    ANEMONE_ASSIGN(const auto mask, MaskOf(*site.child, "mask"));
    ANEMONE_ASSIGN(ir::Literal values, Gather(tensor.data, mask));
    *bytes += SizeOf(values) + static_cast<int64_t>(mask.size() / 8);
    ANEMONE_ASSIGN(auto args, ShiftScale(tensor, dtype, bytes));
    args.push_back({"data_mask", site.child->Input("mask")});
    args.push_back({"nonzero_data", std::move(values)});
    ANEMONE_ASSIGN(
        ir::Operation * op,
        rewriter.builder().Add("constexpr_sparse_blockwise_shift_scale", std::move(args), name));
    return TakeSparsePlace(rewriter, *site.child, op->output(1), op->output(0));
  }
  const bool flat = rewriter.opset() < ir::Opset::kIOS18;
  ANEMONE_ASSIGN(ir::Value * value,
                 flat ? AffineDequantize(rewriter, tensor, dtype, name, bytes)
                      : BlockwiseShiftScale(rewriter, tensor, dtype, name, bytes));
  return TakePlace(rewriter, site, value);
}

Status EmitPalette(passes::Rewriter& rewriter, const Site& site, const PaletteForm& form,
                   int64_t* bytes) {
  const PaletteTensor& tensor = form.tensor;
  const DType dtype = site.weight.value->type.dtype();
  const std::string& name = site.weight.value->name;
  ir::Builder& builder = rewriter.builder();
  *bytes = 0;

  if (rewriter.opset() < ir::Opset::kIOS18) {
    ANEMONE_ASSIGN(ir::Literal indices, BytesLiteral(form.packed_indices));
    ANEMONE_ASSIGN(ir::Literal shape, ShapeLiteral(site.shape));
    ir::Literal table =
        ir::Literal::Floats(dtype, tensor.table, {static_cast<int64_t>(tensor.table.size())});
    *bytes = SizeOf(indices) + SizeOf(table);
    return TakePlace(rewriter, site,
                     builder.Op("constexpr_lut_to_dense",
                                {{"indices", std::move(indices)},
                                 {"lut", std::move(table)},
                                 {"shape", std::move(shape)}},
                                name));
  }

  ir::ArgInit lut{"lut", ir::Literal()};
  if (form.integer_table) {
    ANEMONE_ASSIGN(ir::Value * table,
                   BlockwiseShiftScale(rewriter, *form.integer_table, dtype, name + "_lut", bytes));
    lut.value = table;
  } else if (IsInt(dtype)) {
    const std::vector<int64_t> whole(tensor.table.begin(), tensor.table.end());
    ANEMONE_ASSIGN(ir::Literal table,
                   ir::Literal::FromBytes(ir::Type::Tensor(dtype, tensor.table_shape),
                                          ir::PackInts(whole, dtype)));
    *bytes += SizeOf(table);
    lut.value = std::move(table);
  } else {
    ir::Literal table = ir::Literal::Floats(dtype, tensor.table, tensor.table_shape);
    *bytes += SizeOf(table);
    lut.value = std::move(table);
  }
  std::vector<ir::ArgInit> args{std::move(lut)};
  const bool vectors = tensor.table_shape.back() > 1;
  if (vectors)
    args.push_back({"vector_axis", ir::Literal::Int32(static_cast<int32_t>(tensor.channel_axis))});
  const DType index_dtype = IndexDType(tensor.nbits);

  if (site.kind == SiteKind::kSparseValues) {
    ANEMONE_ASSIGN(const auto dense_mask, MaskOf(*site.child, "mask"));
    // A vector is kept when one of its values is.
    std::vector<uint8_t> mask(tensor.indices.size(), 0);
    const auto dim = static_cast<size_t>(tensor.table_shape.back());
    size_t inner = 1;
    for (size_t i = static_cast<size_t>(tensor.channel_axis) + 1; i < site.shape.size(); ++i)
      inner *= static_cast<size_t>(site.shape[i]);
    for (size_t i = 0; i < dense_mask.size(); ++i)
      mask[i / inner / dim * inner + i % inner] |= dense_mask[i];
    std::vector<uint8_t> kept;
    for (size_t i = 0; i < mask.size(); ++i)
      if (mask[i] != 0) kept.push_back(tensor.indices[i]);
    ANEMONE_ASSIGN(
        ir::Literal indices,
        ir::Literal::FromBytes(ir::Type::Tensor(index_dtype, {static_cast<int64_t>(kept.size())}),
                               PackBits(kept, tensor.nbits)));
    ANEMONE_ASSIGN(ir::Literal mask_literal, MaskLiteral(mask, tensor.index_shape));
    *bytes += SizeOf(indices) + SizeOf(mask_literal);
    args.push_back({"indices_mask", std::move(mask_literal)});
    args.push_back({"indices_nonzero_data", std::move(indices)});
    ANEMONE_ASSIGN(ir::Operation * op,
                   builder.Add("constexpr_lut_to_sparse", std::move(args), name));
    return TakeSparsePlace(rewriter, *site.child, op->output(1), op->output(0));
  }

  ANEMONE_ASSIGN(ir::Literal indices,
                 ir::Literal::FromBytes(ir::Type::Tensor(index_dtype, tensor.index_shape),
                                        form.packed_indices));
  *bytes += SizeOf(indices);
  args.push_back({"indices", std::move(indices)});
  ir::Value* value = builder.Op("constexpr_lut_to_dense", std::move(args), name);
  if (!form.channel_scale.empty()) {
    ir::Literal scale = ir::Literal::Floats(dtype, form.channel_scale, form.channel_scale_shape);
    *bytes += SizeOf(scale);
    value = builder.Op("constexpr_blockwise_shift_scale",
                       {{"data", value}, {"scale", std::move(scale)}}, name);
  }
  return TakePlace(rewriter, site, value);
}

Status EmitSparse(passes::Rewriter& rewriter, const Site& site, const SparseTensor& tensor,
                  int64_t* bytes) {
  ir::Builder& builder = rewriter.builder();
  const std::string& name = site.weight.value->name;
  if (site.kind == SiteKind::kDense) {
    const bool flat = rewriter.opset() < ir::Opset::kIOS18;
    ANEMONE_ASSIGN(ir::Literal mask, flat ? BytesLiteral(PackBits(tensor.mask, 1))
                                          : MaskLiteral(tensor.mask, tensor.shape));
    *bytes = SizeOf(mask) + SizeOf(tensor.values);
    std::vector<ir::ArgInit> args{{"nonzero_data", tensor.values}, {"mask", std::move(mask)}};
    if (flat) {
      ANEMONE_ASSIGN(ir::Literal shape, ShapeLiteral(tensor.shape));
      args.push_back({"shape", std::move(shape)});
    }
    return TakePlace(rewriter, site,
                     builder.Op("constexpr_sparse_to_dense", std::move(args), name));
  }
  // What was compressed already keeps its parameters; only what the mask keeps stays of its data.
  ir::Operation& op = *site.weight.op;
  const bool palette = op.type() == "constexpr_lut_to_dense";
  const std::string_view data_name = palette ? "indices" : "data";
  const ir::Value* data = op.Input(data_name);
  if (data == nullptr || !data->is_const())
    return InvalidInput("'{}' of '{}' is no constant", data_name, op.name());
  if (data->literal->shape() != tensor.shape)
    return InvalidInput("palettes of vectors cannot be pruned");
  ANEMONE_ASSIGN(ir::Literal values, Gather(*data->literal, tensor.mask));
  ANEMONE_ASSIGN(ir::Literal mask, MaskLiteral(tensor.mask, tensor.shape));
  *bytes = SizeOf(values) + SizeOf(mask);
  std::vector<ir::ArgInit> args;
  for (const ir::Argument& argument : op.arguments()) {
    if (argument.name != data_name) args.push_back({argument.name, argument.values[0]});
    if (argument.values[0]->is_const() && argument.name != data_name)
      *bytes += SizeOf(*argument.values[0]->literal);
  }
  args.push_back({palette ? "indices_mask" : "data_mask", std::move(mask)});
  args.push_back({palette ? "indices_nonzero_data" : "nonzero_data", std::move(values)});
  ANEMONE_ASSIGN(
      ir::Operation * sparse,
      builder.Add(palette ? "constexpr_lut_to_sparse" : "constexpr_sparse_blockwise_shift_scale",
                  std::move(args), name));
  return TakeSparsePlace(rewriter, op, sparse->output(1), sparse->output(0));
}

}  // namespace anemone::compress
