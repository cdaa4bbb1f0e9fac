// No operator of PyTorch becomes one of these yet: quantized exports are refused by name.
#include "torch/converter.h"

#include "ops/ops.h"

namespace anemone::ops::constexpr_ops {

std::span<const torch::Converter> TorchConverters() { return {}; }

}  // namespace anemone::ops::constexpr_ops
