#include "base/zip_reader.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <string_view>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace anemone {
namespace {

// ---- the checksum, of which a large archive is read twice where it holds another

uint32_t PlainCrc(uint32_t crc, const std::byte* data, size_t size) {
  return static_cast<uint32_t>(crc32_z(crc, reinterpret_cast<const Bytef*>(data), size));
}

#if defined(__x86_64__)

// What a lane of 128 bits stands for, some bits further on: its halves times the remainders of powers of x
// (Gopal and others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ").
__attribute__((target("sse4.1,pclmul"))) inline __m128i Folded(__m128i lane, __m128i powers) {
  return _mm_xor_si128(_mm_clmulepi64_si128(lane, powers, 0x00),
                       _mm_clmulepi64_si128(lane, powers, 0x11));
}

__attribute__((target("sse4.1,pclmul"))) inline __m128i Lane(const std::byte* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

// `size` is at least 64.
__attribute__((target("sse4.1,pclmul"))) uint32_t FoldedCrc(const std::byte* data, size_t size) {
  const __m128i by_64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
  const __m128i by_16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
  __m128i a = Lane(data), b = Lane(data + 16), c = Lane(data + 32), d = Lane(data + 48);
  a = _mm_xor_si128(a, _mm_cvtsi32_si128(-1));  // the register before the first byte
  for (data += 64, size -= 64; size >= 64; data += 64, size -= 64) {
    a = _mm_xor_si128(Folded(a, by_64), Lane(data));
    b = _mm_xor_si128(Folded(b, by_64), Lane(data + 16));
    c = _mm_xor_si128(Folded(c, by_64), Lane(data + 32));
    d = _mm_xor_si128(Folded(d, by_64), Lane(data + 48));
  }
  b = _mm_xor_si128(Folded(a, by_16), b);
  c = _mm_xor_si128(Folded(b, by_16), c);
  d = _mm_xor_si128(Folded(c, by_16), d);
  // What is left stands for all before it, with an empty register, which zlib inverts.
  std::byte rest[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rest), d);
  return PlainCrc(PlainCrc(0xFFFFFFFF, rest, sizeof(rest)), data, size);
}

uint32_t CrcOf(const Bytes& data) {
  static const bool folds =
      __builtin_cpu_supports("pclmul") != 0 && __builtin_cpu_supports("sse4.1") != 0;
  if (folds && data.size() >= 64) return FoldedCrc(data.data(), data.size());
  return PlainCrc(0, data.data(), data.size());
}

#else

uint32_t CrcOf(const Bytes& data) { return PlainCrc(0, data.data(), data.size()); }

#endif

constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kEnd64LocatorSignature = 0x07064b50;
constexpr uint32_t kEntrySignature = 0x02014b50;
constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr size_t kEndSize = 22;
constexpr size_t kEnd64Size = 56;
constexpr size_t kEnd64LocatorSize = 20;
constexpr size_t kEntrySize = 46;
constexpr size_t kLocalSize = 30;
constexpr uint64_t kMaxDeflateRatio = 1032;
constexpr uint32_t kIn64 = 0xFFFFFFFF;  // "see the zip64 extra field"
// The file's mode, in the high half of the attributes that archives made on Unix have.
constexpr uint64_t kMadeOnUnix = 3;
constexpr uint64_t kTypeOfFile = 0170000;
constexpr uint64_t kSymbolicLink = 0120000;

class Reader {
 public:
  explicit Reader(const Bytes& bytes) : bytes_(bytes) {}
  bool Has(uint64_t offset, uint64_t size) const {
    return offset <= bytes_.size() && size <= bytes_.size() - offset;
  }
  // The caller has checked Has().
  uint64_t Get(size_t offset, size_t width) const {
    uint64_t value = 0;
    for (size_t i = 0; i < width; ++i) {
      value |= static_cast<uint64_t>(bytes_.data()[offset + i]) << (8 * i);
    }
    return value;
  }
  std::string_view Text(size_t offset, size_t size) const {
    return {reinterpret_cast<const char*>(bytes_.data()) + offset, size};
  }

