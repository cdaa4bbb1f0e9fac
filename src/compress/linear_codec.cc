#include "compress/linear_codec.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "base/uninitialized.h"
#include "compress/linear_kernels.h"
#include "compress/pack_bits.h"
#include "compress/weights.h"

namespace anemone::compress {
namespace {

// Sums of squares are kept in float for this many elements at a time.
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

// The layout of a tensor's blocks: runs of adjacent elements that belong to one block.
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

// Returns false when not all values are finite.
template <typename T>
bool Extend(std::span<const T> values, Range* range) {
  if (values.empty()) return true;
  if (range->empty) *range = {values[0], values[0], false};
  return FindRange(values, &range->low, &range->high);
}

struct Parameters {
  float scale = 0;
  float offset = 0;  // a whole number
};

// One operation's result in the dtype of the tensor.
float Rounded(float value, bool half) { return half ? HalfToFloat(FloatToHalf(value)) : value; }

// The scale of a range so narrow that its exact scale is 0 in the dtype: then each value is a small
// multiple of this.
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

struct ErrorSum {
  double largest = 0;
  double squares = 0;
};

// Quantizes values of one block.
template <typename T>
void QuantizeRun(std::span<const T> values, const Parameters& parameters, Limits limits,
                 int8_t* out, ErrorSum* error) {
  const QuantizeArgs args{.scale = parameters.scale,
                          .offset = parameters.offset,
                          .low = static_cast<float>(limits.low),
                          .high = static_cast<float>(limits.high)};
  const double step = parameters.scale;
  for (size_t at = 0; at < values.size(); at += kChunk) {
    // In steps of the scale: the squares of huge values would leave float's range.
    StepErrors errors;
    Quantize(values.subspan(at, std::min(kChunk, values.size() - at)), args, out + at, &errors);
    error->largest = std::max(error->largest, step * errors.largest);
    error->squares += step * step * errors.squares;
  }
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
      return InvalidInput("dimension {} of size {} is not a multiple of the block size {}", i,
                          shape[i], blocks[i]);
    }
  }
  return {};
}

// Quantizes all blocks to `out`, one byte each.
template <typename T>
Status QuantizeBlocks(const ir::Literal& weight, const Layout& layout, DType dtype, LinearMode mode,
                      std::vector<Parameters>* parameters, int8_t* out, ErrorSum* error) {
  const std::span<const T> values = weight.As<T>();
  const Limits limits = LimitsOf(dtype, mode);
  const auto run_values = static_cast<size_t>(layout.run);
  const auto values_of = [&](size_t run) { return values.subspan(run * run_values, run_values); };
  const size_t runs = layout.run_block.size();
  std::vector<Range> ranges(parameters->size());
  // When each run is one block, its values are still in cache when its range is known.
  const size_t step = runs == ranges.size() ? 1 : std::max<size_t>(1, runs);
  for (size_t first = 0; first < runs; first += step) {
    for (size_t run = first; run < first + step; ++run) {
      if (!Extend(values_of(run), &ranges[static_cast<size_t>(layout.run_block[run])]))
        return InvalidInput("{}", WhyNotFinite(weight));
    }
    const size_t block = step == 1 ? static_cast<size_t>(layout.run_block[first]) : 0;
    for (size_t i = block; i < (step == 1 ? block + 1 : ranges.size()); ++i) {
      Parameters& found = (*parameters)[i];
      found = ParametersOf(ranges[i], limits, mode, IsUnsignedInt(dtype),
                           weight.dtype() == DType::kFp16);
      const bool zeros = ranges[i].low == 0 && ranges[i].high == 0;
      if (!std::isfinite(found.scale) || (found.scale == 0 && !zeros)) {
        return InvalidInput("values from {} to {} have no scale in {}", ranges[i].low,
                            ranges[i].high, DTypeName(weight.dtype()));
      }
    }
    for (size_t run = first; run < first + step; ++run) {
      const Parameters& of_block = (*parameters)[static_cast<size_t>(layout.run_block[run])];
      int8_t* at = out + run * run_values;
      if (of_block.scale == 0) {
        std::fill_n(at, run_values, int8_t{0});
      } else {
        QuantizeRun(values_of(run), of_block, limits, at, error);
      }
    }
  }
  return {};
}

}  // namespace

Result<LinearTensor> QuantizeLinear(const ir::Literal& weight, const ir::Shape& blocks, DType dtype,
                                    LinearMode mode) {
  ANEMONE_TRY(CheckArguments(weight, blocks, dtype));
  const Layout layout = LayoutOf(weight.shape(), blocks);
  int64_t count = 1;
  for (const int64_t size : layout.scale_shape) count *= size;
  const auto elements = static_cast<size_t>(weight.element_count());

  std::vector<Parameters> parameters(static_cast<size_t>(count));
  const Uninitialized<int8_t> quantized(elements);
  ErrorSum error;
  ANEMONE_TRY(
      weight.dtype() == DType::kFp16
          ? QuantizeBlocks<Half>(weight, layout, dtype, mode, &parameters, quantized.data(), &error)
          : QuantizeBlocks<float>(weight, layout, dtype, mode, &parameters, quantized.data(),
                                  &error));
  LinearTensor result;
  result.scale_shape = layout.scale_shape;
  result.max_error = error.largest;
  result.rms_error = elements == 0 ? 0 : std::sqrt(error.squares / static_cast<double>(elements));
  const bool has_offset = mode == LinearMode::kAsymmetric || IsUnsignedInt(dtype);
  for (const Parameters& of_block : parameters) {
    result.scale.push_back(of_block.scale);
    if (has_offset) result.offset.push_back(static_cast<int8_t>(static_cast<int>(of_block.offset)));
  }
  ANEMONE_ASSIGN(
      result.data,
      ir::Literal::FromBytes(ir::Type::Tensor(dtype, weight.shape()),
                             BitWidth(dtype) == 4 ? PackBits(quantized.ToBytes().As<uint8_t>(), 4)
                                                  : quantized.ToBytes()));
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
