#include "format/weight_writer.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <thread>

#include "format/weight_layout.h"

namespace anemone::format {
namespace {

constexpr size_t kDigestPiece = size_t{1} << 20;

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

Result<Sha256Digest> WeightWriter::WriteTo(OutputFile& file) const {
  static constexpr std::array<std::byte, kBlobAlignment> kZeros{};
  const FileHeader file_header{.blob_count = static_cast<uint32_t>(blobs_.size())};
  std::vector<BlobHeader> headers;
  headers.reserve(blobs_.size());
  for (const Blob& blob : blobs_) {
    headers.push_back({.blob_dtype = static_cast<uint32_t>(*BlobDTypeOf(blob.dtype)),
                       .size_bytes = blob.data.size(),
                       .offset = blob.header_offset + sizeof(BlobHeader),
                       .unused_trailing_bits = blob.unused_trailing_bits});
  }

  std::vector<std::span<const std::byte>> pieces{BytesOf(file_header)};
  for (size_t i = 0; i < blobs_.size(); ++i) {
    pieces.push_back(BytesOf(headers[i]));
    const std::span<const std::byte> data(blobs_[i].data.data(), blobs_[i].data.size());
    for (size_t begin = 0; begin < data.size(); begin += kDigestPiece) {
      pieces.push_back(data.subspan(begin, std::min(kDigestPiece, data.size() - begin)));
    }
  }
  std::vector<Sha256Digest> digests(pieces.size());
  std::atomic<size_t> next{0};
  const auto hash = [&] {
    for (size_t i = next.fetch_add(1); i < pieces.size(); i = next.fetch_add(1)) {
      digests[i] = Sha256Of(pieces[i]);
    }
  };
  // Hashing takes longer than writing: it starts beside the writing, which joins in when done.
  std::thread beside(hash);
  const Status written = [&]() -> Status {
    ANEMONE_TRY(file.Write(BytesOf(file_header)));
    uint64_t position = sizeof(FileHeader);
    for (size_t i = 0; i < blobs_.size(); ++i) {
      const Blob& blob = blobs_[i];
      ANEMONE_TRY(file.Write(std::span(kZeros).first(blob.header_offset - position)));
      ANEMONE_TRY(file.Write(BytesOf(headers[i])));
      ANEMONE_TRY(file.Write({blob.data.data(), blob.data.size()}));
      position = blob.header_offset + sizeof(BlobHeader) + blob.data.size();
    }
    return {};
  }();
  if (written.ok()) hash();
  beside.join();
  ANEMONE_TRY(written);
  return Sha256Of(std::as_bytes(std::span(digests)));
}

}  // namespace anemone::format
