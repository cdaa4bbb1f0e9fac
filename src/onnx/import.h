// ImportOnnx: an ONNX file becomes a Model whose program is a float32 MIL program, with fixed shapes
// or, where the caller leaves dimensions open, with unknown ones and the ranges in its interface.
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
#include "ir/text_template.h"
#include "onnx/constant.h"
#include "onnx/model.h"

namespace anemone::onnx {

// One dimension of an input: a size, or what it may be at run time.
struct InputSize {
  int64_t size = 0;                   // the size; of an open dimension its default
  int64_t lower = 0;                  // of a range; else 0
  int64_t upper = 0;                  // 0 for a range whose bound is chosen here
  std::vector<int64_t> choices = {};  // the sizes of an enumerated dimension

  InputSize() = default;
  InputSize(int64_t fixed) : size(fixed) {}  // NOLINT: a number is a size
  bool is_fixed() const { return lower == 0 && choices.empty(); }
  friend bool operator==(const InputSize&, const InputSize&) = default;
};

struct ImportOptions {
  // Shapes of inputs by their ONNX name: required where the file leaves dimensions open, unless
  // another input's shape says the size of a dimension of the same name.
  std::map<std::string, std::vector<InputSize>> input_shapes;
  // Inputs that are known, by their ONNX name: the program is without them. A scalar is the value of
  // every element; other values have the input's shape.
  std::map<std::string, Constant> input_values = {};
  // What operators become instead of what the importer knows; the file's own functions too.
  std::vector<ir::TextTemplate> lowerings = {};
  // Whether an integer constant that int32 cannot hold becomes the nearest that it can, with a note,
  // instead of an error.
  bool clamp_int64 = false;
  ir::Opset target = ir::Opset::kIOS15;
};

// Errors: those of ReadModel; kUsage for a shape of an unknown input or one that contradicts the
// file, and likewise for a value; kUnsupported with a list of every node that cannot be converted (operator, opset, name,
// reason, rewrite); kInvalidInput for a model that breaks the rules of ONNX.
Result<ir::Model> ImportOnnx(const std::string& path, const ImportOptions& options = {});
Result<ir::Model> ImportModel(const Model& model, const ImportOptions& options = {});

}  // namespace anemone::onnx
