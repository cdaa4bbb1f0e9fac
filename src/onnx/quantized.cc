#include "onnx/quantized.h"

#include <algorithm>
#include <type_traits>

#include "onnx/fold.h"

namespace anemone::onnx {
namespace {

// Below this a constant is stored as floats: nothing is gained, and passes can fold it.
constexpr int64_t kWorthKeeping = 64;

std::vector<int64_t> StridesOf(const ir::Shape& dims) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (size_t d = dims.size(); d-- > 1;) strides[d - 1] = strides[d] * dims[d];
  return strides;
}

// The bits of each element in a byte of its own.
std::vector<uint8_t> UnpackedBits(const Constant& data) {
  const auto bytes = data.data.As<uint8_t>();
  if (!IsSubByte(data.dtype)) return {bytes.begin(), bytes.end()};
  std::vector<uint8_t> bits(static_cast<size_t>(data.count()));
  for (size_t i = 0; i < bits.size(); ++i) {
    bits[i] = static_cast<uint8_t>(bytes[i / 2] >> (i % 2 * 4) & 0xF);
  }
  return bits;
}

Constant PackedBits(DType dtype, ir::Shape dims, std::vector<uint8_t> bits) {
  if (!IsSubByte(dtype)) return {dtype, std::move(dims), Bytes::FromVector(std::move(bits))};
  std::vector<uint8_t> packed((bits.size() + 1) / 2);
  for (size_t i = 0; i < bits.size(); ++i) {
    packed[i / 2] = static_cast<uint8_t>(packed[i / 2] | bits[i] << (i % 2 * 4));
  }
  return {dtype, std::move(dims), Bytes::FromVector(std::move(packed))};
}

// Dims as factors, each either over blocks of the quantization or inside them.
struct Factor {
  int64_t size;
  bool over_blocks;
};
std::vector<Factor> FactorsOf(const ir::Shape& dims, const ir::Shape& blocks) {
  std::vector<Factor> factors;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (blocks[d] != 1) factors.push_back({blocks[d], true});
    if (dims[d] != blocks[d]) factors.push_back({dims[d] / blocks[d], false});
  }
  return factors;
}

// The dims that the blocks get when the elements are seen under `dims`: each new dim must be some
// factors over blocks, then some inside them.
std::optional<ir::Shape> RegroupedBlocks(std::vector<Factor> factors, const ir::Shape& dims) {
  ir::Shape blocks;
  size_t next = 0;
  for (const int64_t dim : dims) {
    int64_t left = dim;
    int64_t over = 1;
    bool inside = false;
    while (left > 1) {
      if (next == factors.size()) return std::nullopt;
      Factor& factor = factors[next];
      if (factor.over_blocks && inside) return std::nullopt;
      inside = inside || !factor.over_blocks;
      const bool whole = left % factor.size == 0;
      if (!whole && factor.size % left != 0) return std::nullopt;
      const int64_t taken = whole ? factor.size : left;
      if (factor.over_blocks) over *= taken;
      left /= taken;
      factor.size /= taken;
      if (whole) ++next;
    }
    blocks.push_back(over);
  }
  return blocks;
}

ir::Literal ZeroPoints(const Quantized& q, const ir::Shape& shape) {
  if (!q.whole_zero) return ir::Literal::Fp32s(q.zero, shape);
  std::vector<int64_t> values(q.zero.begin(), q.zero.end());
  if (values.empty()) values.assign(q.scale.size(), 0);
  return ir::Literal::FromBytes(ir::Type::Tensor(q.data.dtype, shape),
                                ir::PackInts(values, q.data.dtype))
      .value();
}

Error NeedsOpset(std::string_view what, std::string_view target) {
  return Unsupported("its weights are quantized {}, which {} and later hold", what, target)
      .Advise(fmt::format("convert for {} or later, or export the model in float", target));
}

