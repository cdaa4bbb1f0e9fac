// ONNX: a GRU with linear_before_reset, as PyTorch exports every GRU, for targets before iOS18, whose
// operator has no such form: step by step.
#pragma once

#include "onnx/converter.h"
#include "ops/recurrent/cell_onnx.h"

namespace anemone::ops::recurrent {

// One direction over x [length, batch, input] from the state [batch, hidden]: the sequence [length,
// batch, hidden], which is the state when the node does not want it, and the last state. A few steps
// are written out; more, or as many as only the run time knows, are a while_loop.
Result<std::vector<ir::Value*>> GruBySteps(onnx::NodeContext& c, const Cell& cell,
                                           int64_t direction, ir::Value* x, ir::Value* state,
                                           const std::vector<std::string>& activations);

// Whether GruBySteps makes a loop.
bool NeedsLoop(const Cell& cell);

}  // namespace anemone::ops::recurrent
