// Quantized: a constant known as scale * (data - zero point), as DequantizeLinear gives it. It stays
// so through the import: what moves its elements moves the integers, and the program reads it
// through a constexpr operator of its op set. Ownership: shares the bytes of `data`. Thread rules:
// immutable value.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "ir/builder.h"
#include "onnx/constant.h"

namespace anemone::onnx {

struct Quantized {
  Constant data;  // int4, uint4, int8 or uint8
  // The dims of scale and zero point: of data's rank, each divides that of data. An element serves a
  // block of data.
  ir::Shape blocks;
  std::vector<float> scale;      // row-major over `blocks`
  std::vector<float> zero = {};  // the same; empty: 0
  bool whole_zero = true;        // the zero points are numbers of data's dtype

  const ir::Shape& dims() const { return data.dims; }
  // The float32 values.
  Constant Expanded() const;
  // The same elements under other dims; nullopt when a block would not stay one.
  std::optional<Quantized> Reshaped(const ir::Shape& dims) const;
  Quantized Transposed(const std::vector<int64_t>& perm) const;
  // Each value times a number.
  Quantized Times(double factor) const;
  // The groups `order[0]`, `order[1]` ... of `size` rows each along dim 0.
  Quantized Rows(const std::vector<int64_t>& order, int64_t size) const;
  // The constexpr operator. Errors: kUnsupported when the op set has none for it, with the lowest
  // that has.
  Result<ir::Value*> Emit(ir::Builder& builder, std::string_view name) const;
};

// `axis` (not negative) holds a scale of rank 1; with `block` > 0, scale has data's rank, and a block
// of that many elements along `axis` shares one. Nullopt when data is not of 4 or 8 bits, when the
// last block is a part of one, or when the data is a bias or a few numbers, which are better off as
// floats. Errors: kInvalidInput when scale or zero point do not fit.
Result<std::optional<Quantized>> MakeQuantized(const Constant& data, const Constant& scale,
                                               const Constant* zero, int64_t axis, int64_t block);

// Integers as a constant of any integer dtype, 4 bits included. The values must fit.
Constant IntegerConstant(DType dtype, const std::vector<int64_t>& values, ir::Shape dims);

}  // namespace anemone::onnx
