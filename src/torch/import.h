// ImportTorch: a file of torch.export.save becomes a Model, as ONNX files do (onnx/import.h): each ATen
// node is written as ONNX operators, which the importer of ONNX converts. Symbolic dimensions become
// ranges with the bounds of the export; names of inputs and outputs are kept; operators are named after
// the modules that they are of.
//
// Ownership: weights stay views of the mapped file where possible. Thread rules: none shared.
#pragma once

#include <string>

#include "base/status.h"
#include "ir/model.h"
#include "onnx/import.h"
#include "torch/program.h"

namespace anemone::torch {

// Errors: those of ReadProgram and of onnx::ImportModel; kUnsupported with a list of every node that
// cannot be converted (operator, module, source line, reason, way on).
Result<ir::Model> ImportTorch(const std::string& path, const onnx::ImportOptions& options = {});
Result<ir::Model> ImportProgram(const Program& program, const onnx::ImportOptions& options = {});

}  // namespace anemone::torch
