#include "acquire/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "acquire/url.h"
#include "base/json_reader.h"

namespace anemone::acquire {

// Made by cmake/embed_json.cmake from models/catalog.json.
extern const char* const kCatalogJson;
extern const size_t kCatalogJsonSize;

namespace {

bool IsHexadecimal(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> choices) {
  return std::find(choices.begin(), choices.end(), text) != choices.end();
}

std::string Text(JsonObject& object, std::string_view key) {
  std::string text;
  if (object.Get(key, &text) && text.empty()) object.Fail(key, "must not be empty");
  return text;
}
// A fact that may be absent: null.
std::string TextOrNull(JsonObject& object, std::string_view key) {
  return object.HasValue(key) ? Text(object, key) : "";
}

std::array<double, 3> Three(JsonObject& object, std::string_view key) {
  std::array<double, 3> values{};
  const Json* json = object.Array(key);
  if (json == nullptr) return values;
  if (json->size() != values.size() || !std::ranges::all_of(*json, &Json::is_number)) {
    object.Fail(key, "must hold three numbers", *json);
    return values;
  }
  for (size_t i = 0; i < values.size(); ++i) values[i] = (*json)[i].number();
  return values;
}

CatalogFile ReadFile(JsonObject& object) {
  CatalogFile file;
  file.url = Text(object, "url");
  const auto url = ParseUrl(file.url);
  // Without libcurl nothing can be fetched, but the catalog is the same, and seeded weights need none.
  const bool unknown = !url.ok() && url.error().code() == ErrorCode::kUnavailable;
  if (!url.ok() && !unknown) object.Fail("url", url.error().message());
  if (url.ok() && url->scheme != "https") object.Fail("url", "must be https");
  object.Get("size_bytes", &file.size_bytes, int64_t{1});
  file.sha256 = TextOrNull(object, "sha256");
  if (!file.sha256.empty() && (file.sha256.size() != 64 || !IsHexadecimal(file.sha256)))
    object.Fail("sha256", "must be 64 hexadecimal digits");
  file.sha256_prefix = TextOrNull(object, "sha256_prefix");
  if (!file.sha256_prefix.empty() &&
      (file.sha256_prefix.size() < 8 || !IsHexadecimal(file.sha256_prefix)))
    object.Fail("sha256_prefix", "must be 8 or more hexadecimal digits");
  return file;
}

CatalogInput ReadInput(JsonObject& object) {
  CatalogInput input;
  input.name = Text(object, "name");
  input.dtype = Text(object, "dtype");
  if (const Json* shape = object.Array("shape")) {
    for (const Json& size : *shape) input.shape.push_back(size.integer());
    if (std::ranges::any_of(input.shape, [](int64_t size) { return size <= 0; }))
      object.Fail("shape", "must hold positive integers", *shape);
  }
  if (!object.HasValue("preprocessing")) return input;
  JsonObject inner = object.Object("preprocessing");
  CatalogPreprocessing read;
  inner.Get("resize", &read.resize, int64_t{0});
  read.filter = Text(inner, "filter");
  if (!IsOneOf(read.filter, {"bicubic", "bilinear"}))
    inner.Fail("filter", "must be 'bicubic' or 'bilinear'");
  read.mean = Three(inner, "mean");
  read.std = Three(inner, "std");
  input.preprocessing = read;
  return input;
}

CatalogAccuracy ReadAccuracy(JsonObject& object) {
  CatalogAccuracy accuracy;
  accuracy.metric = Text(object, "metric");
  object.Get("value", &accuracy.value);
  accuracy.unit = Text(object, "unit");
  accuracy.dataset = Text(object, "dataset");
  accuracy.source = Text(object, "source");
  return accuracy;
}

// The objects of a list, each by `read`.
template <typename T>
std::vector<T> ReadList(JsonObject& object, std::string_view key, T (*read)(JsonObject&)) {
  std::vector<T> list;
  const Json* json = object.Array(key);
  if (json == nullptr) return list;
  for (const Json& item : *json) {
    JsonObject one(item, object.PathOf(fmt::format("{}[{}]", key, list.size())), object);
    list.push_back(read(one));
  }
  return list;
}
template <typename T>
std::vector<T> ReadFullList(JsonObject& object, std::string_view key, T (*read)(JsonObject&)) {
  std::vector<T> list = ReadList(object, key, read);
  if (list.empty()) object.Fail(key, "must not be empty");
  return list;
}

CatalogEntry ReadEntry(JsonObject& object) {
  CatalogEntry entry;
  entry.name = Text(object, "name");
  if (entry.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos)
    object.Fail("name", "must be lower case letters, digits and '_'");
  entry.title = Text(object, "title");
  entry.task = Text(object, "task");
  entry.import = Text(object, "import");
  if (!IsOneOf(entry.import, {"zoo", "onnx"})) object.Fail("import", "must be 'zoo' or 'onnx'");
  entry.architecture = Text(object, "architecture");
  entry.naming = Text(object, "naming");
  entry.files = ReadFullList(object, "files", &ReadFile);
  entry.license = TextOrNull(object, "license");
  entry.source = Text(object, "source");
  entry.inputs = ReadFullList(object, "inputs", &ReadInput);
  entry.labels = TextOrNull(object, "labels");
  if (object.HasValue("accuracy")) entry.accuracy = ReadList(object, "accuracy", &ReadAccuracy);
  entry.checked = TextOrNull(object, "checked");
  return entry;
}

}  // namespace

Result<std::vector<CatalogEntry>> ParseCatalog(std::string_view text) {
  // Every key must be there; a fact that is not known is null.
  JsonDocument document(text, "a catalog", {.max_depth = 16, .all_required = true});
  std::vector<CatalogEntry> entries;
  {
    JsonObject object = document.root();
    constexpr std::array<std::string_view, 1> kSchemas{"anemone.catalog"};
    size_t schema = 0;
    object.Choose("schema", kSchemas, &schema);
    int64_t version = 0;
    object.Get("schema_version", &version, int64_t{1}, int64_t{1});
    entries = ReadList(object, "models", &ReadEntry);
    std::set<std::string> names;
    for (const CatalogEntry& entry : entries) {
      if (!names.insert(entry.name).second)
        object.Fail("models", fmt::format("must hold '{}' once", entry.name));
    }
  }
  ANEMONE_TRY(document.status(ErrorCode::kInvalidInput));
  return entries;
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
