// The features of one function as the border to Core ML needs them. Values; pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "exec/tensor.h"
#include "ir/model.h"

namespace anemone::coreml {

struct BorderFeature {
  std::string name;
  ir::Type type;                  // as the program declares it; a state's is its tensor
  DType dtype = DType::kInvalid;  // at Core ML's side: kFp16, kFp32 or kInt32
  std::optional<ir::ImageFeature> image = {};
};

struct Border {
  std::vector<BorderFeature> inputs;
  std::vector<BorderFeature> outputs;
  std::vector<BorderFeature> states;

  const BorderFeature* FindInput(std::string_view name) const;
  const BorderFeature* FindOutput(std::string_view name) const;
};

// kUnsupported lists every feature that has no tensor at the border (class labels, dictionaries,
// sequences) or an element type that Core ML's arrays do not have.
Result<Border> BorderOf(const ir::Model& model, const ir::Function& function);

// The shape of the multi-array for a tensor of `shape`: Core ML has no arrays of rank 0.
inline ir::Shape ArrayShape(const ir::Shape& shape) { return shape.empty() ? ir::Shape{1} : shape; }

}  // namespace anemone::coreml
