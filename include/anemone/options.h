// What load, convert, compress, a session and the tools (tools.h) can be told. Plain values with the
// defaults that hold where nothing else is said; the command's flags, the keys of JSON objects and
// Python's keywords are these same names. What each means, its range and an example stand in one
// table for each struct (src/options/), printed as docs/options.md.
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

#pragma GCC visibility push(default)
namespace anemone {

// ImageNet's usual mean of each channel, of values in 0 to 1.
inline constexpr std::array<float, 3> kImageNetMean = {0.485f, 0.456f, 0.406f};
// The standard deviation that goes with it.
inline constexpr std::array<float, 3> kImageNetDeviation = {0.229f, 0.224f, 0.225f};

// One dimension of an input's shape: a size, or the sizes that it may have at run time.
struct Dimension {
  int64_t size = 0;                   // the size; of an open dimension its default
  int64_t lower = 0;                  // of a range, which ends at `upper`; else 0
  int64_t upper = 0;                  // 0 for a range whose bound the importer chooses ("?")
  std::vector<int64_t> choices = {};  // the sizes of an enumerated dimension

  Dimension() = default;
  Dimension(int64_t fixed) : size(fixed) {}  // NOLINT: a number is a dimension
  // Whether it has one size only.
  bool is_fixed() const { return lower == 0 && choices.empty(); }
  friend bool operator==(const Dimension&, const Dimension&) = default;
};

// How a model is loaded.
struct LoadOptions {
  std::string weights = {};
  uint64_t seed = 0;
  std::map<std::string, std::vector<Dimension>> input_shapes = {};
  std::vector<std::string> input_value = {};
  std::vector<std::string> lowering = {};
  bool clamp_int64 = false;
  std::string minimum_deployment_target = "iOS17";
  std::string backend = "auto";
  std::string function = {};
  std::string numerics = "as_typed";
  int threads = 0;
};

// What a converted program becomes.
struct ConvertOptions {
  std::string minimum_deployment_target = "iOS17";
  std::string compute_precision = "float32";
  std::vector<std::string> keep_float32 = {};
  std::string check_inputs = {};
  std::vector<std::string> image_input = {};
  std::optional<double> scale = {};
  std::vector<double> mean = {};
  std::vector<double> deviation = {};  // the option "std", as in PreprocessOptions
  std::string color = "RGB";
  std::string labels = {};
  std::string probabilities_output = {};
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

// How weights and, with calibration, activations are compressed.
struct CompressOptions {
  std::string mode = "linear_symmetric";
  std::string dtype = "int8";
  std::string granularity = {};
  std::optional<int64_t> weight_threshold = {};
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

// How a model is served: by which backend, and what happens when one fails.
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
  std::map<std::string, std::vector<Dimension>> input_shapes = {};
  std::vector<std::string> input_value = {};
  std::vector<std::string> lowering = {};
  bool clamp_int64 = false;
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

// Of `anemone matrix`.
struct MatrixOptions {
  std::vector<std::string> record = {};
  std::string output = "site";
  std::string policy = {};
};

// Of `anemone compare`.
struct CompareOptions {
  std::string reference = {};
  std::string variant = {};
  std::vector<std::string> inputs = {};
  std::map<std::string, std::vector<Dimension>> input_shapes = {};
  std::vector<std::string> input_value = {};
  std::vector<std::string> lowering = {};
  bool clamp_int64 = false;
  uint64_t seed = 0;
  int samples = 4;
  bool per_op = false;
  std::optional<double> tolerance_linf = {};  // absent: by what the variant is
  std::optional<double> tolerance_rmse = {};
  double min_psnr = 0;
  std::string backend = "auto";
  std::string numerics = "as_typed";
  int threads = 0;
};

// Of `anemone eval`.
struct EvaluateOptions : ModelOptions {
  std::string images = {};
  std::string labels = {};
  std::string reference = {};
  PreprocessOptions preprocess = {};
  int64_t limit = 0;
  bool rows = false;
  std::string backend = "auto";
  std::string numerics = "as_typed";
  std::string function = {};
  int threads = 0;
};

// Of `anemone bench`.
struct BenchOptions : ModelOptions {
  int64_t iterations = 100;
  double duration = 0;
  int64_t warmup = 10;
  double warmup_time = 0;
  std::vector<double> percentile = {50, 90, 99};
  std::string against = {};
  std::string compute_units = "all";
  std::string export_profile = {};
  std::string export_times = {};
  uint64_t input_seed = 0;
  std::string backend = "auto";
  std::string numerics = "as_typed";
  std::string function = {};
  int threads = 0;
};

// Of `anemone placement score`.
struct PlacementOptions : ModelOptions {
  std::vector<std::string> reports = {};
  std::string function = {};
  std::string chip = {};
  std::string compute_units = {};
};

// Of `anemone doctor`; without a model it looks at the machine alone.
struct DoctorOptions : ModelOptions {
  std::string images = {};
  int64_t samples = 2;
  bool no_float16 = false;
  std::string chip = "m1,m2,m3,m4";
  int threads = 0;
};

// Of `anemone inspect`.
struct InspectOptions : ModelOptions {
  std::string minimum_deployment_target = "iOS17";
  std::string function = {};
  bool operators = false;
  // The option "weights"; where a catalog model's come from is "weights_from" here.
  bool list_weights = false;
  bool placement = false;
  std::string chip = "m1,m2,m3,m4";
  std::string compute_units = "all";
};

// Of `anemone view`.
struct ViewOptions : ModelOptions {
  std::string output = {};
  std::string compare = {};
  std::string minimum_deployment_target = "iOS17";
  std::string function = {};
  bool float16 = false;
  std::string chip = "m1,m2,m3,m4";
  std::string compute_units = "all";
  int threads = 0;
};

// Of `anemone run`.
struct RunOptions : ModelOptions {
  std::vector<std::string> inputs = {};
  bool random_inputs = false;
  uint64_t input_seed = 0;
  std::string output_dir = {};
  int64_t iterations = 1;
  SessionOptions session = {.warm_up = false};
};

// Of `anemone serve`.
struct ServeOptions : ModelOptions {
  std::string address = "127.0.0.1:8000";
  std::string name = {};
  uint64_t max_body = 64 << 20;
  int max_connections = 64;
  int max_queue = 128;
  double timeout = 30;
  int max_batch = 1;
  double max_delay = 2;
  bool allow_fault_injection = false;
  PreprocessOptions preprocess = {};
  SessionOptions session = {};
};

// Of `anemone compile`.
struct CompileOptions : ModelOptions {
  std::string output = {};
  std::string coremlc = {};
};

// Of `anemone demo`.
struct DemoOptions {
  std::string models_dir = "models";
  std::vector<std::string> models = {"fastvit_t8", "mobilenetv3_small", "resnet50"};
  std::string weights = "seeded";
  uint64_t seed = 0;
  std::string minimum_deployment_target = "iOS17";
  int samples = 4;
  int threads = 0;
};

// How what is not in the cache is downloaded.
struct DownloadOptions {
  std::string cache_dir = {};
  std::string lock_file = {};
  bool offline = false;
  std::string mirror = {};
  std::string ca_bundle = {};
  int connections = 4;
  int retries = 5;
  int stall_timeout = 30;
  int max_wait = 120;
  uint64_t max_size = 0;
};

// Of `anemone fetch`.
struct FetchOptions : DownloadOptions {
  std::string name = {};
  std::string weights = "pretrained";
  uint64_t seed = 0;
  std::string sha256 = {};
  std::string from = {};
  bool refresh = false;
};

// Of `anemone cache ls`.
struct CacheListOptions {
  std::string cache_dir = {};
};

// Of `anemone cache clear`.
struct CacheClearOptions {
  std::string cache_dir = {};
  std::string name = {};
  bool keep_downloads = false;
};

// Of `anemone fetch --verify`.
struct CacheVerifyOptions {
  std::string cache_dir = {};
  bool repair = false;
};

// Of `anemone convert`: from a model to a package with its manifest.
struct ConvertFileOptions : ModelOptions {
  std::string output = {};
  ConvertOptions convert = {};
  DownloadOptions download = {};
};
// Of `anemone compress`.
struct CompressFileOptions : ModelOptions {
  std::string output = {};
  CompressOptions compress = {};
};

}  // namespace anemone
#pragma GCC visibility pop
