#include "feature_models/feature_value.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "ir/literal.h"

namespace anemone::feature_models {
namespace {

// 2^63: the first double above every int64.
constexpr double kInt64End = 9223372036854775808.0;
// A default value does not fill an array of more elements.
constexpr int64_t kMaxDefault = int64_t{1} << 28;

struct FeatureKind {
  std::string operator()(const ir::ArrayFeature& array) const {
    return fmt::format("an array of {} {}", DTypeName(array.dtype),
                       array.shape.empty() ? "of any shape" : ir::ShapeToString(array.shape));
  }
  std::string operator()(const ir::ImageFeature& image) const {
    return fmt::format("an image of {}x{} pixels", image.size.width, image.size.height);
  }
  std::string operator()(ir::ScalarFeature scalar) const {
    switch (scalar) {
      case ir::ScalarFeature::kInt64:
        return "an integer";
      case ir::ScalarFeature::kDouble:
        return "a double";
      case ir::ScalarFeature::kString:
        break;
    }
    return "a text";
  }
  std::string operator()(const ir::DictionaryFeature& dictionary) const {
    return dictionary.key == ir::KeyType::kInt64 ? "a dictionary with integer keys"
                                                 : "a dictionary with text keys";
  }
  std::string operator()(const ir::SequenceFeature& sequence) const {
    return sequence.element == ir::KeyType::kInt64 ? "a sequence of integers"
                                                   : "a sequence of texts";
  }
  std::string operator()(const ir::StateFeature&) const { return "a state"; }
};

bool Within(const ir::SizeRange& range, int64_t size) {
  return size >= range.lower && (!range.upper || size <= *range.upper);
}

bool Allows(const ir::ArrayFeature& feature, const ir::Shape& shape) {
  if (!feature.enumerated.empty()) {
    return std::ranges::find(feature.enumerated, shape) != feature.enumerated.end() ||
           shape == feature.shape;
  }
  if (!feature.shape_range.empty()) {
    return std::ranges::equal(feature.shape_range, shape, Within);
  }
  return feature.shape.empty() || shape == feature.shape;
}

std::optional<int64_t> IntegerOf(double value) {
  if (!(value >= -kInt64End && value < kInt64End) || value != std::trunc(value)) {
    return std::nullopt;
  }
  return static_cast<int64_t>(value);
}

// The one number of an array of one element.
std::optional<double> SingleOf(const FeatureValue& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return static_cast<double>(*integer);
  if (const auto* number = std::get_if<double>(&value)) return *number;
  const auto* tensor = std::get_if<exec::Tensor>(&value);
  if (tensor == nullptr || tensor->count() != 1) return std::nullopt;
  return NumbersOf(*tensor).front();
}

struct Conformer {
  const ir::Feature& feature;
  const FeatureValue& value;

