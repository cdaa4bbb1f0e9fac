#include "compress/yaml.h"

#include <yaml.h>

#include <charconv>
#include <cmath>
#include <memory>

namespace anemone::compress {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 32;
constexpr int kMaxNodes = 1'000'000;  // aliases may unfold to any number

Json Scalar(const yaml_node_t& node) {
  const auto* begin = reinterpret_cast<const char*>(node.data.scalar.value);
  std::string text(begin, node.data.scalar.length);
  if (node.data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return text;
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
    return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  const char* first = text.data() + (text[0] == '+' ? 1 : 0);
  const char* last = text.data() + text.size();
  int64_t integer = 0;
  auto parsed = std::from_chars(first, last, integer);
  if (parsed.ec == std::errc() && parsed.ptr == last) return integer;
  double number = 0;
  parsed = std::from_chars(first, last, number);
  if (parsed.ec == std::errc() && parsed.ptr == last && std::isfinite(number)) return number;
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
      Json list = Json::array();
      for (auto* item = node->data.sequence.items.start; item < node->data.sequence.items.top;
           ++item) {
        ANEMONE_ASSIGN(Json value, Convert(*item, depth + 1));
        list.push_back(std::move(value));
      }
      return list;
    }
    Json object = Json::object();
    for (auto* pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; ++pair) {
      const yaml_node_t* key = yaml_document_get_node(document_, pair->key);
      if (key == nullptr || key->type != YAML_SCALAR_NODE)
        return Usage("a key is no text").At(Place(*node));
      std::string name(reinterpret_cast<const char*>(key->data.scalar.value),
                       key->data.scalar.length);
      if (object.contains(name)) return Usage("the key '{}' occurs twice", name).At(Place(*key));
      ANEMONE_ASSIGN(object[name], Convert(pair->value, depth + 1));
    }
    return object;
  }

 private:
  static std::string Place(const yaml_node_t& node) {
    return fmt::format("line {}, column {}", node.start_mark.line + 1, node.start_mark.column + 1);
  }

  yaml_document_t* document_;
  int nodes_ = 0;
};

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
  Parser parser;
  if (!parser.ok) return Internal("libyaml has no memory");
  yaml_parser_set_input_string(&parser.parser, reinterpret_cast<const unsigned char*>(text.data()),
                               text.size());
  parser.loaded = yaml_parser_load(&parser.parser, &parser.document) != 0;
  if (!parser.loaded) {
    const auto& mark = parser.parser.problem_mark;
    const char* problem = parser.parser.problem;
    return Usage("{}", problem != nullptr ? problem : "it is no YAML")
        .At(fmt::format("line {}, column {}", mark.line + 1, mark.column + 1));
  }
  if (yaml_document_get_root_node(&parser.document) == nullptr) return Usage("it is empty");
  return Converter(&parser.document).Convert(1, 0);
}

}  // namespace anemone::compress
