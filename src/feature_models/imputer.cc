// imputer: missing values replaced. A number is missing when it is NaN, or when it equals the value
// that the file replaces; a text or integer when it equals that value; a key of a dictionary when it
// is not there; an optional input also when it is not given.
#include <cmath>

#include "feature_models/model_types.h"
#include "feature_models/transform.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

// One number for every place of an array, or one for each.
using Numbers = std::vector<double>;
using Imputed =
    std::variant<std::monostate, Numbers, int64_t, std::string, StringDictionary, Int64Dictionary>;

Imputed ImputedOf(const format::proto::Imputer& wire) {
  using Wire = format::proto::Imputer;
  switch (wire.ImputedValue_case()) {
    case Wire::kImputedDoubleValue:
      return Numbers{wire.imputeddoublevalue()};
    case Wire::kImputedInt64Value:
      return wire.imputedint64value();
    case Wire::kImputedStringValue:
      return wire.imputedstringvalue();
    case Wire::kImputedDoubleArray:
      return Numbers(wire.imputeddoublearray().vector().begin(),
                     wire.imputeddoublearray().vector().end());
    case Wire::kImputedInt64Array:
      return Numbers(wire.imputedint64array().vector().begin(),
                     wire.imputedint64array().vector().end());
    case Wire::kImputedStringDictionary: {
      StringDictionary dictionary;
      for (const auto& entry : wire.imputedstringdictionary().map())
        dictionary.insert_or_assign(entry.key(), entry.value());
      return dictionary;
    }
    case Wire::kImputedInt64Dictionary: {
      Int64Dictionary dictionary;
      for (const auto& entry : wire.imputedint64dictionary().map())
        dictionary.insert_or_assign(entry.key(), entry.value());
      return dictionary;
    }
    case Wire::IMPUTEDVALUE_NOT_SET:
      break;
  }
  return {};
}

// Whether the feature holds what is imputed.
bool Fits(const ir::Feature& feature, const Imputed& imputed) {
  if (feature.array() != nullptr) return std::holds_alternative<Numbers>(imputed);
  if (const auto* scalar = std::get_if<ir::ScalarFeature>(&feature.type)) {
    switch (*scalar) {
      case ir::ScalarFeature::kDouble:
        return std::holds_alternative<Numbers>(imputed) && std::get<Numbers>(imputed).size() == 1;
      case ir::ScalarFeature::kInt64:
        return std::holds_alternative<int64_t>(imputed);
      case ir::ScalarFeature::kString:
        return std::holds_alternative<std::string>(imputed);
    }
  }
  const auto* dictionary = std::get_if<ir::DictionaryFeature>(&feature.type);
  if (dictionary == nullptr) return false;
  return dictionary->key == ir::KeyType::kString ? std::holds_alternative<StringDictionary>(imputed)
                                                 : std::holds_alternative<Int64Dictionary>(imputed);
}

class Imputer : public Transform {
 public:
  using Wire = format::proto::Imputer;
  Imputer(format::ModelInterface interface, const Wire& wire)
      : Transform(std::move(interface)), imputed_(ImputedOf(wire)) {
    if (wire.has_replacedoublevalue()) replaced_ = wire.replacedoublevalue();
    if (wire.has_replaceint64value()) replaced_ = wire.replaceint64value();
    if (wire.has_replacestringvalue()) replaced_ = wire.replacestringvalue();
  }

  static Status Check(const ir::FunctionDescription& description, const Wire& wire) {
    const ir::Feature& input = description.inputs.front();
    const ir::Feature& output = description.outputs.front();
    const Imputed imputed = ImputedOf(wire);
    if (std::holds_alternative<std::monostate>(imputed)) {
      return InvalidInput("the imputer has no value to impute");
    }
    for (const ir::Feature* feature : {&input, &output}) {
      if (!Fits(*feature, imputed)) {
        return InvalidInput("'{}' is {}, which what is imputed does not fit", feature->name,
                            KindOf(*feature));
      }
    }
    return {};
  }

  Json Parameters() const override {
    Json json = Json::Object();
    json["imputed"] = std::visit(
        [](const auto& imputed) -> Json {
          using T = std::decay_t<decltype(imputed)>;
          if constexpr (std::is_same_v<T, std::monostate>) {
            return {};
          } else if constexpr (std::is_same_v<T, StringDictionary> ||
                               std::is_same_v<T, Int64Dictionary>) {
            Json entries = Json::Object();
            for (const auto& [key, value] : imputed) entries[fmt::format("{}", key)] = value;
            return entries;
          } else {
            return Json(imputed);
          }
        },
        imputed_);
    if (const auto* number = std::get_if<double>(&replaced_)) {
      json["replaces"] = std::isnan(*number) ? Json("NaN") : Json(*number);
    } else if (const auto* integer = std::get_if<int64_t>(&replaced_)) {
      json["replaces"] = *integer;
    } else if (const auto* text = std::get_if<std::string>(&replaced_)) {
      json["replaces"] = *text;
    } else {
      json["replaces"] = "what is missing";
    }
    return json;
  }