 private:
  const Bytes& bytes_;
};

struct Directory {
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t count = 0;
};

Result<Directory> FindDirectory(const Reader& reader, size_t file_size) {
  if (file_size < kEndSize) return InvalidInput("too short for a zip archive");
  const size_t lowest = file_size - std::min(file_size, kEndSize + size_t{0xFFFF});
  std::optional<size_t> end;
  for (size_t at = file_size - kEndSize + 1; at-- > lowest;) {
    if (reader.Get(at, 4) == kEndSignature && at + kEndSize + reader.Get(at + 20, 2) == file_size) {
      end = at;
      break;
    }
  }
  if (!end) return InvalidInput("not a zip archive, or truncated: no end record");
  Directory directory{reader.Get(*end + 16, 4), reader.Get(*end + 12, 4), reader.Get(*end + 10, 2)};
  if (directory.offset == kIn64 || directory.size == kIn64 || directory.count == 0xFFFF) {
    if (*end < kEnd64LocatorSize) return InvalidInput("the zip64 locator is missing");
    const size_t locator = *end - kEnd64LocatorSize;
    if (reader.Get(locator, 4) != kEnd64LocatorSignature) {
      return InvalidInput("the zip64 locator is missing");
    }
    const uint64_t at = reader.Get(locator + 8, 8);
    if (!reader.Has(at, kEnd64Size) || reader.Get(at, 4) != kEnd64Signature) {
      return InvalidInput("the zip64 end record is missing");
    }
    directory = {reader.Get(at + 48, 8), reader.Get(at + 40, 8), reader.Get(at + 32, 8)};
  }
  if (!reader.Has(directory.offset, directory.size)) {
    return InvalidInput("the zip directory lies outside the file");
  }
  return directory;
}

struct Record {
  std::string name;
  uint64_t flags = 0, method = 0, crc = 0, packed = 0, size = 0, local = 0;
  uint64_t made_by = 0, attributes = 0;

  bool is_link() const {
    return made_by == kMadeOnUnix && ((attributes >> 16) & kTypeOfFile) == kSymbolicLink;
  }
};

// Replaces the fields that say "see zip64" from the extra field.
bool ApplyZip64(const Reader& reader, size_t extra, size_t extra_size, Record* record) {
  const bool needed = record->size == kIn64 || record->packed == kIn64 || record->local == kIn64;
  size_t at = extra;
  const size_t end = extra + extra_size;
  while (end - at >= 4) {
    const uint64_t id = reader.Get(at, 2);
    const uint64_t size = reader.Get(at + 2, 2);
    at += 4;
    if (size > end - at) return !needed;
    if (id == 1) {
      size_t field = at;
      for (uint64_t* value : {&record->size, &record->packed, &record->local}) {
        if (*value != kIn64) continue;
        if (at + size - field < 8) return false;
        *value = reader.Get(field, 8);
        field += 8;
      }
      return true;
    }
    at += size;
  }
  return !needed;
}

Result<Bytes> Inflate(const Bytes& packed, uint64_t size) {
  if (size / kMaxDeflateRatio > packed.size() || size > std::numeric_limits<uInt>::max() ||
      packed.size() > std::numeric_limits<uInt>::max()) {
    return InvalidInput("{} bytes cannot unpack to {}", packed.size(), size);
  }
  std::vector<std::byte> out(size);
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return Internal("zlib cannot be initialized");
  // zlib's interface lacks const; it does not write to its input.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::byte none{};
  stream.next_out = reinterpret_cast<Bytef*>(out.empty() ? &none : out.data());
  stream.avail_out = static_cast<uInt>(size);
  const int code = inflate(&stream, Z_FINISH);
  const bool ok = code == Z_STREAM_END && stream.total_out == size;
  inflateEnd(&stream);
  if (!ok) return InvalidInput("the deflated data is broken");
  return Bytes::FromVector(std::move(out));
}

Result<ZipEntry> Extract(const Bytes& archive, const Reader& reader, const Record& record) {
  if ((record.flags & 1) != 0) return Unsupported("the entry is encrypted");
  if (record.method != 0 && record.method != 8) {
    return Unsupported("compression method {} is not supported", record.method);
  }
  if (!reader.Has(record.local, kLocalSize) || reader.Get(record.local, 4) != kLocalSignature) {
    return InvalidInput("the local header is not where the directory says");
  }
  const uint64_t start = record.local + kLocalSize + reader.Get(record.local + 26, 2) +
                         reader.Get(record.local + 28, 2);
  if (!reader.Has(start, record.packed))
    return InvalidInput("the data extends past the end of the file");
  ZipEntry entry{record.name, archive.Slice(start, record.packed), record.is_link()};
  if (record.method == 8) {
    ANEMONE_ASSIGN(entry.data, Inflate(entry.data, record.size));
  } else if (record.packed != record.size) {
    return InvalidInput("a stored entry of {} bytes claims to be {}", record.packed, record.size);
  }
  if (!entry.data.empty() && CrcOf(entry.data) != record.crc)
    return InvalidInput("the checksum does not match");
  return entry;
}

}  // namespace

