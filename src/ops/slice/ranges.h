// The indices that slice_by_index and slice_update select along each dimension. Thread rules: pure
// functions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ir/op_def.h"

namespace anemone::ops::slice {

// The indices first, first + step, first + 2 * step ..., `count` of them; just one for a squeezed
// dimension, which the result does not have. `first` or `count` is kDynamic when known only at
// run time.
struct Range {
  int64_t first = 0;
  int64_t step = 1;
  int64_t count = 0;
  bool squeezed = false;
};

// One range for each dimension of x, from the arguments begin, end, stride, begin_mask, end_mask
// and squeeze_mask.
Result<std::vector<Range>> SliceRanges(const ir::OpArgs& args);

// The counts of the dimensions that stay.
ir::Shape SlicedShape(const std::vector<Range>& ranges);

}  // namespace anemone::ops::slice
