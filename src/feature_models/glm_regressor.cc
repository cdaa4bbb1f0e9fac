// glmRegressor: linear sums, each through a link function.
#include "feature_models/linear_rows.h"
#include "feature_models/model_types.h"
#include "feature_models/vector_input.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

enum class Link : int32_t { kNone = 0, kLogit = 1, kProbit = 2 };
constexpr std::string_view kLinkNames[] = {"none", "logit", "probit"};

class GlmRegressor : public Predictor {
 public:
  GlmRegressor(format::ModelInterface interface, LinearRows rows, Link link)
      : Predictor(std::move(interface)), rows_(std::move(rows)), link_(link) {}

  Json Parameters() const override {
    return {{"outputs", rows_.size()},
            {"weights", rows_.columns()},
            {"link", kLinkNames[static_cast<size_t>(link_)]}};
  }

 protected:
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State*) const override {
    ANEMONE_ASSIGN(const std::vector<double> vector, VectorOf(description(), inputs));
    ANEMONE_ASSIGN(std::vector<double> sums, rows_.Apply(vector));
    for (double& sum : sums) {
      if (link_ == Link::kLogit) sum = Logistic(sum);
      if (link_ == Link::kProbit) sum = NormalCdf(sum);
    }
    const ir::Feature& output = description().outputs.front();
    ANEMONE_ASSIGN(FeatureValue value, OutputOf(output, sums));
    return FeatureValues{{output.name, std::move(value)}};
  }

 private:
  LinearRows rows_;
  Link link_;
};

}  // namespace

Result<std::unique_ptr<Predictor>> MakeGlmRegressor(const format::ModelFile& file,
                                                    format::ModelInterface interface,
                                                    const Context&) {
  const auto& wire = file.message().glmregressor();
  ANEMONE_ASSIGN(LinearRows rows, LinearRows::Make(wire));
  const int32_t link = wire.postevaluationtransform();
  if (link < 0 || link > 2) return InvalidInput("post-evaluation transform {} is not known", link);
  ANEMONE_TRY(CheckVectorLength(interface.function, rows.columns()));
  ANEMONE_TRY(CheckOneOutput(interface.function));
  return std::unique_ptr<Predictor>(std::make_unique<GlmRegressor>(
      std::move(interface), std::move(rows), static_cast<Link>(link)));
}

}  // namespace anemone::feature_models
