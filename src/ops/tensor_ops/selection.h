// The operators of this family that order elements or pick some of them: argsort, topk, non_zero,
// one_hot, non_maximum_suppression, classify. Thread rules: pure functions.
#pragma once

#include <span>
#include <vector>

#include "exec/kernel.h"
#include "ir/op_def.h"

namespace anemone::ops::tensor_ops {

std::vector<ir::OpDef> SelectionDefs();
std::span<const exec::KernelEntry> SelectionKernels();

}  // namespace anemone::ops::tensor_ops
