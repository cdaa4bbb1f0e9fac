#include "onnx/tensor_reader.h"

#include <charconv>
#include <cstring>
#include <limits>
#include <type_traits>

namespace anemone::onnx {
namespace {

constexpr size_t kMaxTensorRank = 64;

// The parts of a TensorProto before they are put together.
struct Parts {
  Tensor tensor;
  bool has_raw = false;
  std::span<const std::byte> raw;
  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<int64_t> int32s, int64s, uint64s;
  std::map<std::string, std::string> external;
  bool is_external = false;
};

Result<std::pair<std::string, std::string>> ReadEntry(WireReader message) {
  std::pair<std::string, std::string> entry;
  while (true) {
    ANEMONE_ASSIGN(const bool more, message.Next());
    if (!more) return entry;
    if (message.number() == 1) {
      ANEMONE_ASSIGN(entry.first, message.String());
    }
    if (message.number() == 2) {
      ANEMONE_ASSIGN(entry.second, message.String());
    }
  }
}

Status ReadField(const WireReader& field, Parts& parts) {
  switch (field.number()) {
    case 1:
      return field.AppendVarints(parts.tensor.dims);
    case 2: {
      ANEMONE_ASSIGN(parts.tensor.type, field.Int32());
      return {};
    }
    case 3:
      return InvalidInput("tensors split into segments are no longer part of ONNX");
    case 4:
      return field.AppendFloats(parts.floats);
    case 5:
      return field.AppendVarints(parts.int32s);
    case 6: {
      ANEMONE_ASSIGN(std::string text, field.String());
      parts.tensor.strings.push_back(std::move(text));
      return {};
    }
    case 7:
      return field.AppendVarints(parts.int64s);
    case 8: {
      ANEMONE_ASSIGN(parts.tensor.name, field.String());
      return {};
    }
    case 9: {
      parts.has_raw = true;
      ANEMONE_ASSIGN(parts.raw, field.Payload());
      return {};
    }
    case 10:
      return field.AppendDoubles(parts.doubles);
    case 11:
      return field.AppendVarints(parts.uint64s);
    case 13: {
      ANEMONE_ASSIGN(const WireReader message, field.Message());
      ANEMONE_ASSIGN(auto entry, ReadEntry(message));
      parts.external.insert_or_assign(std::move(entry.first), std::move(entry.second));
      return {};
    }
    case 14: {
      ANEMONE_ASSIGN(const int32_t location, field.Int32());
      parts.is_external = location == 1;
      return {};
    }
    default:
      return {};
  }
}

Result<uint64_t> ParseUnsigned(const std::string& key, const std::string& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return InvalidInput("external data {} '{}' is not a whole number", key, text);
  }
  return value;
}

Result<Bytes> ReadExternal(const Parts& parts, size_t size_bytes, ExternalFiles& external) {
  const auto find = [&](const char* key) -> const std::string* {
    const auto found = parts.external.find(key);
    return found == parts.external.end() ? nullptr : &found->second;
  };
  const std::string* location = find("location");
  if (location == nullptr) return InvalidInput("external data has no 'location'");
  uint64_t offset = 0;
  std::optional<uint64_t> length;
  if (const auto* text = find("offset")) {
    ANEMONE_ASSIGN(offset, ParseUnsigned("offset", *text));
  }
  if (const auto* text = find("length")) {
    ANEMONE_ASSIGN(length, ParseUnsigned("length", *text));
  }
  return external.Read(*location, offset, length, size_bytes);
}

// Stores each of `values` as a T. The values must fit: as T, or as its unsigned counterpart (the
// bits of a half float, a byte of two int4).
template <typename T>
Result<Bytes> Narrow(const std::vector<int64_t>& values) {
  std::vector<T> out(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if constexpr (sizeof(T) < 8) {
      if (values[i] < static_cast<int64_t>(std::numeric_limits<T>::min()) ||
          values[i] > static_cast<int64_t>(std::numeric_limits<T>::max())) {
        return InvalidInput("element {} is {}, which does not fit its element type", i, values[i]);
      }
    }
    out[i] = static_cast<T>(values[i]);
  }
  return Bytes::FromVector(std::move(out));
}

Result<Bytes> NarrowTo(DType dtype, const std::vector<int64_t>& values) {
  switch (dtype) {
    case DType::kInt8:
      return Narrow<int8_t>(values);
    case DType::kInt16:
      return Narrow<int16_t>(values);
    case DType::kInt32:
      return Narrow<int32_t>(values);
    case DType::kInt64:
    case DType::kUInt64:
      return Narrow<int64_t>(values);
    case DType::kUInt32:
      return Narrow<uint32_t>(values);
    case DType::kFp16:
    case DType::kBf16:
    case DType::kUInt16:
      return Narrow<uint16_t>(values);
    default:
      return Narrow<uint8_t>(values);  // bool, uint8, pairs of int4
  }
}

// The elements from the typed array that ONNX prescribes for the dtype.
Result<Bytes> FromTypedArray(Parts& parts) {
  switch (parts.tensor.dtype) {
    case DType::kFp32:
      return Bytes::FromVector(std::move(parts.floats));
    case DType::kFp64:
      return Bytes::FromVector(std::move(parts.doubles));
    case DType::kInt64:
      return NarrowTo(DType::kInt64, parts.int64s);
    case DType::kUInt32:
    case DType::kUInt64:
      return NarrowTo(parts.tensor.dtype, parts.uint64s);
    default:
      return NarrowTo(parts.tensor.dtype, parts.int32s);
  }
}

Status CheckBools(const Tensor& tensor) {
  if (tensor.dtype != DType::kBool) return {};
  for (const uint8_t value : tensor.data.As<uint8_t>()) {
    if (value > 1) return InvalidInput("a bool element holds {}, but must hold 0 or 1", value);
  }
  return {};
}

Status Assemble(Parts& parts, const Bytes& file, ExternalFiles& external) {
  Tensor& tensor = parts.tensor;
  if (tensor.dims.size() > kMaxTensorRank) {
    return InvalidInput("rank {} exceeds the limit of {}", tensor.dims.size(), kMaxTensorRank);
  }
  tensor.element_count = 1;
  for (const int64_t dim : tensor.dims) {
    if (dim < 0) return InvalidInput("a dim is {}, but must not be negative", dim);
    if (__builtin_mul_overflow(tensor.element_count, dim, &tensor.element_count)) {
      return InvalidInput("the product of the dims overflows 64 bits");
    }
  }
  tensor.dtype = ToDType(tensor.type);
  if (tensor.dtype == DType::kInvalid) return {};  // the importer reports its uses
  if (tensor.dtype == DType::kString) {
    if (static_cast<uint64_t>(tensor.element_count) != tensor.strings.size()) {
      return InvalidInput("{} strings are given, but the dims need {}", tensor.strings.size(),
                          tensor.element_count);
    }
    return {};
  }
  const auto size_bytes = ByteSize(tensor.dtype, tensor.element_count);
  if (!size_bytes) return InvalidInput("the size in bytes overflows 64 bits");
  if (parts.is_external) {
    ANEMONE_ASSIGN(const Bytes bytes, ReadExternal(parts, *size_bytes, external));
    tensor.data = bytes.AtAnyAddress();
  } else if (parts.has_raw) {
    const size_t offset = static_cast<size_t>(parts.raw.data() - file.data());
    if (parts.raw.size() == *size_bytes) {
      tensor.data = file.Slice(offset, parts.raw.size()).AtAnyAddress();
    } else {
      return InvalidInput("raw_data has {} bytes, but dims and type {} need {}", parts.raw.size(),
                          ElementTypeName(tensor.type), *size_bytes);
    }
  } else {
    ANEMONE_ASSIGN(tensor.data, FromTypedArray(parts));
    if (tensor.data.size() != *size_bytes) {
      return InvalidInput("the data field holds {} bytes, but dims and type {} need {}",
                          tensor.data.size(), ElementTypeName(tensor.type), *size_bytes);
    }
  }
  return CheckBools(tensor);
}

}  // namespace

Result<Tensor> ReadTensor(WireReader message, const Bytes& file, ExternalFiles& external) {
  Parts parts;
  const auto place = [&] { return fmt::format("tensor '{}'", parts.tensor.name); };
  while (true) {
    ANEMONE_ASSIGN(const bool more, message.Next());
    if (!more) break;
    if (auto status = ReadField(message, parts); !status.ok()) {
      return std::move(status).At(place()).error();
    }
  }
  if (auto status = Assemble(parts, file, external); !status.ok()) {
    return std::move(status).At(place()).error();
  }
  return std::move(parts.tensor);
}

}  // namespace anemone::onnx
