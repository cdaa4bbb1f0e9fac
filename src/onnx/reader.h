// Reads an ONNX file into plain structs (model.h) and checks what the importer relies on: every
// count and length fits the file, names are unique, every input is made before it is used (nodes in
// a wrong order are sorted), subgraphs nest at most 32 deep. Ownership: the Model owns everything;
// its Bytes keep the mapped file alive. Thread rules: none shared. Errors: kNotFound / kIo for the
// file; kInvalidInput with file, node and rule; kUnsupported for sparse initializers.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/status.h"
#include "onnx/model.h"

namespace anemone::onnx {

Result<Model> ReadModel(const std::string& path);

// The same from memory. `folder` holds the external data files; "" refuses them.
Result<Model> ReadModel(const Bytes& file, const std::string& folder);

}  // namespace anemone::onnx
