// supportVectorRegressor: the weighted sum of the kernels.
#include <numeric>

#include "feature_models/model_types.h"
#include "feature_models/support_vectors.h"
#include "feature_models/vector_input.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

class SupportVectorRegressor : public Predictor {
 public:
  SupportVectorRegressor(format::ModelInterface interface, SupportVectors vectors,
                         std::vector<double> coefficients, double rho)
      : Predictor(std::move(interface)),
        vectors_(std::move(vectors)),
        coefficients_(std::move(coefficients)),
        rho_(rho) {}

  Json Parameters() const override {
    Json json = Json::Object();
    vectors_.Describe(json);
    return json;
  }

 protected:
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State*) const override {
    ANEMONE_ASSIGN(const std::vector<double> vector, VectorOf(description(), inputs));
    ANEMONE_ASSIGN(const std::vector<double> kernels, vectors_.Kernels(vector));
    const double sum =
        std::inner_product(kernels.begin(), kernels.end(), coefficients_.begin(), -rho_);
    const ir::Feature& output = description().outputs.front();
    ANEMONE_ASSIGN(FeatureValue value, OutputOf(output, {&sum, 1}));
    return FeatureValues{{output.name, std::move(value)}};
  }

 private:
  SupportVectors vectors_;
  std::vector<double> coefficients_;
  double rho_;
};

}  // namespace

Result<std::unique_ptr<Predictor>> MakeSupportVectorRegressor(const format::ModelFile& file,
                                                              format::ModelInterface interface,
                                                              const Context&) {
  const auto& wire = file.message().supportvectorregressor();
  ANEMONE_ASSIGN(SupportVectors vectors, SupportVectors::Make(wire, interface.function));
  const auto& alphas = wire.coefficients().vector();
  if (static_cast<size_t>(alphas.size()) != vectors.size()) {
    return InvalidInput("{} coefficients for {} support vectors", alphas.size(), vectors.size());
  }
  ANEMONE_TRY(CheckOneOutput(interface.function));
  return std::unique_ptr<Predictor>(std::make_unique<SupportVectorRegressor>(
      std::move(interface), std::move(vectors), std::vector<double>(alphas.begin(), alphas.end()),
      wire.rho()));
}

}  // namespace anemone::feature_models
