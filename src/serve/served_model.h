// What the routes know of the model that they serve, and how it is asked.
// Ownership: shares session and model. Thread rules: immutable.
#pragma once

#include <memory>
#include <string>

#include "exec/tensor.h"
#include "facade/model_source.h"
#include "ir/model.h"
#include "lab/evaluate.h"
#include "runtime/session.h"

namespace anemone::serve {

struct ServedModel {
  std::string name;  // in paths and answers
  facade::LoadedModel loaded;
  std::shared_ptr<runtime::Session> session;
  lab::Preprocess preprocess;  // of photographs for inputs that are plain tensors

  const ir::Model& model() const { return *loaded.model; }
  const ir::Function& function() const { return session->function(); }
  // The one input that a photograph can be given to; null when there is none, or several.
  const ir::Value* image_input() const;
  // Whether the outputs rank classes, and a photograph is all that is asked for.
  bool classifies_images() const;
};

// The protocol's name of what a value has in memory: "FP32", "INT32", "BOOL" ...
std::string DatatypeOf(DType dtype);
// NumPy's name of the protocol's, "float32"; empty for one that no array can have.
std::string NumpyNameOfDatatype(const std::string& datatype);

}  // namespace anemone::serve
