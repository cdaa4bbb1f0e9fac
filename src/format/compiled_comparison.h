// Two compiled models of one source, part by part: what `anemone compile` wrote beside what Core ML's
// own compiler wrote.
//
// Equal means: model.mil byte for byte but for the compiler's version strings, weight files and
// analytics byte for byte, coremldata.bin once the map of user-defined metadata is sorted,
// metadata.json once parsed. Thread rules: pure function, but for reading. Errors: kIo, kNotFound
// for a folder that cannot be read; what cannot be decoded is a difference.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace anemone::format {

// One sentence for each part that differs, with its place; empty when the folders are equal.
Result<std::vector<std::string>> CompareCompiled(const std::string& ours,
                                                 const std::string& theirs);

}  // namespace anemone::format
