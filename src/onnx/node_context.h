// NodeContext: the importer as the converter of one ONNX node sees it. It gives the node's inputs
// as known constants or as values of the program, the attributes with their defaults, and appends
// MIL operations named after the node's outputs.
//
// Emission is sticky: after a failure Op() returns null, later calls do nothing, and status()
// (which the importer checks after each converter) holds the first error. A converter returns
// Unsupported(...) when MIL cannot express the node; the importer collects these, so that the user
// sees all of them at once. Ownership: points into the importer; lives for one node. Thread rules:
// one thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/builder.h"
#include "onnx/constant.h"
#include "onnx/fold.h"
#include "onnx/model.h"
#include "onnx/quantized.h"

namespace anemone::onnx {

// One value of the ONNX graph during the import. Its dims are always known.
struct Operand {
  std::string name;
  ir::Shape dims;
  std::optional<Constant> constant;
  // Known too, but kept as the integers that DequantizeLinear scales; then there is no `constant`.
  std::shared_ptr<const Quantized> quantized = nullptr;
  // The integers of a QuantizeLinear that is an operator of the program (int8 or uint8). `value`
  // stays null until something other than a DequantizeLinear reads them.
  ir::Value* integers = nullptr;
  // The value in the program; null until a constant is first needed there. Its shape may differ
  // from `dims` when a Reshape has not been written yet: neighboring reshapes and transposes are
  // merged, and tensors of rank 6 and more, which Core ML does not support, often vanish that way.
  ir::Value* value = nullptr;
  // Depends on a node that could not be converted: serves only to find further such nodes.
  bool poisoned = false;
  std::string reason = {};  // why, when no node is the cause
  // ONNX's element type, where the program holds another: every integer is int32 there, every float
  // fp32, and the results of QuantizeLinear are whole numbers in fp32. kInvalid: not known.
  DType type = DType::kInvalid;

  DType dtype() const;  // as in the program: kFp32, kInt32 or kBool
  // ONNX's element type; that of the program when it is not known.
  DType onnx_type() const;
  bool is_known() const { return constant || quantized != nullptr; }
  int64_t rank() const { return static_cast<int64_t>(dims.size()); }
  bool pending_reshape() const { return value != nullptr && value->type.shape() != dims; }
};

using Args = std::vector<ir::ArgInit>;

// Imports the nodes of a subgraph into `block` (null: where the node itself stands), with `inputs`
// as the values of the graph's inputs, and returns its outputs.
using ImportGraphFn = std::function<Result<std::vector<Operand>>(
    const Graph& graph, ir::Block* block, const std::vector<Operand>& inputs)>;

class NodeContext {
 public:
  NodeContext(const Node& node, int64_t opset, std::vector<Operand*> inputs, ir::Builder& builder,
              ir::Builder& constants, ImportGraphFn import_graph)
      : node_(node),
        opset_(opset),
        inputs_(std::move(inputs)),
        outputs_(node.outputs.size()),
        builder_(builder),
        constants_(constants),
        import_graph_(std::move(import_graph)) {}

  const Node& node() const { return node_; }
  int64_t opset() const { return opset_; }
  ir::Opset target() const { return builder_.function().opset; }

  // ---- inputs
  size_t InputCount() const { return inputs_.size(); }
  bool Has(size_t i) const { return i < inputs_.size() && inputs_[i] != nullptr; }
  // kInvalidInput naming the first of the first `count` inputs that is missing.
  Status NeedInputs(size_t count) const;
  // Only when Has(i).
  const Operand& In(size_t i) const { return *inputs_[i]; }
  const ir::Shape& Dims(size_t i) const { return inputs_[i]->dims; }
  int64_t Rank(size_t i) const { return inputs_[i]->rank(); }
  DType Dtype(size_t i) const { return inputs_[i]->dtype(); }
  bool IsFloat(size_t i) const { return Dtype(i) == DType::kFp32; }
  // ONNX's element type.
  DType Type(size_t i) const { return inputs_[i]->onnx_type(); }
  // Null when absent or not known before run time. A quantized constant is expanded to floats: where
  // its numbers are not needed, ask Known().
  const Constant* Const(size_t i) const;
  bool Known(size_t i) const { return Has(i) && inputs_[i]->is_known(); }
  // Null when the input is not a quantized constant.
  const Quantized* QuantizedIn(size_t i) const {
    return Has(i) ? inputs_[i]->quantized.get() : nullptr;
  }
  // The value in the program (written now when it is a constant or a pending reshape); null when
  // absent.
  ir::Value* Value(size_t i);
  // The same elements, without the pending reshape.
  ir::Value* Unshaped(size_t i) {
    return inputs_[i]->value != nullptr ? inputs_[i]->value : Value(i);
  }
  // Known integers or one known number; kUnsupported naming `what` when it is known only at
  // run time.
  Result<std::vector<int64_t>> Ints(size_t i, std::string_view what) const;
  Result<double> Number(size_t i, std::string_view what) const;
  // Input `i`, or else the attribute; nullopt when neither is given.
  Result<std::optional<std::vector<int64_t>>> IntsOr(size_t i, std::string_view attribute) const;

