#include "acquire/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "acquire/url.h"
#include "base/json.h"

namespace anemone::acquire {

// Made by cmake/catalog.cmake from models/catalog.json.
extern const char* const kCatalogJson;
extern const size_t kCatalogJsonSize;

namespace {

// Reads one object and collects its problems: keys that are missing, mistyped or unknown.
class Object {
 public:
  Object(const Json& json, std::string place, std::vector<std::string>* problems)
      : json_(json), place_(std::move(place)), problems_(problems) {
    if (!json_.is_object()) Say("this is not an object");
  }
  ~Object() {
    if (!json_.is_object()) return;
    for (const auto& [key, value] : json_.items()) {
      if (!known_.contains(key)) Say(fmt::format("the key '{}' is unknown", key));
    }
  }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  // Null keys are absent facts; `required` ones must be present and not null.
  const Json* Get(const char* key, bool required, bool (Json::*is)() const, const char* type) {
    known_.insert(key);
    const Json* found = json_.Find(key);
    if (found == nullptr) {
      Say(fmt::format("the key '{}' is missing", key));
      return nullptr;
    }
    if (found->is_null()) {
      if (required) Say(fmt::format("the key '{}' must not be null", key));
      return nullptr;
    }
    if (!((*found).*is)()) {
      Say(fmt::format("the key '{}' must be {}", key, type));
      return nullptr;
    }
    return found;
  }
  std::string Text(const char* key, bool required) {
    const Json* json = Get(key, required, &Json::is_text, "a string");
    if (json == nullptr) return {};
    auto text = json->text();
    if (text.empty()) Say(fmt::format("the key '{}' must not be empty", key));
    return text;
  }
  void Say(const std::string& text) { problems_->push_back(place_ + ": " + text); }
  const std::string& place() const { return place_; }

 private:
  const Json& json_;
  std::string place_;
  std::vector<std::string>* problems_;
  std::set<std::string, std::less<>> known_;
};

bool IsHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> choices) {
  return std::find(choices.begin(), choices.end(), text) != choices.end();
}

std::array<double, 3> Three(Object& object, const char* key) {
  std::array<double, 3> values{};
  const Json* json = object.Get(key, true, &Json::is_array, "a list");
  if (json == nullptr) return values;
  if (json->size() != 3 || !std::all_of(json->begin(), json->end(),
                                        [](const Json& value) { return value.is_number(); })) {
    object.Say(fmt::format("the key '{}' must hold three numbers", key));
    return values;
  }
  for (size_t i = 0; i < 3; ++i) values[i] = (*json)[i].number();
  return values;
}

CatalogFile ReadFile(const Json& json, const std::string& place,
                     std::vector<std::string>* problems) {
  Object object(json, place, problems);
  CatalogFile file;
  file.url = object.Text("url", true);
  const auto url = ParseUrl(file.url);
  if (!url.ok()) object.Say(url.error().message());
  if (url.ok() && url->scheme != "https") object.Say("the URL must be https");
  if (const Json* size =
          object.Get("size_bytes", false, &Json::is_unsigned, "a positive integer")) {
    file.size_bytes = size->integer();
    if (*file.size_bytes <= 0) object.Say("the key 'size_bytes' must be positive");
  }
  file.sha256 = object.Text("sha256", false);
  if (!file.sha256.empty() && (file.sha256.size() != 64 || !IsHex(file.sha256))) {
    object.Say("the key 'sha256' must be 64 hexadecimal digits");
  }
  file.sha256_prefix = object.Text("sha256_prefix", false);
  if (!file.sha256_prefix.empty() &&
      (file.sha256_prefix.size() < 8 || !IsHex(file.sha256_prefix))) {
    object.Say("the key 'sha256_prefix' must be 8 or more hexadecimal digits");
  }
  return file;
}

CatalogInput ReadInput(const Json& json, const std::string& place,
                       std::vector<std::string>* problems) {
  Object object(json, place, problems);
  CatalogInput input;
  input.name = object.Text("name", true);
  input.dtype = object.Text("dtype", true);
  if (const Json* shape = object.Get("shape", true, &Json::is_array, "a list")) {
    for (const Json& size : *shape) {
      input.shape.push_back(size.is_unsigned() ? size.integer() : 0);
    }
    if (std::any_of(input.shape.begin(), input.shape.end(), [](int64_t n) { return n <= 0; })) {
      object.Say("the key 'shape' must hold positive integers");
    }
  }
  if (const Json* pre = object.Get("preprocessing", false, &Json::is_object, "an object")) {
    Object inner(*pre, place + " preprocessing", problems);
    CatalogPreprocessing read;
    if (const Json* resize = inner.Get("resize", true, &Json::is_unsigned, "a positive integer")) {
      read.resize = resize->integer();
    }
    read.filter = inner.Text("filter", true);
    if (!IsOneOf(read.filter, {"bicubic", "bilinear"})) inner.Say("the filter is unknown");
    read.mean = Three(inner, "mean");
    read.std = Three(inner, "std");
    input.preprocessing = read;
  }
  return input;
}

CatalogAccuracy ReadAccuracy(const Json& json, const std::string& place,
                             std::vector<std::string>* problems) {
  Object object(json, place, problems);
  CatalogAccuracy accuracy;
  accuracy.metric = object.Text("metric", true);
  if (const Json* value = object.Get("value", true, &Json::is_number, "a number")) {
    accuracy.value = value->number();
  }
  accuracy.unit = object.Text("unit", true);
  accuracy.dataset = object.Text("dataset", true);
  accuracy.source = object.Text("source", true);
  return accuracy;
}

template <typename T>
std::vector<T> ReadList(Object& object, const char* key, bool required,
                        T (*read)(const Json&, const std::string&, std::vector<std::string>*),
                        std::vector<std::string>* problems) {
  std::vector<T> list;
  const Json* json = object.Get(key, required, &Json::is_array, "a list");
  if (json == nullptr) return list;
  for (const Json& item : *json) {
    list.push_back(
        read(item, fmt::format("{} {}[{}]", object.place(), key, list.size()), problems));
  }
  if (required && list.empty()) object.Say(fmt::format("the key '{}' must not be empty", key));
  return list;
}

CatalogEntry ReadEntry(const Json& json, size_t index, std::vector<std::string>* problems) {
  const bool named = json.is_object() && json.contains("name") && json["name"].is_text();
  Object object(json, named ? json["name"].text() : fmt::format("model {}", index), problems);
  CatalogEntry entry;
  entry.name = object.Text("name", true);
  if (entry.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos) {
    object.Say("the name must be lower case letters, digits and '_'");
  }
  entry.title = object.Text("title", true);
  entry.task = object.Text("task", true);
  entry.import = object.Text("import", true);
  if (!IsOneOf(entry.import, {"zoo", "onnx"})) {
    object.Say("the key 'import' must be 'zoo' or 'onnx'");
  }
  entry.architecture = object.Text("architecture", true);
  entry.naming = object.Text("naming", true);
  entry.files = ReadList(object, "files", true, &ReadFile, problems);
  entry.license = object.Text("license", false);
  entry.source = object.Text("source", true);
  entry.inputs = ReadList(object, "inputs", true, &ReadInput, problems);
  entry.labels = object.Text("labels", false);
  entry.accuracy = ReadList(object, "accuracy", false, &ReadAccuracy, problems);
  entry.checked = object.Text("checked", false);
  return entry;
}

}  // namespace

