#include "feature_models/vector_input.h"

#include <limits>

namespace anemone::feature_models {
namespace {

// An input that is not given is not made up beyond this length.
constexpr int64_t kMaxMissing = int64_t{1} << 24;

// nullopt: any length.
Result<std::optional<int64_t>> LengthOf(const ir::Feature& feature) {
  if (const ir::ArrayFeature* array = feature.array()) {
    if (array->shape.empty() || !array->enumerated.empty() || !array->shape_range.empty()) {
      return std::optional<int64_t>();
    }
    return ir::ElementCount(array->shape);
  }
  const auto* scalar = std::get_if<ir::ScalarFeature>(&feature.type);
  if (scalar == nullptr || *scalar == ir::ScalarFeature::kString) {
    return InvalidInput("the model takes numbers and arrays, but this is {}", KindOf(feature))
        .At(fmt::format("input '{}'", feature.name));
  }
  return std::optional<int64_t>(1);
}

}  // namespace

Result<std::optional<int64_t>> VectorLength(const ir::FunctionDescription& description) {
  std::optional<int64_t> total = 0;
  for (const ir::Feature& feature : description.inputs) {
    ANEMONE_ASSIGN(const std::optional<int64_t> length, LengthOf(feature));
    total = total && length ? std::optional<int64_t>(*total + *length) : std::nullopt;
  }
  return total;
}

Status CheckVectorLength(const ir::FunctionDescription& description, int64_t length) {
  ANEMONE_ASSIGN(const std::optional<int64_t> declared, VectorLength(description));
  if (!declared || *declared == length) return {};
  return InvalidInput("the inputs hold {} numbers, but the model has {} for each", *declared,
                      length);
}

Status CheckVectorHolds(const ir::FunctionDescription& description, int64_t length) {
  ANEMONE_ASSIGN(const std::optional<int64_t> declared, VectorLength(description));
  if (!declared || *declared >= length) return {};
  return InvalidInput("the inputs hold {} numbers, but the model asks for the one at place {}",
                      *declared, length - 1);
}

Status CheckEnough(std::span<const double> vector, int64_t length) {
  if (static_cast<int64_t>(vector.size()) >= length) return {};
  return Usage("the inputs hold {} numbers, but the model asks for the one at place {}",
               vector.size(), length - 1);
}

Status CheckOneOutput(const ir::FunctionDescription& description) {
  if (description.outputs.size() == 1) return {};
  return InvalidInput("the model gives one output, but {} are declared",
                      description.outputs.size());
}

Result<std::vector<double>> VectorOf(const ir::FunctionDescription& description,
                                     const FeatureValues& inputs) {
  std::vector<double> vector;
  for (const ir::Feature& feature : description.inputs) {
    const auto given = inputs.find(feature.name);
    if (given == inputs.end()) {
      ANEMONE_ASSIGN(const std::optional<int64_t> length, LengthOf(feature));
      if (!length || *length > kMaxMissing) {
        return Usage("input '{}' is missing, and too long or of no fixed length to be left out",
                     feature.name);
      }
      vector.insert(vector.end(), static_cast<size_t>(*length),
                    std::numeric_limits<double>::quiet_NaN());
    } else if (const auto* tensor = std::get_if<exec::Tensor>(&given->second)) {
      const std::vector<double> numbers = NumbersOf(*tensor);
      vector.insert(vector.end(), numbers.begin(), numbers.end());
    } else if (const auto* integer = std::get_if<int64_t>(&given->second)) {
      vector.push_back(static_cast<double>(*integer));
    } else {
      vector.push_back(std::get<double>(given->second));
    }
  }
  return vector;
}

}  // namespace anemone::feature_models
