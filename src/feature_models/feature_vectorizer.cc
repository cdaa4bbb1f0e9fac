// featureVectorizer: numbers, arrays and dictionaries of places, one after the other in one array.
#include <limits>

#include "feature_models/model_types.h"
#include "feature_models/vector_input.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

constexpr uint64_t kMaxLength = uint64_t{1} << 26;

struct Column {
  std::string name;
  size_t length = 0;
};

class FeatureVectorizer : public Predictor {
 public:
  FeatureVectorizer(format::ModelInterface interface, std::vector<Column> columns)
      : Predictor(std::move(interface)), columns_(std::move(columns)) {}

  Json Parameters() const override {
    Json columns = Json::Array();
    for (const Column& column : columns_) {
      columns.push_back({{"input", column.name}, {"length", column.length}});
    }
    return {{"columns", std::move(columns)}};
  }

 protected:
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State*) const override {
    std::vector<double> vector;
    for (const Column& column : columns_) {
      const auto given = inputs.find(column.name);
      const std::string place = fmt::format("input '{}'", column.name);
      if (given == inputs.end()) {
        vector.insert(vector.end(), column.length, std::numeric_limits<double>::quiet_NaN());
        continue;
      }
      ANEMONE_ASSIGN(const std::vector<double> numbers,
                     NumbersOfColumn(given->second, column).At(place));
      vector.insert(vector.end(), numbers.begin(), numbers.end());
    }
    const ir::Feature& output = description().outputs.front();
    ANEMONE_ASSIGN(FeatureValue value, OutputOf(output, vector));
    return FeatureValues{{output.name, std::move(value)}};
  }

 private:
  static Result<std::vector<double>> NumbersOfColumn(const FeatureValue& value,
                                                     const Column& column) {
    std::vector<double> numbers;
    if (const auto* tensor = std::get_if<exec::Tensor>(&value)) {
      numbers = NumbersOf(*tensor);
    } else if (const auto* integer = std::get_if<int64_t>(&value)) {
      numbers = {static_cast<double>(*integer)};
    } else if (const auto* number = std::get_if<double>(&value)) {
      numbers = {*number};
    } else {
      numbers.resize(column.length);
      for (const auto& [key, entry] : std::get<Int64Dictionary>(value)) {
        if (key < 0 || static_cast<uint64_t>(key) >= column.length) {
          return Usage("the key {} is not one of its {} places", key, column.length);
        }
        numbers[static_cast<size_t>(key)] = entry;
      }
    }
    if (numbers.size() == column.length) return numbers;
    return Usage("it has {} numbers, but the vectorizer takes {}", numbers.size(), column.length);
  }

  std::vector<Column> columns_;
};

bool IsVectorizable(const ir::Feature& feature) {
  if (feature.array() != nullptr) return true;
  if (const auto* scalar = std::get_if<ir::ScalarFeature>(&feature.type)) {
    return *scalar != ir::ScalarFeature::kString;
  }
  const auto* dictionary = std::get_if<ir::DictionaryFeature>(&feature.type);
  return dictionary != nullptr && dictionary->key == ir::KeyType::kInt64;
}

}  // namespace

Result<std::unique_ptr<Predictor>> MakeFeatureVectorizer(const format::ModelFile& file,
                                                         format::ModelInterface interface,
                                                         const Context&) {
  std::vector<Column> columns;
  uint64_t total = 0;
  for (const auto& wire : file.message().featurevectorizer().inputlist()) {
    const ir::Feature* feature = interface.function.FindInput(wire.inputcolumn());
    if (feature == nullptr) {
      return InvalidInput("its column '{}' is not an input", ToUtf8(wire.inputcolumn()));
    }
    if (!IsVectorizable(*feature)) {
      return InvalidInput("its column '{}' is {}, which has no numbers at places", feature->name,
                          KindOf(*feature));
    }
    // Each addend is checked first, so that the sum cannot wrap.
    if (wire.inputdimensions() <= kMaxLength) total += wire.inputdimensions();
    if (wire.inputdimensions() > kMaxLength || total > kMaxLength) {
      return InvalidInput("its columns have more than {} numbers", kMaxLength);
    }
    columns.push_back({feature->name, static_cast<size_t>(wire.inputdimensions())});
  }
  ANEMONE_TRY(CheckOneOutput(interface.function));
  return std::unique_ptr<Predictor>(
      std::make_unique<FeatureVectorizer>(std::move(interface), std::move(columns)));
}

}  // namespace anemone::feature_models
