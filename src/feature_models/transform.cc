#include "feature_models/transform.h"

namespace anemone::feature_models {

Result<FeatureValues> Transform::Run(const FeatureValues& inputs, exec::State*) const {
  const auto given = inputs.find(input().name);
  ANEMONE_ASSIGN(FeatureValue value, Apply(given == inputs.end() ? nullptr : &given->second));
  return FeatureValues{{output().name, std::move(value)}};
}

Error Transform::Missing() const {
  return Usage("input '{}' is missing", input().name)
      .Advise(fmt::format("it takes {}", KindOf(input())));
}

Status CheckOneToOne(const ir::FunctionDescription& description) {
  if (description.inputs.size() == 1 && description.outputs.size() == 1) return {};
  return InvalidInput(
      "the model makes one output of one input, but {} inputs and {} outputs are "
      "declared",
      description.inputs.size(), description.outputs.size());
}

}  // namespace anemone::feature_models
