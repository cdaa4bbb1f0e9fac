#include "ops/recurrent/cell_onnx.h"

namespace anemone::ops::recurrent {

std::vector<float> Reorder(const onnx::Constant& x, int64_t direction,
                           const std::vector<int64_t>& order, int64_t hidden, int64_t from_gate) {
  const auto values = x.AsFloats();
  const int64_t rows = x.dims[1], row_size = x.dims.size() == 3 ? x.dims[2] : 1;
  std::vector<float> out;
  for (const int64_t gate : order) {
    const int64_t begin = (direction * rows + (from_gate + gate) * hidden) * row_size;
    out.insert(out.end(), values.begin() + begin, values.begin() + begin + hidden * row_size);
  }
  return out;
}

}  // namespace anemone::ops::recurrent
