// Context: one ATen node while it is written as ONNX operators. Its arguments are read by the names of
// PyTorch's schema; values are names of the ONNX graph that is being made, with the type and the sizes
// that the exported program declares for them.
//
//   Status EmitLinear(Context& c) {
//     return c.Set(0, c.Op("Gemm", {c.In("input"), c.In("weight"), c.In("bias")}));
//   }
//
// Errors are sticky: after one, values are "" and Set returns it. Ownership: points to the graph and to
// the program, lives for one node. Thread rules: one thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "ir/program.h"
#include "onnx/expansion.h"
#include "onnx/model.h"
#include "torch/aliases.h"
#include "torch/program.h"

namespace anemone::torch {

using Attributes = std::vector<onnx::Attribute>;
using Values = std::vector<std::string>;

// What PyTorch promotes by: the highest category among the operands decides.
enum class Category : uint8_t { kBool, kInt, kFloat };

// What the values of the ATen graph are called in the ONNX graph.
struct Names {
  std::unordered_map<std::string, std::string> values;
  // Types of the values that the walk itself adds to the ATen graph.
  std::unordered_map<std::string, TensorMeta> metas;
  Aliases aliases;
};

class Context {
 public:
  Context(const Node& node, const Graph& graph, onnx::Graph& out, Names& names, std::string name,
          ir::Opset opset);

  const Node& node() const { return node_; }
  ir::Opset opset() const { return opset_; }

  // ---- arguments
  // Null when it is absent or None.
  const Argument* Find(std::string_view name) const;
  bool Has(std::string_view name) const { return Find(name) != nullptr; }
  bool IsTensor(std::string_view name) const;
  // The value of a tensor argument; "" when it is absent or None.
  std::string In(std::string_view name);
  // The same, whose absence is an error.
  std::string Need(std::string_view name);
  // A list of tensors; "" stands for None.
  Values List(std::string_view name);
  // The ONNX value of a value of the ATen graph.
  std::string ValueOf(const std::string& aten);
  // Of a tensor argument; a tensor without a type when it is absent.
  const TensorMeta& Meta(std::string_view name) const;
  const TensorMeta& MetaOf(const std::string& aten) const;
  int64_t Rank(std::string_view name) const { return Meta(name).rank(); }
  // The size of dimension `d` (from the back when negative); nullopt when it is symbolic.
  std::optional<int64_t> Dim(std::string_view name, int64_t d) const;
  // The same, where a symbolic size makes the node one that cannot be converted.
  int64_t FixedDim(std::string_view name, int64_t d);
  // Whether a tensor argument is one that the file holds (a parameter, a buffer or a constant), or a view
  // of one.
  bool IsHeld(std::string_view name) { return Held(name) != nullptr; }
  // The integers of such a tensor of one dimension or none; nullopt for others.
  std::optional<std::vector<int64_t>> HeldInts(std::string_view name);
  // Whether every node that reads output 0 casts it to floats.
  bool IsReadAsFloat() const;
  // How many arguments and outputs of the graph are the tensor argument.
  int64_t ReadersOf(std::string_view name) const;
  // Of a tensor or of a number.
  Category CategoryOf(std::string_view name) const;

  // Numbers; a symbolic one makes the node one that cannot be converted.
  int64_t Int(std::string_view name, int64_t fallback);
  std::vector<int64_t> Ints(std::string_view name, std::vector<int64_t> fallback = {});
  // One for each of `count` dimensions: a list of one stands for all.
  std::vector<int64_t> IntsFor(std::string_view name, size_t count, int64_t fallback);
  double Number(std::string_view name, double fallback);
  bool Flag(std::string_view name, bool fallback) const;
  std::string Text(std::string_view name, std::string_view fallback) const;
  // An axis counted from the front.
  int64_t Axis(std::string_view name, int64_t fallback, int64_t rank);
  // Axes counted from the front; all of them when the argument is absent or empty.
  std::vector<int64_t> Axes(std::string_view name, int64_t rank);
  // torch.dtype of an argument; nullopt when it is absent.
  std::optional<DType> Type(std::string_view name) const;
  // Integers that may be symbolic, as int64 values of the ONNX graph: a scalar, or a vector.
  std::string IntValue(const IntItem& item);
  std::string IntVector(const std::vector<IntItem>& items);
  // Numbers where they are known.
  static std::optional<int64_t> Known(const IntItem& item);
  std::optional<std::vector<int64_t>> KnownInts(std::string_view name) const;

  // ---- outputs
  // A list of tensors counts as so many outputs.
  size_t OutputCount() const { return outputs_.size(); }
  const TensorMeta& Out(size_t i) const;
  Category OutCategory(size_t i = 0) const;

  // ---- emission
  std::string Op(std::string op, Values inputs, Attributes attributes = {});
  Values Ops(std::string op, Values inputs, size_t outputs, Attributes attributes = {});
  // An operator of another domain than ONNX's own.
  std::string OpOf(std::string domain, std::string op, Values inputs, Attributes attributes = {});
  std::string Int64s(std::vector<int64_t> values);
  std::string Int64(int64_t value);
  std::string Number(double value);
  // A constant of the category.
  std::string Constant(double value, Category category);
  std::string Known(const onnx::Constant& constant);
  std::string Cast(std::string value, DType dtype);
  // `value`, of category `from`, as one of category `to`.
  std::string As(std::string value, Category from, Category to);
  // A tensor or number argument as a value of the category; where the output is made of integers too, of its
  // width.
  std::string Operand(std::string_view name, Category category);
  // A tensor of the ATen graph, one of a list, in the type of the output.
  std::string AsOutput(const std::string& aten);
  // A tensor argument as floats.
  std::string FloatIn(std::string_view name) { return Operand(name, Category::kFloat); }
  std::string Reshape(std::string value, const std::vector<int64_t>& dims);
  std::string Transpose(std::string value, std::vector<int64_t> perm);
  std::string Unsqueeze(std::string value, std::vector<int64_t> axes);
  std::string Squeeze(std::string value, std::vector<int64_t> axes);
  // Elements [begin, end) of an axis.
  std::string Slice(std::string value, int64_t axis, int64_t begin, int64_t end);
  // The size of dimension `d` of a tensor argument as an int64 vector of one element.
  std::string DimValue(std::string_view name, int64_t d);
  // All sizes of a tensor argument, an int64 vector.
  std::string ShapeOf(std::string_view name);
  // The sizes of output `i`, where they are numbers.
  std::optional<std::vector<int64_t>> OutDims(size_t i = 0) const;
  static std::optional<std::vector<int64_t>> DimsOf(const TensorMeta& meta);

  // ---- results
  Status Set(size_t output, const std::string& value);
  // The same where the value's category may be another than the output's.
  Status SetAs(size_t output, std::string value, Category category) {
    return Set(output, As(std::move(value), category, OutCategory(output)));
  }
  Status Fail(Status status);
  const Status& status() const { return status_; }

 private:
  const onnx::Tensor* Held(std::string_view name);
  std::string Fresh(const std::string& op);
  // A value that was of type `given`, or a number, of which the output is computed.
  std::string InWidthOfOutput(std::string value, std::optional<DType> given, Category category);
  void Rename(const std::string& from, const std::string& to);

  const Node& node_;
  const Graph& graph_;
  onnx::Graph& out_;
  Names& names_;
  std::string name_;
  ir::Opset opset_;
  std::vector<std::string> outputs_;  // names in the ATen graph; "" for None
  size_t first_node_;
  int count_ = 0;
  Status status_;
};

Category CategoryOf(DType dtype);
onnx::ElementType ElementTypeOf(DType dtype);

}  // namespace anemone::torch
