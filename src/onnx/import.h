// ImportOnnx: an ONNX file becomes a Model whose program is a float32 MIL program with fixed
// shapes.
//
// Types: every float type of ONNX becomes fp32; every integer type int32 (a constant that does not
// fit is an error); bool stays inside the program and becomes int32 at its boundary, where Core ML
// has no bool. Scalars at the boundary get the shape [1]. Names of inputs and outputs are kept when
// they are legal identifiers; otherwise they are made legal and the original name is kept in the
// metadata under "onnx.name.<new name>". Ownership: weights stay views of the mapped file where
// possible. Thread rules: none shared.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/model.h"
#include "onnx/model.h"

namespace anemone::onnx {

struct ImportOptions {
  // Shapes of inputs by their ONNX name: required where the file leaves dimensions open.
  std::map<std::string, std::vector<int64_t>> input_shapes;
  ir::Opset target = ir::Opset::kIOS15;
};

// Errors: those of ReadModel; kUsage for a shape of an unknown input or one that contradicts the
// file; kUnsupported with a list of every node that cannot be converted (operator, opset, name,
// reason, rewrite); kInvalidInput for a model that breaks the rules of ONNX.
Result<ir::Model> ImportOnnx(const std::string& path, const ImportOptions& options = {});
Result<ir::Model> ImportModel(const Model& model, const ImportOptions& options = {});

}  // namespace anemone::onnx
