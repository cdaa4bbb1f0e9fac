// Read-only memory mapping of a whole file.
// Ownership: the Bytes returned keeps the mapping alive; slices of it do too. Thread rules:
// immutable, free to share. The file must not be truncated while a mapping lives (the system would
// deliver SIGBUS); packages are replaced by rename, never rewritten in place.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/status.h"

namespace anemone {

// Errors: not_found when there is no such file, io when it is not a regular file or cannot be read.
Result<Bytes> MapFile(const std::string& path);

// Says that these bytes are not needed for now: those that are of a mapped file leave memory until
// they are read again. Other bytes stay as they are.
void ReleasePages(const Bytes& bytes);

}  // namespace anemone
