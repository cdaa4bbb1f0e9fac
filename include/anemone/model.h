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

#include "anemone/options.h"

#pragma GCC visibility push(default)
namespace anemone {

// What went wrong, where, and what to do next.
struct Failure {
  int exit_code = 70;   // what the command ends with for it
  std::string code;     // "invalid_input", "unsupported", "usage" ...: stable names
  std::string message;  // rule and value
  std::string place;    // file, function, operator
  std::string advice;
  // "place: message (advice)", as the command prints it.
  std::string ToString() const;
};

// A T or a Failure.
template <typename T>
class [[nodiscard]] Expected {
 public:
  Expected(T value) : state_(std::move(value)) {}            // NOLINT: implicit by design
  Expected(Failure failure) : state_(std::move(failure)) {}  // NOLINT: implicit by design
  // Whether there is a value; the operators below may be used only then.
  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() { return std::get<0>(state_); }
  const T& operator*() const { return std::get<0>(state_); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  // Only without a value.
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

  int64_t count() const;      // elements
  size_t size_bytes() const;  // of the elements
  // An array that owns `values`, which must have as many elements as `shape` says.
  static Array Float32(std::vector<int64_t> shape, std::vector<float> values);
};

// One input, output or state of a model. For an image, `dtype` is "image" and `shape` is {1,
// channels, height, width}. A classifier's label is a "string" or an "int64", its probabilities a
// "dictionary"; see Classes for what is predicted.
struct FeatureInfo {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;  // the default one when flexible; -1 where any size is accepted
  // What the channels of an image are: "rgb", "bgr", "gray" or "gray_float16". Empty otherwise.
  std::string color = {};
  bool optional = false;  // an input that need not be given
};

// The classes of a classifier. Its label is predicted as the index of a class ("int32", rank 0),
// its dictionary as "float32" {classes}, in this order.
struct Classes {
  std::string label;          // the output with the label; empty when there is none
  std::string probabilities;  // the output with the dictionary; empty when none
  bool integers = false;      // the names stand for integer labels
  std::vector<std::string> names;
};

// `Options` is a struct of options.h, `json` an object of its options under their names; empty: the
// defaults. Unknown names, wrong types and values out of range are refused, all at once.
template <typename Options>
Expected<Options> ParseOptions(const std::string& json);
// The tables of all options as a JSON document (schema anemone.options).
std::string OptionTablesJson();

// Keeps a stateful model's states between predictions; one that fails leaves them as they were. Not
// for use by two predictions at once. A State that Model::MakeState made knows the model's states;
// an empty one gets them from its first prediction.
class State {
 public:
  State();
  ~State();
  State(State&&) noexcept;
  State& operator=(State&&) noexcept;
  // All values by name.
  std::map<std::string, Array> Read() const;
  // One value; a Failure for a name that it does not have.
  Expected<Array> Read(const std::string& name) const;
  // Half-precision states round what they are given. Refused: a name or a shape that the model does
  // not declare.
  std::optional<Failure> Write(const std::string& name, const Array& value);

 private:
  friend struct StateAccess;  // the library's own
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A network that was read or converted, ready to run. Calls may come from any number of threads; copies
// share the model.
class Model {
 public:
  // An .onnx, .pt2, .mlpackage, .mlmodel or .mlmodelc path, or a catalog name. The plan to run it is
  // made by the first Predict.
  static Expected<Model> Load(const std::string& model, const LoadOptions& options = {});

  // In the order of the file.
  std::vector<FeatureInfo> inputs() const;
  // In the order of the file.
  std::vector<FeatureInfo> outputs() const;
  // nullopt when the model is not a classifier.
  std::optional<Classes> classes() const;
  // The states that the model keeps between predictions.
  std::vector<FeatureInfo> states() const;
  // Runs the model. Every input is required but those that are optional, and a model with states
  // needs a state.
  Expected<std::map<std::string, Array>> Predict(const std::map<std::string, Array>& inputs,
                                                 State* state = nullptr) const;
  // The states of a stateful model as they begin: all zero. Empty for other models.
  Expected<State> MakeState() const;
  // Returns a converted copy; this model is unchanged.
  Expected<Model> Convert(const ConvertOptions& options = {}) const;
  // Returns a compressed copy; this model is unchanged.
  Expected<Model> Compress(const CompressOptions& options = {}) const;
  // Writes an .mlpackage; an existing one is replaced as a whole or left alone.
  std::optional<Failure> Save(const std::string& path) const;
  // The document that `anemone inspect --json` prints.
  Expected<std::string> InspectJson(bool operators = false, bool weights = false) const;
  // Where each operator would run on `chip` ("m4", "a17pro"), and why: the value of "placement" in
  // the document of `anemone inspect --placement --json`. An estimate, made without the chip.
  Expected<std::string> PlacementJson(const std::string& chip,
                                      const std::string& compute_units = "all") const;
  // The functions, their operations and the names that these are bound to
  // (src/facade/structure.h).
  std::string StructureJson() const;
  // What the user should know about how the model was read: a newer opset, an input that is left
  // out. Empty for most.
  std::vector<std::string> notes() const;
  // The MIL text.
  std::string Text() const;

 private:
  friend class Session;
  struct Impl;
  explicit Model(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

// "0.1.0".
std::string Version();

// A function that is asked now and then, on the threads that predict, whether they should stop; a
// prediction that is stopped fails with the code "cancelled". Null, the default: never. For hosts
// whose users may press Ctrl-C.
void SetInterruptCheck(bool (*wanted)());

}  // namespace anemone
#pragma GCC visibility pop
