// FeatureModel: a Core ML model of any type, on named values of any kind: numbers, texts,
// dictionaries, sequences, arrays and images. Trees, linear models, support vectors, pipelines and
// the other types that are not programs are run here only; programs and neural networks are run
// through a session, so that there is one way in.
//
//   auto model = anemone::FeatureModel::Load("prices.mlmodel");
//   auto outputs = model->Predict({{"rooms", 3.0}, {"town", "Bergen"}});
//   double price = std::get<double>(outputs->at("price").value);
//
// Ownership: a cheap handle to shared, immutable data. Thread rules: every const method from any
// number of threads at once; a State in one call at a time. Errors: returned as Failure.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "anemone/model.h"

#pragma GCC visibility push(default)
namespace anemone {

// Pixels: uint8 [height, width, 3] in the order red, green, blue, or [height, width] of gray; gray of
// half precision is float32 [height, width].
struct Image {
  Array pixels;
};

// A value of any type that a feature of a Core ML model can have.
struct FeatureValue {
  using Value = std::variant<Array, int64_t, double, std::string, std::map<std::string, double>,
                             std::map<int64_t, double>, std::vector<std::string>,
                             std::vector<int64_t>, Image>;
  Value value;

  FeatureValue() = default;
  FeatureValue(Value held) : value(std::move(held)) {}          // NOLINT: implicit by design
  FeatureValue(Array array) : value(std::move(array)) {}        // NOLINT
  FeatureValue(double number) : value(number) {}                // NOLINT
  FeatureValue(int64_t integer) : value(integer) {}             // NOLINT
  FeatureValue(int integer) : value(int64_t{integer}) {}        // NOLINT
  FeatureValue(std::string text) : value(std::move(text)) {}    // NOLINT
  FeatureValue(const char* text) : value(std::string(text)) {}  // NOLINT
  FeatureValue(Image image) : value(std::move(image)) {}        // NOLINT
};
// Values by the names of the features.
using FeatureValues = std::map<std::string, FeatureValue>;

// A model of any type of the Core ML format: trees, linear models, pipelines, networks. Calls may come from
// any number of threads.
class FeatureModel {
 public:
  // An .mlmodel or .mlpackage of any type, or what Model::Load takes.
  static Expected<FeatureModel> Load(const std::string& model, const LoadOptions& options = {});

  // Optional inputs may be left out. One value for each declared output; arrays in their declared
  // element type, those of half precision as float32.
  Expected<FeatureValues> Predict(const FeatureValues& inputs, State* state = nullptr) const;

  // The specification's name: "treeEnsembleClassifier", "mlProgram".
  std::string type() const;
  // Type, features, metadata and parameters as a JSON document (schema anemone.inspect).
  std::string InspectJson() const;

 private:
  struct Impl;
  explicit FeatureModel(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// What each type of Core ML model can do here: [{"type", "read", "run", "lift", "reason"}] as JSON.
std::string ModelTypesJson();

}  // namespace anemone
#pragma GCC visibility pop
