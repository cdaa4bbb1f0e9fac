// The features of one function, as the boundary to Core ML needs them. Values; pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "exec/classifier.h"
#include "exec/tensor.h"
#include "ir/model.h"

namespace anemone::coreml {

struct BorderFeature {
  // The feature in Core ML: an array or an image, or a classifier's output.
  enum class Kind : uint8_t { kArray, kImage, kLabel, kProbabilities };

  std::string name;
  // As the program declares it; a state has its tensor's type, and a classifier's output is as
  // in exec/classifier.h.
  ir::Type type;
  DType dtype = DType::kInvalid;  // at Core ML's side: kFp16, kFp32 or kInt32
  std::optional<ir::ImageFeature> image = {};
  Kind kind = Kind::kArray;

  bool is_class() const { return kind == Kind::kLabel || kind == Kind::kProbabilities; }
};

struct Border {
  std::vector<BorderFeature> inputs;
  std::vector<BorderFeature> outputs;
  std::vector<BorderFeature> states;
  std::optional<exec::Classes> classes;  // of a classifier

  const BorderFeature* FindInput(std::string_view name) const;
  const BorderFeature* FindOutput(std::string_view name) const;
};

// kUnsupported lists every feature that cannot cross: an input that is not a tensor or an image (an
// ML Program takes no others), a sequence, an element type that Core ML's arrays do not have, the
// probabilities of a classifier that names a class twice.
Result<Border> BorderOf(const ir::Model& model, const ir::Function& function);

// The shape of the multi-array for a tensor of `shape`: Core ML has no arrays of rank 0.
inline ir::Shape ArrayShape(const ir::Shape& shape) { return shape.empty() ? ir::Shape{1} : shape; }

}  // namespace anemone::coreml
