#include "onnx/check.h"

#include <queue>
#include <unordered_map>
#include <unordered_set>

namespace anemone::onnx {
namespace {

using Names = std::unordered_set<std::string_view>;

// Names visible in a graph: its own and those of the graphs around it.
struct NameScope {
  const NameScope* outer = nullptr;
  Names names;

  bool Has(std::string_view name) const {
    for (const NameScope* scope = this; scope != nullptr; scope = scope->outer) {
      if (scope->names.contains(name)) return true;
    }
    return false;
  }
};

// The values that `graph` and its subgraphs read but do not make: what the owner node depends on
// besides its inputs.
void CollectFree(const Graph& graph, std::vector<const Names*>& bound,
                 std::vector<std::string_view>& free);

void CollectUses(const Node& node, std::vector<const Names*>& bound,
                 std::vector<std::string_view>& free) {
  const auto use = [&](std::string_view name) {
    if (name.empty()) return;
    for (const auto* names : bound) {
      if (names->contains(name)) return;
    }
    free.push_back(name);
  };
  for (const auto& input : node.inputs) use(input);
  for (const auto& attribute : node.attributes) {
    for (const auto& inner : attribute.graphs) CollectFree(*inner, bound, free);
  }
}

void CollectFree(const Graph& graph, std::vector<const Names*>& bound,
                 std::vector<std::string_view>& free) {
  Names own;
  for (const auto& tensor : graph.initializers) own.insert(tensor.name);
  for (const auto& input : graph.inputs) own.insert(input.name);
  for (const auto& node : graph.nodes) own.insert(node.outputs.begin(), node.outputs.end());
  bound.push_back(&own);
  for (const auto& node : graph.nodes) CollectUses(node, bound, free);
  for (const auto& output : graph.outputs) {
    bool found = false;
    for (const auto* names : bound) found = found || names->contains(output.name);
    if (!found) free.push_back(output.name);
  }
  bound.pop_back();
}

// Orders `nodes` so that makers come before users; among those ready, the file's order. `scope`
// holds what exists before the first node and receives every output.
Status SortNodes(std::vector<Node>& nodes, NameScope& scope) {
  std::unordered_map<std::string_view, size_t> maker;
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const auto& output : nodes[i].outputs) {
      if (output.empty()) continue;
      if (scope.names.contains(output)) {
        return InvalidInput("makes '{}', a name that is already taken", output)
            .At(nodes[i].Place(i));
      }
      if (!maker.emplace(output, i).second) {
        return InvalidInput("makes '{}', which {} makes too", output,
                            nodes[maker[output]].Place(maker[output]))
            .At(nodes[i].Place(i));
      }
    }
  }
  std::vector<std::vector<size_t>> users(nodes.size());
  std::vector<size_t> missing(nodes.size(), 0);
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const auto name : UsedNames(nodes[i])) {
      if (const auto found = maker.find(name); found != maker.end()) {
        users[found->second].push_back(i);
        ++missing[i];
      } else if (!scope.Has(name)) {
        return InvalidInput("reads '{}', which nothing makes", name).At(nodes[i].Place(i));
      }
    }
  }
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (missing[i] == 0) ready.push(i);
  }
  std::vector<size_t> order;
  while (!ready.empty()) {
    const size_t i = ready.top();
    ready.pop();
    order.push_back(i);
    for (const size_t user : users[i]) {
      if (--missing[user] == 0) ready.push(user);
    }
  }
  if (order.size() != nodes.size()) {
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (missing[i] != 0) {
        return InvalidInput("depends on its own output: the graph has a cycle")
            .At(nodes[i].Place(i));
      }
    }
  }
  std::vector<Node> sorted;
  sorted.reserve(nodes.size());
  for (const size_t i : order) sorted.push_back(std::move(nodes[i]));
  nodes = std::move(sorted);
  return {};
}

Status CheckGraph(Graph& graph, const NameScope* outer);

Status CheckSubgraphs(std::vector<Node>& nodes, const NameScope& scope) {
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (auto& attribute : nodes[i].attributes) {
      for (auto& inner : attribute.graphs) {
        auto status = CheckGraph(*inner, &scope);
        if (!status.ok()) {
          return std::move(status)
              .At(fmt::format("attribute '{}'", attribute.name))
              .At(nodes[i].Place(i));
        }
      }
    }
  }
  return {};
}

Status CheckGraph(Graph& graph, const NameScope* outer) {
  NameScope scope;
  scope.outer = outer;
  for (const auto& input : graph.inputs) {
    if (!scope.names.insert(input.name).second) {
      return InvalidInput("two inputs are called '{}'", input.name);
    }
  }
  Names tensors;
  for (const auto& tensor : graph.initializers) {
    if (!tensors.insert(tensor.name).second) {
      return InvalidInput("two initializers are called '{}'", tensor.name);
    }
    scope.names.insert(tensor.name);  // one that repeats an input is its default
  }
  ANEMONE_TRY(SortNodes(graph.nodes, scope));
  // Not earlier: sorting moves the nodes, and short strings with them.
  for (const auto& node : graph.nodes) {
    scope.names.insert(node.outputs.begin(), node.outputs.end());
  }
  for (const auto& output : graph.outputs) {
    if (!scope.Has(output.name)) {
      return InvalidInput("nothing makes the graph's output '{}'", output.name);
    }
  }
  if (graph.outputs.empty()) return InvalidInput("the graph '{}' has no outputs", graph.name);
  return CheckSubgraphs(graph.nodes, scope);
}

Status CheckFunction(Function& function) {
  NameScope scope;
  for (const auto& input : function.inputs) {
    if (!scope.names.insert(input).second) return InvalidInput("two inputs are called '{}'", input);
  }
  ANEMONE_TRY(SortNodes(function.nodes, scope));
  for (const auto& node : function.nodes) {
    scope.names.insert(node.outputs.begin(), node.outputs.end());
  }
  for (const auto& output : function.outputs) {
    if (!scope.Has(output)) return InvalidInput("nothing makes the output '{}'", output);
  }
  return CheckSubgraphs(function.nodes, scope);
}

}  // namespace

std::vector<std::string_view> UsedNames(const Node& node) {
  std::vector<const Names*> bound;
  std::vector<std::string_view> free;
  CollectUses(node, bound, free);
  return free;
}

Status CheckModel(Model& model) {
  ANEMONE_TRY(CheckGraph(model.graph, nullptr));
  // A value that is listed twice is one output: results go by their names.
  std::unordered_set<std::string> outputs;
  std::erase_if(model.graph.outputs,
                [&](const ValueInfo& output) { return !outputs.insert(output.name).second; });
  for (auto& function : model.functions) {
    ANEMONE_TRY(CheckFunction(function).At(fmt::format("function '{}'", function.name)));
  }
  return {};
}

}  // namespace anemone::onnx
