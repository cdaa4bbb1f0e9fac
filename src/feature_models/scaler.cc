// scaler: (x + shift) * scale, with one shift and scale for all elements or one for each.
#include "feature_models/model_types.h"
#include "feature_models/transform.h"
#include "feature_models/vector_input.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

class Scaler : public Transform {
 public:
  using Wire = format::proto::Scaler;
  Scaler(format::ModelInterface interface, const Wire& wire)
      : Transform(std::move(interface)),
        shifts_(wire.shiftvalue().begin(), wire.shiftvalue().end()),
        scales_(wire.scalevalue().begin(), wire.scalevalue().end()) {}

  static Status Check(const ir::FunctionDescription& description, const Wire& wire) {
    ANEMONE_ASSIGN(const std::optional<int64_t> length, VectorLength(description));
    for (const int count : {wire.shiftvalue_size(), wire.scalevalue_size()}) {
      if (count > 1 && length && count != *length) {
        return InvalidInput("{} shifts or scales for {} elements", count, *length);
      }
    }
    return {};
  }

  Json Parameters() const override { return {{"shift", shifts_}, {"scale", scales_}}; }

 protected:
  Result<FeatureValue> Apply(const FeatureValue* value) const override {
    if (value == nullptr) return Missing();
    ANEMONE_ASSIGN(std::vector<double> numbers, VectorOf(description(), {{input().name, *value}}));
    for (const size_t count : {shifts_.size(), scales_.size()}) {
      if (count > 1 && count != numbers.size()) {
        return Usage("it has {} elements, but the scaler {}", numbers.size(), count)
            .At(fmt::format("input '{}'", input().name));
      }
    }
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (!shifts_.empty()) numbers[i] += shifts_[shifts_.size() == 1 ? 0 : i];
      if (!scales_.empty()) numbers[i] *= scales_[scales_.size() == 1 ? 0 : i];
    }
    return OutputOf(output(), numbers);
  }

 private:
  std::vector<double> shifts_;
  std::vector<double> scales_;
};

}  // namespace

Result<std::unique_ptr<Predictor>> MakeScaler(const format::ModelFile& file,
                                              format::ModelInterface interface, const Context&) {
  return MakeTransform<Scaler>(std::move(interface), file.message().scaler());
}

}  // namespace anemone::feature_models
