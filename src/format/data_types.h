// Tables between the numbers of Core ML's wire format and our enums: element types of programs,
// element types of features, op sets. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/dtype.h"
#include "base/status.h"
#include "ir/op_def.h"

namespace anemone::format {

// DataType of a MIL tensor. kUnsupported for the known types that nothing here can compute with
// (8-bit floats), kInvalidInput for unknown numbers.
Result<DType> DTypeOfMil(int32_t data_type);
// kUnsupported when MIL has no such type (kInvalid).
Result<int32_t> MilOfDType(DType dtype);

// ArrayDataType of a feature.
Result<DType> DTypeOfFeature(int32_t data_type);
Result<int32_t> FeatureOfDType(DType dtype);

// "CoreML5" ... "CoreML8".
std::string_view OpsetToWire(ir::Opset opset);
Result<ir::Opset> OpsetFromWire(std::string_view name);

// Text of a wire field, checked to be UTF-8 without control characters, not longer than a name may
// be. `what` names the field in the error.
Result<std::string> CheckedName(const std::string& bytes, std::string_view what);
// The same for text that people read (descriptions): may be empty, long, and hold line breaks and
// tabs.
Result<std::string> CheckedText(const std::string& bytes, std::string_view what);

}  // namespace anemone::format
