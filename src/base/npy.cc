#include "base/npy.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

#include "base/mapped_file.h"
#include "base/zip_reader.h"

namespace anemone {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kMaxHeaderBytes = size_t{1} << 20;
constexpr size_t kMaxRank = 64;  // NumPy's own limit
constexpr size_t kAlign = 64;

struct TypeCode {
  std::string_view code;  // without the byte-order letter
  DType dtype;
};
constexpr std::array<TypeCode, 12> kTypeCodes{{{"b1", DType::kBool},
                                               {"f2", DType::kFp16},
                                               {"f4", DType::kFp32},
                                               {"f8", DType::kFp64},
                                               {"i1", DType::kInt8},
                                               {"i2", DType::kInt16},
                                               {"i4", DType::kInt32},
                                               {"i8", DType::kInt64},
                                               {"u1", DType::kUInt8},
                                               {"u2", DType::kUInt16},
                                               {"u4", DType::kUInt32},
                                               {"u8", DType::kUInt64}}};

// The header is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
// This reads exactly that much of Python, in any key order.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  struct Fields {
    std::optional<std::string> descr;
    std::optional<bool> fortran_order;
    std::optional<std::vector<int64_t>> shape;
  };

  Result<Fields> Parse() {
    Fields fields;
    if (!Take('{')) return Bad("does not begin with '{'");
    while (!Take('}')) {
      const auto key = String();
      if (!key || !Take(':')) return Bad("is not a dictionary");
      bool fresh = true;
      bool ok = false;
      if (*key == "descr") {
        fresh = !fields.descr;
        fields.descr = String();
        if (!fields.descr) return Unsupported("structured element types are not supported");
        ok = true;
      } else if (*key == "fortran_order") {
        fresh = !fields.fortran_order;
        ok = Bool(&fields.fortran_order);
      } else if (*key == "shape") {
        fresh = !fields.shape;
        ok = Tuple(&fields.shape);
      }
      if (!ok) return Bad(fmt::format("has a bad value or key '{}'", *key));
      if (!fresh) return Bad(fmt::format("gives '{}' twice", *key));
      if (!Take(',') && Peek() != '}') return Bad("lacks a comma");
    }
    if (Peek() != '\0' || position_ != text_.size()) return Bad("goes on after its dictionary");
    if (!fields.descr || !fields.fortran_order || !fields.shape) {
      return Bad("needs descr, fortran_order and shape");
    }
    return fields;
  }

 private:
  Error Bad(std::string_view what) const { return InvalidInput("the .npy header {}", what); }
  char Peek() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n')) {
      ++position_;
    }
    return position_ < text_.size() ? text_[position_] : '\0';
  }
  bool Take(char c) {
    if (Peek() != c) return false;
    ++position_;
    return true;
  }
  std::optional<std::string> String() {
    const char quote = Peek();
    if (quote != '\'' && quote != '"') return std::nullopt;
    const size_t end = text_.find(quote, position_ + 1);
    if (end == std::string_view::npos) return std::nullopt;
    std::string value(text_.substr(position_ + 1, end - position_ - 1));
    position_ = end + 1;
    return value;
  }
  bool Bool(std::optional<bool>* out) {
    Peek();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(position_, word.size()) != word) continue;
      position_ += word.size();
      *out = value;
      return true;
    }
    return false;
  }
  bool Tuple(std::optional<std::vector<int64_t>>* out) {
    std::vector<int64_t> dims;
    if (!Take('(')) return false;
    while (!Take(')')) {
      int64_t value = 0;
      const char first = Peek();
      if (first < '0' || first > '9' || dims.size() == kMaxRank) return false;
      while (position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9') {
        const int digit = text_[position_++] - '0';
        if (value > (std::numeric_limits<int64_t>::max() - digit) / 10) return false;
        value = value * 10 + digit;
      }
      if (position_ < text_.size() && text_[position_] == 'L') ++position_;  // written by Python 2
      dims.push_back(value);
      if (!Take(',') && Peek() != ')') return false;
    }
    *out = std::move(dims);
    return true;
  }

  std::string_view text_;
  size_t position_ = 0;
};

std::optional<int64_t> CountOf(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t dim : shape) {
    if (dim < 0) return std::nullopt;
    if (dim != 0 && count > std::numeric_limits<int64_t>::max() / dim) return std::nullopt;
    count *= dim;
  }
  return count;
}

Result<DType> TypeOf(std::string_view descr) {
  if (descr.size() >= 2) {
    const char order = descr[0];
    for (const TypeCode& row : kTypeCodes) {
      if (descr.substr(1) != row.code) continue;
      const bool one_byte = BitWidth(row.dtype) == 8;
      if (order == '<' || order == '=' || one_byte) return row.dtype;
      return Unsupported("element type '{}' is big-endian", descr)
          .Advise("save it with a.astype(a.dtype.newbyteorder('<'))");
    }
  }
  return Unsupported("element type '{}' is not a plain number", descr);
}

// Column-major `data` to row-major.
Bytes FromFortran(const Bytes& data, const std::vector<int64_t>& shape, size_t width) {
  std::vector<std::byte> out(data.size());
  const size_t rank = shape.size();
  std::vector<size_t> stride(rank);  // of the source, in elements
  size_t total = 1;
  for (size_t i = 0; i < rank; ++i) {
    stride[i] = total;
    total *= static_cast<size_t>(shape[i]);
  }
  std::vector<int64_t> index(rank, 0);
  size_t source = 0;
  for (size_t i = 0; i < total; ++i) {
    std::memcpy(out.data() + i * width, data.data() + source * width, width);
    for (size_t axis = rank; axis-- > 0;) {
      source += stride[axis];
      if (++index[axis] < shape[axis]) break;
      source -= stride[axis] * static_cast<size_t>(shape[axis]);
      index[axis] = 0;
    }
  }
  return Bytes::FromVector(std::move(out));
}

