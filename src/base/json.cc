#include "base/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/json_events.h"

namespace anemone {
namespace {

using Library = nlohmann::json;

// An object with more members than this is searched by its index.
constexpr size_t kFewMembers = 16;

const Json& Null() {
  static const Json null;
  return null;
}

// True for what stands between quotes as it is, in either style.
bool IsPlain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

void DumpText(std::string_view text, bool ascii, std::string& out) {
  if (std::ranges::all_of(text, IsPlain)) {
    out += '"';
    out += text;
    out += '"';
    return;
  }
  out += Library(text).dump(-1, ' ', ascii, Library::error_handler_t::replace);
}

// Where `key` stands, or would stand, among positions in the order of the keys.
auto LowerBound(const std::vector<uint32_t>& by_key, const std::vector<JsonMember>& list,
                std::string_view key) {
  return std::lower_bound(
      by_key.begin(), by_key.end(), key,
      [&](uint32_t position, std::string_view wanted) { return list[position].key < wanted; });
}

// Positions in the order of the keys; equal keys stay in theirs.
std::vector<uint32_t> OrderOf(const std::vector<JsonMember>& list) {
  std::vector<uint32_t> order(list.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::stable_sort(order,
                           [&](uint32_t a, uint32_t b) { return list[a].key < list[b].key; });
  return order;
}

// What the library's parser meets, in our words.
class Listener : public nlohmann::json_sax<Library> {
 public:
  explicit Listener(JsonEvents& events) : events_(events) {}

  bool null() override { return events_.Null(); }
  bool boolean(bool value) override { return events_.Boolean(value); }
  bool number_integer(number_integer_t value) override { return events_.Negative(value); }
  bool number_unsigned(number_unsigned_t value) override { return events_.Unsigned(value); }
  bool number_float(number_float_t value, const string_t& text) override {
    return events_.Real(value, text);
  }
  bool string(string_t& value) override { return events_.Text(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // JSON has none
  bool start_object(std::size_t) override { return events_.BeginObject(); }
  bool key(string_t& value) override { return events_.Key(std::move(value)); }
  bool end_object() override { return events_.EndObject(); }
  bool start_array(std::size_t) override { return events_.BeginArray(); }
  bool end_array() override { return events_.EndArray(); }
  bool parse_error(std::size_t position, const std::string&,
                   const Library::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 2 ...": what follows the library's own
    // code.
    const std::string_view text = error.what();
    const size_t code = text.find("] ");
    events_.NotJson(position, text.substr(code == std::string_view::npos ? 0 : code + 2));
    return false;
  }

 private:
  JsonEvents& events_;
};

}  // namespace

bool ReadJsonEvents(std::string_view text, JsonEvents& events) {
  // The library takes a NUL for the end, and would not look at what follows.
  const size_t nul = text.find('\0');
  if (nul != std::string_view::npos) {
    events.NotJson(nul + 1, "it holds a NUL byte");
    return false;
  }
  Listener listener(events);
  return Library::sax_parse(text, &listener);
}

// Builds a value from what stands in a text. Containers that are open stand in `open_`,
// so that neither depth nor length takes stack.
class JsonBuilder : public JsonEvents {
 public:
  explicit JsonBuilder(const JsonRules& rules) : rules_(rules) {}

  Json TakeValue() { return std::move(root_); }
  Error TakeError() { return InvalidInput("{}", problem_); }

  bool Null() override { return Take(Json()); }
  bool Boolean(bool value) override { return Take(value); }
  bool Negative(int64_t value) override { return Take(value); }
  bool Unsigned(uint64_t value) override { return Take(value); }
  bool Real(double value, std::string_view) override { return Take(value); }
  bool Text(std::string value) override { return Take(std::move(value)); }
  bool BeginObject() override { return Open(Json::Object()); }
  bool BeginArray() override { return Open(Json::Array()); }
  bool EndArray() override { return Close(); }
  bool EndObject() override {
    MergeRepeated(std::get<Json::Members>(open_.back().value_));
    return Close();
  }
  bool Key(std::string key) override {
    std::get<Json::Members>(open_.back().value_).list.push_back({std::move(key), Json()});
    return true;
  }
  void NotJson(size_t, std::string_view problem) override { problem_ = problem; }

 private:
  bool Open(Json container) {
    if (open_.size() >= static_cast<size_t>(std::max(rules_.max_depth, 0))) {
      problem_ = fmt::format("it nests deeper than {} levels", rules_.max_depth);
      return false;
    }
    open_.push_back(std::move(container));
    return true;
  }
  bool Close() {
    Json closed = std::move(open_.back());
    open_.pop_back();
    return Take(std::move(closed));
  }
  bool Take(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (auto* list = std::get_if<Json::List>(&open_.back().value_)) {
      list->push_back(std::move(value));
    } else {
      std::get<Json::Members>(open_.back().value_).list.back().value = std::move(value);
    }
    return true;
  }

  // The last value of a key counts, in the place of the first.
  void MergeRepeated(Json::Members& members) {
    std::vector<JsonMember>& list = members.list;
    std::vector<uint32_t> order = OrderOf(list);
    std::vector<bool> dropped(list.size());
    bool any = false;
    for (size_t i = 1; i < order.size(); ++i) {
      if (list[order[i]].key != list[order[i - 1]].key) continue;
      any = true;
      list[order[i - 1]].value = std::move(list[order[i]].value);
      dropped[order[i]] = true;
      if (rules_.repeated != nullptr) rules_.repeated->push_back(PathOf(list[order[i]].key));
      order[i] = order[i - 1];  // a third one is compared with, and replaces, the first
    }
    if (any) {
      size_t kept = 0;
      for (size_t i = 0; i < list.size(); ++i) {
        if (dropped[i]) continue;
        if (kept != i) list[kept] = std::move(list[i]);
        ++kept;
      }
      list.resize(kept);
      order = OrderOf(list);
    }
    if (list.size() > kFewMembers) members.by_key = std::move(order);
  }

  // Of a member of the innermost object.
  std::string PathOf(const std::string& key) const {
    std::string path;
    for (size_t i = 0; i + 1 < open_.size(); ++i) {
      if (const auto* list = std::get_if<Json::List>(&open_[i].value_)) {
        path += fmt::format("[{}]", list->size());
      } else {
        const std::string& name = std::get<Json::Members>(open_[i].value_).list.back().key;
        path += (path.empty() ? "" : ".") + name;
      }
    }
    return path.empty() ? key : path + "." + key;
  }

  const JsonRules& rules_;
  Json root_;
  std::vector<Json> open_;
  std::string problem_ = "it is not JSON";
};

Json::Json() = default;
Json::~Json() = default;
Json::Json(const Json& other) = default;
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(const Json& other) = default;
Json& Json::operator=(Json&& other) noexcept = default;
Json::Json(std::nullptr_t) {}
Json::Json(const char* text) : value_(std::string(text)) {}
Json::Json(std::string_view text) : value_(std::string(text)) {}
Json::Json(std::string text) : value_(std::move(text)) {}
Json::Json(double value) : value_(value) {}
Json::Json(List values) : value_(std::move(values)) {}
Json::Json(Held value) : value_(std::move(value)) {}
Json::Json(std::initializer_list<JsonMember> members) : value_(Members()) {
  for (const JsonMember& member : members) (*this)[member.key] = member.value;
}

Json Json::Array(std::initializer_list<Json> values) { return Json(List(values)); }
Json Json::Object() { return Json(Held(Members())); }

bool Json::is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }
bool Json::is_boolean() const { return std::holds_alternative<bool>(value_); }
bool Json::is_text() const { return std::holds_alternative<std::string>(value_); }
bool Json::is_array() const { return std::holds_alternative<List>(value_); }
bool Json::is_object() const { return std::holds_alternative<Members>(value_); }
bool Json::is_number() const { return is_integer() || std::holds_alternative<double>(value_); }
bool Json::is_integer() const {
  return std::holds_alternative<int64_t>(value_) || std::holds_alternative<uint64_t>(value_);
}
bool Json::is_unsigned() const {
  const auto* integer = std::get_if<int64_t>(&value_);
  return integer != nullptr ? *integer >= 0 : std::holds_alternative<uint64_t>(value_);
}

std::string_view Json::kind() const {
  if (is_null()) return "null";
  if (is_boolean()) return "boolean";
  if (is_text()) return "string";
  if (is_array()) return "array";
  return is_object() ? "object" : "number";
}

bool Json::boolean() const {
  const bool* value = std::get_if<bool>(&value_);
  return value != nullptr && *value;
}

const std::string& Json::text() const {
  static const std::string none;
  const auto* value = std::get_if<std::string>(&value_);
  return value != nullptr ? *value : none;
}

double Json::number() const {
  if (const auto* value = std::get_if<double>(&value_)) return *value;
  if (const auto* value = std::get_if<uint64_t>(&value_)) return static_cast<double>(*value);
  return static_cast<double>(integer());
}

int64_t Json::integer() const {
  if (const auto* value = std::get_if<int64_t>(&value_)) return *value;
  return std::holds_alternative<uint64_t>(value_) ? INT64_MAX : 0;
}

uint64_t Json::unsigned_integer() const {
  if (const auto* value = std::get_if<uint64_t>(&value_)) return *value;
  return is_unsigned() ? static_cast<uint64_t>(integer()) : 0;
}

const Json::List& Json::list() const {
  static const List none;
  const auto* list = std::get_if<List>(&value_);
  return list != nullptr ? *list : none;
}

size_t Json::size() const { return is_object() ? items().size() : list().size(); }
const Json* Json::begin() const { return list().data(); }
const Json* Json::end() const { return list().data() + list().size(); }
Json* Json::begin() {
  auto* list = std::get_if<List>(&value_);
  return list != nullptr ? list->data() : nullptr;
}
Json* Json::end() {
  auto* list = std::get_if<List>(&value_);
  return list != nullptr ? list->data() + list->size() : nullptr;
}

const Json& Json::At(size_t index) const { return index < list().size() ? list()[index] : Null(); }

void Json::push_back(Json value) {
  if (!is_array()) value_ = List();
  std::get<List>(value_).push_back(std::move(value));
}

const std::vector<JsonMember>& Json::items() const {
  static const std::vector<JsonMember> none;
  const auto* members = std::get_if<Members>(&value_);
  return members != nullptr ? members->list : none;
}

const Json* Json::Find(std::string_view key) const {
  const auto* members = std::get_if<Members>(&value_);
  if (members == nullptr) return nullptr;
  const std::vector<JsonMember>& list = members->list;
  if (!members->by_key.empty()) {
    const auto found = LowerBound(members->by_key, list, key);
    const bool is = found != members->by_key.end() && list[*found].key == key;
    return is ? &list[*found].value : nullptr;
  }
  const auto found = std::ranges::find(list, key, &JsonMember::key);
  return found == list.end() ? nullptr : &found->value;
}

const Json& Json::operator[](std::string_view key) const {
  const Json* found = Find(key);
  return found != nullptr ? *found : Null();
}

Json& Json::operator[](std::string_view key) {
  // Not const itself, so neither is what it holds.
  if (const Json* found = Find(key)) return const_cast<Json&>(*found);
  if (!is_object()) value_ = Members();
  auto& [list, by_key] = std::get<Members>(value_);
  list.push_back({std::string(key), Json()});
  if (!by_key.empty()) {
    by_key.insert(LowerBound(by_key, list, key), static_cast<uint32_t>(list.size() - 1));
  } else if (list.size() > kFewMembers) {
    by_key = OrderOf(list);
  }
  return list.back().value;
}

void Json::Update(const Json& other) {
  for (const JsonMember& member : other.items()) (*this)[member.key] = member.value;
}

bool operator==(const Json& a, const Json& b) {
  if (a.is_integer() && b.is_integer()) {
    return a.integer() == b.integer() && a.unsigned_integer() == b.unsigned_integer();
  }
  if (a.is_number() && b.is_number()) return a.number() == b.number();
  if (a.kind() != b.kind() || a.size() != b.size()) return false;
  if (a.is_array()) return std::ranges::equal(a, b);
  if (!a.is_object()) return a.text() == b.text() && a.boolean() == b.boolean();
  return std::ranges::all_of(a.items(), [&](const JsonMember& member) {
    const Json* other = b.Find(member.key);
    return other != nullptr && member.value == *other;
  });
}

std::string Json::Dump(JsonStyle style) const {
  std::string out;
  DumpTo(style, 0, out);
  return out;
}

void Json::DumpTo(const JsonStyle& style, size_t depth, std::string& out) const {
  if (is_null()) {
    out += "null";
  } else if (is_boolean()) {
    out += boolean() ? "true" : "false";
  } else if (is_text()) {
    DumpText(text(), style.ascii, out);
  } else if (const auto* number = std::get_if<double>(&value_)) {
    out += Library(*number).dump();
  } else if (is_number()) {
    out += std::holds_alternative<int64_t>(value_) ? fmt::format("{}", integer())
                                                   : fmt::format("{}", unsigned_integer());
  } else if (empty()) {
    out += is_object() ? "{}" : "[]";
  } else {
    const bool pretty = style.indent >= 0;
    const size_t indent = pretty ? static_cast<size_t>(style.indent) : 0;
    const auto begin_line = [&](size_t levels) {
      if (pretty) out += '\n';
      out.append(levels * indent, ' ');
    };
    const std::vector<JsonMember>& members = items();
    const std::vector<uint32_t> sorted =
        style.sort_keys && is_object() ? OrderOf(members) : std::vector<uint32_t>();
    out += is_object() ? '{' : '[';
    for (size_t i = 0; i < size(); ++i) {
      if (i > 0) out += ',';
      begin_line(depth + 1);
      if (is_object()) {
        const JsonMember& member = members[sorted.empty() ? i : sorted[i]];
        DumpText(member.key, style.ascii, out);
        out += pretty ? ": " : ":";
        member.value.DumpTo(style, depth + 1, out);
      } else {
        list()[i].DumpTo(style, depth + 1, out);
      }
    }
    begin_line(depth);
    out += is_object() ? '}' : ']';
  }
}

Result<Json> ParseJson(std::string_view text, const JsonRules& rules) {
  JsonBuilder builder(rules);
  if (!ReadJsonEvents(text, builder)) return builder.TakeError();
  return builder.TakeValue();
}

Json ParseJsonOrNull(std::string_view text, const JsonRules& rules) {
  Result<Json> json = ParseJson(text, rules);
  return json.ok() ? std::move(json).value() : Json();
}

std::string JsonText(std::string_view text) {
  std::string out;
  DumpText(text, /*ascii=*/false, out);
  return out;
}

bool IsUtf8(std::string_view text) {
  // The library refuses ill-formed UTF-8 only by throwing; dropping bad bytes and replacing them
  // differ exactly when there are any.
  const Library json(text);
  return json.dump(-1, ' ', false, Library::error_handler_t::ignore) ==
         json.dump(-1, ' ', false, Library::error_handler_t::replace);
}

std::string ToUtf8(std::string_view text) {
  if (std::ranges::all_of(text, IsPlain)) return std::string(text);
  return Library::parse(JsonText(text)).get<std::string>();
}

}  // namespace anemone
