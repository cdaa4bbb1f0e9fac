// Reads one TensorProto message: dims, type and the elements in whichever of ONNX's encodings the
// file uses (raw bytes, typed arrays, external data). Elements that the file already holds in the
// right layout are views, not copies.
#pragma once

#include "base/bytes.h"
#include "base/status.h"
#include "onnx/external_data.h"
#include "onnx/model.h"
#include "onnx/wire.h"

namespace anemone::onnx {

// `message` reads a part of `file`; the tensor's data may be a slice of it.
// Errors: kInvalidInput naming the tensor and the rule.
Result<Tensor> ReadTensor(WireReader message, const Bytes& file, ExternalFiles& external);

}  // namespace anemone::onnx
