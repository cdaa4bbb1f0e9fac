#include "compress/yaml.h"

#include <yaml.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/parse_double.h"

namespace anemone::compress {
namespace {

constexpr int kMaxDepth = 32;
constexpr int kMaxNodes = 1'000'000;  // aliases may unfold to any number

// Plain scalars mean what they mean to PyYAML (YAML 1.1), which coremltools uses.
std::optional<int64_t> Integer(std::string text) {
  std::erase(text, '_');
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.erase(0, 1);
  int base = 10;
  if (text.starts_with("0x")) {
    base = 16;
  } else if (text.starts_with("0b")) {
    base = 2;
  } else if (text.size() > 1 && text[0] == '0') {
    base = 8;
  }
  if (base == 16 || base == 2) text.erase(0, 2);
  int64_t value = 0;
  const char* end = text.data() + text.size();
  // A second sign is not part of a number.
  if (text.empty() || text[0] == '-') return std::nullopt;
  const auto parsed = std::from_chars(text.data(), end, value, base);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return negative ? -value : value;
}

Json Scalar(const yaml_node_t& node) {
  const auto* begin = reinterpret_cast<const char*>(node.data.scalar.value);
  std::string text(begin, node.data.scalar.length);
  if (node.data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return text;
  const auto is = [&](std::initializer_list<const char*> words) {
    return std::ranges::any_of(words, [&](const char* word) { return text == word; });
  };
  if (text.empty() || is({"~", "null", "Null", "NULL"})) return nullptr;
  if (is({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})) return true;
  if (is({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})) return false;
  if (const auto integer = Integer(text)) return *integer;
  const std::string_view digits = std::string_view(text).substr(text[0] == '+' ? 1 : 0);
  if (const auto number = ParseDouble(digits)) return *number;
  return text;
}

class Converter {
 public:
  explicit Converter(yaml_document_t* document) : document_(document) {}

  Result<Json> Convert(int id, int depth) {
    const yaml_node_t* node = yaml_document_get_node(document_, id);
    if (node == nullptr) return Usage("the document is broken");
    if (depth > kMaxDepth)
      return Usage("it nests deeper than {} levels", kMaxDepth).At(Place(*node));
    if (++nodes_ > kMaxNodes) return Usage("it unfolds to more than {} nodes", kMaxNodes);
    if (node->type == YAML_SCALAR_NODE) return Scalar(*node);
    if (node->type == YAML_SEQUENCE_NODE) {
      Json list = Json::Array();
      for (auto* item = node->data.sequence.items.start; item < node->data.sequence.items.top;
           ++item) {
        ANEMONE_ASSIGN(Json value, Convert(*item, depth + 1));
        list.push_back(std::move(value));
      }
      return list;
    }
    Json object = Json::Object();
    std::vector<int> merged;
    for (auto* pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; ++pair) {
      const yaml_node_t* key = yaml_document_get_node(document_, pair->key);
      if (key == nullptr || key->type != YAML_SCALAR_NODE)
        return Usage("a key is not text").At(Place(*node));
      std::string name(reinterpret_cast<const char*>(key->data.scalar.value),
                       key->data.scalar.length);
      const bool plain = key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
      if (name == "<<" && plain) {
        merged.push_back(pair->value);
        continue;
      }
      if (object.contains(name)) return Usage("the key '{}' occurs twice", name).At(Place(*key));
      ANEMONE_ASSIGN(object[name], Convert(pair->value, depth + 1));
    }
    for (const int from : merged) ANEMONE_TRY(Merge(from, depth, &object));
    return object;
  }

 private:
  // "<<": the members of a mapping, or of several, unless they are given beside it; the first
  // mapping with a member wins.
  Status Merge(int id, int depth, Json* object) {
    ANEMONE_ASSIGN(const Json from, Convert(id, depth + 1));
    const auto take = [&](const Json& mapping) {
      for (const auto& [name, value] : mapping.items())
        if (!object->contains(name)) (*object)[name] = value;
    };
    const auto wrong = [&] {
      return Usage("'<<' takes mappings").At(Place(*yaml_document_get_node(document_, id)));
    };
    if (from.is_object()) {
      take(from);
      return {};
    }
    if (!from.is_array()) return wrong();
    for (const Json& mapping : from) {
      if (!mapping.is_object()) return wrong();
      take(mapping);
    }
    return {};
  }

  static std::string Place(const yaml_node_t& node) {
    return fmt::format("line {}, column {}", node.start_mark.line + 1, node.start_mark.column + 1);
  }

  yaml_document_t* document_;
  int nodes_ = 0;
};

// Whether brackets nest beyond any use. libyaml's work grows with the square of that depth, so they
// are counted before it sees the text. Brackets in quotes and comments count too: closed again they
// do no harm, and nobody writes hundreds of open ones.
bool NestsTooDeeply(std::string_view text) {
  constexpr int kMaxBrackets = 1000;
  int depth = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && depth > 0) --depth;
    if (depth > kMaxBrackets) return true;
  }
  return false;
}

struct Parser {
  Parser() { ok = yaml_parser_initialize(&parser) != 0; }
  ~Parser() {
    if (loaded) yaml_document_delete(&document);
    if (ok) yaml_parser_delete(&parser);
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
  yaml_parser_t parser;
  yaml_document_t document;
  bool ok = false;
  bool loaded = false;
};

}  // namespace

Result<Json> ParseYaml(std::string_view text) {
  if (text.empty()) return Usage("it is empty");
  if (NestsTooDeeply(text)) return Usage("it nests deeper than {} levels", kMaxDepth);
  Parser parser;
  if (!parser.ok) return Internal("libyaml is out of memory");
  yaml_parser_set_input_string(&parser.parser, reinterpret_cast<const unsigned char*>(text.data()),
                               text.size());
  parser.loaded = yaml_parser_load(&parser.parser, &parser.document) != 0;
  if (!parser.loaded) {
    // JSON that is not YAML: tabs, surrogate pairs.
    std::vector<std::string> repeated;
    Result<Json> json = ParseJson(text, {.max_depth = kMaxDepth, .repeated = &repeated});
    if (json.ok() && !repeated.empty()) return Usage("the key '{}' occurs twice", repeated.front());
    if (json.ok()) return json;
    const auto& mark = parser.parser.problem_mark;
    const char* problem = parser.parser.problem;
    return Usage("{}", problem != nullptr ? problem : "it is not YAML")
        .At(fmt::format("line {}, column {}", mark.line + 1, mark.column + 1));
  }
  if (yaml_document_get_root_node(&parser.document) == nullptr) return Usage("it is empty");
  ANEMONE_ASSIGN(Json json, Converter(&parser.document).Convert(1, 0));
  yaml_document_t next;
  if (yaml_parser_load(&parser.parser, &next) == 0) return Usage("its end is not YAML");
  const bool more = yaml_document_get_root_node(&next) != nullptr;
  const size_t line = next.start_mark.line + 1;
  yaml_document_delete(&next);
  if (more) return Usage("a second document begins here").At(fmt::format("line {}", line));
  return json;
}

}  // namespace anemone::compress
