// What a manifest says of a package as a file: its size, and one hash over all its files.
// Thread rules: pure functions.
#pragma once

#include "base/tree_hash.h"

namespace anemone::lab {

inline Result<TreeFacts> MeasurePackage(const std::string& path) { return HashTree(path); }

}  // namespace anemone::lab
