// A program as a predictor on feature values: arrays, images and a classifier's outputs, as Core ML
// gives and takes them, to and from the tensors of a session.
//
// Ownership: shares the session. Thread rules: as for the session. Errors: the session's.
#pragma once

#include <memory>
#include <string>

#include "anemone/options.h"
#include "base/status.h"
#include "facade/model_source.h"
#include "feature_models/predictor.h"

namespace anemone::facade {

// `argument` is what named the model. The session is opened here; outputs of half precision come as
// float32, and those of rank 0 as [1].
Result<std::unique_ptr<feature_models::Predictor>> MakeSessionPredictor(
    const LoadedModel& model, const std::string& argument, const SessionOptions& options);

}  // namespace anemone::facade
