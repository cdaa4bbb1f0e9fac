// WeightWriter: lays out a weight.bin. Add() only plans: it says at once where a blob will be,
// keeps a reference to its bytes and copies nothing; WriteTo() streams the file. So a model can be
// encoded completely, and every error found, before the first byte reaches the disk. Blobs of equal
// dtype and equal bytes are stored once. The same Adds give the same file. Thread rules: one
// thread.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/atomic_file.h"
#include "base/bytes.h"
#include "base/content_hash.h"
#include "base/dtype.h"
#include "base/sha256.h"
#include "base/status.h"

namespace anemone::format {

class WeightWriter {
 public:
  // `data` holds `count` elements of `dtype`, packed. Returns the offset to put into the model.
  // kUnsupported when the file format has no such element type; kInternal when sizes do not agree.
  Result<uint64_t> Add(DType dtype, int64_t count, Bytes data);

  bool empty() const { return blobs_.empty(); }
  // Size of the file that WriteTo() makes.
  uint64_t size_bytes() const;
  // Writes the whole file and returns its tree hash: the hash of the hashes of each piece, in
  // order, where the pieces are the file header, each blob's header after its padding, and each
  // blob's data in steps of 1 MiB. So the hash takes all cores.
  // `also` takes the file's bytes, in order, beside the writing; null for nobody.
  Result<ContentHash> WriteTo(OutputFile& file, Sha256* also = nullptr) const;

 private:
  struct Blob {
    uint64_t header_offset = 0;
    DType dtype = DType::kInvalid;
    uint64_t unused_trailing_bits = 0;
    Bytes data;
  };
  std::vector<Blob> blobs_;
  std::unordered_multimap<uint64_t, size_t> by_fingerprint_;  // index into blobs_
};

}  // namespace anemone::format