bool EndsWith(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

}  // namespace

Result<NpyArray> ParseNpy(const Bytes& file) {
  const std::string_view text = file.text();
  if (text.substr(0, kMagic.size()) != kMagic || text.size() < 10) {
    return InvalidInput("not a .npy file: the magic string is missing");
  }
  const int version = static_cast<unsigned char>(text[6]);
  if (version < 1 || version > 3 || text[7] != 0) {
    return InvalidInput("version {}.{} of .npy is not supported", version, int{text[7]});
  }
  const size_t length_bytes = version == 1 ? 2 : 4;
  size_t start = 8 + length_bytes;
  if (text.size() < start) return InvalidInput("the .npy file ends inside its header");
  size_t length = 0;
  for (size_t i = 0; i < length_bytes; ++i) {
    length |= static_cast<size_t>(static_cast<unsigned char>(text[8 + i])) << (8 * i);
  }
  if (length > kMaxHeaderBytes) {
    return InvalidInput("a .npy header of {} bytes exceeds the limit of {}", length,
                        kMaxHeaderBytes);
  }
  if (length > text.size() - start) return InvalidInput("the .npy file ends inside its header");
  ANEMONE_ASSIGN(auto fields, HeaderParser(text.substr(start, length)).Parse());
  start += length;

  NpyArray array;
  ANEMONE_ASSIGN(array.dtype, TypeOf(*fields.descr));
  array.shape = std::move(*fields.shape);
  const auto count = CountOf(array.shape);
  const auto size = count ? ByteSize(array.dtype, *count) : std::nullopt;
  if (!size) return InvalidInput("the shape's size overflows");
  if (*size != file.size() - start) {
    return InvalidInput("shape and type need {} bytes of data, but the file has {}", *size,
                        file.size() - start)
        .Advise("the file may be truncated");
  }
  array.data = file.Slice(start, *size);
  const auto width = static_cast<size_t>(BitWidth(array.dtype)) / 8;
  if (*fields.fortran_order && array.shape.size() > 1) {
    array.data = FromFortran(array.data, array.shape, width);
  } else if (reinterpret_cast<uintptr_t>(array.data.data()) % width != 0) {
    array.data = Bytes::Copy(array.data.data(), *size);
  }
  return array;
}

Result<NpyArray> ReadNpy(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes file, MapFile(path));
  return ParseNpy(file).At(path);
}

Result<std::vector<std::byte>> EncodeNpy(const NpyArray& array) {
  std::string_view code;
  for (const TypeCode& row : kTypeCodes) {
    if (row.dtype == array.dtype) code = row.code;
  }
  if (code.empty()) return Unsupported(".npy has no type for {}", DTypeName(array.dtype));
  const auto count = CountOf(array.shape);
  const auto size = count ? ByteSize(array.dtype, *count) : std::nullopt;
  if (!size || *size != array.data.size()) {
    return Usage("shape and type do not match {} bytes of data", array.data.size());
  }
  std::string header = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': (",
                                   BitWidth(array.dtype) == 8 ? '|' : '<', code);
  for (size_t i = 0; i < array.shape.size(); ++i) {
    header += fmt::format("{}{}", i == 0 ? "" : ", ", array.shape[i]);
  }
  header += array.shape.size() == 1 ? ",), }" : "), }";
  // NumPy leaves room for the first dimension to grow to 21 digits in place; so do we, to write the
  // same bytes.
  constexpr size_t kGrowthDigits = 21;
  if (!array.shape.empty()) {
    header.append(kGrowthDigits - std::to_string(array.shape[0]).size(), ' ');
  }
  const auto padded = [&](size_t prefix) {
    return (prefix + header.size() + 1 + kAlign) / kAlign * kAlign - prefix;
  };
  const bool long_header = padded(10) > 0xFFFF;
  const size_t prefix = long_header ? 12 : 10;
  const size_t length = padded(prefix);
  header.resize(length - 1, ' ');
  header += '\n';
  std::vector<std::byte> out(prefix + length + *size);
  std::memcpy(out.data(), kMagic.data(), kMagic.size());
  out[6] = std::byte{static_cast<unsigned char>(long_header ? 2 : 1)};
  for (size_t i = 8; i < prefix; ++i) out[i] = static_cast<std::byte>(length >> (8 * (i - 8)));
  std::memcpy(out.data() + prefix, header.data(), length);
  if (*size != 0) std::memcpy(out.data() + prefix + length, array.data.data(), *size);
  return out;
}

Result<std::vector<std::pair<std::string, NpyArray>>> ParseNpz(const Bytes& file) {
  ANEMONE_ASSIGN(auto entries, ReadZip(file));
  std::vector<std::pair<std::string, NpyArray>> arrays;
  for (ZipEntry& entry : entries) {
    const std::string place = fmt::format("entry '{}'", entry.name);
    if (!EndsWith(entry.name, ".npy")) return InvalidInput("is not a .npy file").At(place);
    ANEMONE_ASSIGN(NpyArray array, ParseNpy(entry.data).At(place));
    arrays.emplace_back(entry.name.substr(0, entry.name.size() - 4), std::move(array));
  }
  return arrays;
}

Result<std::vector<std::pair<std::string, NpyArray>>> ReadNpz(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes file, MapFile(path));
  return ParseNpz(file).At(path);
}

}  // namespace anemone
