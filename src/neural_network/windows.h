// Padding of sliding windows as the layers of networks state it, in the form that conv and the
// pools take. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "format/proto/neural_network_layers.pb.h"

namespace anemone::neural_network {

// pad_type and pad of an operator.
struct WindowPadding {
  std::string type = "custom";
  std::vector<int64_t> pad;  // before and after, for each dimension; zeros unless custom

  static WindowPadding Valid(size_t dims) { return {"valid", std::vector<int64_t>(2 * dims, 0)}; }
  static WindowPadding Same(size_t dims) { return {"same", std::vector<int64_t>(2 * dims, 0)}; }
};

// Extents before and after height and width; zeros when none are given.
Result<std::vector<int64_t>> ReadBorder(const format::proto::nn::BorderAmounts& border);

// Valid padding with the given amounts.
Result<WindowPadding> ValidPaddingOf(const format::proto::nn::ValidPadding& valid);

// Where the padding of `same` has an odd number of elements, which side has one more is stated:
// after the data as `same` has it, or before. `sizes` are those of the input, `extents` those of
// the dilated kernels. kUnsupported for a size that only the run time knows.
Result<WindowPadding> SamePaddingOf(const format::proto::nn::SamePadding& same,
                                    const std::vector<int64_t>& sizes,
                                    const std::vector<int64_t>& extents,
                                    const std::vector<int64_t>& strides);

}  // namespace anemone::neural_network
