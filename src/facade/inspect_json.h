// The JSON document of `anemone inspect --json`. Thread rules: pure function.
#pragma once

#include <string>

#include "base/json.h"
#include "facade/inspect.h"

namespace anemone::facade {

Json InspectJson(const ir::Model& model, const Summary& summary, const std::string& name,
                 bool operators, bool weights);

}  // namespace anemone::facade
