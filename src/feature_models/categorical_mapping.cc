// categoricalMapping: texts to integers or integers to texts by a table, one or a sequence of them.
#include <unordered_map>

#include "feature_models/model_types.h"
#include "feature_models/transform.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

// A table of one direction.
template <typename From, typename To>
struct Table {
  std::unordered_map<From, To> entries;
  std::optional<To> on_unknown;

  Result<To> Map(const From& from) const {
    const auto found = entries.find(from);
    if (found != entries.end()) return found->second;
    if (on_unknown) return *on_unknown;
    return Usage("'{}' is not in the mapping, which has no value for unknown ones", from);
  }
  Result<FeatureValue> Map(const FeatureValue& value) const {
    if (const auto* one = std::get_if<From>(&value)) {
      ANEMONE_ASSIGN(To mapped, Map(*one));
      return FeatureValue(std::move(mapped));
    }
    std::vector<To> sequence;
    for (const From& from : std::get<std::vector<From>>(value)) {
      ANEMONE_ASSIGN(To mapped, Map(from));
      sequence.push_back(std::move(mapped));
    }
    return FeatureValue(std::move(sequence));
  }
};

class CategoricalMapping : public Transform {
 public:
  using Wire = format::proto::CategoricalMapping;
  CategoricalMapping(format::ModelInterface interface, const Wire& wire)
      : Transform(std::move(interface)), of_texts_(wire.has_stringtoint64map()) {
    for (const auto& entry : wire.stringtoint64map().map())
      to_integers_.entries.insert_or_assign(entry.key(), entry.value());
    for (const auto& entry : wire.int64tostringmap().map())
      to_texts_.entries.insert_or_assign(entry.key(), entry.value());
    if (wire.has_int64value()) to_integers_.on_unknown = wire.int64value();
    if (wire.has_strvalue()) to_texts_.on_unknown = wire.strvalue();
  }

  static Status Check(const ir::FunctionDescription& description, const Wire& wire) {
    if (!wire.has_stringtoint64map() && !wire.has_int64tostringmap()) {
      return InvalidInput("the mapping has no table");
    }
    const bool of_texts = wire.has_stringtoint64map();
    if (of_texts ? wire.has_strvalue() : wire.has_int64value()) {
      return InvalidInput("the value for unknown ones is not of the type that the mapping gives");
    }
    for (const bool is_input : {true, false}) {
      const ir::Feature& feature =
          is_input ? description.inputs.front() : description.outputs.front();
      const bool texts = of_texts == is_input;
      const auto* scalar = std::get_if<ir::ScalarFeature>(&feature.type);
      const auto* sequence = std::get_if<ir::SequenceFeature>(&feature.type);
      const bool fits =
          (scalar != nullptr &&
           *scalar == (texts ? ir::ScalarFeature::kString : ir::ScalarFeature::kInt64)) ||
          (sequence != nullptr && (sequence->element == ir::KeyType::kString) == texts);
      if (!fits) {
        return InvalidInput("'{}' is {}, which the mapping neither takes nor gives", feature.name,
                            KindOf(feature));
      }
    }
    if (description.inputs.front().type.index() != description.outputs.front().type.index()) {
      return InvalidInput("one of input and output is a sequence, the other is not");
    }
    return {};
  }

  Json Parameters() const override {
    Json json{{"from", of_texts_ ? "texts" : "integers"},
              {"entries", of_texts_ ? to_integers_.entries.size() : to_texts_.entries.size()}};
    json["on_unknown"] = of_texts_ ? OrNull(to_integers_.on_unknown) : OrNull(to_texts_.on_unknown);
    return json;
  }

 protected:
  Result<FeatureValue> Apply(const FeatureValue* value) const override {
    if (value == nullptr) return Missing();
    auto mapped = of_texts_ ? to_integers_.Map(*value) : to_texts_.Map(*value);
    return std::move(mapped).At(fmt::format("input '{}'", input().name));
  }

 private:
  bool of_texts_;
  Table<std::string, int64_t> to_integers_;
  Table<int64_t, std::string> to_texts_;
};

}  // namespace

Result<std::unique_ptr<Predictor>> MakeCategoricalMapping(const format::ModelFile& file,
                                                          format::ModelInterface interface,
                                                          const Context&) {
  return MakeTransform<CategoricalMapping>(std::move(interface),
                                           file.message().categoricalmapping());
}

}  // namespace anemone::feature_models
