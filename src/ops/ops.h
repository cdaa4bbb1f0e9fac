// The operator table: every family's definitions and reference kernels, from the list in
// families.inc. Thread rules: built once on first use, immutable afterwards.
#pragma once

#include <span>
#include <vector>

#include "exec/kernel.h"
#include "ir/op_def.h"

namespace anemone::ops {

// What each family folder gives: its definitions and its reference kernels.
#define ANEMONE_OP_FAMILY(family)               \
  namespace family {                            \
  std::vector<ir::OpDef> Defs();                \
  std::span<const exec::KernelEntry> Kernels(); \
  }
#include "ops/families.inc"
#undef ANEMONE_OP_FAMILY

}  // namespace anemone::ops
