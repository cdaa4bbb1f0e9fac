// What a model's description says of its inputs beyond the types of the program: which shapes are
// allowed (ranges, enumerations, sizes of images), and what stands in for an optional input that is
// not given. Core ML holds every prediction to it, and so does every session.
//
// Ownership: values, which share nothing with the model. Thread rules: immutable. Errors: kUsage,
// for it is the caller's mistake; the texts of ranges and enumerations are Core ML's own.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "exec/backend.h"
#include "exec/tensor.h"
#include "ir/model.h"

namespace anemone::exec {

class DeclaredInputs {
 public:
  // Nothing is declared: every shape is allowed, every input is required.
  DeclaredInputs() = default;
  // Of a function of `model`; a function that the model does not describe declares nothing.
  static DeclaredInputs Of(const ir::Model& model, const ir::Function& function);

  // Whether all given shapes are allowed. Allocates nothing when they are. Inputs that the
  // description does not know are left to CheckInputs.
  Status Check(std::span<const BoundInput> inputs) const;
  // Whether an optional input with a default is not given.
  bool Lacks(std::span<const BoundInput> inputs) const;
  // The defaults of those that are not given, in the dtype and the declared shape of each.
  Result<std::map<std::string, Tensor>> Defaults(std::span<const BoundInput> inputs) const;

 private:
  struct Optional {
    std::string name;
    DType dtype = DType::kInvalid;  // in memory
    ir::Shape shape;
    double value = 0;
  };
  std::vector<ir::Feature> flexible_;
  std::vector<Optional> optional_;
};

}  // namespace anemone::exec
