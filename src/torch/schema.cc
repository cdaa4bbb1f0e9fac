#include "torch/schema.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace anemone::torch {
namespace {

using Kind = Argument::Kind;

constexpr int64_t kOldestMajor = 5, kNewestMajor = 8;
constexpr int kMaxGraphDepth = 16;  // of higher-order operators in each other's bodies
constexpr size_t kMaxRank = 64;

// A union of the schema: an object with one member that is not null. Older files write all members.
const JsonMember* Chosen(const Json& json) {
  const JsonMember* chosen = nullptr;
  for (const JsonMember& member : json.items()) {
    if (member.key == "$type" || member.value.is_null()) continue;
    if (chosen != nullptr) return nullptr;
    chosen = &member;
  }
  return chosen;
}

Result<std::string> ReadName(const Json& json) {
  const Json& name = json["name"];
  if (!name.is_text() || name.text().empty()) return InvalidInput("a value has no name");
  return name.text();
}

// SymPy's own notation, shortened: "Symbol('s77', positive=True, integer=True)" is "s77", "Integer(2)" is
// "2". What is composed of these keeps its form: it serves as a name.
std::string Shortened(std::string text) {
  for (const std::string_view form : {"Symbol('", "Integer("}) {
    for (size_t at = text.find(form); at != std::string::npos; at = text.find(form, at)) {
      const size_t begin = at + form.size();
      const size_t close = text.find(')', begin);
      if (close == std::string::npos) return text;
      std::string inner = text.substr(begin, close - begin);
      inner.resize(std::min(inner.find('\''), inner.size()));
      text.replace(at, close + 1 - at, inner);
      at += inner.size();
    }
  }
  return text;
}

Result<Size> ParseSize(const Json& json) {
  if (json.is_integer()) return Size{json.integer(), {}, {}};
  const JsonMember* chosen = Chosen(json);
  if (chosen == nullptr) return InvalidInput("a size is neither a number nor an expression");
  Size size;
  if (chosen->key == "as_int") {
    if (!chosen->value.is_integer()) return InvalidInput("a size is not an integer");
    size.value = chosen->value.integer();
    return size;
  }
  if (chosen->key != "as_expr") return InvalidInput("a size is written as '{}'", chosen->key);
  const Json& text = chosen->value["expr_str"];
  if (!text.is_text()) return InvalidInput("the expression of a size has no text");
  size.expression = Shortened(text.text());
  int64_t number = 0;
  const char* end = size.expression.data() + size.expression.size();
  const auto parsed = std::from_chars(size.expression.data(), end, number);
  if (parsed.ec == std::errc() && parsed.ptr == end) {
    size.value = number;
    return size;
  }
  const Json& hint = chosen->value["hint"];
  if (hint.is_integer()) size.hint = hint.integer();
  if (hint["as_int"].is_integer()) size.hint = hint["as_int"].integer();
  return size;
}

// SymInt arguments: {"as_name": "s"} or {"as_int": 3}; plain numbers stand for themselves.
Result<IntItem> ParseIntItem(const Json& json) {
  if (json.is_integer()) return IntItem{{}, json.integer()};
  if (json.is_boolean()) return IntItem{{}, json.boolean() ? 1 : 0};
  const JsonMember* chosen = Chosen(json);
  if (chosen != nullptr && chosen->key == "as_name" && chosen->value.is_text())
    return IntItem{chosen->value.text(), 0};
  if (chosen != nullptr && chosen->key == "as_int" && chosen->value.is_integer())
    return IntItem{{}, chosen->value.integer()};
  if (chosen != nullptr && chosen->key == "as_bool" && chosen->value.is_boolean())
    return IntItem{{}, chosen->value.boolean() ? 1 : 0};
  return InvalidInput("an integer argument is neither a number nor a name");
}

double NumberOf(const Json& json) {
  if (!json.is_text()) return json.number();
  if (json.text() == "Infinity") return std::numeric_limits<double>::infinity();
  if (json.text() == "-Infinity") return -std::numeric_limits<double>::infinity();
  return std::numeric_limits<double>::quiet_NaN();
}

class Parser {
 public:
  Result<Argument> ParseArgument(const Json& json, int depth);
  Result<Graph> ParseGraph(const Json& json, int depth);

