#include "onnx/converter.h"

namespace anemone::ops::constexpr_ops {

// None: ONNX stores no compressed weights, and its QuantizeLinear and DequantizeLinear become
// arithmetic (tensor_ops/onnx.cc).
std::span<const onnx::Converter> OnnxConverters() { return {}; }

}  // namespace anemone::ops::constexpr_ops