  // ---- attributes
  bool HasAttribute(std::string_view name) const { return node_.Find(name) != nullptr; }
  int64_t Int(std::string_view name, int64_t fallback) const;
  double Float(std::string_view name, double fallback) const;
  std::string String(std::string_view name, std::string_view fallback) const;
  std::optional<std::vector<int64_t>> IntsAttribute(std::string_view name) const;

  // The fixed shape that the file declares for output `i`; null without one. Where a parameter is
  // known only at run time, only values that give this shape are valid.
  const ir::Shape* Declared(size_t i) const {
    return i < declared_.size() && declared_[i] ? &*declared_[i] : nullptr;
  }
  void SetDeclared(std::vector<std::optional<ir::Shape>> declared) {
    declared_ = std::move(declared);
  }

  // ---- emission
  size_t OutputCount() const { return outputs_.size(); }
  // Whether something may read output `i`.
  bool Wants(size_t i) const { return i < node_.outputs.size() && !node_.outputs[i].empty(); }
  // An operation with one output, a step toward the node's output 0.
  ir::Value* Op(std::string_view type, Args args);
  // An operation with two operands. They are passed in braces, so that every compiler evaluates the
  // expressions that make them in this order.
  struct Two {
    ir::Value *x, *y;
  };
  ir::Value* Binary(std::string_view type, Two operands) {
    return Op(type, {{"x", operands.x}, {"y", operands.y}});
  }
  // An operation with several outputs.
  std::vector<ir::Value*> MultiOp(std::string_view type, Args args);
  // Adds the operation that makes output 0.
  Status Emit(std::string_view type, Args args);
  // A constant of the program.
  ir::Value* MakeConst(ir::Literal literal, std::string_view suffix);
  ir::Value* MakeConst(const Constant& constant, std::string_view suffix);
  ir::Value* MakeConst(const Quantized& constant, std::string_view suffix);
  ir::Value* Float32(float value) { return MakeConst(ir::Literal::Fp32(value), "value"); }
  // `value` under other dims or another dtype; `value` itself where it has them.
  ir::Value* Reshape(ir::Value* value, const ir::Shape& dims);
  ir::Value* Cast(ir::Value* value, DType dtype);
  // Integers of the program wrapped around as ONNX's narrow `type` does; `value` itself for others.
  ir::Value* Wrap(ir::Value* value, DType type);

  // For control flow.
  Result<std::vector<Operand>> ImportGraph(const Graph& graph, ir::Block* block,
                                           const std::vector<Operand>& inputs = {}) {
    return import_graph_(graph, block, inputs);
  }
  // The value of any operand, as Value() gives that of an input.
  ir::Value* ValueOf(Operand& operand) { return Materialize(operand); }

  // ---- results
  Status SetOperand(size_t output, const Operand& operand);
  Status Set(size_t output, ir::Value* value);
  // `value` seen under `dims`; the reshape is written when something needs it.
  Status SetView(size_t output, ir::Value* value, ir::Shape dims);
  Status SetConstant(size_t output, Constant constant);
  Status SetQuantized(size_t output, Quantized constant);
  // The output of an operator that gives int8 or uint8; `type` is its dtype.
  Status SetIntegers(size_t output, ir::Value* integers, DType type);
  // Says the element type of an output, where it is not that of the inputs.
  void SetType(size_t output, DType type) {
    if (output < outputs_.size()) outputs_[output].type = type;
  }
  // The output is input `i` itself.
  Status Forward(size_t output, size_t input);

  // Something that the user should know about the conversion of this node.
  void Note(std::string text) { notes_.push_back(std::move(text)); }
  const std::vector<std::string>& notes() const { return notes_; }

  Status status() const { return status_; }
  std::vector<Operand>& outputs() { return outputs_; }
  ir::Builder& builder() { return builder_; }

 private:
  std::string OperationName(std::string_view type, bool final) const;
  ir::Value* Materialize(Operand& operand);

  const Node& node_;
  int64_t opset_;
  std::vector<Operand*> inputs_;
  std::vector<Operand> outputs_;
  ir::Builder& builder_;
  ir::Builder& constants_;
  ImportGraphFn import_graph_;
  std::vector<std::optional<ir::Shape>> declared_;
  // The floats of quantized inputs that were asked for, by input.
  mutable std::map<size_t, Constant> expanded_;
  std::vector<std::string> notes_;
  Status status_;
};

// Core ML tensors have at most five dimensions.
constexpr int64_t kMaxRank = 5;

}  // namespace anemone::onnx
