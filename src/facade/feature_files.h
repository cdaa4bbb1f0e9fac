// Feature values from the command line and files, and to them: NAME=VALUE, where VALUE is a number, a
// text, JSON or a file, by what the model declares. Thread rules: pure functions. Errors: kUsage with
// the input's name; those of the files.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "feature_models/feature_value.h"

namespace anemone::facade {

// How many values of an array a document shows.
inline constexpr int64_t kFirstValues = 16;

// Each binding is NAME=VALUE (NAME may be left out for one input), or a .json file that holds an
// object of all inputs. A number or a text stands for itself; a dictionary or sequence is JSON or a
// .json file; an array a .npy file or a JSON list of its elements; an image a .png or .jpg file.
Result<feature_models::FeatureValues> ReadFeatures(const ir::FunctionDescription& description,
                                                   const std::vector<std::string>& bindings);

// {"name", "kind", "value"}, of arrays {"dtype", "shape", "first_values"}.
Json FeatureValueJson(const std::string& name, const feature_models::FeatureValue& value);

// Arrays and images as NAME.npy, all else as NAME.json; makes the folder.
Status WriteFeatures(const feature_models::FeatureValues& values, const std::string& directory);

}  // namespace anemone::facade