 protected:
  Result<FeatureValue> Apply(const FeatureValue* value) const override {
    auto imputed = Impute(value);
    if (!imputed.ok()) return imputed;
    return Conform(output(), *imputed).At(fmt::format("output '{}'", output().name));
  }

 private:
  bool IsMissing(double number) const {
    if (const auto* replaced = std::get_if<double>(&replaced_)) {
      return std::isnan(*replaced) ? std::isnan(number) : number == *replaced;
    }
    if (const auto* replaced = std::get_if<int64_t>(&replaced_)) {
      return number == static_cast<double>(*replaced);
    }
    return std::isnan(number);
  }

  Result<FeatureValue> Impute(const FeatureValue* value) const {
    if (const auto* integer = std::get_if<int64_t>(&imputed_)) {
      if (value == nullptr) return FeatureValue(*integer);
      const auto* replaced = std::get_if<int64_t>(&replaced_);
      return replaced != nullptr && std::get<int64_t>(*value) == *replaced ? FeatureValue(*integer)
                                                                           : *value;
    }
    if (const auto* text = std::get_if<std::string>(&imputed_)) {
      if (value == nullptr) return FeatureValue(*text);
      const auto* replaced = std::get_if<std::string>(&replaced_);
      return replaced != nullptr && std::get<std::string>(*value) == *replaced ? FeatureValue(*text)
                                                                               : *value;
    }
    if (const auto* dictionary = std::get_if<StringDictionary>(&imputed_)) {
      return Complete(*dictionary, value);
    }
    if (const auto* dictionary = std::get_if<Int64Dictionary>(&imputed_)) {
      return Complete(*dictionary, value);
    }
    return ImputeNumbers(std::get<Numbers>(imputed_), value);
  }

  template <typename Dictionary>
  Result<FeatureValue> Complete(const Dictionary& imputed, const FeatureValue* value) const {
    const auto* given = value == nullptr ? nullptr : std::get_if<Dictionary>(value);
    if (value != nullptr && given == nullptr) {
      return Usage("it takes {}, not {}", KindOf(input()), KindOf(*value))
          .At(fmt::format("input '{}'", input().name));
    }
    Dictionary dictionary = given == nullptr ? Dictionary() : *given;
    for (auto& [key, number] : dictionary) {
      const auto found = imputed.find(key);
      if (found != imputed.end() && IsMissing(number)) number = found->second;
    }
    dictionary.insert(imputed.begin(), imputed.end());
    return FeatureValue(std::move(dictionary));
  }

  Result<FeatureValue> ImputeNumbers(const Numbers& imputed, const FeatureValue* value) const {
    const ir::ArrayFeature* array = input().array();
    if (value == nullptr) {
      return array == nullptr ? Result<FeatureValue>(imputed.front()) : OutputOf(output(), imputed);
    }
    if (array == nullptr) {
      const double number = std::get<double>(*value);
      return FeatureValue(IsMissing(number) ? imputed.front() : number);
    }
    const auto& tensor = std::get<exec::Tensor>(*value);
    std::vector<double> numbers = NumbersOf(tensor);
    if (imputed.size() != 1 && imputed.size() != numbers.size()) {
      return Usage("it has {} elements, but the imputer has values for {}", numbers.size(),
                   imputed.size())
          .At(fmt::format("input '{}'", input().name));
    }
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (IsMissing(numbers[i])) numbers[i] = imputed[imputed.size() == 1 ? 0 : i];
    }
    ANEMONE_ASSIGN(exec::Tensor made, ArrayOf(tensor.dtype(), tensor.shape(), numbers));
    return FeatureValue(std::move(made));
  }

  Imputed imputed_;
  std::variant<std::monostate, double, int64_t, std::string> replaced_;
};

}  // namespace

Result<std::unique_ptr<Predictor>> MakeImputer(const format::ModelFile& file,
                                               format::ModelInterface interface, const Context&) {
  return MakeTransform<Imputer>(std::move(interface), file.message().imputer());
}

}  // namespace anemone::feature_models
