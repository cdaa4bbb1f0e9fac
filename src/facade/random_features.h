// Seeded values for the inputs of a model that is not a program, for `run --random-inputs`: arrays of
// the declared default shape and doubles standard normal, integers from 0 to 9, pixels from 0 to 255.
// Thread rules: pure functions. Errors: kUsage for an input that no random value fits (a text, a
// dictionary, a sequence, an array of no declared shape).
#pragma once

#include <cstdint>

#include "base/status.h"
#include "feature_models/feature_value.h"
#include "ir/model.h"

namespace anemone::facade {

// A value for each input that must be given, a pure function of `seed`.
Result<feature_models::FeatureValues> RandomFeatures(const ir::FunctionDescription& description,
                                                     uint64_t seed);

}  // namespace anemone::facade
