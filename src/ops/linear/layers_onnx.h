// Linear and ScaledDotProductAttention of onnx::kOwnDomain: layers that importers of other formats write,
// with the meaning of torch.nn.functional's.
#pragma once

#include "base/status.h"

namespace anemone::onnx {
class NodeContext;
}

namespace anemone::ops::linear {

// x [..., in], weight [out, in], optional bias [out]: x weight^T + bias.
Status EmitLinearLayer(onnx::NodeContext& c);
// query [..., L, E], key [..., S, E], value [..., S, EV], optional mask that broadcasts to [..., L, S]
// (bool: true lets through; float: added). Attributes: scale (1/sqrt(E) when absent), is_causal.
Status EmitScaledDotProduct(onnx::NodeContext& c);

}  // namespace anemone::ops::linear
