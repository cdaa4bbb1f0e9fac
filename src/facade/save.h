// Save: writes a model as an .mlpackage, or as MIL text for a .mil path. Thread rules: pure
// functions but for the files.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "ir/model.h"

namespace anemone::facade {

// An existing package is replaced as a whole or left unchanged. kUsage for another ending.
Status Save(const ir::Model& model, const std::string& path);

// Bytes of all files of a package, or of one file. Errors: kIo.
Result<int64_t> SizeOnDisk(const std::string& path);

}  // namespace anemone::facade
