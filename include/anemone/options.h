// What load, convert, compress, a session, the gate and the lab can be told. Plain values with the defaults that hold
// where nothing else is said; the command's flags, the keys of JSON objects and Python's keywords
// are these same names. What each means, its range and an example stand in one table for each
// struct (src/options/), printed as docs/options.md.
//
// Thread rules: values. Errors: whoever takes options refuses what is out of range as a usage
// error, all fields at once.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace anemone {

// ImageNet's usual mean and standard deviation of each channel, of values in 0 to 1.
inline constexpr std::array<float, 3> kImageNetMean = {0.485f, 0.456f, 0.406f};
inline constexpr std::array<float, 3> kImageNetDeviation = {0.229f, 0.224f, 0.225f};

struct LoadOptions {
  std::string weights = {};
  uint64_t seed = 0;
  std::map<std::string, std::vector<int64_t>> input_shapes = {};
  std::string minimum_deployment_target = "iOS17";
  std::string backend = "auto";
  std::string function = {};
  std::string numerics = "as_typed";
  int threads = 0;
};

struct ConvertOptions {
  std::string minimum_deployment_target = "iOS17";
  std::string compute_precision = "float32";
  std::vector<std::string> keep_float32 = {};
};

// How photographs become inputs.
struct PreprocessOptions {
  double crop = 0.875;
  int resize = 0;
  std::array<float, 3> mean = kImageNetMean;
  // The option "std": that name is the standard library's here.
  std::array<float, 3> deviation = kImageNetDeviation;
  std::string interpolation = "bicubic";
};

struct CompressOptions {
  std::string mode = "linear_symmetric";
  std::string dtype = "int8";
  std::string granularity = {};
  int64_t weight_threshold = 2048;
  int nbits = 0;
  std::string palette = "kmeans";
  int64_t block_size = 0;
  int64_t group_size = 32;
  int64_t cluster_dim = 1;
  bool per_channel_scale = false;
  std::string lut_dtype = {};
  std::optional<double> target_sparsity = {};
  std::string nm = {};
  std::optional<double> threshold = {};
  bool joint = false;
  std::string calibration = {};
  int64_t calibration_limit = 0;
  PreprocessOptions preprocess = {};
  std::string observer = "min_max";
  double percentile = 99.99;
  bool equalize = false;
  bool correct_bias = false;
  std::string rounding = "nearest";
  bool storage_only = false;
  std::string config = {};
  std::string minimum_deployment_target = {};
  int threads = 0;
};

struct SessionOptions {
  std::string backend = "auto";
  std::string function = {};
  std::string numerics = "as_typed";
  int threads = 0;
  std::string compute_units = "all";
  std::string reshape_frequency = "frequent";
  std::string specialization_strategy = "default";
  int max_concurrent_calls = 0;
  bool fallback = true;
  bool serve_while_compiling = false;
  bool warm_up = true;
  bool dispatch_by_measurement = false;
  std::string breaker = {};
  std::string state_dir = {};
  std::string cache_dir = {};
  std::string telemetry_log = {};
  std::string metrics_address = {};
  std::string trace_file = {};
};

// Of `anemone gate`; `models` are packages, folders of them, .onnx files or catalog names.
struct GateOptions {
  std::vector<std::string> models = {};
  std::string policy = {};
  std::vector<std::string> record = {};
  std::string require = {};
  std::string output = {};
  std::string junit = {};
  std::string markdown = {};
  std::string certificates = {};
  std::string reference = {};
  std::string images = {};
  std::vector<std::string> inputs = {};
  int64_t limit = 16;
  std::string weights = {};
  uint64_t seed = 0;
  std::string minimum_deployment_target = "iOS17";
  int threads = 0;
};

// A model, and how it is loaded.
struct ModelOptions {
  std::string model = {};
  std::string weights = {};
  uint64_t seed = 0;
  std::map<std::string, std::vector<int64_t>> input_shapes = {};
};

// Of `anemone lab`.
struct LabOptions : ModelOptions {
  std::string output = {};
  std::string config = {};
  std::optional<double> max_drop = {};
  std::string minimum_deployment_target = {};
  std::string compute_precision = {};
  std::vector<std::string> keep_float32 = {};
  std::string images = {};
  std::string labels = {};
  std::string calibration = {};
  std::optional<double> hold_out = {};
  int64_t limit = 0;
  PreprocessOptions preprocess = {};
  int64_t samples = 16;
  uint64_t input_seed = 0;
  int64_t sensitivity_samples = 8;
  int refinements = 12;
  int jobs = 1;
  bool resume = false;
  std::string ray = {};
  std::string python = {};
  std::string backend = "cpu";
  bool fidelity = true;
  int threads = 0;
};

}  // namespace anemone