Result<std::vector<CatalogEntry>> ParseCatalog(std::string_view text) {
  const Json json = ParseJsonOrNull(text, {.max_depth = 16});
  if (!json.is_object()) return InvalidInput("this is not a JSON object");
  std::vector<std::string> problems;
  std::vector<CatalogEntry> entries;
  {
    Object object(json, "catalog", &problems);
    if (object.Text("schema", true) != "anemone.catalog") {
      object.Say("the schema must be 'anemone.catalog'");
    }
    const Json* version = object.Get("schema_version", true, &Json::is_integer, "an integer");
    if (version != nullptr && *version != 1) object.Say("the schema version must be 1");
    if (const Json* models = object.Get("models", true, &Json::is_array, "a list")) {
      for (const Json& model : *models) {
        entries.push_back(ReadEntry(model, entries.size(), &problems));
      }
    }
  }
  std::set<std::string> names;
  for (const CatalogEntry& entry : entries) {
    if (!names.insert(entry.name).second) problems.push_back(entry.name + ": appears twice");
  }
  if (problems.empty()) return entries;
  return InvalidInput("{}", fmt::join(problems, "; "));
}

std::string_view CatalogJson() { return {kCatalogJson, kCatalogJsonSize}; }

const std::vector<CatalogEntry>& Catalog() {
  static const auto* const entries = [] {
    auto parsed = ParseCatalog(CatalogJson());
    return new std::vector<CatalogEntry>(parsed.ok() ? std::move(parsed).value()
                                                     : std::vector<CatalogEntry>{});
  }();
  return *entries;
}

const CatalogEntry* FindInCatalog(std::string_view name) {
  const auto& entries = Catalog();
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const CatalogEntry& entry) { return entry.name == name; });
  return found != entries.end() ? &*found : nullptr;
}

}  // namespace anemone::acquire
