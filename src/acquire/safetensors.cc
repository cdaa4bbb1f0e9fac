#include "acquire/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "acquire/safetensors_header.h"
#include "base/mapped_file.h"

namespace anemone::acquire {
namespace {

constexpr size_t kLengthBytes = 8;

struct TypeName {
  std::string_view name;
  DType dtype;
};
constexpr std::array<TypeName, 13> kTypes{{{"BOOL", DType::kBool},
                                           {"U8", DType::kUInt8},
                                           {"I8", DType::kInt8},
                                           {"I16", DType::kInt16},
                                           {"U16", DType::kUInt16},
                                           {"F16", DType::kFp16},
                                           {"BF16", DType::kBf16},
                                           {"I32", DType::kInt32},
                                           {"U32", DType::kUInt32},
                                           {"F32", DType::kFp32},
                                           {"F64", DType::kFp64},
                                           {"I64", DType::kInt64},
                                           {"U64", DType::kUInt64}}};
// Types of the format that DType does not have.
constexpr std::array<std::string_view, 8> kTypesWithoutDType{
    {"F8_E5M2", "F8_E4M3", "F8_E8M0", "F6_E2M3", "F6_E3M2", "F4", "C64", "F8_E4M3FNUZ"}};

std::optional<DType> TypeFromName(std::string_view name) {
  for (const TypeName& row : kTypes) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

std::optional<std::string_view> NameFromType(DType dtype) {
  for (const TypeName& row : kTypes) {
    if (row.dtype == dtype) return row.name;
  }
  return std::nullopt;
}

// The number of elements of a shape; nullopt when the product exceeds int64 (a zero dimension does
// not help when the others overflow).
std::optional<int64_t> CountOf(const std::vector<uint64_t>& shape) {
  uint64_t count = 1;
  for (const uint64_t dim : shape) {
    if (dim > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
    if (dim != 0 && count > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / dim) {
      return std::nullopt;
    }
    count *= dim;
  }
  return static_cast<int64_t>(count);
}

Result<NamedTensor> TensorOf(const HeaderEntry& entry, const Bytes& data) {
  const auto place = [&] { return fmt::format("tensor '{}'", entry.name); };
  if (entry.begin > entry.end) {
    return InvalidInput("data_offsets [{}, {}] run backwards", entry.begin, entry.end).At(place());
  }
  if (entry.end > data.size()) {
    return InvalidInput("data_offsets [{}, {}] extend past the {} bytes of data", entry.begin,
                        entry.end, data.size())
        .At(place())
        .Advise("the file may be truncated: fetch it again");
  }
  const auto dtype = TypeFromName(entry.dtype);
  if (!dtype) {
    const bool known = std::find(kTypesWithoutDType.begin(), kTypesWithoutDType.end(),
                                 entry.dtype) != kTypesWithoutDType.end();
    if (known) return Unsupported("data type {} is not supported", entry.dtype).At(place());
    return InvalidInput("'{}' is not a data type of the format", entry.dtype).At(place());
  }
  const auto count = CountOf(entry.shape);
  const auto size = count ? ByteSize(*dtype, *count) : std::nullopt;
  if (!size) return InvalidInput("the shape's size overflows").At(place());
  if (*size != entry.end - entry.begin) {
    return InvalidInput("shape and type need {} bytes, but data_offsets give {}", *size,
                        entry.end - entry.begin)
        .At(place());
  }
  NamedTensor tensor{entry.name, *dtype, {entry.shape.begin(), entry.shape.end()}, {}};
  tensor.data = data.Slice(entry.begin, *size);
  // The format does not promise alignment. Our files and almost every other writer's are aligned;
  // tensors that are not are copied when they are read as numbers.
  const auto width = static_cast<uintptr_t>(BitWidth(*dtype) / 8);
  if (reinterpret_cast<uintptr_t>(tensor.data.data()) % width != 0) {
    tensor.data = tensor.data.AtAnyAddress();
  }
  return tensor;
}

// The tensors must tile the data section exactly: [0, a) [a, b) ... [y, size).
Status CheckTiling(std::vector<HeaderEntry> entries, uint64_t size) {
  std::sort(entries.begin(), entries.end(), [](const HeaderEntry& a, const HeaderEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t end = 0;
  for (const HeaderEntry& entry : entries) {
    if (entry.begin < end) {
      return InvalidInput("tensor '{}' begins at {}, inside its neighbor that ends at {}",
                          entry.name, entry.begin, end);
    }
    if (entry.begin > end) {
      return InvalidInput("bytes [{}, {}) before tensor '{}' do not belong to a tensor", end,
                          entry.begin, entry.name);
    }
    end = entry.end;
  }
  if (end != size) {
    return InvalidInput("bytes [{}, {}) at the end do not belong to a tensor", end, size);
  }
  return {};
}

bool ByName(const NamedTensor& a, const NamedTensor& b) { return a.name < b.name; }

bool EndsWith(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

}  // namespace

Result<SafeTensors> SafeTensors::Parse(const Bytes& file) {
  if (file.size() < kLengthBytes) {
    return InvalidInput("{} bytes are too few for the 8-byte header length", file.size());
  }
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    length |= static_cast<uint64_t>(file.data()[i]) << (8 * i);
  }
  if (length > kMaxSafetensorsHeaderBytes) {
    return InvalidInput("the header claims {} bytes, but the format allows {}", length,
                        kMaxSafetensorsHeaderBytes)
        .Advise("check that this is a safetensors file");
  }
  if (length > file.size() - kLengthBytes) {
    return InvalidInput("the header claims {} bytes, but the file has {} left", length,
                        file.size() - kLengthBytes)
        .Advise("the file may be truncated: fetch it again");
  }
  const std::string_view json(reinterpret_cast<const char*>(file.data()) + kLengthBytes, length);
  if (json.empty() || json.front() != '{')
    return InvalidInput("the header does not begin with '{{'");
  ANEMONE_ASSIGN(Header header, ParseHeader(json));

  const size_t start = kLengthBytes + length;
  const Bytes data = file.Slice(start, file.size() - start);
  SafeTensors result;
  result.tensors_.reserve(header.entries.size());
  for (const HeaderEntry& entry : header.entries) {
    ANEMONE_ASSIGN(NamedTensor tensor, TensorOf(entry, data));
    result.tensors_.push_back(std::move(tensor));
  }
  ANEMONE_TRY(CheckTiling(std::move(header.entries), data.size()));
  std::sort(result.tensors_.begin(), result.tensors_.end(), ByName);
  result.metadata_ = std::move(header.metadata);
  return result;
}

Result<SafeTensors> SafeTensors::Open(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes file, MapFile(path));
  if (EndsWith(path, ".json")) return OpenIndex(path, file);
  return Parse(file).At(path);
}

Result<SafeTensors> SafeTensors::OpenIndex(const std::string& path, const Bytes& text) {
  if (text.size() > kMaxSafetensorsHeaderBytes) {
    return InvalidInput("the index is larger than {} bytes", kMaxSafetensorsHeaderBytes).At(path);
  }
  const std::string_view json = text.text();
  ANEMONE_ASSIGN(auto map, ParseIndex(json).At(path));
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);

  std::map<std::string, SafeTensors> shards;
  SafeTensors result;
  for (const auto& [name, file] : map) {
    if (!shards.contains(file)) {
      if (EndsWith(file, ".json")) {
        return InvalidInput("shard '{}' is itself an index", file).At(path);
      }
      ANEMONE_ASSIGN(SafeTensors shard, Open(folder + file).At(path));
      shards.emplace(file, std::move(shard));
    }
    const SafeTensors& shard = shards.at(file);
    const NamedTensor* tensor = shard.Find(name);
    if (tensor == nullptr) {
      return InvalidInput("tensor '{}' is not in the shard '{}' that should hold it", name, file)
          .At(path);
    }
    result.tensors_.push_back(*tensor);
    result.metadata_.insert(shard.metadata_.begin(), shard.metadata_.end());
  }
  return result;  // a map's order is by name already
}

const NamedTensor* SafeTensors::Find(std::string_view name) const {
  const auto found = std::lower_bound(
      tensors_.begin(), tensors_.end(), name,
      [](const NamedTensor& tensor, std::string_view n) { return tensor.name < n; });
  return found != tensors_.end() && found->name == name ? &*found : nullptr;
}

Result<std::vector<std::byte>> EncodeSafeTensors(
    std::vector<NamedTensor> tensors, const std::map<std::string, std::string>& metadata) {
  std::sort(tensors.begin(), tensors.end(), [](const NamedTensor& a, const NamedTensor& b) {
    const int wide_a = BitWidth(a.dtype);
    const int wide_b = BitWidth(b.dtype);
    return wide_a != wide_b ? wide_a > wide_b : a.name < b.name;
  });
  Header header;
  header.metadata = metadata;
  uint64_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    const auto type = NameFromType(tensor.dtype);
    const std::string place = fmt::format("tensor '{}'", tensor.name);
    if (!type)
      return Unsupported("safetensors has no type for {}", DTypeName(tensor.dtype)).At(place);
    if (tensor.name == "__metadata__") return Usage("this name is reserved").At(place);
    HeaderEntry entry{tensor.name, std::string(*type), {}, offset, offset + tensor.data.size()};
    for (const int64_t dim : tensor.shape) {
      if (dim < 0) return Usage("dimension {} is negative", dim).At(place);
      entry.shape.push_back(static_cast<uint64_t>(dim));
    }
    const auto count = CountOf(entry.shape);
    const auto size = count ? ByteSize(tensor.dtype, *count) : std::nullopt;
    if (!size || *size != tensor.data.size()) {
      return Usage("shape and type do not match {} bytes of data", tensor.data.size()).At(place);
    }
    offset = entry.end;
    header.entries.push_back(std::move(entry));
  }
  std::vector<std::string_view> names;
  names.reserve(header.entries.size());
  for (const HeaderEntry& entry : header.entries) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) return Usage("tensor '{}' is given twice", *twice);

  ANEMONE_ASSIGN(std::string json, PrintHeader(header));
  json.resize((json.size() + 7) / 8 * 8, ' ');
  if (json.size() > kMaxSafetensorsHeaderBytes)
    return Usage("the header exceeds {} bytes", kMaxSafetensorsHeaderBytes);
  std::vector<std::byte> out(kLengthBytes + json.size() + offset);
  for (size_t i = 0; i < kLengthBytes; ++i) {
    out[i] = static_cast<std::byte>(json.size() >> (8 * i));
  }
  std::memcpy(out.data() + kLengthBytes, json.data(), json.size());
  std::byte* data = out.data() + kLengthBytes + json.size();
  for (const NamedTensor& tensor : tensors) {
    if (!tensor.data.empty()) std::memcpy(data, tensor.data.data(), tensor.data.size());
    data += tensor.data.size();
  }
  return out;
}

}  // namespace anemone::acquire
