// Importer: the walk over an ONNX graph that ImportModel makes. Internal to src/onnx.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "onnx/fold.h"
#include "onnx/import.h"
#include "onnx/node_context.h"

namespace anemone::onnx {

// The upper bound of a dimension whose size may be any: Core ML wants one for an ML Program.
constexpr int64_t kUpperOfAny = 2048;

class Importer {
 public:
  Importer(const Model& model, const ImportOptions& options);
  Result<ir::Model> Run();

 private:
  // Names visible in a graph; those of the graphs around it through `outer`.
  struct Scope {
    Scope* outer = nullptr;
    std::unordered_map<std::string, std::unique_ptr<Operand>> values;

    Operand* Find(const std::string& name) const;
    Operand* Add(Operand operand);
  };
  // Versions of the operator sets in the code being walked (a function brings its own).
  using Opsets = std::map<std::string, int64_t>;
  // A node that cannot be converted.
  struct Blocked {
    std::string text;
    bool unsupported = true;  // false: it breaks ONNX's rules
  };

  void NoteOpset();
  Status AddInputs(Scope& scope);
  Status AddInput(const ValueInfo& info, Scope& scope);
  // An input that the caller fixes.
  Status AddKnownInput(const ValueInfo& info, const Constant& given, Scope& scope);
  // Reads the sizes that are given for named dimensions into `named_`.
  Status ReadGivenNames();
  Result<ir::Shape> InputShape(const ValueInfo& info);
  // The size of a dimension that the caller gives: a number, or a symbol.
  Result<int64_t> GivenSize(const InputSize& given, const std::string& name,
                            const std::string& input, size_t d);
  // Declares the ranges or the shapes of the inputs that are open, and says what that costs.
  Status DescribeOpenInputs(ir::Model& model);
  // The fixed shapes that the file declares for the outputs of a node of the main graph.
  std::vector<std::optional<ir::Shape>> DeclaredShapes(const Node& node);
  Status AddInitializers(const Graph& graph, Scope& scope);
  // The states of the main graph: read at the start of a call, written at its end.
  Status AddStates(Scope& scope);
  Status WriteStates(const Scope& scope);
  Status SetOutputs(const Scope& scope);
  // `taken`: the values that are outputs already.
  Result<ir::Value*> OutputValue(const ValueInfo& info, Operand& operand,
                                 std::unordered_set<const ir::Value*>& taken);
  void NameOutputs(const std::vector<ir::Value*>& values);
  void AddMetadata(ir::Model& model) const;

  Status Walk(const std::vector<Node>& nodes, const std::vector<std::string>& wanted,
              const Opsets& opsets, Scope& scope, ir::Builder& builder, int depth);
  Status WalkNode(const Node& node, size_t index, const Opsets& opsets, Scope& scope,
                  ir::Builder& builder, int depth);
  Status CheckFolded() const;
  Status CountFolded(const FoldArgs& args, const std::vector<Constant>& outputs);
  // The caller's lowering of the node, or null; and the node written by it.
  const ir::TextTemplate* FindLowering(const Node& node) const;
  Status Lower(const ir::TextTemplate& lowering, NodeContext& context, ir::Builder& builder);
  void NoteUnusedLowerings();
  // Converts the node, or returns why it cannot be converted.
  Status Convert(NodeContext& context);
  Result<std::vector<Operand>> ImportGraph(const Graph& graph, const Opsets& opsets, Scope& scope,
                                           ir::Builder& builder, ir::Block* block, int depth,
                                           const std::vector<Operand>& inputs);
  const Function* FindFunction(const Node& node) const;
  Status Inline(const Function& function, const Node& node, std::vector<Operand*> inputs,
                Scope& scope, ir::Builder& builder, int depth);
  void Block(const Node& node, size_t index, const Opsets& opsets, const Error& error);
  Error BlockedError() const;

  const Model& model_;
  const ImportOptions& options_;
  ir::Program program_;
  ir::Function* function_ = nullptr;
  std::unique_ptr<ir::Builder> builder_;
  std::unique_ptr<RuntimeSizes> runtime_;
  // An open dimension: what was given for it, and the input that was first.
  struct Open {
    InputSize given;
    std::string input;
  };
  std::map<int64_t, Open> open_;          // by symbol
  std::map<std::string, int64_t> named_;  // sizes by the names that the file gives dimensions
  std::map<std::string, ir::Shape> open_inputs_;  // by the input's name in the program
  std::vector<Blocked> blocked_;
  std::map<std::string, std::string> renamed_;  // new name to ONNX name
  std::map<std::string, ir::Value*> states_;    // by name
  std::optional<std::unordered_map<std::string_view, ir::Shape>> declared_;
  std::vector<std::string> notes_;                    // what the user should know
  std::unordered_set<const ir::TextTemplate*> used_;  // lowerings
  int64_t walked_ = 0;
  size_t folded_bytes_ = 0;  // of constants computed here
  size_t initializer_bytes_ = 0;
};

}  // namespace anemone::onnx
