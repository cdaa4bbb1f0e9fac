// supportVectorClassifier: each pair of classes decides, by libsvm's conventions; the classes' votes,
// or where the file has the sigmoids of the pairs, their probabilities give the label.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "feature_models/class_labels.h"
#include "feature_models/model_types.h"
#include "feature_models/pairwise_coupling.h"
#include "feature_models/support_vectors.h"
#include "feature_models/vector_input.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

// A pair is never certain: libsvm's bounds.
constexpr double kMinProbability = 1e-7;

struct SupportVectorParts {
  SupportVectors vectors;
  ClassLabels labels;
  std::vector<size_t> starts;                     // where each class's vectors begin, and the end
  std::vector<std::vector<double>> coefficients;  // [classes - 1][vectors]
  // One for each pair of classes (0, 1), (0, 2) ... (1, 2) ...
  std::vector<double> rho;
  std::vector<double> prob_a;  // empty: no probabilities
  std::vector<double> prob_b;
};

class SupportVectorClassifier : public Predictor {
 public:
  SupportVectorClassifier(format::ModelInterface interface, SupportVectorParts parts)
      : Predictor(std::move(interface)), parts_(std::move(parts)) {}

  Json Parameters() const override {
    Json json{{"classes", parts_.labels.ToJson()}};
    parts_.vectors.Describe(json);
    json["probabilities"] = !parts_.prob_a.empty();
    return json;
  }

 protected:
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State*) const override {
    ANEMONE_ASSIGN(const std::vector<double> vector, VectorOf(description(), inputs));
    ANEMONE_ASSIGN(const std::vector<double> kernels, parts_.vectors.Kernels(vector));
    const size_t classes = parts_.labels.size();
    std::vector<double> votes(classes);
    std::vector<std::vector<double>> pairs(classes, std::vector<double>(classes));
    size_t pair = 0;
    for (size_t i = 0; i < classes; ++i) {
      for (size_t j = i + 1; j < classes; ++j, ++pair) {
        const double decision = Sum(i, parts_.coefficients[j - 1], kernels) +
                                Sum(j, parts_.coefficients[i], kernels) - parts_.rho[pair];
        votes[decision > 0 ? i : j] += 1;
        if (!parts_.prob_a.empty()) {
          pairs[i][j] = Sigmoid(decision * parts_.prob_a[pair] + parts_.prob_b[pair]);
          pairs[j][i] = 1 - pairs[i][j];
        }
      }
    }
    std::vector<double> probabilities;
    if (!parts_.prob_a.empty()) {
      probabilities = classes == 2 ? std::vector{pairs[0][1], pairs[1][0]} : CouplePairs(pairs);
    }
    const std::vector<double>& scores = probabilities.empty() ? votes : probabilities;
    const auto best = static_cast<size_t>(std::ranges::max_element(scores) - scores.begin());
    return parts_.labels.Outputs(description(), parts_.labels.Label(best), probabilities);
  }

 private:
  // The vectors of one class.
  double Sum(size_t of_class, const std::vector<double>& coefficients,
             const std::vector<double>& kernels) const {
    double sum = 0;
    for (size_t i = parts_.starts[of_class]; i < parts_.starts[of_class + 1]; ++i) {
      sum += coefficients[i] * kernels[i];
    }
    return sum;
  }
  static double Sigmoid(double x) {
    const double value = x >= 0 ? std::exp(-x) / (1 + std::exp(-x)) : 1 / (1 + std::exp(x));
    return std::clamp(value, kMinProbability, 1 - kMinProbability);
  }

  SupportVectorParts parts_;
};

Status CheckCounts(const SupportVectorParts& parts) {
  const size_t classes = parts.labels.size();
  const size_t pairs = classes * (classes - 1) / 2;
  if (parts.starts.size() != classes + 1 || parts.starts.back() != parts.vectors.size()) {
    return InvalidInput(
        "the counts of support vectors of {} classes make {}, but there are {} of {}",
        parts.starts.size() - 1, parts.starts.back(), parts.vectors.size(), classes);
  }
  if (classes < 2 || parts.coefficients.size() != classes - 1) {
    return InvalidInput("{} rows of coefficients for {} classes; there should be one less",
                        parts.coefficients.size(), classes);
  }
  for (const std::vector<double>& row : parts.coefficients) {
    if (row.size() != parts.vectors.size()) {
      return InvalidInput("{} coefficients for {} support vectors", row.size(),
                          parts.vectors.size());
    }
  }
  if (parts.rho.size() != pairs) {
    return InvalidInput("{} values of rho for {} pairs of classes", parts.rho.size(), pairs);
  }
  if (parts.prob_a.size() != parts.prob_b.size() ||
      (!parts.prob_a.empty() && parts.prob_a.size() != pairs)) {
    return InvalidInput("{} values of probA and {} of probB for {} pairs of classes",
                        parts.prob_a.size(), parts.prob_b.size(), pairs);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Predictor>> MakeSupportVectorClassifier(const format::ModelFile& file,
                                                               format::ModelInterface interface,
                                                               const Context&) {
  const auto& wire = file.message().supportvectorclassifier();
  SupportVectorParts parts;
  ANEMONE_ASSIGN(parts.vectors, SupportVectors::Make(wire, interface.function));
  ANEMONE_ASSIGN(parts.labels, ClassLabels::From(wire));
  parts.starts.push_back(0);
  for (const int32_t count : wire.numberofsupportvectorsperclass()) {
    if (count < 0) return InvalidInput("a class has {} support vectors", count);
    parts.starts.push_back(parts.starts.back() + static_cast<size_t>(count));
  }
  for (const auto& row : wire.coefficients()) {
    parts.coefficients.emplace_back(row.vector().begin(), row.vector().end());
  }
  parts.rho.assign(wire.rho().begin(), wire.rho().end());
  parts.prob_a.assign(wire.proba().begin(), wire.proba().end());
  parts.prob_b.assign(wire.probb().begin(), wire.probb().end());
  ANEMONE_TRY(CheckCounts(parts));
  return std::unique_ptr<Predictor>(
      std::make_unique<SupportVectorClassifier>(std::move(interface), std::move(parts)));
}

}  // namespace anemone::feature_models
