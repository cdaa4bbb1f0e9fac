#include "format/weight_writer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>

#include "format/weight_layout.h"

namespace anemone::format {
namespace {

// FNV-1a over dtype, size, and a sample of the data: cheap, and enough to tell most blobs apart;
// equality is decided by comparing all bytes.
uint64_t Fingerprint(DType dtype, const Bytes& data) {
  constexpr uint64_t kPrime = 0x100000001B3;
  uint64_t hash = 0xCBF29CE484222325;
  const auto mix = [&hash](uint64_t value) { hash = (hash ^ value) * kPrime; };
  mix(static_cast<uint64_t>(dtype));
  mix(data.size());
  const size_t step = std::max<size_t>(1, data.size() / 1024);
  for (size_t i = 0; i < data.size(); i += step) mix(static_cast<uint64_t>(data.data()[i]));
  return hash;
}

bool SameBytes(const Bytes& a, const Bytes& b) {
  if (a.size() != b.size()) return false;
  return a.empty() || a.data() == b.data() || std::memcmp(a.data(), b.data(), a.size()) == 0;
}

template <typename T>
std::span<const std::byte> BytesOf(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

}  // namespace

Result<uint64_t> WeightWriter::Add(DType dtype, int64_t count, Bytes data) {
  if (!BlobDTypeOf(dtype)) {
    return Unsupported("a weight file cannot hold elements of type {}", DTypeName(dtype));
  }
  const std::optional<size_t> size = ByteSize(dtype, count);
  if (!size || *size != data.size()) {
    return Internal("{} {} elements do not take {} bytes", count, DTypeName(dtype), data.size());
  }
  const uint64_t fingerprint = Fingerprint(dtype, data);
  const uint64_t unused_bits =
      data.size() * 8 - static_cast<uint64_t>(count) * static_cast<uint64_t>(BitWidth(dtype));
  const auto [first, last] = by_fingerprint_.equal_range(fingerprint);
  for (auto it = first; it != last; ++it) {
    const Blob& blob = blobs_[it->second];
    if (blob.dtype == dtype && blob.unused_trailing_bits == unused_bits &&
        SameBytes(blob.data, data)) {
      return blob.header_offset;
    }
  }
  const uint64_t header_offset = *AlignToBlob(size_bytes());
  by_fingerprint_.emplace(fingerprint, blobs_.size());
  blobs_.push_back({header_offset, dtype, unused_bits, std::move(data)});
  return header_offset;
}

uint64_t WeightWriter::size_bytes() const {
  if (blobs_.empty()) return sizeof(FileHeader);
  const Blob& last = blobs_.back();
  return last.header_offset + sizeof(BlobHeader) + last.data.size();
}

Status WeightWriter::Emit(const Sink& sink) const {
  static constexpr std::array<std::byte, kBlobAlignment> kZeros{};
  uint64_t position = 0;
  const auto put = [&](std::span<const std::byte> data) -> Status {
    position += data.size();
    return sink(data);
  };
  ANEMONE_TRY(put(BytesOf(FileHeader{.blob_count = static_cast<uint32_t>(blobs_.size())})));
  for (const Blob& blob : blobs_) {
    ANEMONE_TRY(put(std::span(kZeros).first(blob.header_offset - position)));
    ANEMONE_TRY(put(BytesOf(BlobHeader{
        .blob_dtype = static_cast<uint32_t>(*BlobDTypeOf(blob.dtype)),
        .size_bytes = blob.data.size(),
        .offset = blob.header_offset + sizeof(BlobHeader),
        .unused_trailing_bits = blob.unused_trailing_bits,
    })));
    ANEMONE_TRY(put({blob.data.data(), blob.data.size()}));
  }
  return {};
}

Result<Sha256Digest> WeightWriter::WriteTo(OutputFile& file) const {
  // Hashing takes as long as writing, so the two go side by side.
  Sha256 sha;
  std::thread hashing([&] {
    // The sink of a hash cannot fail.
    (void)Emit([&](std::span<const std::byte> data) -> Status {
      sha.Update(data);
      return {};
    });
  });
  const Status written = Emit([&](std::span<const std::byte> data) { return file.Write(data); });
  hashing.join();
  ANEMONE_TRY(written);
  return sha.Finish();
}

}  // namespace anemone::format
