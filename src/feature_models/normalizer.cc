// normalizer: an array divided by its norm; one of zeros stays as it is.
#include <cmath>

#include "feature_models/model_types.h"
#include "feature_models/transform.h"
#include "feature_models/vector_input.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

enum class Norm : int32_t { kMax = 0, kL1 = 1, kL2 = 2 };
constexpr std::string_view kNormNames[] = {"max", "l1", "l2"};

class Normalizer : public Transform {
 public:
  using Wire = format::proto::Normalizer;
  Normalizer(format::ModelInterface interface, const Wire& wire)
      : Transform(std::move(interface)), norm_(static_cast<Norm>(wire.normtype())) {}

  static Status Check(const ir::FunctionDescription& description, const Wire& wire) {
    if (wire.normtype() < 0 || wire.normtype() > 2) {
      return InvalidInput("norm {} is not known", wire.normtype());
    }
    return VectorLength(description).status();
  }

  Json Parameters() const override { return {{"norm", kNormNames[static_cast<size_t>(norm_)]}}; }

 protected:
  Result<FeatureValue> Apply(const FeatureValue* value) const override {
    if (value == nullptr) return Missing();
    ANEMONE_ASSIGN(std::vector<double> numbers, VectorOf(description(), {{input().name, *value}}));
    double norm = 0;
    for (const double number : numbers) {
      const double size = std::fabs(number);
      if (norm_ == Norm::kMax) norm = std::max(norm, size);
      if (norm_ == Norm::kL1) norm += size;
      if (norm_ == Norm::kL2) norm += size * size;
    }
    if (norm_ == Norm::kL2) norm = std::sqrt(norm);
    if (norm != 0) {
      for (double& number : numbers) number /= norm;
    }
    return OutputOf(output(), numbers);
  }

 private:
  Norm norm_;
};

}  // namespace

Result<std::unique_ptr<Predictor>> MakeNormalizer(const format::ModelFile& file,
                                                  format::ModelInterface interface,
                                                  const Context&) {
  return MakeTransform<Normalizer>(std::move(interface), file.message().normalizer());
}

}  // namespace anemone::feature_models
