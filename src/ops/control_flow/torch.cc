// No operator of PyTorch becomes one of these yet: bodies that run as they stand are inlined
// (src/torch/lowering.cc), others are refused by name.
#include "torch/converter.h"

#include "ops/ops.h"

namespace anemone::ops::control_flow {

std::span<const torch::Converter> TorchConverters() { return {}; }

}  // namespace anemone::ops::control_flow