bool IsZip(const Bytes& file) {
  return file.size() >= kEndSize && Reader(file).Get(0, 4) == kLocalSignature;
}

Result<std::vector<ZipEntry>> ReadZip(const Bytes& archive, const ZipLimits& limits) {
  const Reader reader(archive);
  ANEMONE_ASSIGN(const Directory directory, FindDirectory(reader, archive.size()));
  std::vector<ZipEntry> entries;
  std::set<std::string> names;
  uint64_t at = directory.offset;
  const uint64_t end = directory.offset + directory.size;
  uint64_t packed_total = 0;
  uint64_t inflated_total = 0;
  if (directory.count > limits.entries) {
    return InvalidInput("the archive has {} entries; the limit is {}", directory.count,
                        limits.entries);
  }
  for (uint64_t i = 0; i < directory.count; ++i) {
    if (end - at < kEntrySize || reader.Get(at, 4) != kEntrySignature) {
      return InvalidInput("entry {} of the zip directory is broken", i);
    }
    const uint64_t name_size = reader.Get(at + 28, 2);
    const uint64_t extra_size = reader.Get(at + 30, 2);
    const uint64_t total = kEntrySize + name_size + extra_size + reader.Get(at + 32, 2);
    if (end - at < total) return InvalidInput("entry {} of the zip directory is broken", i);
    Record record{std::string(reader.Text(at + kEntrySize, name_size)),
                  reader.Get(at + 8, 2),
                  reader.Get(at + 10, 2),
                  reader.Get(at + 16, 4),
                  reader.Get(at + 20, 4),
                  reader.Get(at + 24, 4),
                  reader.Get(at + 42, 4),
                  reader.Get(at + 5, 1),
                  reader.Get(at + 38, 4)};
    const std::string place = fmt::format("entry '{}'", record.name);
    if (!ApplyZip64(reader, at + kEntrySize + name_size, extra_size, &record)) {
      return InvalidInput("the zip64 field is missing or short").At(place);
    }
    at += total;
    if (!record.name.empty() && record.name.back() == '/' && record.size == 0) continue;
    if (!names.insert(record.name).second) return InvalidInput("appears twice").At(place);
    // Overlapping entries would let a small archive unpack to its square.
    if (record.packed > archive.size() - std::min<uint64_t>(packed_total, archive.size())) {
      return InvalidInput("entries overlap or extend past the end of the file").At(place);
    }
    packed_total += record.packed;
    if (record.method != 0) {
      if (record.size > limits.inflated_bytes - inflated_total) {
        return InvalidInput("the archive unpacks to more than {} bytes", limits.inflated_bytes)
            .At(place);
      }
      inflated_total += record.size;
    }
    ANEMONE_ASSIGN(ZipEntry entry, Extract(archive, reader, record).At(place));
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace anemone
