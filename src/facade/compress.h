// Compress: makes a compressed variant of a model and says what was done to each tensor.
// Thread rules: changes the model it is given; nothing shared.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/model.h"

namespace anemone::facade {

struct CompressOptions {
  std::string mode = "linear";  // linear (symmetric), linear_symmetric, linear_asymmetric
  std::string dtype = "int8";   // int8, uint8, int4, uint4, float16
  std::string granularity = "per_tensor";  // per_tensor, per_channel, per_block
  int64_t block_size = 32;                 // per_block: elements along the input channels
  // Smallest number of elements that is worth compressing.
  int64_t weight_threshold = 2048;
  // float16 only: compute in half precision too (what Core ML's Neural Engine needs), not just
  // store the weights so.
  bool compute_float16 = true;
  int threads = 0;  // 0: one for each core
};

struct CompressReport {
  struct Tensor {
    std::string name;
    int64_t elements = 0;
    int64_t bytes_before = 0;
    int64_t bytes_after = 0;
    double max_error = 0;  // largest difference of an element after decompression
    std::string skipped;   // the reason; empty when compressed
  };
  std::vector<Tensor> tensors;
  int64_t bytes_before = 0;
  int64_t bytes_after = 0;
};

Status Compress(ir::Model& model, const CompressOptions& options, CompressReport* report = nullptr);

}  // namespace anemone::facade
