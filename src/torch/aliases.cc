#include "torch/aliases.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace anemone::torch {
namespace {

using Kind = Argument::Kind;

// The operator's name without namespace and overload.
std::string_view BaseOf(std::string_view target) {
  const size_t first = target.find('.');
  const size_t second = target.find('.', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return {};
  return target.substr(first + 1, second - first - 1);
}

template <size_t kCount>
bool IsOneOf(std::string_view name, const std::array<std::string_view, kCount>& names) {
  return std::ranges::find(names, name) != names.end();
}

// Always views.
constexpr std::array kViews = std::to_array<std::string_view>(
    {"view",       "view_as", "_unsafe_view", "_reshape_alias", "unsqueeze",
     "squeeze",    "permute", "transpose",    "swapaxes",       "swapdims",
     "t",          "mT",      "numpy_T",      "movedim",        "moveaxis",
     "select",     "slice",   "narrow",       "split",          "split_with_sizes",
     "chunk",      "unbind",  "expand",       "expand_as",      "broadcast_to",
     "diagonal",   "unfold",  "unflatten",    "detach",         "alias",
     "lift_fresh", "real",    "positive",     "adjoint",        "matrix_H"});
// Views of a contiguous tensor.
constexpr std::array kMaybeViews =
    std::to_array<std::string_view>({"reshape", "reshape_as", "flatten", "ravel", "contiguous"});
// The tensor itself where they have nothing to do.
constexpr std::array kMaybeSame = std::to_array<std::string_view>(
    {"to", "type_as", "dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"});
constexpr std::array kReshapes = std::to_array<std::string_view>(
    {"view", "view_as", "_unsafe_view", "_reshape_alias", "unsqueeze", "squeeze", "unflatten",
     "reshape", "reshape_as", "flatten", "ravel"});
constexpr std::array kSame = std::to_array<std::string_view>(
    {"detach", "alias", "lift_fresh", "real", "positive", "contiguous", "to", "type_as", "dropout",
     "feature_dropout", "alpha_dropout", "feature_alpha_dropout"});

// The factors of a size or stride: a number, and the rest of the expression, sorted. Nullopt for what is
// not a product.
struct Factors {
  int64_t number = 1;
  std::vector<std::string> symbols;
  friend bool operator==(const Factors&, const Factors&) = default;
};
std::optional<Factors> FactorsOf(const Size& size) {
  Factors factors;
  if (size.value) {
    factors.number = *size.value;
    return factors;
  }
  std::string_view rest = size.expression;
  while (!rest.empty()) {
    const size_t star = std::min(rest.find('*'), rest.size());
    std::string_view part = rest.substr(0, star);
    rest.remove_prefix(std::min(star + 1, rest.size()));
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    int64_t number = 0;
    const auto parsed = std::from_chars(part.data(), part.data() + part.size(), number);
    if (parsed.ec == std::errc() && parsed.ptr == part.data() + part.size()) {
      factors.number *= number;
      continue;
    }
    const auto plain = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    };
    if (part.empty() || !std::ranges::all_of(part, plain)) return std::nullopt;
    factors.symbols.emplace_back(part);
  }
  std::ranges::sort(factors.symbols);
  return factors;
}

// Whether the elements lie in memory in the order of the dimensions. What no product of symbols tells is
// taken for a tensor in order, as most are.
bool LiesInOrder(const TensorMeta& meta) {
  Factors expected;
  for (size_t d = meta.sizes.size(); d-- > 0;) {
    const auto size = FactorsOf(meta.sizes[d]);
    const auto stride =
        d < meta.strides.size() ? FactorsOf(meta.strides[d]) : std::optional<Factors>();
    if (!size || !stride) return true;
    const bool one = size->number == 1 && size->symbols.empty();
    if (!one && *stride != expected) return false;
    expected.number *= size->number;
    expected.symbols.insert(expected.symbols.end(), size->symbols.begin(), size->symbols.end());
    std::ranges::sort(expected.symbols);
  }
  return true;
}

const TensorMeta* MetaOf(const Graph& graph, const std::string& value) {
  const auto found = graph.tensors.find(value);
  return found == graph.tensors.end() ? nullptr : &found->second;
}

NamedArgument TensorNamed(std::string name, std::string value) {
  Argument argument;
  argument.kind = Kind::kTensor;
  argument.names.push_back(std::move(value));
  return {std::move(name), std::move(argument)};
}

NamedArgument IntNamed(std::string name, int64_t value) {
  Argument argument;
  argument.kind = Kind::kInt;
  argument.ints.push_back({{}, value});
  return {std::move(name), std::move(argument)};
}

// An argument of one known integer.
int64_t IntOf(const Node& node, std::string_view name, int64_t fallback) {
  const Argument* argument = node.Find(name);
  if (argument == nullptr || argument->ints.empty() || !argument->ints[0].name.empty())
    return fallback;
  return argument->ints[0].value;
}

// Where output `index` of a split begins along its axis, and how long it is.
struct Piece {
  int64_t begin = 0, size = 0;
};
Piece PieceOf(const Node& node, const Graph& graph, int64_t axis, size_t index) {
  Piece piece;
  size_t at = 0;
  for (const Argument& output : node.outputs) {
    for (const std::string& name : output.names) {
      const TensorMeta* meta = MetaOf(graph, name);
      if (meta == nullptr || meta->sizes.empty()) return piece;
      const int64_t place = axis < 0 ? axis + meta->rank() : axis;
      piece.size = meta->sizes[static_cast<size_t>(place)].value.value_or(0);
      if (at++ == index) return piece;
      piece.begin += piece.size;
    }
  }
  return piece;
}

void Root(const Graph& graph, std::set<std::string>* mutated) {
  std::unordered_map<std::string, std::string> roots;
  const auto root = [&](const std::string& value) {
    const auto found = roots.find(value);
    return found == roots.end() ? value : found->second;
  };
  for (const Node& node : graph.nodes) {
    const Argument* body = nullptr;
    std::vector<std::string> passed;
    for (const NamedArgument& input : node.inputs) {
      if (input.value.kind == Kind::kGraph && body == nullptr) {
        body = &input.value;
      } else if (body != nullptr) {
        for (const std::string& name : input.value.names) passed.push_back(name);
        for (const IntItem& item : input.value.ints) passed.push_back(item.name);
      }
    }
    if (body != nullptr && body->graph != nullptr) {
      const std::set<std::string> inner = MutatedInputs(*body->graph);
      for (size_t i = 0; i < body->graph->inputs.size() && i < passed.size(); ++i) {
        const Argument& input = body->graph->inputs[i];
        if (!input.names.empty() && inner.contains(input.names[0]))
          mutated->insert(root(passed[i]));
      }
      continue;
    }
    const bool writes = !FunctionalTarget(node.target).empty();
    if (!writes && !IsView(node, graph)) continue;
    const std::string source = root(SourceOf(node));
    if (writes) mutated->insert(source);
    for (const Argument& output : node.outputs) {
      for (const std::string& name : output.names) roots[name] = source;
    }
  }
}

}  // namespace

