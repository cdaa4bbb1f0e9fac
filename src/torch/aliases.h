// Aliases: which values of an ATen graph share their memory, and which operators write to it. A graph of
// torch.export may change tensors in place, also through views of them; ONNX and MIL have values only.
// The walk asks here what a node does to memory. Thread rules: pure functions; Aliases on one thread.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "torch/program.h"

namespace anemone::torch {

// "aten.add_.Tensor" -> "aten.add.Tensor"; "" for operators that do not write to their first argument.
std::string FunctionalTarget(std::string_view target);
// Whether the outputs of the node are (or may be) views of its first argument, given the types.
bool IsView(const Node& node, const Graph& graph);
// The tensor that the node writes to or views: its first argument.
std::string SourceOf(const Node& node);
// The inputs of the graph that its nodes write to, through whatever views.
std::set<std::string> MutatedInputs(const Graph& graph);

class Aliases {
 public:
  struct View {
    std::string source;
    const Node* node = nullptr;  // null: the same tensor under another name
    size_t output = 0;           // among the node's outputs
  };

  void Add(const std::string& value, View view);
  // Null for a value that is no view.
  const View* Find(const std::string& value) const;
  // The direct views of a value.
  const std::vector<std::string>& ViewsOf(const std::string& value) const;

 private:
  std::unordered_map<std::string, View> views_;
  std::unordered_map<std::string, std::vector<std::string>> children_;
};

// The node that gives the source after `view` was changed to `changed`, as `result`; a node without a
// target when there is none. A chain of reshapes and transposes is undone, a slice is put back.
Node PutBack(const Aliases::View& view, const Graph& graph, const std::string& changed,
             const std::string& result);

}  // namespace anemone::torch
