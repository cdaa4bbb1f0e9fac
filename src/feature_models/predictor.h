// Predictor: a Core ML model of any type, ready to predict from named feature values.
//
//   ANEMONE_ASSIGN(const auto file, format::ModelFile::Open("prices.mlmodel"));
//   ANEMONE_ASSIGN(const auto predictor, MakePredictor(file, {}));
//   ANEMONE_ASSIGN(const FeatureValues outputs, predictor->Predict({{"rooms", 3.0}}));
//
// The classic models compute in double precision, as Core ML does. ML Programs and neural networks
// are made by the caller (Context::make_program), so that a pipeline can hold them.
// Ownership: a predictor owns its parameters. Thread rules: immutable; Predict from any number of
// threads at once, a State in one call at a time. Errors: kInvalidInput for a file that breaks the
// format's rules, when it is made; kUsage for inputs that do not fit; kUnsupported, by name, for what
// only Apple's frameworks contain.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "exec/backend.h"
#include "feature_models/feature_value.h"
#include "format/model_file.h"
#include "ir/model.h"

namespace anemone::feature_models {

class Predictor {
 public:
  virtual ~Predictor() = default;

  // The inputs are checked against the description and conformed to it; one value for each output.
  Result<FeatureValues> Predict(const FeatureValues& inputs, exec::State* state = nullptr) const;

  const ir::FunctionDescription& description() const { return interface_.function; }
  const format::ModelInterface& interface() const { return interface_; }
  // What the file says of the model beside its features, as `anemone inspect` shows it.
  virtual Json Parameters() const = 0;

 protected:
  explicit Predictor(format::ModelInterface interface) : interface_(std::move(interface)) {}
  // `inputs` are conformed; optional ones may be missing.
  virtual Result<FeatureValues> Run(const FeatureValues& inputs, exec::State* state) const = 0;

 private:
  format::ModelInterface interface_;
};

struct Context {
  using MakeProgram =
      std::function<Result<std::unique_ptr<Predictor>>(const format::ModelFile& file)>;
  // For models of type mlProgram, neuralNetwork, neuralNetworkClassifier and neuralNetworkRegressor;
  // without it they are refused.
  MakeProgram make_program = nullptr;
  int depth = 0;  // how many models hold this one
};

// How deep models may hold models: pipelines in pipelines, links to links.
inline constexpr int kMaxDepth = 16;

Result<std::unique_ptr<Predictor>> MakePredictor(const format::ModelFile& file,
                                                 const Context& context);

}  // namespace anemone::feature_models
