// oneHotEncoder: a category as a vector that is 1 at the category's place and 0 elsewhere, or as a
// dictionary that holds that place alone.
#include <unordered_map>

#include "feature_models/model_types.h"
#include "feature_models/transform.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

class OneHotEncoder : public Transform {
 public:
  using Wire = format::proto::OneHotEncoder;
  OneHotEncoder(format::ModelInterface interface, const Wire& wire)
      : Transform(std::move(interface)), ignores_unknown_(wire.handleunknown() == 1) {
    for (const std::string& text : wire.stringcategories().vector()) {
      texts_.emplace(text, size_++);
    }
    for (const int64_t integer : wire.int64categories().vector()) {
      integers_.emplace(integer, size_++);
    }
    of_texts_ = wire.has_stringcategories();
  }

  static Status Check(const ir::FunctionDescription& description, const Wire& wire) {
    if (wire.handleunknown() < 0 || wire.handleunknown() > 1) {
      return InvalidInput("handleUnknown {} is not known", wire.handleunknown());
    }
    const auto* scalar = std::get_if<ir::ScalarFeature>(&description.inputs.front().type);
    const ir::ScalarFeature wanted =
        wire.has_stringcategories() ? ir::ScalarFeature::kString : ir::ScalarFeature::kInt64;
    if (scalar == nullptr || *scalar != wanted) {
      return InvalidInput("its input is {}, but its categories are {}",
                          KindOf(description.inputs.front()),
                          wire.has_stringcategories() ? "texts" : "integers");
    }
    return {};
  }

  Json Parameters() const override {
    std::vector<Json> ordered(size_);
    for (const auto& [text, place] : texts_) ordered[place] = text;
    for (const auto& [integer, place] : integers_) ordered[place] = integer;
    return {{"categories", ordered}, {"unknown", ignores_unknown_ ? "ignored" : "an error"}};
  }

 protected:
  Result<FeatureValue> Apply(const FeatureValue* value) const override {
    if (value == nullptr) return Missing();
    std::optional<size_t> place;
    if (of_texts_) {
      const auto found = texts_.find(std::get<std::string>(*value));
      if (found != texts_.end()) place = found->second;
    } else {
      const auto found = integers_.find(std::get<int64_t>(*value));
      if (found != integers_.end()) place = found->second;
    }
    if (!place && !ignores_unknown_) {
      return Usage("{} is not a category of the encoder, which makes an unknown one an error",
                   of_texts_ ? "'" + std::get<std::string>(*value) + "'"
                             : std::to_string(std::get<int64_t>(*value)))
          .At(fmt::format("input '{}'", input().name));
    }
    if (std::holds_alternative<ir::DictionaryFeature>(output().type)) {
      Int64Dictionary dictionary;
      if (place) dictionary.emplace(static_cast<int64_t>(*place), 1.0);
      return Conform(output(), dictionary).At(fmt::format("output '{}'", output().name));
    }
    std::vector<double> numbers(size_);
    if (place) numbers[*place] = 1;
    return OutputOf(output(), numbers);
  }

 private:
  std::unordered_map<std::string, size_t> texts_;
  std::unordered_map<int64_t, size_t> integers_;
  size_t size_ = 0;
  bool of_texts_ = false;
  bool ignores_unknown_;
};

}  // namespace

Result<std::unique_ptr<Predictor>> MakeOneHotEncoder(const format::ModelFile& file,
                                                     format::ModelInterface interface,
                                                     const Context&) {
  return MakeTransform<OneHotEncoder>(std::move(interface), file.message().onehotencoder());
}

}  // namespace anemone::feature_models