// The flat form of ios16 and ios17: one scale, or one for each element along an axis.
Result<ir::Value*> EmitAffine(const Quantized& q, ir::Literal data, ir::Builder& builder,
                              std::string_view name) {
  size_t axis = 0;
  int64_t axes = 0;
  for (size_t d = 0; d < q.blocks.size(); ++d) {
    if (q.blocks[d] == 1) continue;
    if (++axes > 1 || q.blocks[d] != q.dims()[d]) return NeedsOpset("in blocks", "iOS18");
    axis = d;
  }
  const ir::Shape shape = axes == 0 ? ir::Shape{} : ir::Shape{q.blocks[axis]};
  ANEMONE_ASSIGN(ir::Operation * operation,
                 builder.Add("constexpr_affine_dequantize",
                             {{"quantized_data", std::move(data)},
                              {"zero_point", ZeroPoints(q, shape)},
                              {"scale", ir::Literal::Fp32s(q.scale, shape)},
                              {"axis", ir::Literal::Int32(static_cast<int32_t>(axis))}},
                             name));
  return operation->output();
}

Result<std::vector<float>> ZerosLike(const Constant& zero, const Constant& scale) {
  std::vector<float> values = zero.AsFloats();
  if (static_cast<int64_t>(values.size()) != scale.count())
    return InvalidInput("scale and zero point differ in size");
  if (std::ranges::all_of(values, [](float value) { return value == 0; })) values.clear();
  return values;
}

}  // namespace

Constant IntegerConstant(DType dtype, const std::vector<int64_t>& values, ir::Shape dims) {
  if (IsSubByte(dtype)) return {dtype, std::move(dims), ir::PackInts(values, dtype)};
  return Constant::FromInts(dtype, values, std::move(dims));
}

Constant Quantized::Expanded() const {
  const auto bits = UnpackedBits(data);
  const bool is_signed = IsSignedInt(data.dtype);
  const int width = BitWidth(data.dtype);
  const auto value_of = [&](uint8_t raw) {
    const int value = raw;
    return is_signed && value >= 1 << (width - 1) ? value - (1 << width) : value;
  };
  const ir::Shape& shape = data.dims;
  const auto strides = StridesOf(blocks);
  std::vector<float> out(bits.size());
  std::vector<int64_t> at(shape.size(), 0);
  // The innermost dim is a loop of its own.
  const int64_t inner = shape.empty() ? 1 : shape.back();
  const int64_t run = shape.empty() ? 1 : inner / blocks.back();
  for (size_t first = 0; first < out.size(); first += static_cast<size_t>(inner)) {
    int64_t block = 0;
    for (size_t d = 0; d + 1 < shape.size(); ++d)
      block += at[d] / (shape[d] / blocks[d]) * strides[d];
    for (int64_t i = 0; i < inner; ++i) {
      const auto b = static_cast<size_t>(block + i / run);
      const float shift = zero.empty() ? 0.0f : zero[b];
      const size_t e = first + static_cast<size_t>(i);
      out[e] = (static_cast<float>(value_of(bits[e])) - shift) * scale[b];
    }
    for (size_t d = shape.size(); d-- > 0;) {
      if (d + 1 == shape.size()) continue;
      if (++at[d] < shape[d]) break;
      at[d] = 0;
    }
  }
  return Constant::Floats(std::move(out), shape);
}

std::optional<Quantized> Quantized::Reshaped(const ir::Shape& dims) const {
  auto regrouped = RegroupedBlocks(FactorsOf(data.dims, blocks), dims);
  if (!regrouped) return std::nullopt;
  Quantized out = *this;
  out.data.dims = dims;
  out.blocks = std::move(*regrouped);
  return out;
}

Quantized Quantized::Transposed(const std::vector<int64_t>& perm) const {
  const Constant wide{DType::kUInt8, data.dims, Bytes::FromVector(UnpackedBits(data))};
  const Constant turned = TransposeConstant(wide, perm);
  const auto bits = turned.data.As<uint8_t>();
  const auto turn = [&](const std::vector<float>& values) {
    if (values.empty()) return values;
    return TransposeConstant(Constant::Floats(values, blocks), perm).AsFloats();
  };
  Quantized out = *this;
  out.data = PackedBits(data.dtype, turned.dims, {bits.begin(), bits.end()});
  out.scale = turn(scale);
  out.zero = turn(zero);
  for (size_t d = 0; d < perm.size(); ++d) out.blocks[d] = blocks[static_cast<size_t>(perm[d])];
  return out;
}

