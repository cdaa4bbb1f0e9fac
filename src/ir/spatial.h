// Sliding windows over the spatial dimensions of convolutions and poolings: how pad_type, strides,
// dilations and ceil_mode decide the padding and the output size. Inference and kernels both use
// this. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ir/op_def.h"
#include "ir/type.h"

namespace anemone::ir {

enum class PadType : uint8_t { kValid, kSame, kSameLower, kCustom };
// "valid", "same", "same_lower", "custom".
std::optional<PadType> PadTypeFromName(std::string_view name);

// The window along one spatial dimension.
struct WindowDim {
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  // Elements added at the low and the high end; decided by `Place` unless the padding is custom.
  int64_t pad_before = 0;
  int64_t pad_after = 0;
  // Positions of the window: the output size. kDynamic while the input size is.
  int64_t output = kDynamic;

  // Extent of the dilated kernel. Only after a successful Place.
  int64_t extent() const { return (kernel - 1) * dilation + 1; }
};

// Decides the padding and the output size of one dimension of `input` elements. `window` holds
// kernel, stride, dilation, all positive, and the custom padding. Fails when the window does not
// fit or a size overflows.
Status PlaceWindow(int64_t input, PadType pad_type, bool ceil_mode, WindowDim* window);

// The constraint labels under which ReadWindows reports each kind of mistake.
struct WindowLabels {
  std::string_view strides;  // strides and dilations: one positive value for each spatial dimension
  std::string_view pad_type;  // a known pad_type, same_lower only from ios16 on
  std::string_view pad;  // custom padding: two values, none negative, for each spatial dimension
};

// The arguments `strides`, `dilations` (if the operator has it), `pad_type` and `pad` of an
// operator with `kernel` sizes; the windows are not placed yet.
struct Windows {
  PadType pad_type = PadType::kValid;
  std::vector<WindowDim> dims;
};
Result<Windows> ReadWindows(const OpArgs& args, const std::vector<int64_t>& kernel,
                            const WindowLabels& labels);

// Default values: a 1 for each spatial dimension of `x`, and two 0s for each.
Result<Literal> OnesForSpatialDims(const OpArgs& args);
Result<Literal> ZeroPadForSpatialDims(const OpArgs& args);

}  // namespace anemone::ir
