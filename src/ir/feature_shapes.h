// The shapes that a model's interface declares for its inputs: one, a list (EnumeratedShapes), or
// ranges (RangeDim); for an image its sizes. The one place that judges a shape; sessions, the command
// and the importers of options ask it. Values. Thread rules: pure functions. Errors: kUsage, with the
// declared shapes in the message.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/model.h"

namespace anemone::ir {

// The feature of the function's input; null when the interface does not describe it.
const Feature* FindInputFeature(const Model& model, const Function& function,
                                std::string_view input);

// Whether the feature allows a tensor of `shape`. A shape that the interface leaves open is allowed.
Status CheckFeatureShape(const Feature& feature, const Shape& shape);

// "[1, 3, 32 to 64, 32 or more]", "one of [1, 4], [1, 8]", "[1, 3, height, width] of one of 32x32, 64x64".
std::string DescribeFeatureShapes(const Feature& feature);

// The shape of the input when nobody chooses one: its type's where that is static, else the
// interface's default. kUsage when neither says.
Result<Shape> DefaultInputShape(const Model& model, const Function& function, const Value& input);

// Makes `shapes`, by input name, the defaults of the model's inputs. An input that no function has, or
// a shape that the interface or the program does not allow, is an error; nothing is ignored.
Status ChooseInputShapes(const std::map<std::string, Shape>& shapes, Model* model);

}  // namespace anemone::ir
