// The positions and weights with which ONNX's Resize samples its input along one axis. Positions
// are in elements of the input. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace anemone::ops::image_resizing {

struct Sampling {
  std::string mode;         // "nearest", "linear", "cubic"
  std::string coordinates;  // coordinate_transformation_mode
  std::string nearest;      // nearest_mode
  double cubic_a = -0.75;
  bool exclude_outside = false;
  bool antialias = false;  // a smaller output averages over what it skips
  // Of tf_crop_and_resize: the part of the axis that is sampled, as shares of its length. It may reach
  // beyond 0 and 1.
  double crop_begin = 0, crop_end = 1;
};

// The element that each of `out` outputs reads, of `in` elements. `scale` is out / in as given by
// the model.
std::vector<int64_t> NearestIndices(const Sampling& sampling, int64_t in, int64_t out,
                                    double scale);

// Which outputs of tf_crop_and_resize read a place within the input.
std::vector<bool> InsideCrop(const Sampling& sampling, int64_t in, int64_t out);

// [out, in], row-major: the weights of linear or cubic interpolation, borders repeated.
std::vector<float> SampleMatrix(const Sampling& sampling, int64_t in, int64_t out, double scale);

}  // namespace anemone::ops::image_resizing
