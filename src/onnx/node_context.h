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
#include "onnx/runtime_sizes.h"

namespace anemone::onnx {

// One value of the ONNX graph during the import. Its dims are always known, as sizes of Symbols.
struct Operand {
  std::string name;
  ir::Shape dims;
  std::optional<Constant> constant;
  // Known too, but kept as the integers that DequantizeLinear scales; then there is no `constant`.
  std::shared_ptr<const Quantized> quantized = nullptr;
  // The integers of a QuantizeLinear that is an operator of the program (int8 or uint8). `value`
  // stays null until something other than a DequantizeLinear reads them.
  ir::Value* integers = nullptr;
  // The elements of an integer tensor that holds sizes known only at run time, row-major; `dims` are
  // numbers then. What an operator computes from these stays known as expressions.
  std::optional<std::vector<int64_t>> sizes = {};
  // Of a sequence: its tensors. Core ML has none, so that a sequence has no value of its own.
  std::shared_ptr<const std::vector<Operand>> items = nullptr;
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
};

using Args = std::vector<ir::ArgInit>;

class NodeContext;

// The dims of an input as a converter that needs numbers reads them. Reading one that is open (known
// only at run time) makes the node one that cannot be converted, with an error that names it, so no
// converter takes the default of an open dimension for its size. Converters that can do without
// numbers read NodeContext::Sizes instead.
class FixedDims {
 public:
  FixedDims(const NodeContext& context, size_t input) : context_(&context), input_(input) {}
  size_t size() const { return raw().size(); }
  bool empty() const { return raw().empty(); }
  int64_t operator[](size_t d) const;
  int64_t back() const { return (*this)[size() - 1]; }
  ir::Shape::const_iterator begin() const { return all().begin(); }
  ir::Shape::const_iterator end() const { return all().end(); }
  operator const ir::Shape&() const { return all(); }  // NOLINT: stands for the shape
  friend bool operator==(const FixedDims& a, const ir::Shape& b) { return a.all() == b; }
  friend bool operator==(const FixedDims& a, const FixedDims& b) { return a.all() == b.all(); }

 private:
  const ir::Shape& raw() const;
  const ir::Shape& all() const;

  const NodeContext* context_;
  size_t input_;
};

// Imports the nodes of a subgraph into `block` (null: where the node itself stands), with `inputs`
// as the values of the graph's inputs, and returns its outputs.
using ImportGraphFn = std::function<Result<std::vector<Operand>>(
    const Graph& graph, ir::Block* block, const std::vector<Operand>& inputs)>;

class NodeContext {
 public:
  NodeContext(const Node& node, int64_t opset, std::vector<Operand*> inputs, ir::Builder& builder,
              ir::Builder& constants, RuntimeSizes& runtime, ImportGraphFn import_graph)
      : node_(node),
        opset_(opset),
        inputs_(std::move(inputs)),
        outputs_(node.outputs.size()),
        builder_(builder),
        constants_(constants),
        runtime_(runtime),
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
  FixedDims Dims(size_t i) const { return {*this, i}; }
  // The same for converters that know what to do with open dimensions.
  const ir::Shape& Sizes(size_t i) const { return inputs_[i]->dims; }
  bool IsOpen(size_t i) const { return Symbols::AnySymbol(inputs_[i]->dims); }
  // Dimension `d` of any operand as a number; where it is open, the node cannot be converted.
  int64_t FixedSize(const Operand& operand, size_t d) const;
  const ir::Shape& FixedShape(size_t i) const;
  // Whether the value in the program still has other dims than the operand.
  bool IsPending(size_t i) const { return IsPending(*inputs_[i]); }
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
  // The whole numbers of input `i`, integers or floats, where they are constant or sizes that the
  // importer knows; nullopt when it is absent or depends on the data.
  std::optional<std::vector<int64_t>> KnownSizes(size_t i) const;
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

  // ImportOptions::clamp_int64.
  void SetClampInt64(bool clamp) { clamp_int64_ = clamp; }

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
  // `value` under other dims, which may be open, or another dtype; `value` itself where it has them.
  ir::Value* Reshape(ir::Value* value, const ir::Shape& dims);
  ir::Value* Cast(ir::Value* value, DType dtype);
  // Integers of the program wrapped around as ONNX's narrow `type` does; `value` itself for others.
  ir::Value* Wrap(ir::Value* value, DType type);

  // ---- sizes known only at run time
  RuntimeSizes& runtime() { return runtime_; }
  Symbols& symbols() { return runtime_.symbols(); }
  // The dims of a value, and what a converter knows better than inference.
  const ir::Shape& DimsOf(ir::Value* value) { return runtime_.DimsOf(value); }
  ir::Value* WithDims(ir::Value* value, ir::Shape dims);
  // A size, or several, as a tensor int32 [1] or [n] of the program.
  ir::Value* SizeValue(int64_t size);
  ir::Value* SizesValue(const std::vector<int64_t>& sizes, std::string_view suffix);
  // kUnsupported: dimension `d` of the operand must be a number.
  Error NeedsFixed(const Operand& operand, size_t d) const;
  // Arithmetic of sizes in converters: sticky, so that an expression needs no checks.
  int64_t AddSizes(int64_t a, int64_t b);
  int64_t MulSizes(int64_t a, int64_t b);

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
  // Integers, of which some may be known only at run time.
  Status SetSizes(size_t output, std::vector<int64_t> sizes, ir::Shape dims,
                  DType type = DType::kInt64);
  // Says the element type of an output, where it is not that of the inputs.
  void SetType(size_t output, DType type) {
    if (output < outputs_.size()) outputs_[output].type = type;
  }
  Status SetSequence(size_t output, std::vector<Operand> items);
  // The output is input `i` itself.
  Status Forward(size_t output, size_t input);

  // Something that the user should know about the conversion of this node.
  void Note(std::string text) { notes_.push_back(std::move(text)); }
  const std::vector<std::string>& notes() const { return notes_; }

  // The first failure; an open dimension that was read as a number goes before others.
  Status status() const { return needs_fixed_.ok() ? status_ : needs_fixed_; }
  const Status& needs_fixed() const { return needs_fixed_; }
  std::vector<Operand>& outputs() { return outputs_; }
  ir::Builder& builder() { return builder_; }

 private:
  std::string OperationName(std::string_view type, bool final) const;
  ir::Value* Materialize(Operand& operand);
  Result<ir::Literal> LiteralOf(const Constant& constant, const std::string& name);
  bool IsPending(const Operand& operand) const;
  ir::Value* ReshapeOpen(ir::Value* value, const ir::Shape& from, const ir::Shape& dims);
  ir::Value* Checked(Result<ir::Value*> value);

  const Node& node_;
  int64_t opset_;
  std::vector<Operand*> inputs_;
  std::vector<Operand> outputs_;
  ir::Builder& builder_;
  ir::Builder& constants_;
  RuntimeSizes& runtime_;
  ImportGraphFn import_graph_;
  bool clamp_int64_ = false;
  std::vector<std::optional<ir::Shape>> declared_;
  // The floats of quantized inputs that were asked for, by input.
  mutable std::map<size_t, Constant> expanded_;
  std::vector<std::string> notes_;
  Status status_;
  mutable Status needs_fixed_;
  mutable std::map<size_t, ir::Shape> substitutes_;  // shapes with the defaults of open dimensions
};

// Core ML tensors have at most five dimensions.
constexpr int64_t kMaxRank = 5;

}  // namespace anemone::onnx