std::string FunctionalTarget(std::string_view target) {
  if (!target.starts_with("aten.")) return {};
  const std::string_view base = BaseOf(target);
  if (base.size() < 2 || !base.ends_with('_')) return {};
  const std::string overload(target.substr(5 + base.size()));
  if (base.starts_with("__i") && base.ends_with("__")) {  // __iadd__, __iand__ ...
    const std::string name(base.substr(3, base.size() - 5));
    const bool bits = name == "and" || name == "or" || name == "xor";
    return bits ? "aten.__" + name + "__" + overload : "aten." + name + overload;
  }
  if (base.ends_with("__")) return {};
  return "aten." + std::string(base.substr(0, base.size() - 1)) + overload;
}

std::string SourceOf(const Node& node) {
  for (const std::string_view name : {"self", "input"}) {
    const Argument* argument = node.Find(name);
    if (argument != nullptr && argument->kind == Kind::kTensor) return argument->names[0];
  }
  return {};
}

bool IsView(const Node& node, const Graph& graph) {
  const std::string_view base = BaseOf(node.target);
  if (!node.target.starts_with("aten.") || base.empty()) return false;
  if (IsOneOf(base, kViews)) return true;
  const TensorMeta* source = MetaOf(graph, SourceOf(node));
  if (source == nullptr) return false;
  if (IsOneOf(base, kMaybeViews)) return LiesInOrder(*source);
  if (!IsOneOf(base, kMaybeSame) || node.outputs.empty() || node.outputs[0].names.empty())
    return false;
  const Argument* copy = node.Find("copy");
  const bool copies = copy != nullptr && !copy->ints.empty() && copy->ints[0].value != 0;
  const TensorMeta* made = MetaOf(graph, node.outputs[0].names[0]);
  return made != nullptr && made->type == source->type && !copies;
}

