// Reading a compiled model, .mlmodelc:
//
//   NAME.mlmodelc/
//     model.mil                 the program as MIL text (mil_text.h)
//     weights/weight.bin        the large constants
//     coremldata.bin            the description: features, images, metadata (compiled_data.h)
//     metadata.json             the same as text, for people and tools
//     analytics/coremldata.bin  not read
//
// A neural network has model.espresso.net, .shape and .weights instead of the program
// (espresso/network_reader.h); a classifier's labels are those of metadata.json.
//
// A pipeline has the folders model0, model1 ... with a compiled model each, the programs' weight files
// beside them, and modelNames/coremldata.bin (compiled_data.h), which may be missing.
//
// The description is that of coremldata.bin, and metadata.json is not looked at. In a folder that
// lacks coremldata.bin the description follows from the program's types, its flexible shapes and
// metadata.json. Pure functions. Errors: those of package.h; kUnsupported for a compiled model that
// is none of ML Program, neural network and pipeline, by its type.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "format/model_file.h"
#include "ir/model.h"

namespace anemone::format {

inline constexpr std::string_view kCompiledProgramName = "model.mil";
inline constexpr std::string_view kCompiledDataName = "coremldata.bin";
inline constexpr std::string_view kCompiledMetadataName = "metadata.json";

// Whether the folder holds a compiled model of any type.
bool IsCompiledModel(const std::string& path);
// Whether such a folder has its description, so that OpenCompiled can read it.
bool DescribesItself(const std::string& path);

// The model file that the folder stands for, with the models inside it.
Result<ModelFile> OpenCompiled(const std::string& path);

// The model file that a compiled one's model.mil and coremldata.bin stand for; `folder` is where the
// weight files are.
Result<ModelFile> AssembleCompiled(std::string_view program, std::string_view data,
                                   const std::string& folder);
// Puts the inputs of each function in the order of the description: the text lists them by name.
void OrderInputs(proto::Model* model);

// Takes from the text of metadata.json what the program's types cannot express: which inputs and
// outputs are images, the descriptions, the specification version and the metadata. Entries of
// features that `model` does not have are ignored.
Status ApplyCompiledMetadata(std::string_view json, ir::Model* model);

}  // namespace anemone::format
