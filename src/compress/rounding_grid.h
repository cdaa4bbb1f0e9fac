// RoundingGrid: the integers that the elements of a linearly quantized tensor may take, and the
// values that they represent; shared by the roundings that use inputs. Thread rules: immutable; it
// points into the tensor.
#pragma once

#include <algorithm>
#include <cstddef>

#include "compress/linear_codec.h"

namespace anemone::compress {

class RoundingGrid {
 public:
  RoundingGrid(const LinearTensor& tensor, LinearMode mode)
      : tensor_(&tensor), is_unsigned_(IsUnsignedInt(tensor.data.dtype())) {
    const int levels = 1 << BitWidth(tensor.data.dtype());
    const int symmetric = mode == LinearMode::kSymmetric ? 1 : 0;
    low_ = is_unsigned_ ? 0 : -levels / 2 + symmetric;
    high_ = is_unsigned_ ? levels - 1 - symmetric : levels / 2 - 1;
  }

  // The block that an element (row-major) belongs to.
  size_t BlockOf(size_t element) const {
    const ir::Shape& shape = tensor_->data.shape();
    size_t block = 0;
    size_t inner = static_cast<size_t>(tensor_->data.element_count());
    for (size_t d = 0; d < shape.size(); ++d) {
      const auto size = static_cast<size_t>(shape[d]);
      const auto count = static_cast<size_t>(tensor_->scale_shape[d]);
      inner /= size;
      block = block * count + element / inner % size / (size / count);
    }
    return block;
  }
  float Scale(size_t block) const { return tensor_->scale[block]; }
  int Offset(size_t block) const {
    const int offset = tensor_->offset.empty() ? 0 : tensor_->offset[block];
    return is_unsigned_ && offset < 0 ? offset + 256 : offset;
  }
  // `steps` scales above zero, kept within the grid, as the integer that is stored.
  int Stored(float steps, size_t block) const {
    constexpr float kFar = 100'000;
    return std::clamp(static_cast<int>(std::clamp(steps, -kFar, kFar)) + Offset(block), low_,
                      high_);
  }
  float Value(int stored, size_t block) const {
    return static_cast<float>(stored - Offset(block)) * Scale(block);
  }

 private:
  const LinearTensor* tensor_;
  bool is_unsigned_;
  int low_ = 0;
  int high_ = 0;
};

}  // namespace anemone::compress