Quantized Quantized::Times(double factor) const {
  Quantized out = *this;
  for (float& value : out.scale) value = static_cast<float>(value * factor);
  return out;
}

Quantized Quantized::Rows(const std::vector<int64_t>& order, int64_t size) const {
  // The rows of a tensor that has one row for `per_row` rows of the data.
  const auto pick = [&](const auto& values, int64_t per_row) {
    const int64_t rows = data.dims[0] / per_row;
    const auto each = static_cast<int64_t>(values.size()) / rows;
    std::remove_cvref_t<decltype(values)> out;
    for (const int64_t group : order) {
      for (int64_t row = group * size; row < (group + 1) * size; ++row) {
        const auto begin = values.begin() + row / per_row * each;
        out.insert(out.end(), begin, begin + each);
      }
    }
    return out;
  };
  Quantized out = *this;
  ir::Shape dims = data.dims;
  dims[0] = static_cast<int64_t>(order.size()) * size;
  out.data = PackedBits(data.dtype, dims, pick(UnpackedBits(data), 1));
  if (blocks[0] == 1) return out;
  out.blocks[0] = dims[0];
  out.scale = pick(scale, data.dims[0] / blocks[0]);
  if (!zero.empty()) out.zero = pick(zero, data.dims[0] / blocks[0]);
  return out;
}

Result<ir::Value*> Quantized::Emit(ir::Builder& builder, std::string_view name) const {
  const ir::Opset target = builder.function().opset;
  const int bits = BitWidth(data.dtype);
  if (bits < 8 && target < ir::Opset::kIOS18)
    return NeedsOpset(fmt::format("to {} bits", bits), "iOS18");
  if (target < ir::Opset::kIOS16) return NeedsOpset("to 8 bits", "iOS16");
  ANEMONE_ASSIGN(ir::Literal literal,
                 ir::Literal::FromBytes(ir::Type::Tensor(data.dtype, data.dims), data.data));
  if (target < ir::Opset::kIOS18) return EmitAffine(*this, std::move(literal), builder, name);
  std::vector<ir::ArgInit> args = {{"data", std::move(literal)},
                                   {"scale", ir::Literal::Fp32s(scale, blocks)}};
  if (!zero.empty()) args.push_back({"offset", ZeroPoints(*this, blocks)});
  ANEMONE_ASSIGN(ir::Operation * operation,
                 builder.Add("constexpr_blockwise_shift_scale", std::move(args), name));
  return operation->output();
}

Result<std::optional<Quantized>> MakeQuantized(const Constant& data, const Constant& scale,
                                               const Constant* zero, int64_t axis, int64_t block) {
  const bool narrow = data.dtype == DType::kInt8 || data.dtype == DType::kUInt8 ||
                      data.dtype == DType::kInt4 || data.dtype == DType::kUInt4;
  const auto wide_dims = std::ranges::count_if(data.dims, [](int64_t dim) { return dim > 1; });
  if (!narrow || data.count() < kWorthKeeping || wide_dims < 2) return std::optional<Quantized>();
  const auto d = static_cast<size_t>(axis);
  Quantized out{.data = data, .blocks = ir::Shape(data.dims.size(), 1), .scale = scale.AsFloats()};
  if (scale.count() != 1 && block > 0) {
    ir::Shape expected = data.dims;
    expected[d] = (expected[d] + block - 1) / block;
    if (scale.dims != expected) {
      return InvalidInput("scales of {} do not fit blocks of {} of {}",
                          ir::ShapeToString(scale.dims), block, ir::ShapeToString(data.dims));
    }
    if (data.dims[d] % expected[d] != 0 || data.dims[d] / expected[d] != block)
      return std::optional<Quantized>();
    out.blocks = expected;
  } else if (scale.count() != 1) {
    if (scale.dims.size() != 1 || scale.dims[0] != data.dims[d])
      return InvalidInput("the scales do not fit the axis");
    out.blocks[d] = scale.dims[0];
  }
  if (zero != nullptr) {
    out.whole_zero = IsInt(zero->dtype);
    ANEMONE_ASSIGN(out.zero, ZerosLike(*zero, scale));
  }
  return std::optional(std::move(out));
}

}  // namespace anemone::onnx
