// The inputs of a model as one vector: their numbers one after the other in the order of the
// description, as the linear models, support vectors and trees take them. Internal to this folder.
// Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/status.h"
#include "feature_models/feature_value.h"

namespace anemone::feature_models {

// The length of the vector; nullopt when an array has no declared shape, or a flexible one.
// kInvalidInput for inputs that are not numbers.
Result<std::optional<int64_t>> VectorLength(const ir::FunctionDescription& description);

// kInvalidInput when the inputs cannot hold `length` numbers, or at least so many.
Status CheckVectorLength(const ir::FunctionDescription& description, int64_t length);
Status CheckVectorHolds(const ir::FunctionDescription& description, int64_t length);

// kUsage when a vector is shorter than `length`, for inputs of no declared shape.
Status CheckEnough(std::span<const double> vector, int64_t length);
// kInvalidInput unless there is exactly one output.
Status CheckOneOutput(const ir::FunctionDescription& description);

// The numbers of conformed inputs; NaN for each of an optional input that is not given.
Result<std::vector<double>> VectorOf(const ir::FunctionDescription& description,
                                     const FeatureValues& inputs);

}  // namespace anemone::feature_models
