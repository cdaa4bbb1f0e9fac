// KnownAnswer: one seeded input of a function with the answer of a trusted backend, to put the same
// question to another one. A compiled model can load, succeed and be wrong
// (microsoft/onnxruntime#32569, apple/coremltools#2716). Thread rules: immutable once made.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "exec/backend.h"

namespace anemone::runtime {

// The allowed difference: units compute in half precision, and the errors of some hundred operators
// add up. A wrong answer is off by the whole range of an output.
struct AnswerLimits {
  double linf_of_range = 0.1;
  double rmse_of_range = 0.02;
};

class KnownAnswer {
 public:
  // kUnsupported when the inputs' shapes are dynamic, or the trusted answer is not finite, so that
  // there is no question to ask.
  static Result<KnownAnswer> Make(const exec::Backend& trusted,
                                  std::shared_ptr<const ir::Model> model,
                                  const exec::LoadOptions& options);

  const std::map<std::string, exec::Tensor>& inputs() const { return inputs_; }
  // OK, or an exec::Failure: schema_mismatch, non_finite or parity_drift, with output and figures.
  Status Check(const std::map<std::string, exec::Tensor>& outputs,
               const AnswerLimits& limits = {}) const;
  // Asks an executable.
  Status Ask(exec::Executable& executable, const AnswerLimits& limits = {}) const;

 private:
  std::map<std::string, exec::Tensor> inputs_;
  std::map<std::string, exec::Tensor> outputs_;
};

// Whether every float of every tensor is finite.
bool AllFinite(const exec::ConstTensor& tensor);
bool AllFinite(const std::map<std::string, exec::Tensor>& tensors);

}  // namespace anemone::runtime
