// The texts of the option input_value: NAME=VALUE. Thread rules: pure functions. Errors: kUsage with the form that a text
// must have, and what the reader of .npy reports.
#pragma once

#include <string>
#include <utility>

#include "base/status.h"
#include "onnx/constant.h"

namespace anemone::facade {

// The name and the value: a number or a boolean as a scalar, a list "[1,2,3]" as a vector, a FILE.npy with its shape.
Result<std::pair<std::string, onnx::Constant>> ReadInputValue(const std::string& text);

}  // namespace anemone::facade