std::set<std::string> MutatedInputs(const Graph& graph) {
  std::set<std::string> mutated;
  Root(graph, &mutated);
  return mutated;
}

void Aliases::Add(const std::string& value, View view) {
  children_[view.source].push_back(value);
  views_.insert_or_assign(value, std::move(view));
}

const Aliases::View* Aliases::Find(const std::string& value) const {
  const auto found = views_.find(value);
  return found == views_.end() ? nullptr : &found->second;
}

const std::vector<std::string>& Aliases::ViewsOf(const std::string& value) const {
  static const std::vector<std::string> none;
  const auto found = children_.find(value);
  return found == children_.end() ? none : found->second;
}

Node PutBack(const Aliases::View& view, const Graph& graph, const std::string& changed,
             const std::string& result) {
  Node node;
  Argument output;
  output.kind = Kind::kTensor;
  output.names.push_back(result);
  node.outputs.push_back(std::move(output));
  const std::string_view base = view.node == nullptr ? "alias" : BaseOf(view.node->target);
  if (view.node != nullptr) {
    node.module = view.node->module;
    node.source = view.node->source;
  }
  if (IsOneOf(base, kSame)) {
    node.target = "aten.alias.default";
    node.inputs.push_back(TensorNamed("self", changed));
  } else if (IsOneOf(base, kReshapes)) {
    node.target = "aten.view_as.default";
    node.inputs.push_back(TensorNamed("self", changed));
    node.inputs.push_back(TensorNamed("other", view.source));
  } else if (base == "transpose" || base == "swapaxes" || base == "swapdims" || base == "t" ||
             base == "mT" || base == "numpy_T") {
    node.target = view.node->target;
    node.inputs = view.node->inputs;
    node.inputs[0] = TensorNamed("self", changed);
  } else if (base == "permute") {
    node.target = "aten.permute.default";
    node.inputs.push_back(TensorNamed("self", changed));
    NamedArgument dims{"dims", {}};
    dims.value.kind = Kind::kInts;
    const Argument* order = view.node->Find("dims");
    const size_t rank = order == nullptr ? 0 : order->ints.size();
    dims.value.ints.resize(rank);
    for (size_t i = 0; i < rank; ++i) {
      int64_t axis = order->ints[i].value;
      if (axis < 0) axis += static_cast<int64_t>(rank);
      if (axis < 0 || axis >= static_cast<int64_t>(rank)) return {};
      dims.value.ints[static_cast<size_t>(axis)].value = static_cast<int64_t>(i);
    }
    node.inputs.push_back(std::move(dims));
  } else if (base == "select" || base == "slice") {
    node.target = base == "select" ? "aten.select_scatter.default" : "aten.slice_scatter.default";
    node.inputs = view.node->inputs;
    node.inputs.push_back(TensorNamed("src", changed));
  } else if (base == "unbind" || base == "split" || base == "split_with_sizes" || base == "chunk" ||
             base == "narrow") {
    const int64_t axis = IntOf(*view.node, "dim", 0);
    node.inputs = {TensorNamed("self", view.source), TensorNamed("src", changed),
                   IntNamed("dim", axis)};
    if (base == "unbind") {
      node.target = "aten.select_scatter.default";
      node.inputs.push_back(IntNamed("index", static_cast<int64_t>(view.output)));
    } else {
      node.target = "aten.slice_scatter.default";
      Piece piece = PieceOf(*view.node, graph, axis, view.output);
      if (base == "narrow") piece.begin = IntOf(*view.node, "start", 0);
      node.inputs.push_back(IntNamed("start", piece.begin));
      node.inputs.push_back(IntNamed("end", piece.begin + piece.size));
    }
  }
  return node;
}

}  // namespace anemone::torch
