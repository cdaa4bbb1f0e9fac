// Expansion: a lowering written as ONNX operators. The converter of a large operator (Attention, a
// loss) lists the simpler ones that it stands for; they are walked as a graph of their own, so that
// everything known is folded and ONNX's rules on types hold in each step.
//
//   Expansion e(c);
//   const auto scores = e.Op("MatMul", {e.In(0), e.Op("Transpose", {e.In(1)}, {Ints("perm", p)})});
//   return e.Finish({e.Op("Softmax", {scores}, {Int("axis", -1)})});
//
// An operator here means what it means in kExpansionOpset, whatever opset the model has. Ownership:
// points to the context, lives for one node. Thread rules: one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "onnx/node_context.h"

namespace anemone::onnx {

constexpr int64_t kExpansionOpset = 21;

namespace attribute {
Attribute Int(std::string name, int64_t value);
Attribute Ints(std::string name, std::vector<int64_t> values);
Attribute Float(std::string name, double value);
Attribute Text(std::string name, std::string value);
}  // namespace attribute

class Expansion {
 public:
  explicit Expansion(NodeContext& context);

  // The name of input `i` of the node; "" when it is absent, as ONNX writes it.
  std::string In(size_t i) const;
  bool Has(size_t i) const { return context_.Has(i); }
  // The name under which another value is read.
  std::string Bind(const Operand& operand);
  // Constants; of integers, some may be sizes known only at run time.
  std::string Int64s(std::vector<int64_t> values, ir::Shape dims);
  std::string Int64s(std::vector<int64_t> values) {
    const auto size = static_cast<int64_t>(values.size());
    return Int64s(std::move(values), {size});
  }
  std::string Int64(int64_t value) { return Int64s({value}, {}); }
  std::string Number(double value) {
    return Known(Constant::Floats({static_cast<float>(value)}, {}));
  }
  std::string Known(const Constant& constant);
  // Adds an operator; the name of its output.
  std::string Op(std::string op, std::vector<std::string> inputs,
                 std::vector<Attribute> attributes = {});
  std::vector<std::string> Ops(std::string op, std::vector<std::string> inputs, size_t outputs,
                               std::vector<Attribute> attributes = {});
  std::string Cast(std::string value, ElementType type) {
    return Op("Cast", {std::move(value)}, {attribute::Int("to", static_cast<int64_t>(type))});
  }

  // Input `x` as floats: (x - zero) * scale. Scale and zero point are inputs too (`scale` nullopt: 1;
  // a zero point that is absent: 0), of one element or of one for each element along `axis`.
  std::string Dequantized(size_t x, std::optional<size_t> scale, size_t zero, int64_t axis);

  // Converts what was added; `names` become the outputs of the node, "" leaves one out.
  Status Finish(const std::vector<std::string>& names);
  // Converts what is still to be converted, and returns the operands of `names`: for a converter
  // that must know the shapes between.
  Result<std::vector<Operand>> Convert(const std::vector<std::string>& names);

 private:
  std::string Fresh(const std::string& op);

  NodeContext& context_;
  Graph graph_;
  std::vector<Operand> bound_;  // the values of graph_.inputs
  std::string prefix_;
  int count_ = 0;
};

}  // namespace anemone::onnx
