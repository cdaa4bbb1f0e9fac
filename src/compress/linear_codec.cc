#include "compress/linear_codec.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "compress/linear_kernels.h"

namespace anemone::compress {
namespace {

// Quotients are kept for this many elements at a time.
constexpr size_t kChunk = 1024;

struct Limits {
  int low;
  int high;
};

Limits LimitsOf(DType dtype, LinearMode mode) {
  const int values = 1 << BitWidth(dtype);
  const bool symmetric = mode == LinearMode::kSymmetric;
  if (IsUnsignedInt(dtype)) return {0, values - 1 - (symmetric ? 1 : 0)};
  return {-values / 2 + (symmetric ? 1 : 0), values / 2 - 1};
}

// Where the blocks of a tensor lie: runs of neighbouring elements that belong to one block.
struct Layout {
  ir::Shape scale_shape;
  int64_t run = 1;                 // length of each
  std::vector<int32_t> run_block;  // which block each run belongs to
};

Layout LayoutOf(const ir::Shape& shape, const ir::Shape& blocks) {
  Layout layout;
  const size_t rank = shape.size();
  ir::Shape block(rank);
  for (size_t i = 0; i < rank; ++i) {
    block[i] = blocks[i] == 0 ? shape[i] : blocks[i];
    layout.scale_shape.push_back(block[i] == 0 ? 1 : shape[i] / block[i]);
  }
  // Trailing dimensions of one block each, and the block of the first that has more.
  size_t split = rank;
  while (split > 0 && layout.scale_shape[split - 1] == 1) layout.run *= shape[--split];
  if (split > 0) layout.run *= block[split - 1];
  int64_t total = 1;
  for (const int64_t size : shape) total *= size;
  const int64_t runs = layout.run == 0 ? 0 : total / layout.run;
  layout.run_block.resize(static_cast<size_t>(runs));
  std::vector<int64_t> index(split, 0);  // of elements, but of blocks along the last
  for (int64_t run = 0; run < runs; ++run) {
    int64_t number = 0;
    for (size_t i = 0; i < rank; ++i) {
      const int64_t at = i >= split ? 0 : i + 1 == split ? index[i] : index[i] / block[i];
      number = number * layout.scale_shape[i] + at;
    }
    layout.run_block[static_cast<size_t>(run)] = static_cast<int32_t>(number);
    for (size_t i = split; i-- > 0;) {
      const int64_t count = i + 1 == split ? layout.scale_shape[i] : shape[i];
      if (++index[i] < count) break;
      index[i] = 0;
    }
  }
  return layout;
}

struct Range {
  float low = 0;
  float high = 0;
  bool empty = true;
};

void Extend(std::span<const float> values, Range* range) {
  if (values.empty()) return;
  if (range->empty) *range = {values[0], values[0], false};
  FindRange(values, &range->low, &range->high);
}

struct Parameters {
  float scale = 0;
  float offset = 0;  // a whole number
};

// One operation's result in the dtype of the tensor.
float Rounded(float value, bool half) { return half ? HalfToFloat(FloatToHalf(value)) : value; }

// The scale of a range so narrow that its share is 0 in the dtype: then each value is a whole
// number of these, and few of them.
float SmallestPositive(bool half) {
  return half ? HalfToFloat(1) : std::numeric_limits<float>::denorm_min();
}

Parameters ParametersOf(const Range& range, Limits limits, LinearMode mode, bool is_unsigned,
                        bool half) {
  float low = std::min(0.0f, range.low);
  float high = std::max(0.0f, range.high);
  if (mode == LinearMode::kSymmetric) {
    high = std::max(std::abs(range.low), std::abs(range.high));
    low = -high;
  }
  const auto steps = static_cast<float>(limits.high - limits.low);
  const float width = Rounded(high - low, half);
  Parameters result;
  // A width beyond the dtype's range is taken in double: the scale itself fits.
  result.scale = std::isfinite(width)
                     ? Rounded(width / steps, half)
                     : Rounded(static_cast<float>((double{high} - double{low}) / steps), half);
  if (mode == LinearMode::kSymmetric) {
    const auto middle = limits.high / 2;  // rounded down: 127 of 255
    result.offset = is_unsigned ? static_cast<float>(middle) : 0;
    if (result.scale == 0 && high > 0) result.scale = SmallestPositive(half);
    return result;
  }
  const auto first = static_cast<float>(limits.low);
  const auto last = static_cast<float>(limits.high);
  float offset =
      Rounded(Rounded(Rounded(first * high, half) - Rounded(last * low, half), half) / width, half);
  if (!std::isfinite(offset) && width != 0) {
    offset = static_cast<float>((first * double{high} - last * double{low}) /
                                (double{high} - double{low}));
  }
  if (width == 0) return result;
  if (result.scale == 0) {
    result.scale = SmallestPositive(half);
    offset = first - low / result.scale;
  }
  result.offset = std::clamp(std::nearbyint(offset), first, last);
  return result;
}

// The elements of a weight as floats, a part at a time: whole, large weights would go through
// memory twice more than they need.
class Elements {
 public:
  explicit Elements(const ir::Literal& weight)
      : half_(weight.dtype() == DType::kFp16),
        halves_(half_ ? weight.As<Half>() : std::span<const Half>()),
        floats_(half_ ? std::span<const float>() : weight.As<float>()) {}

