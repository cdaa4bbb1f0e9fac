// Transform: a predictor that makes one output of one input; what most feature engineering is.
// Internal to this folder. Thread rules: immutable.
#pragma once

#include <memory>
#include <utility>

#include "feature_models/predictor.h"

namespace anemone::feature_models {

class Transform : public Predictor {
 public:
  const ir::Feature& input() const { return description().inputs.front(); }
  const ir::Feature& output() const { return description().outputs.front(); }

 protected:
  explicit Transform(format::ModelInterface interface) : Predictor(std::move(interface)) {}
  // Null: the input is optional and not given.
  virtual Result<FeatureValue> Apply(const FeatureValue* value) const = 0;
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State* state) const override;

  // kUsage that names the input: it is not given.
  Error Missing() const;
};

// kInvalidInput unless there is one input and one output.
Status CheckOneToOne(const ir::FunctionDescription& description);

// The transform of a type T, whose constructor takes the interface and the wire message, after
// T::Check of both.
template <typename T, typename Wire>
Result<std::unique_ptr<Predictor>> MakeTransform(format::ModelInterface interface,
                                                 const Wire& wire) {
  ANEMONE_TRY(CheckOneToOne(interface.function));
  ANEMONE_TRY(T::Check(interface.function, wire));
  return std::unique_ptr<Predictor>(std::make_unique<T>(std::move(interface), wire));
}

}  // namespace anemone::feature_models
