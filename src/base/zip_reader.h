// Reads zip archives from memory: stored and deflated entries, zip64, checksums verified. Enough
// for .npz and zipped packages. Non-goals: encryption, other methods, archives in several parts,
// writing. Ownership: a stored entry is a view of the archive, a deflated one a buffer of its own.
// Thread rules: pure functions. Errors: invalid_input or unsupported with the entry's name. Memory
// is bounded by about a thousand times the archive's size (deflate's own limit) or by ZipLimits,
// and entries may not overlap into more than the archive holds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"

namespace anemone {

struct ZipEntry {
  std::string name;
  Bytes data;
  bool link = false;  // a symbolic link, whose target is the data
};

struct ZipLimits {
  uint64_t entries = UINT64_MAX;
  uint64_t inflated_bytes = UINT64_MAX;  // of all deflated entries together
};

// All entries but folders, in the order of the archive's directory; names are unique but are not
// validated as paths. kInvalidInput when a limit is exceeded, before anything is unpacked beyond it.
Result<std::vector<ZipEntry>> ReadZip(const Bytes& archive, const ZipLimits& limits = {});

// Whether these bytes start as a zip archive does.
bool IsZip(const Bytes& file);

}  // namespace anemone
