// Anemone: convert, compress, inspect and run Core ML models on Linux and macOS. The public C++
// interface: only the standard library appears here.
//
//   auto model = anemone::Model::Load("fastvit_t8.mlpackage");
//   if (!model) return Report(model.failure());
//   auto outputs = model->Predict({{"image", anemone::Array::Float32({1, 3, 256, 256}, pixels)}});
//
// Ownership: values; a Model is a cheap handle to shared, immutable data. Thread rules: every const
// method may be called from any number of threads at once. Errors: returned as Failure; nothing
// throws, prints or aborts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace anemone {

// What went wrong, where, and what to do next.
struct Failure {
  int exit_code = 70;   // what the command ends with for it
  std::string code;     // "invalid_input", "unsupported", "usage" ...: stable names
  std::string message;  // rule and value
  std::string place;    // file, function, operator
  std::string advice;
  std::string ToString() const;
};

// A T or a Failure.
template <typename T>
class [[nodiscard]] Expected {
 public:
  Expected(T value) : state_(std::move(value)) {}            // NOLINT: implicit by design
  Expected(Failure failure) : state_(std::move(failure)) {}  // NOLINT: implicit by design
  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() { return std::get<0>(state_); }
  const T& operator*() const { return std::get<0>(state_); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  const Failure& failure() const { return std::get<1>(state_); }

 private:
  std::variant<T, Failure> state_;
};

// A dense tensor, row-major. `data` holds count() elements of `dtype`: "float32", "float16",
// "int32", "int16", "uint16", "int8", "uint8" or "bool" (NumPy's names). Copies share the data.
struct Array {
  std::string dtype;
  std::vector<int64_t> shape;
  std::shared_ptr<const void> data;

  int64_t count() const;
  size_t size_bytes() const;
  static Array Float32(std::vector<int64_t> shape, std::vector<float> values);
};

// One input, output or state of a model. For an image, `dtype` is "image" and `shape` is {1,
// channels, height, width}. A classifier's label is a "string" or an "int64", its probabilities a
// "dictionary"; see Classes for what is predicted.
struct FeatureInfo {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;  // -1 where any size is accepted
};

// The classes of a classifier. Its label is predicted as the index of a class ("int32", rank 0),
// its dictionary as "float32" {classes}, in this order.
struct Classes {
  std::string label;          // the output with the label; empty when there is none
  std::string probabilities;  // the output with the dictionary; empty when none
  bool integers = false;      // the names stand for integer labels
  std::vector<std::string> names;
};

struct LoadOptions {
  std::string weights;  // catalog models: "pretrained" (if empty), "seeded", or a file
  uint64_t seed = 0;
  std::map<std::string, std::vector<int64_t>> input_shapes = {};
  std::string minimum_deployment_target = "iOS17";  // of what an importer writes
  std::string function;                             // empty: the default one
  std::string backend = "auto";                     // "auto", "cpu", "coreml", "reference"
  std::string numerics = "as_typed";                // "as_typed", "float32", "float16"
  int threads = 0;                                  // 0: one for each core
};

struct ConvertOptions {
  std::string minimum_deployment_target = "iOS17";
  std::string compute_precision = "float32";  // or "float16"
  std::vector<std::string> keep_float32 = {};
};

// The command's flags of the same names; empty and 0 stand for the defaults.
struct CompressOptions {
  std::string mode = "linear";  // or linear_asymmetric, palettize, prune, activations
  std::string dtype = "int8";   // or uint8, int4, uint4, float16
  std::string granularity;      // empty: per_channel for linear, per_tensor for palettize
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
  std::string calibration = {};  // a folder of images, .npy or .npz files
  int64_t calibration_limit = 0;
  std::string observer = "min_max";
  bool equalize = false;
  bool correct_bias = false;
  std::string rounding = "nearest";
  std::string config = {};  // a file with a configuration instead of all the above
};

// Keeps a stateful model's states between predictions. Not for use by two predictions at once.
class State;

class Model {
 public:
  // An .onnx, .mlpackage, .mlmodel or .mlmodelc path, or a catalog name. The plan to run it is
  // made by the first Predict.
  static Expected<Model> Load(const std::string& model, const LoadOptions& options = {});

  std::vector<FeatureInfo> inputs() const;
  std::vector<FeatureInfo> outputs() const;
  // nullopt when the model is not a classifier.
  std::optional<Classes> classes() const;
  // Runs the model. Every input is required.
  Expected<std::map<std::string, Array>> Predict(const std::map<std::string, Array>& inputs,
                                                 State* state = nullptr) const;
  // Returns a converted copy; this model is unchanged.
  Expected<Model> Convert(const ConvertOptions& options = {}) const;
  Expected<Model> Compress(const CompressOptions& options = {}) const;
  // Writes an .mlpackage; an existing one is replaced as a whole or left alone.
  std::optional<Failure> Save(const std::string& path) const;
  // The document that `anemone inspect --json` prints.
  Expected<std::string> InspectJson(bool operators = false, bool weights = false) const;
  // The MIL text.
  std::string Text() const;

 private:
  friend class Session;
  struct Impl;
  explicit Model(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

class State {
 public:
  State();
  ~State();
  State(State&&) noexcept;
  State& operator=(State&&) noexcept;
  // The states' names after the first prediction, and their values.
  std::map<std::string, Array> Read() const;
  void Write(const std::string& name, const Array& value);

 private:
  friend struct StateAccess;  // the library's own
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// "0.1.0".
std::string Version();

}  // namespace anemone
