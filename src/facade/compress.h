// Compress: makes a compressed variant of a model and says what was done to each tensor.
// Thread rules: changes the model it is given; nothing shared.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "compress/configuration.h"
#include "compress/report.h"
#include "ir/model.h"
#include "lab/evaluate.h"

namespace anemone::facade {

// Texts as the command's flags and Python's arguments have them.
struct CompressOptions {
  // linear (symmetric, as linear_symmetric), linear_asymmetric, palettize, prune, activations (8
  // bits for activations, and for weights as linear has it).
  std::string mode = "linear";
  std::string dtype = "int8";      // linear: int8, uint8, int4, uint4; float16: half precision
  int nbits = 0;                   // palettize: 1, 2, 3, 4, 6, 8
  std::string palette = "kmeans";  // palettize: kmeans, uniform, unique
  // linear: per_channel (the default), per_tensor, per_block; palettize: per_tensor (the default),
  // per_grouped_channel.
  std::string granularity;
  int64_t block_size = 0;          // linear per_block (default 32) and prune: channels of a block
  int64_t group_size = 32;         // palettize per_grouped_channel
  int64_t cluster_dim = 1;         // palettize
  bool per_channel_scale = false;  // palettize
  std::string lut_dtype;           // palettize: int8, uint8
  std::optional<double> target_sparsity = {};  // prune: one of these three
  std::string nm;                              // "2:4": of every 4, 2 become 0
  std::optional<double> threshold = {};
  // Smallest number of elements that is worth compressing.
  int64_t weight_threshold = compress::kDefaultWeightThreshold;
  bool joint = false;  // compress further what is compressed already
  // float16 only: compute in half precision too (what Core ML's Neural Engine needs), not just
  // store the weights so.
  bool compute_float16 = true;
  // What needs data: a folder of images, .npy or .npz files (lab/input_files.h).
  std::string calibration;
  int64_t calibration_limit = 0;  // at most that many files; 0: all
  lab::Preprocess preprocess = {};
  std::string observer = "min_max";  // activations: min_max, percentile, mse, entropy
  double percentile = 99.99;
  bool equalize = false;      // activations: make the channels of neighboring layers alike first
  bool correct_bias = false;  // take the mean error of each channel out of the biases
  std::string rounding = "nearest";  // linear: or gptq, adaround
  // A file with a configuration (JSON or YAML, coremltools' or ours) instead of all the above.
  std::string config;
  int threads = 0;  // 0: one for each core
  std::function<void(std::string_view what, int64_t done, int64_t total)> progress = {};
};

// What the flags say, but for float16. kUsage names the flag that is wrong.
Result<compress::Configuration> ConfigurationOf(const CompressOptions& options);

Status Compress(ir::Model& model, const CompressOptions& options,
                compress::Report* report = nullptr);

// Writes the model as facade::Save does, reads the package back and compares every operator and
// constant. kInternal when it is not what was written.
Status SaveAndReload(const ir::Model& model, const std::string& path);
// The second half of that.
Status CheckSaved(const ir::Model& model, const std::string& path);

}  // namespace anemone::facade
