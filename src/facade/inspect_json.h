// The JSON document of `anemone inspect --json`. Thread rules: pure function.
#pragma once

#include <string>

#include "base/json.h"
#include "facade/inspect.h"
#include "feature_models/predictor.h"

namespace anemone::facade {

Json InspectJson(const ir::Model& model, const Summary& summary, const std::string& name,
                 bool operators, bool weights);

// The same document of a model that is not a program: its type, features, metadata and parameters.
Json InspectPredictor(const feature_models::Predictor& predictor, const std::string& type,
                      const std::string& name, int32_t spec_version);

}  // namespace anemone::facade
