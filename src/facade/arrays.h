// Arrays and failures of the public interface, to and from the library's own types. Thread rules:
// pure functions. Errors: kUsage for arrays that do not fit.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "anemone/model.h"
#include "base/dtype.h"
#include "base/status.h"
#include "exec/backend.h"
#include "exec/classifier.h"
#include "ir/program.h"

namespace anemone::facade {

Failure ToFailure(const Error& error);

// "float32", "int8" ...: NumPy's names.
std::string NumpyNameOf(DType dtype);
// kInvalid for an unknown name.
DType DTypeOfNumpy(const std::string& name);

// A tensor for an input declared `wanted`; widens and narrows where every value fits.
Result<exec::Tensor> ToTensor(const Array& array, DType wanted);
// All inputs of a call; names are checked. A name that ONNX had, and that is no identifier, stands for
// the input that was made of it: `metadata` of the model says so.
Result<std::map<std::string, exec::Tensor>> ToTensors(const std::map<std::string, Array>& arrays,
                                                      const ir::Function& function,
                                                      const ir::Metadata& metadata);
Result<Array> ToArray(const exec::Tensor& tensor);
Result<std::map<std::string, Array>> ToArrays(const std::map<std::string, exec::Tensor>& tensors);

std::optional<Classes> ToClasses(const std::optional<exec::Classes>& classes);

// "as_typed", "float32" or "float16".
Result<exec::Numerics> ParseNumerics(const std::string& text);

}  // namespace anemone::facade
