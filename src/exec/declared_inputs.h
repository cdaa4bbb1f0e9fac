// DeclaredInputs: what a model's interface says about the inputs of one function beyond their types:
// the shapes that a flexible input may have, and the values that stand in for optional inputs. Every
// session asks it, whatever runs the model, so that a shape outside the declared ones is refused
// everywhere as Core ML refuses it.
//
// Ownership: borrows the model. Thread rules: immutable once made. Errors: kUsage, naming the declared
// shapes; kInvalidInput or kUnsupported for a default value that the input cannot hold.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "exec/backend.h"
#include "exec/tensor.h"
#include "ir/feature_shapes.h"
#include "ir/model.h"

namespace anemone::exec {

class DeclaredInputs {
 public:
  static Result<DeclaredInputs> Of(const ir::Model& model, const ir::Function& function);

  // Whether the given inputs have declared shapes. Allocates nothing while they have.
  Status CheckShapes(std::span<const BoundInput> inputs) const;
  // Whether an optional input with a default value is missing.
  bool LacksDefault(std::span<const BoundInput> inputs) const;
  // The default values, by name.
  const std::map<std::string, Tensor>& defaults() const { return defaults_; }

 private:
  std::vector<const ir::Feature*> flexible_;
  std::map<std::string, Tensor> defaults_;
};

}  // namespace anemone::exec
