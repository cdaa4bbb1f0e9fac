// TfIdfVectorizer over integers.
#pragma once

#include "base/status.h"

namespace anemone::onnx {
class NodeContext;
}

namespace anemone::ops::tensor_ops {

// How often each n-gram of the pool occurs in x, [C] or [N, C] of integers.
Status EmitTfIdfVectorizer(onnx::NodeContext& c);

}  // namespace anemone::ops::tensor_ops