  Error Mismatch() const { return Usage("it takes {}, not {}", KindOf(feature), KindOf(value)); }
  Result<FeatureValue> operator()(const ir::ArrayFeature& array) const {
    const auto* tensor = std::get_if<exec::Tensor>(&value);
    if (tensor == nullptr) {
      const std::optional<double> single = SingleOf(value);
      const auto count = ir::ElementCount(array.shape);
      if (!single || count != 1) return Mismatch();
      ANEMONE_ASSIGN(exec::Tensor made, ArrayOf(array.dtype, array.shape, {&*single, 1}));
      return FeatureValue(std::move(made));
    }
    if (!Allows(array, tensor->shape())) {
      return Usage("it takes {}, not an array of shape {}", KindOf(feature),
                   ir::ShapeToString(tensor->shape()));
    }
    ANEMONE_ASSIGN(exec::Tensor made, WithDType(*tensor, array.dtype));
    return FeatureValue(std::move(made));
  }
  Result<FeatureValue> operator()(const ir::ImageFeature&) const {
    if (std::holds_alternative<Image>(value)) return value;
    return Mismatch();
  }
  Result<FeatureValue> operator()(ir::ScalarFeature scalar) const {
    if (scalar == ir::ScalarFeature::kString) {
      if (std::holds_alternative<std::string>(value)) return value;
      return Mismatch();
    }
    const auto* integer = std::get_if<int64_t>(&value);
    if (scalar == ir::ScalarFeature::kInt64 && integer != nullptr) return value;
    const std::optional<double> single = SingleOf(value);
    if (!single) return Mismatch();
    if (scalar == ir::ScalarFeature::kDouble) return FeatureValue(*single);
    const std::optional<int64_t> whole = IntegerOf(*single);
    if (!whole) return Usage("it takes an integer, not {}", *single);
    return FeatureValue(*whole);
  }
  Result<FeatureValue> operator()(const ir::DictionaryFeature& dictionary) const {
    const auto* texts = std::get_if<StringDictionary>(&value);
    const auto* integers = std::get_if<Int64Dictionary>(&value);
    if (dictionary.key == ir::KeyType::kInt64) {
      if (integers != nullptr) return value;
      if (texts != nullptr && texts->empty()) return FeatureValue(Int64Dictionary());
      return Mismatch();
    }
    if (integers != nullptr && integers->empty()) return FeatureValue(StringDictionary());
    // coremltools declares text keys for every dictionary vectorizer, whose table may be of integers:
    // there the model's own table says what fits.
    if (texts != nullptr || integers != nullptr) return value;
    return Mismatch();
  }
  Result<FeatureValue> operator()(const ir::SequenceFeature& sequence) const {
    const auto* texts = std::get_if<Strings>(&value);
    const auto* integers = std::get_if<Int64s>(&value);
    const bool wants_integers = sequence.element == ir::KeyType::kInt64;
    FeatureValue made;
    if (wants_integers && integers != nullptr) {
      made = *integers;
    } else if (!wants_integers && texts != nullptr) {
      made = *texts;
    } else if (texts != nullptr && texts->empty()) {
      made = Int64s();
    } else if (integers != nullptr && integers->empty()) {
      made = Strings();
    } else if (const auto* tensor = std::get_if<exec::Tensor>(&value);
               wants_integers && tensor != nullptr && tensor->view().rank() == 1) {
      Int64s elements;
      for (const double number : NumbersOf(*tensor)) {
        const std::optional<int64_t> whole = IntegerOf(number);
        if (!whole) return Usage("it takes integers, not {}", number);
        elements.push_back(*whole);
      }
      made = std::move(elements);
    } else {
      return Mismatch();
    }
    const size_t length = std::visit(
        [](const auto& held) -> size_t {
          if constexpr (requires { held.size(); }) return held.size();
          return 0;
        },
        made);
    // A range of 0 to 0 is what a file without a range reads as: any length.
    const bool any = sequence.length.lower == 0 && sequence.length.upper == 0;
    if (!any && !Within(sequence.length, static_cast<int64_t>(length))) {
      return Usage("it takes at least {} elements{}, not {}", sequence.length.lower,
                   sequence.length.upper ? fmt::format(" and at most {}", *sequence.length.upper)
                                         : std::string(),
                   length);
    }
    return made;
  }
  Result<FeatureValue> operator()(const ir::StateFeature&) const { return Mismatch(); }
};

std::optional<double> DefaultOf(const ir::Feature& feature) {
  const ir::ArrayFeature* array = feature.array();
  if (array == nullptr) return std::nullopt;
  if (const auto* i = std::get_if<int32_t>(&array->default_value)) return *i;
  if (const auto* f = std::get_if<float>(&array->default_value)) return *f;
  if (const auto* d = std::get_if<double>(&array->default_value)) return *d;
  return std::nullopt;
}

}  // namespace

std::string_view KindOf(const FeatureValue& value) {
  constexpr std::string_view kKinds[] = {"an array",
                                         "an integer",
                                         "a double",
                                         "a text",
                                         "a dictionary with text keys",
                                         "a dictionary with integer keys",
                                         "a sequence of texts",
                                         "a sequence of integers",
                                         "an image"};
  return kKinds[value.index()];
}

std::string KindOf(const ir::Feature& feature) { return std::visit(FeatureKind{}, feature.type); }

std::vector<double> NumbersOf(const exec::Tensor& tensor) {
  const auto literal = tensor.ToLiteral(tensor.dtype());
  if (!literal.ok()) return {};
  if (tensor.dtype() == DType::kBool) {
    const std::span<const uint8_t> bits = literal->As<uint8_t>();
    return {bits.begin(), bits.end()};
  }
  return literal->AsDoubles().value_or(std::vector<double>());
}

Result<exec::Tensor> ArrayOf(DType dtype, const ir::Shape& shape, std::span<const double> numbers) {
  const auto count = ir::ElementCount(shape);
  if (count != static_cast<int64_t>(numbers.size())) {
    return Usage("{} numbers do not fill an array of shape {}", numbers.size(),
                 ir::ShapeToString(shape));
  }
  ANEMONE_ASSIGN(exec::Tensor tensor, exec::Tensor::Allocate(dtype, shape));
  switch (dtype) {
    case DType::kFp64:
      std::ranges::copy(numbers, tensor.As<double>());
      return tensor;
    case DType::kFp32:
      std::ranges::transform(numbers, tensor.As<float>(),
                             [](double number) { return static_cast<float>(number); });
      return tensor;
    case DType::kFp16: {
      auto* halves = tensor.As<Half>();
      std::ranges::transform(numbers, halves,
                             [](double number) { return Half(static_cast<float>(number)); });
      return tensor;
    }
    default:
      break;
  }
  const int bits = BitWidth(dtype);
  if (!(IsInt(dtype) || dtype == DType::kBool) || bits < 8 || bits > 64) {
    return Unsupported("a feature cannot be an array of {}", DTypeName(dtype));
  }
  const bool is_signed = IsSignedInt(dtype);
  const double lower = is_signed ? -std::ldexp(1.0, bits - 1) : 0.0;
  const double end = std::ldexp(1.0, is_signed ? bits - 1 : bits);
  auto* bytes = tensor.As<std::byte>();
  const auto width = static_cast<size_t>(bits / 8);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const double whole = std::trunc(numbers[i]);
    if (!(whole >= lower && whole < end)) {
      return Usage("{} does not fit an array of {}", numbers[i], DTypeName(dtype));
    }
    const uint64_t integer = whole < 0 ? static_cast<uint64_t>(static_cast<int64_t>(whole))
                                       : static_cast<uint64_t>(whole);
    // The low bytes come first on every machine that this is built for (base/bytes.h).
    std::memcpy(bytes + i * width, &integer, width);
  }
  return tensor;
}