 private:
  Result<Node> ParseNode(const Json& json, int depth);
  Status ParseInts(const Json& json, Argument* argument);
};

Status Parser::ParseInts(const Json& json, Argument* argument) {
  for (const Json& item : json) {
    ANEMONE_ASSIGN(IntItem parsed, ParseIntItem(item));
    argument->ints.push_back(std::move(parsed));
  }
  return {};
}

Result<Argument> Parser::ParseArgument(const Json& json, int depth) {
  const JsonMember* chosen = Chosen(json);
  if (chosen == nullptr) return InvalidInput("an argument is not one of the schema's kinds");
  const std::string& key = chosen->key;
  const Json& value = chosen->value;
  Argument argument;
  const auto is = [&](std::string_view name) { return key == name; };
  if (is("as_none")) return argument;
  if (is("as_tensor") || is("as_optional_tensor")) {
    argument.kind = Kind::kTensor;
    const JsonMember* inner = is("as_tensor") ? nullptr : Chosen(value);
    if (inner != nullptr && inner->key == "as_none") return Argument{};
    const bool nested = inner != nullptr && inner->key == "as_tensor";
    ANEMONE_ASSIGN(std::string name, ReadName(nested ? inner->value : value));
    argument.names.push_back(std::move(name));
  } else if (is("as_tensors") || is("as_optional_tensors")) {
    argument.kind = Kind::kTensors;
    for (const Json& item : value) {
      const JsonMember* inner = is("as_tensors") ? nullptr : Chosen(item);
      if (inner != nullptr && inner->key == "as_none") {
        argument.names.emplace_back();
        continue;
      }
      const bool nested = inner != nullptr && inner->key == "as_tensor";
      ANEMONE_ASSIGN(std::string name, ReadName(nested ? inner->value : item));
      argument.names.push_back(std::move(name));
    }
  } else if (is("as_int") || is("as_sym_int") || is("as_bool") || is("as_sym_bool")) {
    argument.kind = is("as_int") || is("as_sym_int") ? Kind::kInt : Kind::kBool;
    ANEMONE_ASSIGN(IntItem item, ParseIntItem(value));
    argument.ints.push_back(std::move(item));
  } else if (is("as_ints") || is("as_sym_ints") || is("as_bools") || is("as_sym_bools")) {
    argument.kind = is("as_ints") || is("as_sym_ints") ? Kind::kInts : Kind::kBools;
    ANEMONE_TRY(ParseInts(value, &argument));
  } else if (is("as_float")) {
    argument.kind = Kind::kFloat;
    argument.numbers.push_back(NumberOf(value));
  } else if (is("as_sym_float")) {
    argument.kind = Kind::kFloat;
    if (value["as_name"].is_text()) argument.names.push_back(value["as_name"].text());
    argument.numbers.push_back(NumberOf(value["as_float"]));
  } else if (is("as_floats")) {
    argument.kind = Kind::kFloats;
    for (const Json& item : value) argument.numbers.push_back(NumberOf(item));
  } else if (is("as_string")) {
    argument.kind = Kind::kString;
    argument.text = value.text();
  } else if (is("as_strings")) {
    argument.kind = Kind::kStrings;
    for (const Json& item : value) argument.texts.push_back(item.text());
  } else if (is("as_scalar_type")) {
    argument.kind = Kind::kScalarType;
    argument.ints.push_back({{}, value.integer()});
  } else if (is("as_memory_format")) {
    argument.kind = Kind::kMemoryFormat;
  } else if (is("as_layout")) {
    argument.kind = Kind::kLayout;
  } else if (is("as_device")) {
    argument.kind = Kind::kDevice;
  } else if (is("as_graph")) {
    argument.kind = Kind::kGraph;
    ANEMONE_ASSIGN(Graph graph, ParseGraph(value["graph"], depth + 1));
    argument.text = value["name"].text();
    argument.graph = std::make_shared<Graph>(std::move(graph));
  } else {
    argument.kind = Kind::kOther;
    argument.text = key;
  }
  return argument;
}

// "L__self__layers_0,L['self'].layers.0,...;...": the last module of the stack is where the node
// stands. The path is the text after "L['self']." or, in newer files, the path itself.
std::string ModulePath(const std::string& stack) {
  const size_t last = stack.rfind(';');
  const std::string entry = last == std::string::npos ? stack : stack.substr(last + 1);
  const size_t comma = entry.find(',');
  if (comma == std::string::npos) return {};
  std::string path = entry.substr(comma + 1);
  path = path.substr(0, path.find(','));
  for (const std::string_view prefix : {"L['self'].", "L['fn'].", "L['self']", "L['fn']"}) {
    if (path.starts_with(prefix)) {
      path.erase(0, prefix.size());
      break;
    }
  }
  if (const size_t at = path.find('@'); at != std::string::npos) path.resize(at);
  // L['self']._modules['layers']['0'] and the like.
  std::string plain;
  for (size_t i = 0; i < path.size(); ++i) {
    if (path.compare(i, 9, "_modules[") == 0) i += 8;
    const char c = path[i];
    if (c == '[' || c == ']' || c == '\'' || c == '"' || c == '(' || c == ')') {
      if (!plain.empty() && plain.back() != '.') plain += '.';
    } else {
      plain += c;
    }
  }
  while (plain.ends_with('.')) plain.pop_back();
  std::string clean;
  for (const char c : plain) {
    if (c == '.' && clean.ends_with('.')) continue;
    clean += c;
  }
  return clean;
}

// The innermost line of a stack trace that is not PyTorch's own:
// `  File "/a/model.py", line 12, in forward`.
std::string SourceLine(const std::string& trace) {
  constexpr std::string_view kFile = "File \"";
  size_t at = trace.rfind(kFile);
  while (at != std::string::npos && at > 0) {
    const size_t path_end = trace.find('"', at + kFile.size());
    if (trace.substr(at, path_end - at).find("/torch/nn/") == std::string::npos) break;
    const size_t outer = trace.rfind(kFile, at - 1);
    if (outer == std::string::npos) break;
    at = outer;
  }
  if (at == std::string::npos) return {};
  const size_t begin = at + kFile.size();
  const size_t end = trace.find('"', begin);
  if (end == std::string::npos) return {};
  std::string path = trace.substr(begin, end - begin);
  if (const size_t slash = path.rfind('/'); slash != std::string::npos) path.erase(0, slash + 1);
  constexpr std::string_view kLine = ", line ";
  if (trace.compare(end + 1, kLine.size(), kLine) != 0) return path;
  size_t digit = end + 1 + kLine.size();
  std::string line;
  while (digit < trace.size() && trace[digit] >= '0' && trace[digit] <= '9') line += trace[digit++];
  return path + ":" + line;
}

Result<Node> Parser::ParseNode(const Json& json, int depth) {
  Node node;
  node.target = json["target"].text();
  if (node.target.empty()) return InvalidInput("a node has no target");
  constexpr std::string_view kOps = "torch.ops.";
  if (node.target.starts_with(kOps)) node.target.erase(0, kOps.size());
  node.name = json["name"].text();
  for (const Json& input : json["inputs"]) {
    NamedArgument argument{input["name"].text(), {}};
    ANEMONE_ASSIGN(argument.value, ParseArgument(input["arg"], depth).At(argument.name));
    node.inputs.push_back(std::move(argument));
  }
  for (const Json& output : json["outputs"]) {
    ANEMONE_ASSIGN(Argument argument, ParseArgument(output, depth).At("outputs"));
    node.outputs.push_back(std::move(argument));
  }
  const Json& metadata = json["metadata"];
  node.module = ModulePath(metadata["nn_module_stack"].text());
  node.source = SourceLine(metadata["stack_trace"].text());
  return node;
}

Result<Graph> Parser::ParseGraph(const Json& json, int depth) {
  if (depth > kMaxGraphDepth) return InvalidInput("graphs nest deeper than {}", kMaxGraphDepth);
  if (!json["nodes"].is_array()) return InvalidInput("a graph has no list of nodes");
  Graph graph;
  for (const JsonMember& member : json["tensor_values"].items()) {
    ANEMONE_ASSIGN(TensorMeta meta,
                   ParseTensorMeta(member.value).At(fmt::format("value '{}'", member.key)));
    graph.tensors.emplace(member.key, std::move(meta));
  }
  for (const JsonMember& member : json["sym_int_values"].items()) {
    ANEMONE_ASSIGN(Size size, ParseSize(member.value).At(fmt::format("value '{}'", member.key)));
    graph.sizes.emplace(member.key, std::move(size));
  }
  for (const Json& input : json["inputs"]) {
    ANEMONE_ASSIGN(Argument argument, ParseArgument(input, depth).At("graph.inputs"));
    graph.inputs.push_back(std::move(argument));
  }
  for (const Json& output : json["outputs"]) {
    ANEMONE_ASSIGN(Argument argument, ParseArgument(output, depth).At("graph.outputs"));
    graph.outputs.push_back(std::move(argument));
  }
  size_t index = 0;
  for (const Json& item : json["nodes"]) {
    auto node = ParseNode(item, depth);
    if (!node.ok())
      return std::move(node).status().At(fmt::format("graph.nodes[{}]", index)).error();
    graph.nodes.push_back(std::move(*node));
    ++index;
  }
  return graph;
}

Result<InputSpec> ParseInputSpec(const Json& json, Parser& parser) {
  const JsonMember* chosen = Chosen(json);
  if (chosen == nullptr) return InvalidInput("an input is not one of the schema's kinds");
  const Json& value = chosen->value;
  InputSpec spec;
  const auto named = [&](InputSpec::Kind kind, std::string_view key) -> Result<InputSpec> {
    spec.kind = kind;
    spec.value.kind = Kind::kTensor;
    ANEMONE_ASSIGN(std::string name, ReadName(value["arg"]));
    spec.value.names.push_back(std::move(name));
    spec.target = value[key].text();
    return spec;
  };
  using InputKind = InputSpec::Kind;
  if (chosen->key == "user_input") {
    ANEMONE_ASSIGN(spec.value, parser.ParseArgument(value["arg"], 0));
    return spec;
  }
  if (chosen->key == "parameter") return named(InputKind::kParameter, "parameter_name");
  if (chosen->key == "buffer") return named(InputKind::kBuffer, "buffer_name");
  if (chosen->key == "tensor_constant") return named(InputKind::kConstant, "tensor_constant_name");
  if (chosen->key == "custom_obj") return named(InputKind::kCustomObject, "custom_obj_name");
  spec.kind = chosen->key == "token" ? InputKind::kToken : InputKind::kFixed;
  return spec;
}

Result<OutputSpec> ParseOutputSpec(const Json& json, Parser& parser) {
  const JsonMember* chosen = Chosen(json);
  if (chosen == nullptr) return InvalidInput("an output is not one of the schema's kinds");
  const Json& value = chosen->value;
  OutputSpec spec;
  if (chosen->key == "user_output") {
    ANEMONE_ASSIGN(spec.value, parser.ParseArgument(value["arg"], 0));
    return spec;
  }
  spec.value.kind = Kind::kTensor;
  ANEMONE_ASSIGN(std::string name, ReadName(value["arg"]));
  spec.value.names.push_back(std::move(name));
  if (chosen->key == "buffer_mutation") {
    spec.kind = OutputSpec::Kind::kBufferMutation;
    spec.target = value["buffer_name"].text();
  } else if (chosen->key == "user_input_mutation") {
    spec.kind = OutputSpec::Kind::kInputMutation;
    spec.target = value["user_input_name"].text();
  } else {
    spec.kind = OutputSpec::Kind::kOther;
    spec.target = chosen->key;
  }
  return spec;
}

std::optional<int64_t> Bound(const Json& json) {
  if (json.is_integer()) return json.integer();
  return std::nullopt;
}

}  // namespace

