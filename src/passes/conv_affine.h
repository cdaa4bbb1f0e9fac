// Shared by the fusions into a convolution: turns conv(x) * scale[c] + shift[c] into one conv with
// other weights.
#pragma once

#include <vector>

#include "passes/rewriter.h"

namespace anemone::passes {

struct ConvChannels {
  int64_t count = 0;  // of the output
  int axis = 1;       // of the output
};
// The channels of a conv or conv_transpose with constant weight and bias; count 0 for any
// other operation.
ConvChannels ChannelsOf(const ir::Operation& conv, ir::Opset opset);
// The conv or conv_transpose with constant weights that makes `value`, when that is its only use;
// null otherwise.
ir::Operation* OwnedConv(const Rewriter& rewriter, const ir::Value* value);

// Replaces `last` (the operation after `conv` that multiplies and adds) by a copy of `conv` with
// its weights scaled by `scale` and its bias scaled and shifted, computed in double. Returns false
// and changes nothing when a weight would leave the range of its dtype.
Result<bool> FuseIntoConv(Rewriter& rewriter, ir::Operation& conv, ir::Operation& last,
                          const std::vector<double>& scale, const std::vector<double>& shift);

}  // namespace anemone::passes
