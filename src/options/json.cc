#include "options/json.h"

#include <algorithm>
#include <limits>

#include "base/json_reader.h"
#include "base/nearest_names.h"
#include "options/shapes.h"

namespace anemone::options {
namespace {

// Takes a value into a field; false when it has another type.
struct Take {
  const Option& option;
  const Json& value;

  bool operator()(bool* field) const {
    if (!value.is_boolean()) return false;
    *field = value.boolean();
    return true;
  }
  bool operator()(int* field) const {
    if (!value.is_integer() || !std::in_range<int>(value.integer())) return false;
    *field = static_cast<int>(value.integer());
    return true;
  }
  bool operator()(int64_t* field) const {
    // Those beyond read as the largest.
    if (!value.is_integer() || value.integer() == std::numeric_limits<int64_t>::max()) return false;
    *field = value.integer();
    return true;
  }
  bool operator()(uint64_t* field) const {
    if (!value.is_unsigned()) return false;
    *field = value.unsigned_integer();
    return true;
  }
  bool operator()(double* field) const {
    if (!value.is_number()) return false;
    *field = value.number();
    return true;
  }
  template <typename Number>
  bool operator()(std::optional<Number>* field) const {
    field->reset();
    if (value.is_null()) return true;
    Number number = {};
    if (!(*this)(&number)) return false;
    *field = number;
    return true;
  }
  bool operator()(std::string* field) const {
    if (option.holds == Holds::kJsonObject && value.is_object()) {
      *field = value.Dump();
      return true;
    }
    if (!value.is_text()) return false;
    *field = value.text();
    return true;
  }
  // One text or number stands for a list of it, as one flag does.
  bool operator()(std::vector<std::string>* field) const {
    if (value.is_text()) {
      *field = {value.text()};
      return true;
    }
    if (!value.is_array() || !std::ranges::all_of(value, &Json::is_text)) return false;
    field->clear();
    for (const Json& one : value) field->push_back(one.text());
    return true;
  }
  bool operator()(std::vector<double>* field) const {
    if (value.is_number()) {
      *field = {value.number()};
      return true;
    }
    if (!value.is_array() || !std::ranges::all_of(value, &Json::is_number)) return false;
    field->clear();
    for (const Json& one : value) field->push_back(one.number());
    return true;
  }
  bool operator()(std::array<float, 3>* field) const {
    if (!value.is_array() || value.size() != field->size() ||
        !std::ranges::all_of(value, &Json::is_number))
      return false;
    for (size_t i = 0; i < field->size(); ++i) (*field)[i] = static_cast<float>(value[i].number());
    return true;
  }
  bool operator()(Shapes* field) const {
    if (!value.is_object()) return false;
    for (const auto& [name, shape] : value.items()) {
      std::vector<Dimension>& dimensions = (*field)[name];
      dimensions.clear();
      if (shape.is_text()) {
        auto read = ReadShape(shape.text());
        if (!read) return false;
        dimensions = std::move(*read);
        continue;
      }
      if (!shape.is_array()) return false;
      for (const Json& size : shape) {
        const auto dimension = size.is_integer() ? std::optional(Dimension(size.integer()))
                               : size.is_text()  ? ReadOpenDimension(size.text())
                                                 : std::nullopt;
        if (!dimension) return false;
        dimensions.push_back(*dimension);
      }
    }
    return true;
  }
};

struct TypeName {
  std::string operator()(const bool*) const { return "boolean"; }
  std::string operator()(const int*) const { return "integer"; }
  std::string operator()(const int64_t*) const { return "integer"; }
  std::string operator()(const uint64_t*) const { return "integer"; }
  std::string operator()(const double*) const { return "number"; }
  std::string operator()(const std::optional<int64_t>*) const { return "optional integer"; }
  std::string operator()(const std::optional<double>*) const { return "optional number"; }
  std::string operator()(const std::string*) const { return "text"; }
  std::string operator()(const std::vector<std::string>*) const { return "texts"; }
  std::string operator()(const std::vector<double>*) const { return "numbers"; }
  std::string operator()(const std::array<float, 3>*) const { return "three numbers"; }
  std::string operator()(const Shapes*) const { return "shapes"; }
};

struct ValueJson {
  template <typename T>
  Json operator()(const T* value) const {
    return Json(*value);
  }
  template <typename Number>
  Json operator()(const std::optional<Number>* value) const {
    return OrNull(*value);
  }
  // The shortest decimals that are the same float.
  Json operator()(const std::array<float, 3>* values) const {
    Json list = Json::Array();
    for (const float value : *values) list.push_back(ParseJson(fmt::format("{}", value)).value());
    return list;
  }
  Json operator()(const Shapes* shapes) const {
    Json json = Json::Object();
    for (const auto& [name, shape] : *shapes) {
      Json sizes = Json::Array();
      for (const Dimension& dimension : shape) {
        sizes.push_back(dimension.is_fixed() ? Json(dimension.size) : Json(ShapeText({dimension})));
      }
      json[name] = std::move(sizes);
    }
    return json;
  }
};

std::string TypeOf(const Option& option) {
  if (option.holds == Holds::kPath) return "path";
  if (option.holds == Holds::kJsonObject) return "object or path";
  return std::visit(TypeName(), option.field);
}

Json RowJson(const Option& option) {
  Json row{{"name", option.name},      {"type", TypeOf(option)}, {"default", JsonOf(option)},
           {"rule", RuleOf(option)},   {"flag", FlagOf(option)}, {"help", option.help},
           {"example", option.example}};
  row["choices"] = option.choices.empty() ? Json() : Json(option.choices);
  row["may_be_absent"] = option.may_be_absent;
  row["command_wide"] = option.command_wide;
  row["environment"] = option.environment.empty() ? Json() : Json(option.environment);
  return row;
}

}  // namespace

Status ReadJson(std::string_view json, const Table& table) {
  if (json.empty()) return {};
  const JsonDocument document(json, "the options");
  ANEMONE_TRY(document.status(ErrorCode::kUsage, "options"));
  std::vector<std::string_view> names;
  for (const Option& option : table) names.push_back(option.name);
  std::string problems;
  std::string advice;
  const auto add = [&](const std::string& problem) {
    problems += (problems.empty() ? "" : "; ") + problem;
  };
  for (const auto& [key, value] : document.json().items()) {
    bool known = false;
    for (const Option& option : table) {
      if (option.name != key) continue;
      if (!std::visit(Take{option, value}, option.field) && !known)
        add(fmt::format("'{}' must be {}", key, RuleOf(option)));
      known = true;
    }
    if (known) continue;
    add(fmt::format("there is no option '{}'", key));
    advice = SuggestNames(key, names, "options");
  }
  const Status ranges = Check(table);
  if (!ranges.ok()) {
    add(ranges.error().message());
    if (advice.empty()) advice = ranges.error().advice();
  }
  if (problems.empty()) return {};
  return Usage("{}", problems).Advise(advice).At("options");
}

Json JsonOf(const Option& option) { return std::visit(ValueJson(), option.field); }

std::string AllTablesJson() {
  Json document{{"schema", "anemone.options"}, {"schema_version", 1}};
  ForEachTable([&](std::string_view name, const Table& table) {
    Json rows = Json::Array();
    for (const Option& option : table) rows.push_back(RowJson(option));
    document[name] = std::move(rows);
  });
  return document.Dump({.indent = 2});
}

}  // namespace anemone::options
