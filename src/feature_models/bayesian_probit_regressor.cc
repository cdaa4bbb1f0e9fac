// bayesianProbitRegressor: Gaussian weights of the values that discrete features take. The sum of the
// weights that apply is Gaussian: its mean and variance are the sums of theirs. The probabilities that
// Core ML derives from it depend on the steepness of the link function, a constant of the trainer that
// the file does not hold: an output that asks for one is refused.
#include <cmath>
#include <limits>
#include <unordered_map>

#include "feature_models/model_types.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

struct Moments {
  double mean = 0;
  double variance = 0;
};

Result<Moments> MomentsOf(const format::proto::BayesianProbitRegressor::Gaussian& wire) {
  if (!(wire.precision() > 0))
    return InvalidInput("a weight has the precision {}", wire.precision());
  return Moments{wire.mean(), 1 / wire.precision()};
}

struct ProbitParts {
  Moments bias;
  std::unordered_map<uint32_t, std::unordered_map<uint32_t, Moments>> weights;
  uint32_t features = 0;
  std::string input;
  std::string mean_output;
  std::string variance_output;
};

class BayesianProbitRegressor : public Predictor {
 public:
  BayesianProbitRegressor(format::ModelInterface interface, ProbitParts parts)
      : Predictor(std::move(interface)), parts_(std::move(parts)) {}

  Json Parameters() const override {
    size_t weights = 0;
    for (const auto& [id, values] : parts_.weights) weights += values.size();
    return {{"features", parts_.features}, {"weights", weights}};
  }

 protected:
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State*) const override {
    const auto given = inputs.find(parts_.input);
    if (given == inputs.end()) return Usage("input '{}' is missing", parts_.input);
    ANEMONE_ASSIGN(
        const Moments sum,
        Sum(std::get<exec::Tensor>(given->second)).At(fmt::format("input '{}'", parts_.input)));
    FeatureValues outputs;
    for (const ir::Feature& feature : description().outputs) {
      const bool mean = feature.name == parts_.mean_output;
      if (!mean && feature.name != parts_.variance_output) {
        return Unsupported(
                   "output '{}' is a probability, which depends on the steepness of the "
                   "link function, and the file does not hold it",
                   feature.name)
            .Advise("declare only the outputs of the mean and the variance");
      }
      ANEMONE_ASSIGN(FeatureValue value, OutputOf(feature, {mean ? &sum.mean : &sum.variance, 1}));
      outputs.emplace(feature.name, std::move(value));
    }
    return outputs;
  }

 private:
  // A vector of values by feature, or rows of feature and value.
  Result<Moments> Sum(const exec::Tensor& tensor) const {
    const std::vector<double> numbers = NumbersOf(tensor);
    const bool rows = tensor.view().rank() == 2;
    if (rows && tensor.shape()[1] != 2) {
      return Usage("its rows have {} numbers; there should be a feature and a value",
                   tensor.shape()[1]);
    }
    Moments sum = parts_.bias;
    const size_t step = rows ? 2 : 1;
    for (size_t i = 0; i + step <= numbers.size(); i += step) {
      ANEMONE_ASSIGN(const uint32_t id, IndexOf(rows ? numbers[i] : static_cast<double>(i)));
      ANEMONE_ASSIGN(const uint32_t value, IndexOf(numbers[i + step - 1]));
      const auto weights = parts_.weights.find(id);
      if (weights == parts_.weights.end()) return Usage("the model has no feature {}", id);
      const auto weight = weights->second.find(value);
      if (weight == weights->second.end()) {
        return Usage("feature {} has no value {} in the model", id, value);
      }
      sum.mean += weight->second.mean;
      sum.variance += weight->second.variance;
    }
    return sum;
  }
  static Result<uint32_t> IndexOf(double number) {
    if (!(number >= 0 && number <= std::numeric_limits<uint32_t>::max()) ||
        number != std::trunc(number)) {
      return Usage("{} is neither a feature nor a value of one", number);
    }
    return static_cast<uint32_t>(number);
  }

  ProbitParts parts_;
};

}  // namespace

Result<std::unique_ptr<Predictor>> MakeBayesianProbitRegressor(const format::ModelFile& file,
                                                               format::ModelInterface interface,
                                                               const Context&) {
  const auto& wire = file.message().bayesianprobitregressor();
  ProbitParts parts;
  parts.features = wire.numberoffeatures();
  parts.input = wire.regressioninputfeaturename();
  parts.mean_output = wire.meanoutputfeaturename();
  parts.variance_output = wire.varianceoutputfeaturename();
  ANEMONE_ASSIGN(parts.bias, MomentsOf(wire.bias()).At("bias"));
  for (const auto& feature : wire.features()) {
    auto& weights = parts.weights[feature.featureid()];
    for (const auto& weight : feature.weights()) {
      ANEMONE_ASSIGN(
          const Moments moments,
          MomentsOf(weight.featureweight()).At(fmt::format("feature {}", feature.featureid())));
      weights.insert_or_assign(weight.featurevalue(), moments);
    }
  }
  const ir::Feature* input = interface.function.FindInput(parts.input);
  if (input == nullptr || input->array() == nullptr) {
    return InvalidInput("its input '{}' is not a declared array", ToUtf8(parts.input));
  }
  return std::unique_ptr<Predictor>(
      std::make_unique<BayesianProbitRegressor>(std::move(interface), std::move(parts)));
}

}  // namespace anemone::feature_models
