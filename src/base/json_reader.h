// The one strict reader of JSON objects (and of YAML, once it is a Json). A reader asks for each
// key by its name, type and range; whatever is wrong is collected, so that a document's mistakes
// are reported all at once, each with its place: a key that was not asked for (with the nearest
// names), one that is given twice, one that is missing, a wrong type, a number out of its range.
//
//   JsonDocument document(text, "a policy");
//   {
//     JsonObject top = document.root();
//     top.Require("name", &policy.name);
//     JsonObject run = top.Object("run");
//     run.Get("inferences", &policy.inferences, 1, 1'000'000);
//   }  // here each object reports the keys that were not read
//   ANEMONE_TRY(document.status(ErrorCode::kUsage, path));
//
// A key that is absent, or wrong, leaves the caller's value as it was. Thread rules: values;
// objects must not outlive their document.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace anemone {

// How a document is read.
struct JsonReading {
  int max_depth = kMaxJsonDepth;
  // Every key that is asked for must be there; else those that are left out keep their defaults.
  bool all_required = false;
  // As coremltools reads settings: numbers may stand as text, integers with a fraction of zero, and
  // names in any letter case.
  bool loose_values = false;
  // Keys that are not asked for are left alone: of documents that hold more than is read.
  bool unknown_allowed = false;
};

// What is wrong with one document.
class JsonProblems {
 public:
  // `path` is a key's: "checks.latency.max_ratio"; empty: of the document as a whole.
  void Add(std::string path, std::string rule);
  bool empty() const { return count_ == 0; }
  // So many that no more are listed: a hostile document may be wrong at every byte.
  bool full() const;

  // OK, or an error that lists all problems. With one it stands at its place, "FILE: KEY: rule";
  // with more each has a line of its own, "FILE:KEY: rule". `file` may be empty.
  Status status(ErrorCode code, const std::string& file) const;

 private:
  struct Problem {
    std::string path;
    std::string rule;
  };
  std::vector<Problem> list_;
  size_t count_ = 0;
};

// One object of a document. Reports the keys that were not read when it ends.
class JsonObject {
 public:
  // `json`, at `path`, must be an object. It and `problems` must outlive this.
  JsonObject(const Json& json, std::string path, JsonProblems& problems,
             const JsonReading& reading = {});
  // A part of `parent`, read the same way.
  JsonObject(const Json& json, std::string path, const JsonObject& parent);
  // One that is not given, and complains of nothing.
  explicit JsonObject(JsonProblems& problems);
  ~JsonObject();
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;

  // Whether it is an object at all, with or without members.
  bool given() const { return given_; }
  // "checks.latency" for "latency" of "checks".
  std::string PathOf(std::string_view key) const;

  // --- One key each. True when it was there and right, and was taken.
  bool Get(std::string_view key, bool* value);
  bool Get(std::string_view key, std::string* value);
  bool Get(std::string_view key, std::vector<std::string>* value);
  bool Get(std::string_view key, double* value,
           double low = -std::numeric_limits<double>::infinity(),
           double high = std::numeric_limits<double>::infinity());
  bool Get(std::string_view key, int64_t* value, int64_t low = INT64_MIN, int64_t high = INT64_MAX);
  bool Get(std::string_view key, uint64_t* value);
  bool Get(std::string_view key, int* value, int low, int high);
  // Null leaves it without a value; anything else is read as above.
  template <typename Value, typename... Limits>
  bool Get(std::string_view key, std::optional<Value>* value, Limits... limits);
  // The position among `names` of the text that `key` holds.
  bool Choose(std::string_view key, std::span<const std::string_view> names, size_t* chosen);
  // As Get, of a key that must be there.
  template <typename Value, typename... Limits>
  bool Require(std::string_view key, Value* value, Limits... limits);

  // The object at `key`; one that is not given, and complains of nothing, when there is none.
  JsonObject Object(std::string_view key);
  // Null when absent, or not of that kind.
  const Json* Array(std::string_view key);
  // An object whose keys are names of the document's own.
  const Json* Map(std::string_view key);

  // The value, of any type. Null when absent.
  const Json* Find(std::string_view key);
  bool Has(std::string_view key) { return Find(key) != nullptr; }
  // Whether it is there, and not null.
  bool HasValue(std::string_view key);

  // Says what is wrong with the value of `key`, for a rule that only the caller knows.
  void Fail(std::string_view key, std::string_view rule);
  void Fail(std::string_view key, std::string_view rule, const Json& value);

 private:
  // A key that must be there is not. Said once.
  void Miss(std::string_view key);
  // Always false.
  bool Wrong(std::string_view key, std::string_view rule, const Json& value);
  std::optional<double> NumberOf(const Json& json) const;
  std::optional<int64_t> IntegerOf(const Json& json) const;

  const Json& json_;
  std::string path_;
  JsonProblems& problems_;
  JsonReading reading_;
  bool given_ = false;
  std::vector<std::string_view> known_;  // literals, or as long-lived as the document
  std::set<std::string_view> missed_;
};

// A text that should hold one JSON object, and all that is wrong with it.
class JsonDocument {
 public:
  // `noun` names it in errors: "a policy".
  JsonDocument(std::string_view text, std::string_view noun, const JsonReading& reading = {});
  // Of a value that was read before.
  static JsonDocument Of(Json json, std::string_view noun, const JsonReading& reading = {});

  // Only an object can be read further; status() says what is wrong with anything else.
  bool is_object() const { return json_.is_object(); }
  const Json& json() const { return json_; }
  JsonObject root();
  JsonProblems& problems() { return problems_; }
  Status status(ErrorCode code, const std::string& file = "") const {
    return problems_.status(code, file);
  }

 private:
  JsonDocument() = default;
  void CheckIsObject(std::string_view noun);

  Json json_;
  JsonReading reading_;
  JsonProblems problems_;
};

template <typename Value, typename... Limits>
bool JsonObject::Get(std::string_view key, std::optional<Value>* value, Limits... limits) {
  if (!HasValue(key)) return false;
  Value read{};
  if (!Get(key, &read, limits...)) return false;
  *value = std::move(read);
  return true;
}

template <typename Value, typename... Limits>
bool JsonObject::Require(std::string_view key, Value* value, Limits... limits) {
  if (!Has(key)) Miss(key);
  return Get(key, value, limits...);
}

}  // namespace anemone
