// The JSON document of `anemone inspect --json`.
#pragma once

#include <string>

#include "facade/inspect.h"

namespace anemone::facade {

std::string InspectJson(const ir::Model& model, const Summary& summary, const std::string& name,
                        bool operators, bool weights);

}  // namespace anemone::facade
