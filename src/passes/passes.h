// The entry points of all passes, one for each file of the same name. Each returns whether the
// function changed.
#pragma once

#include "passes/pass.h"

namespace anemone::passes {

#define ANEMONE_PASS(name) Result<bool> name(ir::Function& function, PassContext& context)
ANEMONE_PASS(CommonSubexpressionElimination);
ANEMONE_PASS(ConstantFolding);
ANEMONE_PASS(DeadCodeElimination);
ANEMONE_PASS(FuseConvBatchNorm);
ANEMONE_PASS(FuseConvBias);
ANEMONE_PASS(FuseConvPad);
ANEMONE_PASS(FuseConvScale);
ANEMONE_PASS(FuseGelu);
ANEMONE_PASS(FuseHardSigmoid);
ANEMONE_PASS(FuseLayerNorm);
ANEMONE_PASS(FuseLinearBias);
ANEMONE_PASS(FuseMatmulToLinear);
ANEMONE_PASS(FuseSilu);
ANEMONE_PASS(FuseSoftmax);
ANEMONE_PASS(MergeReshapes);
ANEMONE_PASS(MergeTransposes);
ANEMONE_PASS(NoopElimination);
#undef ANEMONE_PASS

}  // namespace anemone::passes
