#include "base/json_reader.h"

#include <algorithm>
#include <cmath>

#include "base/nearest_names.h"
#include "base/parse_double.h"

namespace anemone {
namespace {

constexpr size_t kLongestShown = 60;
constexpr size_t kMostListed = 50;

const Json& Nothing() {
  static const Json nothing = Json::Object();
  return nothing;
}

std::string Shown(const Json& json) {
  std::string text = json.Dump({.ascii = true});
  if (text.size() > kLongestShown) text = text.substr(0, kLongestShown) + "...";
  return text;
}

// A name of the document's own, as text that cannot steer a terminal.
std::string Escaped(std::string_view name) {
  const std::string quoted = JsonText(name);
  return quoted.substr(1, quoted.size() - 2);
}

std::string IntegerRule(int64_t low, int64_t high) {
  if (low == high) return fmt::format("must be {}", low);
  if (high != INT64_MAX) return fmt::format("must be an integer from {} to {}", low, high);
  if (low != INT64_MIN) return fmt::format("must be an integer of at least {}", low);
  return "must be an integer";
}

std::string NumberRule(double low, double high) {
  if (std::isfinite(high)) return fmt::format("must be a number from {:g} to {:g}", low, high);
  if (std::isfinite(low)) return fmt::format("must be a number of at least {:g}", low);
  return "must be a number";
}

std::string Lowered(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

}  // namespace

void JsonProblems::Add(std::string path, std::string rule) {
  ++count_;
  if (!full()) list_.push_back({std::move(path), std::move(rule)});
}

bool JsonProblems::full() const { return list_.size() >= kMostListed; }

Status JsonProblems::status(ErrorCode code, const std::string& file) const {
  if (count_ == 0) return {};
  if (count_ == 1) {
    Error error(code, list_[0].rule);
    if (!list_[0].path.empty()) error = std::move(error).At(list_[0].path);
    if (!file.empty()) error = std::move(error).At(file);
    return error;
  }
  std::string text = fmt::format("there are {} problems:", count_);
  for (const auto& [path, rule] : list_) {
    std::string place = file + (file.empty() || path.empty() ? "" : ":") + path;
    if (!place.empty()) place += ": ";
    text += "\n  " + place + rule;
  }
  if (count_ > list_.size()) text += "\n  and more";
  Error error(code, std::move(text));
  if (!file.empty()) error = std::move(error).At(file);
  return error;
}

JsonObject::JsonObject(const Json& json, std::string path, JsonProblems& problems,
                       const JsonReading& reading)
    : json_(json.is_object() ? json : Nothing()),
      path_(std::move(path)),
      problems_(problems),
      reading_(reading),
      given_(json.is_object()) {
  if (!given_) problems_.Add(path_, "must be an object, but is " + Shown(json));
}

JsonObject::JsonObject(const Json& json, std::string path, const JsonObject& parent)
    : JsonObject(json, std::move(path), parent.problems_, parent.reading_) {}

JsonObject::JsonObject(JsonProblems& problems) : json_(Nothing()), problems_(problems) {}

JsonObject::~JsonObject() {
  if (reading_.unknown_allowed) return;
  for (const JsonMember& member : json_.items()) {
    if (std::ranges::find(known_, member.key) != known_.end()) continue;
    // Looking for near names takes time, which a hostile document must not have.
    const std::string advice = problems_.full() ? "" : SuggestNames(member.key, known_, "keys");
    problems_.Add(PathOf(member.key),
                  advice.empty() ? "is not a key here" : "is not a key here; " + advice);
  }
}

std::string JsonObject::PathOf(std::string_view key) const {
  return path_.empty() ? Escaped(key) : fmt::format("{}.{}", path_, Escaped(key));
}

const Json* JsonObject::Find(std::string_view key) {
  if (std::ranges::find(known_, key) == known_.end()) known_.push_back(key);
  const Json* found = json_.Find(key);
  if (found == nullptr && given_ && reading_.all_required) Miss(key);
  return found;
}

bool JsonObject::HasValue(std::string_view key) {
  const Json* json = Find(key);
  return json != nullptr && !json->is_null();
}

void JsonObject::Miss(std::string_view key) {
  if (given_ && missed_.insert(key).second) problems_.Add(PathOf(key), "must be given");
}

void JsonObject::Fail(std::string_view key, std::string_view rule) {
  problems_.Add(PathOf(key), std::string(rule));
}

void JsonObject::Fail(std::string_view key, std::string_view rule, const Json& value) {
  problems_.Add(PathOf(key), fmt::format("{}, but is {}", rule, Shown(value)));
}

std::optional<double> JsonObject::NumberOf(const Json& json) const {
  if (json.is_number()) return json.number();
  if (!reading_.loose_values || !json.is_text()) return std::nullopt;
  return ParseDouble(json.text());
}

std::optional<int64_t> JsonObject::IntegerOf(const Json& json) const {
  if (json.is_integer()) {
    const bool fits = !json.is_unsigned() || json.unsigned_integer() <= INT64_MAX;
    return fits ? std::optional(json.integer()) : std::nullopt;
  }
  const std::optional<double> number = reading_.loose_values ? NumberOf(json) : std::nullopt;
  constexpr double kExact = 1e15;  // beyond, not every whole number is a double
  if (!number || *number != std::floor(*number) || std::abs(*number) > kExact) return std::nullopt;
  return static_cast<int64_t>(*number);
}

bool JsonObject::Get(std::string_view key, bool* value) {
  const Json* json = Find(key);
  if (json == nullptr) return false;
  if (!json->is_boolean()) return Wrong(key, "must be true or false", *json);
  *value = json->boolean();
  return true;
}

bool JsonObject::Get(std::string_view key, std::string* value) {
  const Json* json = Find(key);
  if (json == nullptr) return false;
  if (!json->is_text()) return Wrong(key, "must be text", *json);
  *value = json->text();
  return true;
}

bool JsonObject::Get(std::string_view key, std::vector<std::string>* value) {
  const Json* json = Find(key);
  if (json == nullptr) return false;
  const auto is_text = [](const Json& item) { return item.is_text(); };
  if (!json->is_array() || !std::ranges::all_of(*json, is_text)) {
    return Wrong(key, "must be a list of texts", *json);
  }
  value->clear();
  for (const Json& item : *json) value->push_back(item.text());
  return true;
}

bool JsonObject::Get(std::string_view key, double* value, double low, double high) {
  const Json* json = Find(key);
  if (json == nullptr) return false;
  const std::optional<double> number = NumberOf(*json);
  if (!number || !(*number >= low && *number <= high)) {
    return Wrong(key, NumberRule(low, high), *json);
  }
  *value = *number;
  return true;
}

bool JsonObject::Get(std::string_view key, int64_t* value, int64_t low, int64_t high) {
  const Json* json = Find(key);
  if (json == nullptr) return false;
  const std::optional<int64_t> integer = IntegerOf(*json);
  if (!integer || *integer < low || *integer > high) {
    return Wrong(key, IntegerRule(low, high), *json);
  }
  *value = *integer;
  return true;
}

bool JsonObject::Get(std::string_view key, uint64_t* value) {
  const Json* json = Find(key);
  if (json == nullptr) return false;
  if (!json->is_unsigned())
    return Wrong(key, fmt::format("must be an integer from 0 to {}", UINT64_MAX), *json);
  *value = json->unsigned_integer();
  return true;
}

bool JsonObject::Get(std::string_view key, int* value, int low, int high) {
  int64_t wide = 0;
  if (!Get(key, &wide, int64_t{low}, int64_t{high})) return false;
  *value = static_cast<int>(wide);
  return true;
}

bool JsonObject::Choose(std::string_view key, std::span<const std::string_view> names,
                        size_t* chosen) {
  const Json* json = Find(key);
  if (json == nullptr) return false;
  const std::string text = reading_.loose_values ? Lowered(json->text()) : json->text();
  const auto found = std::ranges::find(names, text);
  if (!json->is_text() || found == names.end()) {
    std::string rule = "must be ";
    for (size_t i = 0; i < names.size(); ++i) {
      rule += fmt::format("{}\"{}\"", i == 0 ? "" : i + 1 < names.size() ? ", " : " or ", names[i]);
    }
    return Wrong(key, rule, *json);
  }
  *chosen = static_cast<size_t>(found - names.begin());
  return true;
}

JsonObject JsonObject::Object(std::string_view key) {
  const Json* json = Find(key);
  if (json == nullptr) return JsonObject(problems_);
  return {*json, PathOf(key), *this};
}

const Json* JsonObject::Array(std::string_view key) {
  const Json* json = Find(key);
  if (json == nullptr || json->is_array()) return json;
  Fail(key, "must be a list", *json);
  return nullptr;
}

const Json* JsonObject::Map(std::string_view key) {
  const Json* json = Find(key);
  if (json == nullptr || json->is_object()) return json;
  Fail(key, "must be an object", *json);
  return nullptr;
}

bool JsonObject::Wrong(std::string_view key, std::string_view rule, const Json& value) {
  Fail(key, rule, value);
  return false;
}

JsonDocument::JsonDocument(std::string_view text, std::string_view noun, const JsonReading& reading)
    : reading_(reading) {
  std::vector<std::string> repeated;
  Result<Json> json = ParseJson(text, {.max_depth = reading.max_depth, .repeated = &repeated});
  if (!json.ok()) {
    problems_.Add("", fmt::format("{} must be JSON: {}", noun, json.error().message()));
    return;
  }
  json_ = std::move(*json);
  CheckIsObject(noun);
  // Given twice, it would be left to the parser which of them holds.
  for (const std::string& path : repeated) problems_.Add(Escaped(path), "must be given once");
}

JsonDocument JsonDocument::Of(Json json, std::string_view noun, const JsonReading& reading) {
  JsonDocument document;
  document.json_ = std::move(json);
  document.reading_ = reading;
  document.CheckIsObject(noun);
  return document;
}

JsonObject JsonDocument::root() {
  if (!json_.is_object()) return JsonObject(problems_);
  return {json_, "", problems_, reading_};
}

void JsonDocument::CheckIsObject(std::string_view noun) {
  if (json_.is_object()) return;
  problems_.Add("", fmt::format("{} must be a JSON object, but is {}", noun, Shown(json_)));
}

}  // namespace anemone
