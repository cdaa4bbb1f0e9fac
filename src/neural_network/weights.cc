#include "neural_network/weights.h"

#include <string>

#include "base/dtype.h"

namespace anemone::neural_network {

namespace nn = format::proto::nn;

namespace {

Result<int64_t> CountOf(const ir::Shape& shape) {
  const auto count = ir::ElementCount(shape);
  if (!count || *count > kMaxElements) {
    return InvalidInput("weights of shape {} are beyond the limit of 2^35 values",
                        ir::ShapeToString(shape));
  }
  return *count;
}

Error WrongCount(int64_t found, int64_t wanted, const ir::Shape& shape) {
  return InvalidInput("{} values are stored, but the shape {} needs {}", found,
                      ir::ShapeToString(shape), wanted);
}

std::vector<float> FromHalf(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(Half));
  for (size_t i = 0; i < values.size(); ++i) {
    Half half;
    std::memcpy(&half, bytes.data() + i * sizeof(Half), sizeof(Half));
    values[i] = static_cast<float>(half);
  }
  return values;
}

// `count` numbers of `bits` bits, the most significant bit first, one after the other.
Result<std::vector<uint8_t>> Unpack(const std::string& bytes, int64_t bits, int64_t count,
                                    const ir::Shape& shape) {
  const auto needed = static_cast<size_t>((count * bits + 7) / 8);
  if (bytes.size() != needed) {
    return InvalidInput("{} bytes hold the {}-bit numbers of shape {}, not {}", bytes.size(), bits,
                        ir::ShapeToString(shape), needed);
  }
  std::vector<uint8_t> numbers(static_cast<size_t>(count));
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  for (size_t i = 0; i < numbers.size(); ++i) {
    const size_t bit = i * static_cast<size_t>(bits);
    const size_t at = bit / 8;
    uint32_t window = static_cast<uint32_t>(data[at]) << 8;
    if (at + 1 < bytes.size()) window |= data[at + 1];
    const auto shift = 16 - static_cast<int64_t>(bit % 8) - bits;
    numbers[i] = static_cast<uint8_t>((window >> shift) & ((1u << bits) - 1));
  }
  return numbers;
}

// The step from one channel to the next in row-major order.
struct Channels {
  int64_t count = 1;
  int64_t inner = 1;
  int64_t Of(int64_t element) const { return element / inner % count; }
};

Channels ChannelsOf(const ir::Shape& shape, size_t axis) {
  Channels channels;
  if (axis >= shape.size()) return channels;
  channels.count = shape[axis];
  for (size_t d = axis + 1; d < shape.size(); ++d) channels.inner *= shape[d];
  return channels;
}

Result<std::vector<float>> Dequantize(const nn::WeightParams& params, const ir::Shape& shape,
                                      int64_t count, size_t channel_axis) {
  const nn::QuantizationParams& quantization = params.quantization();
  const uint64_t stored_bits = quantization.numberofbits();
  const bool is_signed = !params.int8rawvalue().empty();
  if (stored_bits < 1 || stored_bits > 8 || (is_signed && stored_bits != 8)) {
    return InvalidInput("{}-bit weights{}", stored_bits, is_signed ? ", signed" : "")
        .Advise("the format has 1 to 8 bits, and 8 for signed ones");
  }
  const auto bits = static_cast<int64_t>(stored_bits);
  ANEMONE_ASSIGN(const std::vector<uint8_t> numbers,
                 Unpack(is_signed ? params.int8rawvalue() : params.rawvalue(), bits, count, shape));
  std::vector<float> values(numbers.size());
  if (quantization.has_lookuptablequantization()) {
    const auto& table = quantization.lookuptablequantization().floatvalue();
    if (is_signed || table.size() != (1 << bits)) {
      return InvalidInput("a table of {} values for {}-bit indices", table.size(), bits);
    }
    for (size_t i = 0; i < values.size(); ++i) values[i] = table.Get(numbers[i]);
    return values;
  }
  if (!quantization.has_linearquantization()) {
    return InvalidInput("quantized weights have neither a scale nor a table");
  }
  const auto& scale = quantization.linearquantization().scale();
  const auto& bias = quantization.linearquantization().bias();
  const Channels channels = ChannelsOf(shape, channel_axis);
  for (const int size : {scale.size(), bias.size()}) {
    const bool no_bias = size == 0 && !scale.empty();
    if (size != 1 && size != channels.count && !no_bias) {
      return InvalidInput("{} scales and {} biases for {} channels", scale.size(), bias.size(),
                          channels.count);
    }
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const auto channel = static_cast<int>(channels.Of(static_cast<int64_t>(i)));
    const float number = is_signed ? static_cast<float>(static_cast<int8_t>(numbers[i]))
                                   : static_cast<float>(numbers[i]);
    const float offset = bias.empty() ? 0 : bias.Get(bias.size() == 1 ? 0 : channel);
    values[i] = scale.Get(scale.size() == 1 ? 0 : channel) * number + offset;
  }
  return values;
}

// Decoded values; absent for float32 ones, which are read in place.
Result<std::vector<float>> Decode(const nn::WeightParams& params, const ir::Shape& shape,
                                  int64_t count, size_t channel_axis) {
  if (!params.float16value().empty()) {
    if (params.float16value().size() != static_cast<size_t>(count) * sizeof(Half)) {
      return WrongCount(static_cast<int64_t>(params.float16value().size() / sizeof(Half)), count,
                        shape);
    }
    return FromHalf(params.float16value());
  }
  if (!params.rawvalue().empty() || !params.int8rawvalue().empty()) {
    if (!params.has_quantization()) {
      return InvalidInput("raw weights do not say how they are quantized");
    }
    return Dequantize(params, shape, count, channel_axis);
  }
  return WrongCount(0, count, shape);
}

Status CheckForms(const nn::WeightParams& params) {
  const int forms = (params.floatvalue_size() > 0) + !params.float16value().empty() +
                    !params.rawvalue().empty() + !params.int8rawvalue().empty();
  if (forms > 1) return InvalidInput("weights are stored in {} forms at once", forms);
  return {};
}

}  // namespace

bool HasWeights(const nn::WeightParams& params) {
  return params.floatvalue_size() > 0 || !params.float16value().empty() ||
         !params.rawvalue().empty() || !params.int8rawvalue().empty();
}

Result<ir::Literal> WeightSource::Read(const nn::WeightParams& params, const ir::Shape& shape,
                                       size_t channel_axis) const {
  ANEMONE_TRY(CheckForms(params));
  ANEMONE_ASSIGN(const int64_t count, CountOf(shape));
  const ir::Type type = ir::Type::Tensor(DType::kFp32, shape);
  if (params.floatvalue_size() > 0) {
    if (params.floatvalue_size() != count) {
      return WrongCount(params.floatvalue_size(), count, shape);
    }
    return ir::Literal::FromBytes(type, Bytes(params.floatvalue().data(),
                                              static_cast<size_t>(count) * sizeof(float), owner_));
  }
  ANEMONE_ASSIGN(std::vector<float> values, Decode(params, shape, count, channel_axis));
  return ir::Literal::FromBytes(type, Bytes::FromVector(std::move(values)));
}

Result<std::vector<float>> WeightSource::ReadFloats(const nn::WeightParams& params,
                                                    const ir::Shape& shape,
                                                    size_t channel_axis) const {
  ANEMONE_ASSIGN(const ir::Literal literal, Read(params, shape, channel_axis));
  const auto values = literal.As<float>();
  return std::vector<float>(values.begin(), values.end());
}

}  // namespace anemone::neural_network
