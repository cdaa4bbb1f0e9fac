#include "onnx/wire.h"

#include <bit>
#include <cstring>

namespace anemone::onnx {
namespace {

constexpr int kMaxVarintBytes = 10;
constexpr uint32_t kMaxFieldNumber = (1u << 29) - 1;

}  // namespace

Error WireReader::Invalid(std::string_view rule) const {
  return InvalidInput("{}", rule).At(fmt::format("byte {}", base_ + position_));
}

Result<uint64_t> WireReader::ReadVarint(size_t& position) const {
  uint64_t value = 0;
  for (int i = 0; i < kMaxVarintBytes; ++i) {
    if (position >= bytes_.size())
      return Invalid("the message ends inside a varint: the file may be truncated");
    const auto byte = static_cast<uint64_t>(bytes_[position++]);
    value |= (byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) return value;
  }
  return Invalid("a varint is longer than 10 bytes: not an ONNX file, or damaged");
}

Result<bool> WireReader::Next() {
  if (position_ >= bytes_.size()) return false;
  size_t position = position_;
  ANEMONE_ASSIGN(const uint64_t tag, ReadVarint(position));
  if ((tag >> 3) == 0 || (tag >> 3) > kMaxFieldNumber) {
    return Invalid("a field has a number outside 1 to 2^29-1: not an ONNX file, or damaged");
  }
  number_ = static_cast<uint32_t>(tag >> 3);
  payload_ = {};
  scalar_ = 0;
  const size_t left = bytes_.size() - position;
  switch (tag & 7) {
    case 0: {
      type_ = WireType::kVarint;
      payload_offset_ = position;
      ANEMONE_ASSIGN(scalar_, ReadVarint(position));
      break;
    }
    case 1:
    case 5: {
      const size_t width = (tag & 7) == 1 ? 8 : 4;
      type_ = width == 8 ? WireType::kFixed64 : WireType::kFixed32;
      if (left < width)
        return Invalid("the message ends inside a number: the file may be truncated");
      payload_offset_ = position;
      payload_ = bytes_.subspan(position, width);
      position += width;
      break;
    }
    case 2: {
      type_ = WireType::kBytes;
      ANEMONE_ASSIGN(const uint64_t length, ReadVarint(position));
      if (length > bytes_.size() - position) {
        return Invalid(fmt::format(
            "field {} claims {} bytes, but {} are left: the file is truncated or damaged", number_,
            length, bytes_.size() - position));
      }
      payload_offset_ = position;
      payload_ = bytes_.subspan(position, length);
      position += length;
      break;
    }
    default:
      return Invalid(
          fmt::format("field {} has wire type {}: not an ONNX file, or damaged", number_, tag & 7));
  }
  position_ = position;
  return true;
}

Result<uint64_t> WireReader::Varint() const {
  if (type_ != WireType::kVarint) return Invalid(fmt::format("field {} must be a varint", number_));
  return scalar_;
}

Result<int64_t> WireReader::Int64() const {
  ANEMONE_ASSIGN(const uint64_t value, Varint());
  return static_cast<int64_t>(value);
}

Result<int32_t> WireReader::Int32() const {
  ANEMONE_ASSIGN(const int64_t value, Int64());
  if (value < INT32_MIN || value > INT32_MAX) {
    return Invalid(fmt::format("field {} holds {}, which is not an int32", number_, value));
  }
  return static_cast<int32_t>(value);
}

Result<float> WireReader::Float() const {
  if (type_ != WireType::kFixed32) return Invalid(fmt::format("field {} must be a float", number_));
  float value;
  std::memcpy(&value, payload_.data(), sizeof(value));
  return value;
}

Result<std::span<const std::byte>> WireReader::Payload() const {
  if (type_ != WireType::kBytes) {
    return Invalid(fmt::format("field {} must be length-delimited", number_));
  }
  return payload_;
}

Result<std::string> WireReader::String() const {
  ANEMONE_ASSIGN(const auto payload, Payload());
  return std::string(reinterpret_cast<const char*>(payload.data()), payload.size());
}

Result<WireReader> WireReader::Message() const {
  ANEMONE_ASSIGN(const auto payload, Payload());
  return WireReader(payload, base_ + payload_offset_);
}

Status WireReader::AppendVarints(std::vector<int64_t>& out) const {
  if (type_ == WireType::kVarint) {
    out.push_back(static_cast<int64_t>(scalar_));
    return {};
  }
  ANEMONE_ASSIGN(const WireReader inner, Message());
  for (size_t position = 0; position < inner.bytes_.size();) {
    ANEMONE_ASSIGN(const uint64_t value, inner.ReadVarint(position));
    out.push_back(static_cast<int64_t>(value));
  }
  return {};
}

template <typename T>
Status WireReader::AppendFixed(WireType single, std::vector<T>& out) const {
  static_assert(std::endian::native == std::endian::little);
  if (type_ != single && type_ != WireType::kBytes) {
    return Invalid(fmt::format("field {} must hold {}-byte numbers", number_, sizeof(T)));
  }
  if (payload_.size() % sizeof(T) != 0) {
    return Invalid(fmt::format("field {} holds {} bytes, which is not a multiple of {}", number_,
                               payload_.size(), sizeof(T)));
  }
  const size_t count = payload_.size() / sizeof(T);
  const size_t old = out.size();
  out.resize(old + count);
  if (count != 0) std::memcpy(out.data() + old, payload_.data(), payload_.size());
  return {};
}

Status WireReader::AppendFloats(std::vector<float>& out) const {
  return AppendFixed(WireType::kFixed32, out);
}

Status WireReader::AppendDoubles(std::vector<double>& out) const {
  return AppendFixed(WireType::kFixed64, out);
}

}  // namespace anemone::onnx