const Argument* Node::Find(std::string_view argument) const {
  for (const NamedArgument& input : inputs) {
    if (input.name == argument) return &input.value;
  }
  return nullptr;
}

DType ToDType(ScalarType type) {
  switch (type) {
    case ScalarType::kByte:
      return DType::kUInt8;
    case ScalarType::kChar:
      return DType::kInt8;
    case ScalarType::kShort:
      return DType::kInt16;
    case ScalarType::kInt:
      return DType::kInt32;
    case ScalarType::kLong:
      return DType::kInt64;
    case ScalarType::kHalf:
      return DType::kFp16;
    case ScalarType::kFloat:
      return DType::kFp32;
    case ScalarType::kDouble:
      return DType::kFp64;
    case ScalarType::kBool:
      return DType::kBool;
    case ScalarType::kBfloat16:
      return DType::kBf16;
    case ScalarType::kUint16:
      return DType::kUInt16;
    default:
      return DType::kInvalid;
  }
}

std::string ScalarTypeName(ScalarType type) {
  constexpr std::array<std::string_view, 14> kNames = {
      "unknown", "uint8",   "int8",      "int16",     "int32",      "int64", "float16",
      "float32", "float64", "complex32", "complex64", "complex128", "bool",  "bfloat16"};
  const auto index = static_cast<size_t>(type);
  if (index < kNames.size()) return fmt::format("torch.{}", kNames[index]);
  if (type == ScalarType::kUint16) return "torch.uint16";
  return fmt::format("scalar type {}", index);
}

