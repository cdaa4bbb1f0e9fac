#include "format/weight_writer.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <thread>

#include "format/weight_layout.h"

namespace anemone::format {
namespace {

constexpr size_t kHashPiece = size_t{1} << 20;

// Of dtype, size, and the ends and the middle of the data: cheap, and enough to tell most blobs
// apart; all bytes are compared before two blobs count as equal.
uint64_t Fingerprint(DType dtype, const Bytes& data) {
  constexpr size_t kSample = 64;
  const uint64_t header[] = {static_cast<uint64_t>(dtype), data.size()};
  std::array<std::byte, sizeof(header) + 3 * kSample> sample{};
  std::memcpy(sample.data(), header, sizeof(header));
  const size_t size = std::min(kSample, data.size());
  const size_t last = data.size() - size;
  size_t at = sizeof(header);
  for (const size_t from : {size_t{0}, last / 2, last}) {
    if (size != 0) std::memcpy(sample.data() + at, data.data() + from, size);
    at += kSample;
  }
  const ContentHash hash = ContentHashOf(sample);
  uint64_t fingerprint = 0;
  std::memcpy(&fingerprint, hash.data(), sizeof(fingerprint));
  return fingerprint;
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

Result<ContentHash> WeightWriter::WriteTo(OutputFile& file, Sha256* also) const {
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

  std::vector<std::span<const std::byte>> written{BytesOf(file_header)};  // with the padding
  std::vector<std::span<const std::byte>> hashed{BytesOf(file_header)};
  uint64_t position = sizeof(FileHeader);
  for (size_t i = 0; i < blobs_.size(); ++i) {
    const std::span<const std::byte> data(blobs_[i].data.data(), blobs_[i].data.size());
    written.push_back(std::span(kZeros).first(blobs_[i].header_offset - position));
    written.push_back(BytesOf(headers[i]));
    written.push_back(data);
    hashed.push_back(BytesOf(headers[i]));
    for (size_t begin = 0; begin < data.size(); begin += kHashPiece)
      hashed.push_back(data.subspan(begin, std::min(kHashPiece, data.size() - begin)));
    position = blobs_[i].header_offset + sizeof(BlobHeader) + data.size();
  }
  std::vector<ContentHash> hashes(hashed.size());
  std::atomic<size_t> next{0};
  const auto hash = [&] {
    for (size_t i = next.fetch_add(1); i < hashed.size(); i = next.fetch_add(1))
      hashes[i] = ContentHashOf(hashed[i]);
  };
  // Hashing runs in parallel with the writing, which helps once it is done.
  std::thread beside(hash);
  std::thread whole;
  if (also != nullptr) {
    whole = std::thread([&] {
      for (const std::span<const std::byte> piece : written) also->Update(piece);
    });
  }
  const Status outcome = file.Write(written);
  if (outcome.ok()) hash();
  beside.join();
  if (whole.joinable()) whole.join();
  ANEMONE_TRY(outcome);
  return ContentHashOf(std::as_bytes(std::span(hashes)));
}

}  // namespace anemone::format
