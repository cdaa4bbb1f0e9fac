// A JSON value, and its text: the one way to JSON in the house. The JSON library stays behind
// base/json.cc, so that its templates are compiled once.
//
//   Json json{{"schema", "anemone.gate"}, {"rows", Json::Array()}};   // braces are an object
//   json["rows"].push_back(Json::Array({1, 2.5, nullptr}));
//   std::string text = json.Dump({.indent = 2});
//
//   ANEMONE_ASSIGN(const Json json, ParseJson(text));
//   for (const Json& row : json["rows"]) Use(row.text());
//
// Objects keep the order in which keys were added. Reading never fails: what is not there, or of
// another kind, reads as null, "", 0 or false, so that a reader may ask first and take afterward;
// base/json_reader.h reports all that is wrong with a document instead.
// Thread rules: values.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"

namespace anemone {

struct JsonMember;

struct JsonStyle {
  int indent = -1;         // spaces for each level; negative: all on one line
  bool ascii = false;      // what is not ASCII as \uXXXX
  bool sort_keys = false;  // by their bytes, at every level
};

class Json {
 public:
  using List = std::vector<Json>;

  Json();
  ~Json();
  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other);
  Json& operator=(Json&& other) noexcept;
  Json(std::nullptr_t);         // NOLINT: implicit by design, as all below
  Json(const char* text);       // NOLINT
  Json(std::string_view text);  // NOLINT
  Json(std::string text);       // NOLINT
  Json(double value);           // NOLINT
  template <std::integral Integer>
  Json(Integer value);  // NOLINT
  // An object of these members, in this order.
  Json(std::initializer_list<JsonMember> members);  // NOLINT
  Json(List values);                                // NOLINT
  // A list of what a Json is made of.
  template <typename Value>
  Json(const std::vector<Value>& values);  // NOLINT

  static Json Array(std::initializer_list<Json> values = {});
  static Json Object();

  bool is_null() const;
  bool is_boolean() const;
  bool is_text() const;
  bool is_array() const;
  bool is_object() const;
  bool is_number() const;
  // Written without fraction and exponent, and within 64 bits.
  bool is_integer() const;
  // An integer of at least 0.
  bool is_unsigned() const;
  // "null", "boolean", "string", "number", "array" or "object".
  std::string_view kind() const;

  bool boolean() const;
  const std::string& text() const;
  double number() const;              // of any number
  int64_t integer() const;            // of an integer; those above INT64_MAX read as INT64_MAX
  uint64_t unsigned_integer() const;  // of an integer of at least 0

  // --- Arrays and objects. Elements of an array; 0 and nothing for all else.
  size_t size() const;  // of members too
  bool empty() const { return size() == 0; }
  const Json* begin() const;
  const Json* end() const;
  Json* begin();
  Json* end();
  const Json& At(size_t index) const;  // null beyond the end
  // As a template, so that 0 is an index and not a null `const char*`.
  const Json& operator[](std::integral auto index) const { return At(static_cast<size_t>(index)); }
  Json& operator[](std::integral auto index) { return begin()[index]; }  // which must exist
  const Json& front() const { return At(0); }
  const Json& back() const { return At(size() - 1); }
  // What is not an array becomes an empty one first.
  void push_back(Json value);

  // The members of an object in their order; none of anything else.
  const std::vector<JsonMember>& items() const;
  // Null when there is no such member, or this is not an object.
  const Json* Find(std::string_view key) const;
  bool contains(std::string_view key) const { return Find(key) != nullptr; }
  // The member, or null.
  const Json& operator[](std::string_view key) const;
  const Json& operator[](const char* key) const { return (*this)[std::string_view(key)]; }
  // The member, made when there is none. What is not an object becomes an empty one first.
  Json& operator[](std::string_view key);
  Json& operator[](const char* key) { return (*this)[std::string_view(key)]; }
  // Sets each member of `other`.
  void Update(const Json& other);

  // Text that is not UTF-8 becomes U+FFFD, and numbers that are not finite become null.
  std::string Dump(JsonStyle style = {}) const;

  // Numbers are compared by value, objects without regard to order.
  friend bool operator==(const Json& a, const Json& b);

 private:
  friend class JsonBuilder;

  // Members in their order; besides, their positions in the order of the keys, when there are many.
  struct Members {
    std::vector<JsonMember> list;
    std::vector<uint32_t> by_key;
  };
  using Held =
      std::variant<std::nullptr_t, bool, int64_t, uint64_t, double, std::string, List, Members>;

  explicit Json(Held value);
  const List& list() const;
  void DumpTo(const JsonStyle& style, size_t depth, std::string& out) const;

  // uint64_t only beyond int64_t.
  Held value_;
};

struct JsonMember {
  std::string key;
  Json value;
};

template <std::integral Integer>
Json::Json(Integer value) {
  if constexpr (std::same_as<Integer, bool>) {
    value_ = value;
  } else if (std::in_range<int64_t>(value)) {
    value_ = static_cast<int64_t>(value);
  } else {
    value_ = static_cast<uint64_t>(value);
  }
}

template <typename Value>
Json::Json(const std::vector<Value>& values) : Json(List(values.begin(), values.end())) {}

// What our JSON Schemas name as "$schema".
inline constexpr std::string_view kJsonSchemaDialect =
    "https://json-schema.org/draft/2020-12/schema";

// The deepest nesting that is read.
inline constexpr int kMaxJsonDepth = 100;

struct JsonRules {
  int max_depth = kMaxJsonDepth;
  // Filled with the path of each key that its object holds again ("checks.latency.required"). The
  // last value counts; null: as it is.
  std::vector<std::string>* repeated = nullptr;
};

// Errors: kInvalidInput with line and column; `text` must be one JSON value and nothing more.
Result<Json> ParseJson(std::string_view text, const JsonRules& rules = {});
// Null for what cannot be read.
Json ParseJsonOrNull(std::string_view text, const JsonRules& rules = {});

// `text` in quotes, as a JSON document has it. Bytes that are not UTF-8 become U+FFFD.
std::string JsonText(std::string_view text);
bool IsUtf8(std::string_view text);
// `text` with U+FFFD for what is not UTF-8.
std::string ToUtf8(std::string_view text);

// Null without a value.
template <typename Value>
Json OrNull(const std::optional<Value>& value) {
  return value ? Json(*value) : Json();
}

}  // namespace anemone