Result<TensorMeta> ParseTensorMeta(const Json& json) {
  TensorMeta meta;
  const Json& dtype = json["dtype"];
  if (!dtype.is_integer() || dtype.integer() < 0 || dtype.integer() > 255)
    return InvalidInput("a tensor has no dtype");
  meta.type = static_cast<ScalarType>(dtype.integer());
  if (!json["sizes"].is_array() || json["sizes"].size() > kMaxRank)
    return InvalidInput("a tensor has no sizes");
  for (const Json& item : json["sizes"]) {
    ANEMONE_ASSIGN(Size size, ParseSize(item));
    if (size.value.value_or(0) < 0) return InvalidInput("a tensor has a negative size");
    meta.sizes.push_back(std::move(size));
  }
  for (const Json& item : json["strides"]) {
    ANEMONE_ASSIGN(Size size, ParseSize(item));
    meta.strides.push_back(std::move(size));
  }
  if (json.contains("storage_offset") && !json["storage_offset"].is_null()) {
    ANEMONE_ASSIGN(meta.offset, ParseSize(json["storage_offset"]));
  }
  return meta;
}

Result<Program> ParseProgram(std::string_view text) {
  ANEMONE_ASSIGN(const Json json, ParseJson(text));
  Program program;
  program.torch_version = json["torch_version"].text();
  program.schema_major = json["schema_version"]["major"].integer();
  program.schema_minor = json["schema_version"]["minor"].integer();
  if (!json["graph_module"].is_object())
    return InvalidInput("the document has no graph_module, so it is not an exported program");
  if (program.schema_major < kOldestMajor || program.schema_major > kNewestMajor) {
    return Unsupported(
               "the schema of the exported program has version {}.{}, but versions {} to {} are "
               "read",
               program.schema_major, program.schema_minor, kOldestMajor, kNewestMajor)
        .Advise("export it again with PyTorch 2.5 or newer: torch.export.save(program, FILE)");
  }
  Parser parser;
  const Json& module = json["graph_module"];
  ANEMONE_ASSIGN(program.graph, parser.ParseGraph(module["graph"], 0));
  for (const Json& item : module["signature"]["input_specs"]) {
    ANEMONE_ASSIGN(InputSpec spec, ParseInputSpec(item, parser).At("signature.input_specs"));
    program.inputs.push_back(std::move(spec));
  }
  for (const Json& item : module["signature"]["output_specs"]) {
    ANEMONE_ASSIGN(OutputSpec spec, ParseOutputSpec(item, parser).At("signature.output_specs"));
    program.outputs.push_back(std::move(spec));
  }
  for (const JsonMember& member : json["range_constraints"].items()) {
    program.ranges[member.key] = {Bound(member.value["min_val"]), Bound(member.value["max_val"])};
  }
  return program;
}

}  // namespace anemone::torch
