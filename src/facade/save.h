// Save: writes a model as an .mlpackage, or as MIL text for a .mil path.
#pragma once

#include <string>

#include "base/status.h"
#include "ir/model.h"

namespace anemone::facade {

// An existing package is replaced as a whole or left unchanged. kUsage for another ending.
Status Save(const ir::Model& model, const std::string& path);

}  // namespace anemone::facade
