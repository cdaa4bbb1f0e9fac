// Save: writes a model as an .mlpackage, or as MIL text for a .mil path. Thread rules: pure
// functions but for the files.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "base/tree_hash.h"
#include "ir/model.h"

namespace anemone::facade {

// Whether Save could write there, as far as can be said before there is a model: the ending, the
// folder, its permissions. So that nobody waits for a conversion whose result has no place. Errors:
// kUsage, kIo.
Status CheckOutput(const std::string& path);

// An existing package is replaced as a whole or left unchanged. kUsage for another ending.
// `facts` takes what HashTree finds of a package; null for nobody.
Status Save(const ir::Model& model, const std::string& path, TreeFacts* facts = nullptr);

// Bytes of all files of a package, or of one file. Errors: kIo.
Result<int64_t> SizeOnDisk(const std::string& path);

}  // namespace anemone::facade
