// DeformConv: a convolution whose windows read their input at places that are computed at run time.
#pragma once

#include "base/status.h"

namespace anemone::onnx {
class NodeContext;
}

namespace anemone::ops::conv {

// x [N, C, H, W], weight [M, C / group, kH, kW], offset [N, offset_group * kH * kW * 2, oH, oW], optional
// bias [M], optional mask [N, offset_group * kH * kW, oH, oW].
Status EmitDeformConv(onnx::NodeContext& c);

}  // namespace anemone::ops::conv
