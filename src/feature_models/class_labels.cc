#include "feature_models/class_labels.h"

#include <algorithm>
#include <set>

namespace anemone::feature_models {

Status ClassLabels::Check() const {
  if (size() == 0) return InvalidInput("the classifier has no class labels");
  return std::visit(
      [](const auto& labels) -> Status {
        const std::set unique(labels.begin(), labels.end());
        if (unique.size() == labels.size()) return {};
        return InvalidInput("{} class labels, but only {} different ones", labels.size(),
                            unique.size());
      },
      labels_);
}

size_t ClassLabels::size() const {
  return std::visit([](const auto& labels) { return labels.size(); }, labels_);
}

FeatureValue ClassLabels::Label(size_t index) const {
  return std::visit([&](const auto& labels) { return FeatureValue(labels[index]); }, labels_);
}

size_t ClassLabels::Find(const FeatureValue& label) const {
  for (size_t i = 0; i < size(); ++i) {
    if (const auto* text = std::get_if<std::string>(&label)) {
      const auto* texts = std::get_if<Strings>(&labels_);
      if (texts != nullptr && (*texts)[i] == *text) return i;
    } else if (const auto* integer = std::get_if<int64_t>(&label)) {
      const auto* integers = std::get_if<Int64s>(&labels_);
      if (integers != nullptr && (*integers)[i] == *integer) return i;
    }
  }
  return size();
}

FeatureValue ClassLabels::Dictionary(std::span<const double> numbers) const {
  if (const auto* texts = std::get_if<Strings>(&labels_)) {
    StringDictionary dictionary;
    for (size_t i = 0; i < texts->size(); ++i) dictionary[(*texts)[i]] = numbers[i];
    return dictionary;
  }
  Int64Dictionary dictionary;
  const auto& integers = std::get<Int64s>(labels_);
  for (size_t i = 0; i < integers.size(); ++i) dictionary[integers[i]] = numbers[i];
  return dictionary;
}

Json ClassLabels::ToJson() const {
  return std::visit([](const auto& labels) { return Json(labels); }, labels_);
}

Result<FeatureValues> ClassLabels::Outputs(const ir::FunctionDescription& description,
                                           const FeatureValue& label,
                                           std::span<const double> probabilities) const {
  FeatureValues outputs;
  for (const ir::Feature& feature : description.outputs) {
    const std::string place = fmt::format("output '{}'", feature.name);
    if (std::holds_alternative<ir::DictionaryFeature>(feature.type)) {
      if (probabilities.empty()) {
        return Unsupported(
                   "it is declared as a dictionary of probabilities, but the model has none")
            .At(place);
      }
      ANEMONE_ASSIGN(FeatureValue value, Conform(feature, Dictionary(probabilities)).At(place));
      outputs.emplace(feature.name, std::move(value));
    } else if (std::holds_alternative<ir::ScalarFeature>(feature.type)) {
      ANEMONE_ASSIGN(FeatureValue value, Conform(feature, label).At(place));
      outputs.emplace(feature.name, std::move(value));
    } else {
      return InvalidInput("a classifier gives a label and a dictionary, not {}", KindOf(feature))
          .At(place);
    }
  }
  return outputs;
}

}  // namespace anemone::feature_models
