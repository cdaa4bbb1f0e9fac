// treeEnsembleClassifier: the sums of the trees as probabilities of classes.
#include <algorithm>

#include "feature_models/class_labels.h"
#include "feature_models/model_types.h"
#include "feature_models/tree_ensemble.h"
#include "feature_models/vector_input.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

class TreeEnsembleClassifier : public Predictor {
 public:
  TreeEnsembleClassifier(format::ModelInterface interface, TreeEnsemble trees, ClassLabels labels)
      : Predictor(std::move(interface)), trees_(std::move(trees)), labels_(std::move(labels)) {}

  Json Parameters() const override {
    Json json{{"classes", labels_.ToJson()}};
    trees_.Describe(json);
    return json;
  }

 protected:
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State*) const override {
    ANEMONE_ASSIGN(const std::vector<double> vector, VectorOf(description(), inputs));
    ANEMONE_TRY(CheckEnough(vector, trees_.min_features()));
    std::vector<double> values = trees_.Sums(vector);
    trees_.Transform(values);
    size_t best = 0;
    if (values.size() == 1) {
      // One number for two classes: the probability of the second one. The first one wins a tie, as
      // in scikit-learn and XGBoost.
      const double second = values.front();
      values = {1 - second, second};
      best = second > 0.5 ? 1 : 0;
    } else {
      best = static_cast<size_t>(std::ranges::max_element(values) - values.begin());
    }
    return labels_.Outputs(description(), labels_.Label(best), values);
  }

 private:
  TreeEnsemble trees_;
  ClassLabels labels_;
};

}  // namespace

Result<std::unique_ptr<Predictor>> MakeTreeEnsembleClassifier(const format::ModelFile& file,
                                                              format::ModelInterface interface,
                                                              const Context&) {
  const auto& wire = file.message().treeensembleclassifier();
  ANEMONE_ASSIGN(TreeEnsemble trees,
                 TreeEnsemble::Make(wire.treeensemble(), wire.postevaluationtransform()));
  ANEMONE_ASSIGN(ClassLabels labels, ClassLabels::From(wire));
  const size_t scores = trees.dimensions() + (trees.has_reference_class() ? 1 : 0);
  const bool one_for_two = scores == 1 && labels.size() == 2;
  if (!one_for_two && scores != labels.size()) {
    return InvalidInput("the trees give {} scores for {} classes", scores, labels.size());
  }
  ANEMONE_TRY(CheckVectorHolds(interface.function, trees.min_features()));
  return std::unique_ptr<Predictor>(std::make_unique<TreeEnsembleClassifier>(
      std::move(interface), std::move(trees), std::move(labels)));
}

}  // namespace anemone::feature_models
