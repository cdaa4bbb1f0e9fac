// KnownAnswer: one seeded input of a function with the answer of a backend that is trusted, to ask
// another backend the same. A compiled model can load, succeed and be wrong
// (microsoft/onnxruntime#32569, apple/coremltools#2716). Thread rules: immutable once made.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "exec/backend.h"

namespace anemone::runtime {

// What may differ: units compute in half precision, and a network of some hundred operators adds
// that up. A wrong answer is off by the whole range of an output.
struct AnswerLimits {
  double linf_of_range = 0.1;
  double rmse_of_range = 0.02;
};

class KnownAnswer {
 public:
  // kUnsupported when the inputs' shapes are dynamic, or the trusted answer is not finite: then
  // nothing can be asked.
  static Result<KnownAnswer> Make(const exec::Backend& trusted,
                                  std::shared_ptr<const ir::Model> model,
                                  const exec::LoadOptions& options);

  const std::map<std::string, exec::Tensor>& inputs() const { return inputs_; }
  // OK, or an exec::Failure: schema_mismatch, non_finite or parity_drift, with output and figures.
  Status Check(const std::map<std::string, exec::Tensor>& outputs,
               const AnswerLimits& limits = {}) const;
  // Asks a session.
  Status Ask(exec::Executable& session, const AnswerLimits& limits = {}) const;

 private:
  std::map<std::string, exec::Tensor> inputs_;
  std::map<std::string, exec::Tensor> outputs_;
};

// Whether every float of every tensor is finite.
bool AllFinite(const exec::ConstTensor& tensor);
bool AllFinite(const std::map<std::string, exec::Tensor>& tensors);

}  // namespace anemone::runtime