Result<exec::Tensor> WithDType(const exec::Tensor& tensor, DType dtype) {
  if (tensor.dtype() == dtype) return tensor;
  return ArrayOf(dtype, tensor.shape(), NumbersOf(tensor));
}

Result<FeatureValue> Conform(const ir::Feature& feature, const FeatureValue& value) {
  return std::visit(Conformer{feature, value}, feature.type);
}

Result<FeatureValues> ConformInputs(const ir::FunctionDescription& description,
                                    const FeatureValues& inputs) {
  std::string names;
  for (const ir::Feature& feature : description.inputs) {
    names += (names.empty() ? "" : ", ") + feature.name;
  }
  for (const auto& [name, value] : inputs) {
    if (description.FindInput(name) == nullptr) {
      return Usage("the model has no input '{}'", name).Advise("it has " + names);
    }
  }
  FeatureValues conformed;
  for (const ir::Feature& feature : description.inputs) {
    const std::string place = fmt::format("input '{}'", feature.name);
    const auto given = inputs.find(feature.name);
    if (given != inputs.end()) {
      ANEMONE_ASSIGN(FeatureValue value, Conform(feature, given->second).At(place));
      conformed.emplace(feature.name, std::move(value));
      continue;
    }
    if (const std::optional<double> number = DefaultOf(feature)) {
      const ir::ArrayFeature& array = *feature.array();
      const int64_t count = ir::ElementCount(array.shape).value_or(kMaxDefault + 1);
      if (count > kMaxDefault) {
        return InvalidInput("a default value is declared for {}", KindOf(feature)).At(place);
      }
      const std::vector<double> numbers(static_cast<size_t>(count), *number);
      ANEMONE_ASSIGN(exec::Tensor tensor, ArrayOf(array.dtype, array.shape, numbers).At(place));
      conformed.emplace(feature.name, std::move(tensor));
    } else if (!feature.optional) {
      return Usage("input '{}' is missing", feature.name)
          .Advise(fmt::format("it takes {}", KindOf(feature)));
    }
  }
  return conformed;
}

Result<FeatureValue> OutputOf(const ir::Feature& feature, std::span<const double> numbers) {
  const std::string place = fmt::format("output '{}'", feature.name);
  if (const ir::ArrayFeature* array = feature.array()) {
    const bool fits = ir::ElementCount(array->shape) == static_cast<int64_t>(numbers.size());
    const ir::Shape shape = fits && !array->shape.empty()
                                ? array->shape
                                : ir::Shape{static_cast<int64_t>(numbers.size())};
    if (!Allows(*array, shape)) {
      return InvalidInput("it is declared as {}, but the model gives {} numbers", KindOf(feature),
                          numbers.size())
          .At(place);
    }
    ANEMONE_ASSIGN(exec::Tensor tensor, ArrayOf(array->dtype, shape, numbers).At(place));
    return FeatureValue(std::move(tensor));
  }
  const auto* scalar = std::get_if<ir::ScalarFeature>(&feature.type);
  if (scalar == nullptr || *scalar == ir::ScalarFeature::kString || numbers.size() != 1) {
    return InvalidInput("it is declared as {}, but the model gives {} numbers", KindOf(feature),
                        numbers.size())
        .At(place);
  }
  if (*scalar == ir::ScalarFeature::kDouble) return FeatureValue(numbers.front());
  const std::optional<int64_t> whole = IntegerOf(std::trunc(numbers.front()));
  if (!whole) return InvalidInput("{} is not an integer", numbers.front()).At(place);
  return FeatureValue(*whole);
}

}  // namespace anemone::feature_models
