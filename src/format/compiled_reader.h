// Parts of a compiled model, .mlmodelc:
//
//   NAME.mlmodelc/
//     model.mil            the program as MIL text
//     weights/weight.bin   the large constants
//     metadata.json        features and metadata, as text for people and tools
//
// coremldata.bin, which only Core ML itself needs, is not read. Pure functions.
#pragma once

#include <string_view>

#include "base/status.h"
#include "ir/model.h"

namespace anemone::format {

inline constexpr std::string_view kCompiledProgramName = "model.mil";
inline constexpr std::string_view kCompiledMetadataName = "metadata.json";

// Takes from the text of metadata.json what the program's types cannot express: which inputs and
// outputs are images, the descriptions, the specification version and the metadata. Entries of
// features that `model` does not have are ignored.
Status ApplyCompiledMetadata(std::string_view json, ir::Model* model);

}  // namespace anemone::format
