// arrayFeatureExtractor: elements of an array by their places in its flat order.
#include "feature_models/model_types.h"
#include "feature_models/transform.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

class ArrayFeatureExtractor : public Transform {
 public:
  using Wire = format::proto::ArrayFeatureExtractor;
  ArrayFeatureExtractor(format::ModelInterface interface, const Wire& wire)
      : Transform(std::move(interface)),
        places_(wire.extractindex().begin(), wire.extractindex().end()) {}

  static Status Check(const ir::FunctionDescription& description, const Wire& wire) {
    const ir::ArrayFeature* array = description.inputs.front().array();
    if (array == nullptr) {
      return InvalidInput("its input is {}, not an array", KindOf(description.inputs.front()));
    }
    if (wire.extractindex_size() == 0) return InvalidInput("it extracts no elements");
    const int64_t count = ir::ElementCount(array->shape).value_or(0);
    const bool fixed =
        !array->shape.empty() && array->enumerated.empty() && array->shape_range.empty();
    for (const uint64_t place : wire.extractindex()) {
      if (fixed && place >= static_cast<uint64_t>(count)) {
        return InvalidInput("it extracts element {} of {}", place, count);
      }
    }
    return {};
  }

  Json Parameters() const override { return {{"extract", places_}}; }

 protected:
  Result<FeatureValue> Apply(const FeatureValue* value) const override {
    if (value == nullptr) return Missing();
    const std::vector<double> numbers = NumbersOf(std::get<exec::Tensor>(*value));
    std::vector<double> extracted;
    for (const uint64_t place : places_) {
      if (place >= numbers.size()) {
        return Usage("the array has {} elements, but element {} is extracted", numbers.size(),
                     place)
            .At(fmt::format("input '{}'", input().name));
      }
      extracted.push_back(numbers[place]);
    }
    return OutputOf(output(), extracted);
  }

 private:
  std::vector<uint64_t> places_;
};

}  // namespace

Result<std::unique_ptr<Predictor>> MakeArrayFeatureExtractor(const format::ModelFile& file,
                                                             format::ModelInterface interface,
                                                             const Context&) {
  return MakeTransform<ArrayFeatureExtractor>(std::move(interface),
                                              file.message().arrayfeatureextractor());
}

}  // namespace anemone::feature_models
