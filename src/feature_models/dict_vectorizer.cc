// dictVectorizer: the values of a dictionary at the places of their keys; other keys are left out.
#include "feature_models/model_types.h"
#include "feature_models/transform.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

class DictVectorizer : public Transform {
 public:
  using Wire = format::proto::DictVectorizer;
  DictVectorizer(format::ModelInterface interface, const Wire& wire)
      : Transform(std::move(interface)),
        texts_(wire.stringtoindex().vector().begin(), wire.stringtoindex().vector().end()),
        integers_(wire.int64toindex().vector().begin(), wire.int64toindex().vector().end()) {}

  static Status Check(const ir::FunctionDescription& description, const Wire& wire) {
    const auto* dictionary = std::get_if<ir::DictionaryFeature>(&description.inputs.front().type);
    if (dictionary == nullptr ||
        (dictionary->key == ir::KeyType::kInt64 && wire.has_stringtoindex())) {
      return InvalidInput("its input is {}, but its table is of {} keys",
                          KindOf(description.inputs.front()),
                          wire.has_stringtoindex() ? "text" : "integer");
    }
    return {};
  }

  Json Parameters() const override {
    return {{"keys", texts_.empty() ? Json(integers_) : Json(texts_)}};
  }

 protected:
  Result<FeatureValue> Apply(const FeatureValue* value) const override {
    if (value == nullptr) return Missing();
    const auto* by_text = std::get_if<StringDictionary>(value);
    const auto* by_integer = std::get_if<Int64Dictionary>(value);
    const bool empty = by_text != nullptr && by_text->empty();
    if (!empty && (by_text == nullptr) != texts_.empty()) {
      return Usage("it takes a dictionary with {} keys, not {}",
                   texts_.empty() ? "integer" : "text", KindOf(*value))
          .At(fmt::format("input '{}'", input().name));
    }
    const std::vector<double> numbers =
        texts_.empty() ? Spread(integers_, by_integer != nullptr ? *by_integer : Int64Dictionary())
                       : Spread(texts_, *by_text);
    if (!std::holds_alternative<ir::DictionaryFeature>(output().type)) {
      return OutputOf(output(), numbers);
    }
    Int64Dictionary sparse;
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (numbers[i] != 0) sparse.emplace(static_cast<int64_t>(i), numbers[i]);
    }
    return Conform(output(), sparse).At(fmt::format("output '{}'", output().name));
  }

 private:
  template <typename Key>
  static std::vector<double> Spread(const std::vector<Key>& keys,
                                    const std::map<Key, double>& dictionary) {
    std::vector<double> numbers(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      const auto found = dictionary.find(keys[i]);
      if (found != dictionary.end()) numbers[i] = found->second;
    }
    return numbers;
  }

  Strings texts_;
  Int64s integers_;
};

}  // namespace

Result<std::unique_ptr<Predictor>> MakeDictVectorizer(const format::ModelFile& file,
                                                      format::ModelInterface interface,
                                                      const Context&) {
  return MakeTransform<DictVectorizer>(std::move(interface), file.message().dictvectorizer());
}

}  // namespace anemone::feature_models
