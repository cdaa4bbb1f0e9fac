// Reads zip archives from memory: stored and deflated entries, zip64, checksums verified. Enough
// for .npz. Non-goals: encryption, other methods, archives in several parts, writing. Ownership: a
// stored entry is a view of the archive, a deflated one a buffer of its own. Thread rules: pure
// functions. Errors: invalid_input or unsupported with the entry's name. Memory is bounded by about
// a thousand times the archive's size (deflate's own limit), and entries may not overlap into more
// than the archive holds.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"

namespace anemone {

struct ZipEntry {
  std::string name;
  Bytes data;
};

// All entries but folders, in the order of the archive's directory; names are unique but are not
// validated as paths.
Result<std::vector<ZipEntry>> ReadZip(const Bytes& archive);

}  // namespace anemone
