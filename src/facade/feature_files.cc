#include "facade/feature_files.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "base/npy.h"
#include "base/parse_double.h"
#include "media/image.h"
#include "media/resize.h"

namespace anemone::facade {
namespace {

using feature_models::FeatureValue;
using feature_models::FeatureValues;

Result<int64_t> ParseInteger(const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Usage("'{}' is not an integer", text);
  }
  return value;
}

// Every number of nested lists, in their order.
Status Flatten(const Json& json, std::vector<double>& numbers) {
  if (json.is_number()) {
    numbers.push_back(json.number());
    return {};
  }
  if (!json.is_array()) return Usage("a list of numbers holds {}", json.kind());
  for (const Json& element : json) ANEMONE_TRY(Flatten(element, numbers));
  return {};
}

Result<FeatureValue> ArrayOfJson(const ir::ArrayFeature& feature, const Json& json) {
  std::vector<double> numbers;
  ANEMONE_TRY(Flatten(json, numbers));
  const auto count = static_cast<int64_t>(numbers.size());
  const bool fits = !feature.shape.empty() && ir::ElementCount(feature.shape) == count;
  ANEMONE_ASSIGN(
      exec::Tensor tensor,
      feature_models::ArrayOf(feature.dtype, fits ? feature.shape : ir::Shape{count}, numbers));
  return FeatureValue(std::move(tensor));
}

Result<FeatureValue> DictionaryOf(const ir::DictionaryFeature& feature, const Json& json) {
  if (!json.is_object()) return Usage("a dictionary is a JSON object, not {}", json.kind());
  feature_models::StringDictionary by_text;
  feature_models::Int64Dictionary by_integer;
  for (const JsonMember& member : json.items()) {
    if (!member.value.is_number()) {
      return Usage("'{}' holds {}, not a number", member.key, member.value.kind());
    }
    if (feature.key == ir::KeyType::kString) {
      by_text[member.key] = member.value.number();
    } else {
      ANEMONE_ASSIGN(const int64_t key, ParseInteger(member.key));
      by_integer[key] = member.value.number();
    }
  }
  if (feature.key == ir::KeyType::kString) return FeatureValue(std::move(by_text));
  return FeatureValue(std::move(by_integer));
}

Result<FeatureValue> SequenceOf(const ir::SequenceFeature& feature, const Json& json) {
  if (!json.is_array()) return Usage("a sequence is a JSON list, not {}", json.kind());
  feature_models::Strings texts;
  feature_models::Int64s integers;
  for (const Json& element : json) {
    const bool text = feature.element == ir::KeyType::kString;
    if (text ? !element.is_text() : !element.is_integer()) {
      return Usage("the sequence holds {}", element.kind());
    }
    if (text) {
      texts.push_back(element.text());
    } else {
      integers.push_back(element.integer());
    }
  }
  if (feature.element == ir::KeyType::kString) return FeatureValue(std::move(texts));
  return FeatureValue(std::move(integers));
}

// A photograph in the feature's size; gray by the weights of ITU-R 601, as Pillow's "L".
Result<FeatureValue> ImageOfFile(const ir::ImageFeature& feature, const std::string& path) {
  ANEMONE_ASSIGN(media::Image image, media::ReadImage(path));
  if (image.width != feature.size.width || image.height != feature.size.height) {
    ANEMONE_ASSIGN(image,
                   media::Resize(image, static_cast<int>(feature.size.width),
                                 static_cast<int>(feature.size.height), media::Filter::kBilinear));
  }
  const bool gray = feature.color_space == ir::ImageFeature::ColorSpace::kGrayscale ||
                    feature.color_space == ir::ImageFeature::ColorSpace::kGrayscaleFp16;
  const ir::Shape shape =
      gray ? ir::Shape{image.height, image.width} : ir::Shape{image.height, image.width, 3};
  ANEMONE_ASSIGN(exec::Tensor pixels, exec::Tensor::Allocate(DType::kUInt8, shape));
  if (!gray) {
    std::ranges::copy(image.pixels, pixels.As<uint8_t>());
  } else {
    for (size_t i = 0; i < image.pixels.size() / 3; ++i) {
      const uint8_t* rgb = &image.pixels[3 * i];
      pixels.As<uint8_t>()[i] = static_cast<uint8_t>(
          (rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
    }
  }
  return FeatureValue(feature_models::Image{std::move(pixels)});
}

Result<FeatureValue> ArrayOfFile(const std::string& path) {
  ANEMONE_ASSIGN(const NpyArray array, ReadNpy(path));
  ANEMONE_ASSIGN(exec::Tensor tensor,
                 exec::Tensor::Copy({array.dtype, array.shape, array.data.data()}));
  return FeatureValue(std::move(tensor));
}

Result<Json> JsonOfFile(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  return ParseJson(bytes.text()).At(path);
}

Result<Json> JsonOf(const std::string& text) {
  if (text.ends_with(".json")) return JsonOfFile(text);
  return ParseJson(text);
}

// A JSON value as the feature takes it.
Result<FeatureValue> ValueOfJson(const ir::Feature& feature, const Json& json) {
  if (const auto* array = feature.array()) return ArrayOfJson(*array, json);
  if (const auto* dictionary = std::get_if<ir::DictionaryFeature>(&feature.type)) {
    return DictionaryOf(*dictionary, json);
  }
  if (const auto* sequence = std::get_if<ir::SequenceFeature>(&feature.type)) {
    return SequenceOf(*sequence, json);
  }
  if (const auto* image = feature.image(); image != nullptr && json.is_text()) {
    return ImageOfFile(*image, json.text());
  }
  if (json.is_text()) return FeatureValue(json.text());
  if (json.is_integer()) return FeatureValue(json.integer());
  if (json.is_number()) return FeatureValue(json.number());
  return Usage("it takes {}, not JSON's {}", feature_models::KindOf(feature), json.kind());
}

Result<FeatureValue> ValueOfText(const ir::Feature& feature, const std::string& text) {
  if (const auto* image = feature.image()) return ImageOfFile(*image, text);
  if (const auto* scalar = std::get_if<ir::ScalarFeature>(&feature.type)) {
    switch (*scalar) {
      case ir::ScalarFeature::kString:
        return FeatureValue(text);
      case ir::ScalarFeature::kInt64: {
        ANEMONE_ASSIGN(const int64_t integer, ParseInteger(text));
        return FeatureValue(integer);
      }
      case ir::ScalarFeature::kDouble: {
        // A missing number, to the models that know such.
        if (text == "nan") return FeatureValue(std::numeric_limits<double>::quiet_NaN());
        const std::optional<double> number = ParseDouble(text);
        if (!number) return Usage("'{}' is not a number", text);
        return FeatureValue(*number);
      }
    }
  }
  if (feature.array() != nullptr && text.ends_with(".npy")) return ArrayOfFile(text);
  ANEMONE_ASSIGN(const Json json, JsonOf(text));
  return ValueOfJson(feature, json);
}

Result<const ir::Feature*> FindInput(const ir::FunctionDescription& description,
                                     const std::string& name) {
  const ir::Feature* feature = description.FindInput(name);
  if (feature != nullptr) return feature;
  std::string names;
  for (const ir::Feature& input : description.inputs)
    names += (names.empty() ? "" : ", ") + input.name;
  return Usage("the model has no input '{}'", name).Advise("it has " + names);
}

Status ReadAll(const ir::FunctionDescription& description, const std::string& path,
               FeatureValues& values) {
  ANEMONE_ASSIGN(const Json json, JsonOfFile(path));
  if (!json.is_object()) return Usage("the file holds {}, not an object of inputs", json.kind());
  for (const JsonMember& member : json.items()) {
    ANEMONE_ASSIGN(const ir::Feature* feature, FindInput(description, member.key));
    ANEMONE_ASSIGN(values[member.key],
                   ValueOfJson(*feature, member.value).At("input " + member.key));
  }
  return {};
}

// {"value": ...} of what is not an array.
struct ToJson {
  Json operator()(const exec::Tensor&) const { return nullptr; }
  Json operator()(const feature_models::Image&) const { return nullptr; }
  Json operator()(const feature_models::StringDictionary& dictionary) const {
    Json json = Json::Object();
    for (const auto& [key, number] : dictionary) json[key] = number;
    return json;
  }
  Json operator()(const feature_models::Int64Dictionary& dictionary) const {
    Json json = Json::Object();
    for (const auto& [key, number] : dictionary) json[std::to_string(key)] = number;
    return json;
  }
  template <typename T>
  Json operator()(const T& value) const {
    return Json(value);
  }
};

// The array of an array, the pixels of an image; null for all else.
const exec::Tensor* TensorIn(const FeatureValue& value) {
  if (const auto* image = std::get_if<feature_models::Image>(&value)) return &image->pixels;
  return std::get_if<exec::Tensor>(&value);
}

}  // namespace

Result<FeatureValues> ReadFeatures(const ir::FunctionDescription& description,
                                   const std::vector<std::string>& bindings) {
  FeatureValues values;
  for (const std::string& binding : bindings) {
    const size_t equals = binding.find('=');
    if (equals == std::string::npos && binding.ends_with(".json")) {
      ANEMONE_TRY(ReadAll(description, binding, values).At(binding));
      continue;
    }
    std::string name = equals == std::string::npos ? "" : binding.substr(0, equals);
    const std::string text = equals == std::string::npos ? binding : binding.substr(equals + 1);
    if (name.empty()) {
      if (description.inputs.size() != 1) {
        return Usage("'{}' does not name an input, and the model has {}", binding,
                     description.inputs.size())
            .Advise("write --input NAME=VALUE");
      }
      name = description.inputs.front().name;
    }
    ANEMONE_ASSIGN(const ir::Feature* feature, FindInput(description, name));
    ANEMONE_ASSIGN(values[name], ValueOfText(*feature, text).At("input " + name));
  }
  return values;
}

Json FeatureValueJson(const std::string& name, const FeatureValue& value) {
  const exec::Tensor* tensor = TensorIn(value);
  constexpr std::string_view kKinds[] = {"array",    "int64",      "double",
                                         "string",   "dictionary", "dictionary",
                                         "sequence", "sequence",   "image"};
  Json json{{"name", name}, {"kind", kKinds[value.index()]}};
  if (tensor == nullptr) {
    json["value"] = std::visit(ToJson{}, value);
    return json;
  }
  json["dtype"] = DTypeName(tensor->dtype());
  json["shape"] = tensor->shape();
  std::vector<double> numbers = feature_models::NumbersOf(*tensor);
  numbers.resize(std::min<size_t>(numbers.size(), kFirstValues));
  json["first_values"] = numbers;
  return json;
}

Status WriteFeatures(const FeatureValues& values, const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return IoError("cannot make the folder: {}", error.message()).At(directory);
  for (const auto& [name, value] : values) {
    std::string stem = name;
    std::ranges::replace_if(stem, [](char c) { return c == '/' || c == '\\' || c == '\0'; }, '_');
    const exec::Tensor* tensor = TensorIn(value);
    const std::string path =
        (std::filesystem::path(directory) / (stem + (tensor != nullptr ? ".npy" : ".json")))
            .string();
    ANEMONE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
    if (tensor != nullptr) {
      ANEMONE_ASSIGN(const ir::Literal literal, tensor->ToLiteral(tensor->dtype()));
      ANEMONE_ASSIGN(const auto bytes,
                     EncodeNpy({tensor->dtype(), tensor->shape(), literal.bytes()}));
      ANEMONE_TRY(file.Write(std::span<const std::byte>(bytes)));
    } else {
      const std::string text = std::visit(ToJson{}, value).Dump() + "\n";
      ANEMONE_TRY(file.Write(std::string_view(text)));
    }
    ANEMONE_TRY(file.Commit());
  }
  return {};
}

}  // namespace anemone::facade
