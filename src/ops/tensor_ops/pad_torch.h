// PyTorch's paddings. `pad` lists the sizes before and after of the last axis first.
#pragma once

#include "base/status.h"

namespace anemone::torch {
class Context;
}

namespace anemone::ops::tensor_ops {

Status EmitPad(torch::Context& c);
Status EmitConstantPad(torch::Context& c);
Status EmitReflectionPad(torch::Context& c);
Status EmitReplicationPad(torch::Context& c);
Status EmitCircularPad(torch::Context& c);

}  // namespace anemone::ops::tensor_ops
