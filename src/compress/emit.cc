#include "compress/emit.h"

#include <algorithm>
#include <cstring>

#include "compress/pack_bits.h"

namespace anemone::compress {

Result<ir::Literal> OffsetLiteral(const LinearTensor& tensor, const ir::Shape& shape) {
  const DType dtype = tensor.data.dtype();
  std::vector<int64_t> values;
  for (const int8_t bits : tensor.offset)
    values.push_back(IsUnsignedInt(dtype) ? static_cast<uint8_t>(bits) : bits);
  if (values.empty()) values.assign(tensor.scale.size(), 0);
  return ir::Literal::FromBytes(ir::Type::Tensor(dtype, shape), ir::PackInts(values, dtype));
}

Result<ir::Literal> MaskLiteral(const std::vector<uint8_t>& mask, const ir::Shape& shape) {
  return ir::Literal::FromBytes(ir::Type::Tensor(DType::kUInt1, shape), PackBits(mask, 1));
}

Result<ir::Literal> ShapeLiteral(const ir::Shape& shape) {
  return ir::Literal::FromBytes(
      ir::Type::Tensor(DType::kUInt32, {static_cast<int64_t>(shape.size())}),
      ir::PackInts(shape, DType::kUInt32));
}

Result<ir::Literal> BytesLiteral(Bytes bytes) {
  const auto count = static_cast<int64_t>(bytes.size());
  return ir::Literal::FromBytes(ir::Type::Tensor(DType::kUInt8, {count}), std::move(bytes));
}

Result<ir::Literal> Gather(const ir::Literal& literal, const std::vector<uint8_t>& mask) {
  const auto kept =
      static_cast<size_t>(std::ranges::count_if(mask, [](uint8_t m) { return m != 0; }));
  const auto width = static_cast<size_t>(BitWidth(literal.dtype())) / 8;
  const ir::Type type = ir::Type::Tensor(literal.dtype(), {static_cast<int64_t>(kept)});
  if (width == 0) {
    std::vector<int64_t> values;
    values.reserve(kept);
    for (size_t i = 0; i < mask.size(); ++i) {
      if (mask[i] != 0)
        values.push_back(ir::IntElement(literal.bytes(), literal.dtype(), static_cast<int64_t>(i)));
    }
    return ir::Literal::FromBytes(type, ir::PackInts(values, literal.dtype()));
  }
  std::vector<std::byte> bytes(kept * width);
  std::byte* to = bytes.data();
  for (size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] == 0) continue;
    std::memcpy(to, literal.bytes().data() + i * width, width);
    to += width;
  }
  return ir::Literal::FromBytes(type, Bytes::FromVector(std::move(bytes)));
}

Result<std::vector<ir::ArgInit>> ShiftScale(const LinearTensor& tensor, DType dtype,
                                            int64_t* bytes) {
  std::vector<ir::ArgInit> args;
  ir::Literal scale = ir::Literal::Floats(dtype, tensor.scale, tensor.scale_shape);
  *bytes += SizeOf(scale);
  args.push_back({"scale", std::move(scale)});
  if (!tensor.offset.empty()) {
    ANEMONE_ASSIGN(ir::Literal offset, OffsetLiteral(tensor, tensor.scale_shape));
    *bytes += SizeOf(offset);
    args.push_back({"offset", std::move(offset)});
  }
  return args;
}

Result<ir::Value*> BlockwiseShiftScale(passes::Rewriter& rewriter, const LinearTensor& tensor,
                                       DType dtype, std::string_view name, int64_t* bytes) {
  ANEMONE_ASSIGN(auto args, ShiftScale(tensor, dtype, bytes));
  args.insert(args.begin(), {"data", tensor.data});
  *bytes += SizeOf(tensor.data);
  return rewriter.builder().Op("constexpr_blockwise_shift_scale", std::move(args), name);
}

Result<std::vector<uint8_t>> MaskOf(const ir::Operation& op, std::string_view name) {
  const ir::Value* value = op.Input(name);
  if (value == nullptr || !value->is_const())
    return InvalidInput("the mask of '{}' is not a constant", op.name());
  const int64_t count = value->literal->element_count();
  std::vector<uint8_t> mask(static_cast<size_t>(count));
  const auto bits = value->literal->As<uint8_t>();
  for (size_t i = 0; i < mask.size(); ++i) mask[i] = (bits[i / 8] >> (i % 8)) & 1;
  return mask;
}

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
  return Internal("'{}' is not an argument of '{}'", site.weight.value->name, site.child->name());
}

Status TakeSparsePlace(passes::Rewriter& rewriter, ir::Operation& before, ir::Value* values,
                       ir::Value* mask, std::optional<ir::Literal> scale) {
  ir::Value* old = before.output();
  ir::Value* dense = rewriter.builder().Op("constexpr_sparse_to_dense",
                                           {{"nonzero_data", values}, {"mask", mask}}, old->name);
  if (scale) {
    dense = rewriter.builder().Op("constexpr_blockwise_shift_scale",
                                  {{"data", dense}, {"scale", std::move(*scale)}}, old->name);
  }
  ANEMONE_TRY(rewriter.Commit(before));
  rewriter.Replace(old, dense);
  return {};
}

}  // namespace anemone::compress
