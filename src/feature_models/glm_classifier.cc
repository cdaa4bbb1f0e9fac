// glmClassifier: linear scores of the classes, as probabilities.
#include <algorithm>
#include <numeric>

#include "feature_models/class_labels.h"
#include "feature_models/linear_rows.h"
#include "feature_models/model_types.h"
#include "feature_models/softmax.h"
#include "feature_models/vector_input.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

struct GlmClassifierParts {
  LinearRows rows;
  ClassLabels labels;
  bool probit = false;
  bool one_vs_rest = false;  // else the first class is the reference, of score 0
};

class GlmClassifier : public Predictor {
 public:
  GlmClassifier(format::ModelInterface interface, GlmClassifierParts parts)
      : Predictor(std::move(interface)), parts_(std::move(parts)) {}

  Json Parameters() const override {
    return {{"classes", parts_.labels.ToJson()},
            {"weights", parts_.rows.columns()},
            {"link", parts_.probit ? "probit" : "logit"},
            {"encoding", parts_.one_vs_rest ? "one_vs_rest" : "reference_class"}};
  }

 protected:
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State*) const override {
    ANEMONE_ASSIGN(const std::vector<double> vector, VectorOf(description(), inputs));
    ANEMONE_ASSIGN(const std::vector<double> scores, parts_.rows.Apply(vector));
    const std::vector<double> probabilities = Probabilities(scores);
    const auto best =
        static_cast<size_t>(std::ranges::max_element(probabilities) - probabilities.begin());
    return parts_.labels.Outputs(description(), parts_.labels.Label(best), probabilities);
  }

 private:
  std::vector<double> Probabilities(std::span<const double> scores) const {
    if (parts_.labels.size() == 2) {
      const double second = parts_.probit ? NormalCdf(scores[0]) : Logistic(scores[0]);
      return {1 - second, second};
    }
    std::vector<double> probabilities;
    if (!parts_.one_vs_rest) {
      probabilities.push_back(0);
      probabilities.insert(probabilities.end(), scores.begin(), scores.end());
      Softmax(probabilities);
      return probabilities;
    }
    for (const double score : scores) probabilities.push_back(Logistic(score));
    const double sum = std::accumulate(probabilities.begin(), probabilities.end(), 0.0);
    for (double& probability : probabilities) {
      // All of them round to 0 where every class is all but impossible.
      probability = sum > 0 ? probability / sum : 1.0 / static_cast<double>(scores.size());
    }
    return probabilities;
  }

  GlmClassifierParts parts_;
};

}  // namespace

Result<std::unique_ptr<Predictor>> MakeGlmClassifier(const format::ModelFile& file,
                                                     format::ModelInterface interface,
                                                     const Context&) {
  const auto& wire = file.message().glmclassifier();
  GlmClassifierParts parts;
  ANEMONE_ASSIGN(parts.rows, LinearRows::Make(wire));
  ANEMONE_ASSIGN(parts.labels, ClassLabels::From(wire));
  if (wire.postevaluationtransform() < 0 || wire.postevaluationtransform() > 1) {
    return InvalidInput("post-evaluation transform {} is not known",
                        wire.postevaluationtransform());
  }
  if (wire.classencoding() < 0 || wire.classencoding() > 1) {
    return InvalidInput("class encoding {} is not known", wire.classencoding());
  }
  parts.probit = wire.postevaluationtransform() == 1;
  parts.one_vs_rest = wire.classencoding() == 1;
  const size_t classes = parts.labels.size();
  const size_t expected = parts.one_vs_rest && classes > 2 ? classes : classes - 1;
  if (classes < 2 || parts.rows.size() != expected) {
    return InvalidInput("{} rows of weights for {} classes; there should be {}", parts.rows.size(),
                        classes, expected);
  }
  if (parts.probit && classes > 2) {
    return InvalidInput("the probit transform is for two classes, not {}", classes);
  }
  ANEMONE_TRY(CheckVectorLength(interface.function, parts.rows.columns()));
  return std::unique_ptr<Predictor>(
      std::make_unique<GlmClassifier>(std::move(interface), std::move(parts)));
}

}  // namespace anemone::feature_models
