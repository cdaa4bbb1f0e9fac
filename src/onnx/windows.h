// The window attributes that ONNX's convolutions and poolings share, with auto_pad resolved to
// numbers.
#pragma once

#include <vector>

#include "onnx/node_context.h"

namespace anemone::onnx {

// One entry for each spatial dimension.
struct Windows {
  std::vector<int64_t> kernel, strides, dilations, begin, end;

  size_t count() const { return kernel.size(); }
  int64_t Extent(size_t i) const { return dilations[i] * (kernel[i] - 1) + 1; }
  bool HasPads() const;
  // [begin_0, end_0, begin_1, end_1 ...]: MIL's order.
  std::vector<int64_t> MilPads() const;
};

// The windows of a node whose input 0 is [N, C, spatial ...]. `kernel` comes from the weight or the
// attribute. For auto_pad the pads are those of a forward window (not of ConvTranspose). Errors:
// kInvalidInput for lengths that do not fit, non-positive strides; kUnsupported for negative pads.
Result<Windows> ReadWindows(const NodeContext& context, std::vector<int64_t> kernel);

}  // namespace anemone::onnx
