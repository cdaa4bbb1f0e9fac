// ClassLabels: the classes of a classifier, and its two outputs from probabilities. Internal to this
// folder. Values; pure functions.
#pragma once

#include <span>
#include <string>
#include <variant>

#include "base/json.h"
#include "base/status.h"
#include "feature_models/feature_value.h"

namespace anemone::feature_models {

class ClassLabels {
 public:
  // From a wire message with the usual two lists; kInvalidInput when it has neither or an empty one.
  template <typename Wire>
  static Result<ClassLabels> From(const Wire& wire) {
    return Make(wire.has_stringclasslabels() ? &wire.stringclasslabels().vector() : nullptr,
                wire.has_int64classlabels() ? &wire.int64classlabels().vector() : nullptr);
  }

  size_t size() const;
  FeatureValue Label(size_t index) const;
  // The place of a label; size() when it is none.
  size_t Find(const FeatureValue& label) const;
  // Each label with its number, as a dictionary.
  FeatureValue Dictionary(std::span<const double> numbers) const;
  Json ToJson() const;
  // Both outputs as `description` names them: the label, and the dictionary when it declares one.
  // No probabilities: kUnsupported when it does.
  Result<FeatureValues> Outputs(const ir::FunctionDescription& description,
                                const FeatureValue& label,
                                std::span<const double> probabilities) const;

 private:
  template <typename Texts, typename Integers>
  static Result<ClassLabels> Make(const Texts* texts, const Integers* integers) {
    ClassLabels labels;
    if (texts != nullptr) {
      labels.labels_ = Strings(texts->begin(), texts->end());
    } else if (integers != nullptr) {
      labels.labels_ = Int64s(integers->begin(), integers->end());
    }
    ANEMONE_TRY(labels.Check());
    return labels;
  }
  Status Check() const;

  std::variant<Strings, Int64s> labels_;
};

}  // namespace anemone::feature_models
