// The positions and weights with which ONNX's Resize samples its input along one axis. Positions
// are in elements of the input. Thread rules: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace anemone::ops::image_resizing {

struct Sampling {
  std::string mode;         // "nearest", "linear", "cubic"
  std::string coordinates;  // coordinate_transformation_mode, all but tf_crop_and_resize
  std::string nearest;      // nearest_mode
  double cubic_a = -0.75;
  bool exclude_outside = false;
  bool antialias = false;  // a smaller output averages over what it skips
};

// The element that each of `out` outputs reads, of `in` elements. `scale` is out / in as given by
// the model.
std::vector<int64_t> NearestIndices(const Sampling& sampling, int64_t in, int64_t out,
                                    double scale);

// [out, in], row-major: the weights of linear or cubic interpolation, borders repeated.
std::vector<float> SampleMatrix(const Sampling& sampling, int64_t in, int64_t out, double scale);

}  // namespace anemone::ops::image_resizing
