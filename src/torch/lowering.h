// Lowering: the walk over an exported program that writes it as an ONNX model in memory. Internal to
// src/torch.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "onnx/import.h"
#include "torch/context.h"
#include "torch/program.h"

namespace anemone::torch {

class Lowering {
 public:
  Lowering(const Program& program, const onnx::ImportOptions& options)
      : program_(program), options_(options) {}

  Result<onnx::Model> Run();
  // The given options with the ranges of symbolic dimensions that they leave out.
  Result<onnx::ImportOptions> Options() const;

 private:
  Status AddInputs();
  Status AddNumber(const std::string& name);
  Status AddUserInput(const InputSpec& spec);
  Status AddHeld(const InputSpec& spec);
  Status AddState(const InputSpec& spec, const HeldTensor& tensor);
  Status AddOutputs();
  Status Lower(const Graph& graph, Names& names);
  Status LowerNode(const Node& node, const Graph& graph, Names& names);
  // Writes the node's operators; what cannot be converted becomes a node that says so.
  Status Emit(const Node& node, const Graph& graph, Names& names);
  // A node that only moves the elements of a complex tensor: once for each part.
  Status EmitByParts(const Node& node, const Graph& graph, Names& names);
  // A node that writes to its first argument.
  Status LowerInPlace(const Node& node, const std::string& functional, const Graph& graph,
                      Names& names);
  // `value` has new elements: what it is a view of has them too, and so have the views of both, but for
  // `cause`, which is up to date.
  Status Write(const std::string& value, const std::string& made, const std::string& cause,
               const Graph& graph, Names& names);
  Status Refresh(const std::string& view, const Graph& graph, Names& names);
  // Nodes whose arguments are graphs (higher_order.cc); false for others.
  Result<bool> LowerHigherOrder(const Node& node, const Graph& outer, Names& names);
  Status LowerInlined(const Node& node, const Graph& outer, Names& names);
  Status LowerCond(const Node& node, Names& names);
  Status LowerWhile(const Node& node, Names& names);
  Status LowerScan(const Node& node, Names& names);
  Result<Values> ValuesAt(const Node& node, size_t index, const Names& names) const;
  // Writes the graph's nodes with `values` as its inputs; the ONNX values of its outputs, "" for None.
  Result<Values> Inline(const Graph& body, const Values& values, Names* inner);
  Result<Values> InlinePure(const Graph& body, const Values& values);
  // A graph of its own: what `fill` writes.
  Result<std::shared_ptr<onnx::Graph>> Body(Values inputs,
                                            const std::function<Result<Values>()>& fill);
  Status AddHigherOrder(const Node& node, onnx::Node made, size_t count, Names& names);
  static Status SetOutputs(const Node& node, const Values& values, Names& names);
  void Refuse(const Node& node, Names& names, const std::string& name, const Error& error);
  std::string UniqueName(const std::string& hint);
  std::string NameOf(const Node& node);
  static std::string OriginOf(const Node& node);
  bool IsMutated(const InputSpec& spec) const;

  const Program& program_;
  const onnx::ImportOptions& options_;
  onnx::Model model_;
  onnx::Graph* out_ = &model_.graph;  // where nodes are written: a body, inside one
  Names names_;
  std::set<std::string> taken_;
  // Tensors that share memory become one constant.
  std::map<std::tuple<const void*, ScalarType, std::vector<int64_t>>, std::string> held_;
  std::map<std::string, std::string> states_;  // names of states by the name of the buffer
  std::set<std::string> mutated_;              // inputs of the graph that it writes to
  int depth_ = 0;
  int added_ = 0;  // values that the walk adds
};

}  // namespace anemone::torch