  size_t size() const { return half_ ? halves_.size() : floats_.size(); }
  // `count` elements, kChunk at most; valid until the next call.
  std::span<const float> At(size_t begin, size_t count) {
    if (!half_) return floats_.subspan(begin, count);
    if (begin < first_ || begin + count > first_ + count_) {
      first_ = begin;
      count_ = std::min(kWindow, halves_.size() - begin);
      HalfToFloat(halves_.subspan(first_, count_), std::span(window_, count_));
    }
    return std::span<const float>(window_, count_).subspan(begin - first_, count);
  }
  // Calls fn(begin, floats) for parts of [begin, begin + count).
  template <typename Fn>
  void ForEachPart(size_t begin, size_t count, Fn&& fn) {
    for (size_t at = begin; at < begin + count; at += kChunk)
      fn(at, At(at, std::min(kChunk, begin + count - at)));
  }

 private:
  static constexpr size_t kWindow = 4 * kChunk;

  bool half_;
  std::span<const Half> halves_;
  std::span<const float> floats_;
  size_t first_ = 0;  // of what window_ holds
  size_t count_ = 0;
  float window_[kWindow];
};

struct ErrorSum {
  double largest = 0;
  double squares = 0;
};

// Quantizes values of one block, kChunk at most.
void QuantizePart(std::span<const float> values, const Parameters& parameters, Limits limits,
                  bool half, int8_t* out, ErrorSum* error) {
  const QuantizeArgs args{.offset = parameters.offset,
                          .low = static_cast<float>(limits.low),
                          .high = static_cast<float>(limits.high)};
  float quotients[kChunk];
  const double step = parameters.scale;
  Divide(values, parameters.scale, quotients);
  if (half) RoundToHalf(std::span<float>(quotients, values.size()));
  // In steps of the scale: the squares of huge values would leave float's range.
  StepErrors errors;
  Quantize({quotients, values.size()}, args, out, &errors);
  error->largest = std::max(error->largest, step * errors.largest);
  error->squares += step * step * errors.squares;
}

// `values` as packed int4 or uint4.
Bytes PackNibbles(const std::vector<int8_t>& values) {
  std::vector<uint8_t> packed((values.size() + 1) / 2, 0);
  for (size_t i = 0; i < values.size(); ++i) {
    packed[i / 2] = static_cast<uint8_t>(packed[i / 2] | ((values[i] & 15) << (i % 2 * 4)));
  }
  return Bytes::FromVector(std::move(packed));
}

Status CheckArguments(const ir::Literal& weight, const ir::Shape& blocks, DType dtype) {
  if (weight.dtype() != DType::kFp32 && weight.dtype() != DType::kFp16) {
    return InvalidInput("a tensor of {} cannot be quantized, only fp32 and fp16",
                        DTypeName(weight.dtype()));
  }
  if (dtype != DType::kInt8 && dtype != DType::kUInt8 && dtype != DType::kInt4 &&
      dtype != DType::kUInt4) {
    return InvalidInput("{} is not one of int8, uint8, int4, uint4", DTypeName(dtype));
  }
  const ir::Shape& shape = weight.shape();
  if (blocks.size() != shape.size() || shape.empty()) {
    return InvalidInput("{} block sizes for a tensor of rank {}", blocks.size(), shape.size());
  }
  for (size_t i = 0; i < shape.size(); ++i) {
    if (blocks[i] < 0 || (blocks[i] > 0 && shape[i] % blocks[i] != 0)) {
      return InvalidInput("dimension {} of size {} is no multiple of the block size {}", i,
                          shape[i], blocks[i]);
    }
  }
  return {};
}

}  // namespace

Result<LinearTensor> QuantizeLinear(const ir::Literal& weight, const ir::Shape& blocks, DType dtype,
                                    LinearMode mode) {
  ANEMONE_TRY(CheckArguments(weight, blocks, dtype));
  const bool half = weight.dtype() == DType::kFp16;
  Elements values(weight);
  const Layout layout = LayoutOf(weight.shape(), blocks);
  const Limits limits = LimitsOf(dtype, mode);
  const auto run = static_cast<size_t>(layout.run);
  int64_t count = 1;
  for (const int64_t size : layout.scale_shape) count *= size;

  std::vector<Range> ranges(static_cast<size_t>(count));
  for (size_t i = 0; i < layout.run_block.size(); ++i) {
    Range* range = &ranges[static_cast<size_t>(layout.run_block[i])];
    values.ForEachPart(i * run, run,
                       [&](size_t, std::span<const float> part) { Extend(part, range); });
  }
  std::vector<Parameters> parameters(ranges.size());
  for (size_t i = 0; i < ranges.size(); ++i) {
    parameters[i] = ParametersOf(ranges[i], limits, mode, IsUnsignedInt(dtype), half);
    const bool zeros = ranges[i].low == 0 && ranges[i].high == 0;
    if (!std::isfinite(parameters[i].scale) || (parameters[i].scale == 0 && !zeros)) {
      return InvalidInput("values from {} to {} leave no scale in {}", ranges[i].low,
                          ranges[i].high, DTypeName(weight.dtype()));
    }
  }

  LinearTensor result;
  result.scale_shape = layout.scale_shape;
  std::vector<int8_t> quantized(values.size(), 0);
  ErrorSum error;
  for (size_t i = 0; i < layout.run_block.size(); ++i) {
    const Parameters& of_block = parameters[static_cast<size_t>(layout.run_block[i])];
    if (of_block.scale == 0) continue;  // a block of zeros: stays zero
    values.ForEachPart(i * run, run, [&](size_t begin, std::span<const float> part) {
      QuantizePart(part, of_block, limits, half, quantized.data() + begin, &error);
    });
  }
  result.max_error = error.largest;
  result.rms_error =
      values.size() == 0 ? 0 : std::sqrt(error.squares / static_cast<double>(values.size()));
  const bool has_offset = mode == LinearMode::kAsymmetric || IsUnsignedInt(dtype);
  for (const Parameters& of_block : parameters) {
    result.scale.push_back(of_block.scale);
    if (has_offset) result.offset.push_back(static_cast<int8_t>(static_cast<int>(of_block.offset)));
  }
  const ir::Type type = ir::Type::Tensor(dtype, weight.shape());
  ANEMONE_ASSIGN(
      result.data,
      ir::Literal::FromBytes(type, BitWidth(dtype) == 4 ? PackNibbles(quantized)
                                                        : Bytes::FromVector(std::move(quantized))));
  return result;
}

Result<ir::Literal> DequantizeLinear(const LinearTensor& tensor, DType dtype) {
  const ir::Shape& shape = tensor.data.shape();
  ir::Shape blocks;
  for (size_t i = 0; i < shape.size(); ++i)
    blocks.push_back(shape[i] / std::max<int64_t>(1, tensor.scale_shape[i]));
  const Layout layout = LayoutOf(shape, blocks);
  const bool is_unsigned = IsUnsignedInt(tensor.data.dtype());
  std::vector<float> values(static_cast<size_t>(tensor.data.element_count()));
  for (size_t i = 0; i < values.size(); ++i) {
    const auto block = static_cast<size_t>(layout.run_block[i / static_cast<size_t>(layout.run)]);
    int offset = tensor.offset.empty() ? 0 : tensor.offset[block];
    if (is_unsigned && offset < 0) offset += 256;
    const auto quantized =
        ir::IntElement(tensor.data.bytes(), tensor.data.dtype(), static_cast<int64_t>(i));
    values[i] = static_cast<float>(quantized - offset) * tensor.scale[block];
  }
  return ir::Literal::Floats(dtype, values, shape);
}

}  // namespace anemone::compress
