// treeEnsembleRegressor: the sums of the trees.
#include "feature_models/model_types.h"
#include "feature_models/tree_ensemble.h"
#include "feature_models/vector_input.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

class TreeEnsembleRegressor : public Predictor {
 public:
  TreeEnsembleRegressor(format::ModelInterface interface, TreeEnsemble trees)
      : Predictor(std::move(interface)), trees_(std::move(trees)) {}

  Json Parameters() const override {
    Json json = Json::Object();
    trees_.Describe(json);
    return json;
  }

 protected:
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State*) const override {
    ANEMONE_ASSIGN(const std::vector<double> vector, VectorOf(description(), inputs));
    ANEMONE_TRY(CheckEnough(vector, trees_.min_features()));
    std::vector<double> values = trees_.Sums(vector);
    trees_.Transform(values);
    const ir::Feature& output = description().outputs.front();
    ANEMONE_ASSIGN(FeatureValue value, OutputOf(output, values));
    return FeatureValues{{output.name, std::move(value)}};
  }

 private:
  TreeEnsemble trees_;
};

}  // namespace

Result<std::unique_ptr<Predictor>> MakeTreeEnsembleRegressor(const format::ModelFile& file,
                                                             format::ModelInterface interface,
                                                             const Context&) {
  const auto& wire = file.message().treeensembleregressor();
  ANEMONE_ASSIGN(TreeEnsemble trees,
                 TreeEnsemble::Make(wire.treeensemble(), wire.postevaluationtransform()));
  ANEMONE_TRY(CheckVectorHolds(interface.function, trees.min_features()));
  ANEMONE_TRY(CheckOneOutput(interface.function));
  return std::unique_ptr<Predictor>(
      std::make_unique<TreeEnsembleRegressor>(std::move(interface), std::move(trees)));
}

}  // namespace anemone::feature_models
