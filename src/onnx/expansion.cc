#include "onnx/expansion.h"

#include <algorithm>

namespace anemone::onnx {

namespace attribute {
namespace {

Attribute Named(std::string name, Attribute::Kind kind) {
  Attribute attribute;
  attribute.name = std::move(name);
  attribute.kind = kind;
  return attribute;
}

}  // namespace

Attribute Int(std::string name, int64_t value) {
  Attribute attribute = Named(std::move(name), Attribute::Kind::kInt);
  attribute.i = value;
  return attribute;
}

Attribute Ints(std::string name, std::vector<int64_t> values) {
  Attribute attribute = Named(std::move(name), Attribute::Kind::kInts);
  attribute.ints = std::move(values);
  return attribute;
}

Attribute Float(std::string name, double value) {
  Attribute attribute = Named(std::move(name), Attribute::Kind::kFloat);
  attribute.f = static_cast<float>(value);
  return attribute;
}

Attribute Text(std::string name, std::string value) {
  Attribute attribute = Named(std::move(name), Attribute::Kind::kString);
  attribute.s = std::move(value);
  return attribute;
}

}  // namespace attribute

Expansion::Expansion(NodeContext& context) : context_(context) {
  graph_.opset = kExpansionOpset;
  for (const auto& output : context.node().outputs) {
    if (prefix_.empty()) prefix_ = output;
  }
  // The inner names must not hide what the node reads.
  const auto& inputs = context.node().inputs;
  while (std::ranges::any_of(
      inputs, [&](const std::string& input) { return input.starts_with(prefix_ + "/"); })) {
    prefix_ += "_";
  }
}

std::string Expansion::In(size_t i) const { return Has(i) ? context_.node().inputs[i] : ""; }

std::string Expansion::Fresh(const std::string& op) {
  return fmt::format("{}/{}_{}", prefix_, op, count_++);
}

std::string Expansion::Bind(const Operand& operand) {
  bound_.push_back(operand);
  graph_.inputs.emplace_back().name = Fresh("bound");
  return graph_.inputs.back().name;
}

std::string Expansion::Known(const Constant& constant) {
  Tensor tensor;
  tensor.name = Fresh("const");
  tensor.dtype = constant.dtype;
  tensor.dims = constant.dims;
  tensor.element_count = constant.count();
  tensor.data = constant.data;
  graph_.initializers.push_back(std::move(tensor));
  return graph_.initializers.back().name;
}

std::string Expansion::Int64s(std::vector<int64_t> values, ir::Shape dims) {
  if (Symbols::AnySymbol(values)) {
    Operand operand;
    operand.dims = std::move(dims);
    operand.sizes = std::move(values);
    operand.type = DType::kInt64;
    return Bind(operand);
  }
  return Known(Constant::Int64s(std::move(values), std::move(dims)));
}

std::vector<std::string> Expansion::Ops(std::string op, std::vector<std::string> inputs,
                                        size_t outputs, std::vector<Attribute> attributes) {
  Node node;
  node.inputs = std::move(inputs);
  node.attributes = std::move(attributes);
  for (size_t i = 0; i < outputs; ++i) node.outputs.push_back(Fresh(op));
  node.op = std::move(op);
  graph_.nodes.push_back(std::move(node));
  return graph_.nodes.back().outputs;
}

std::string Expansion::Op(std::string op, std::vector<std::string> inputs,
                          std::vector<Attribute> attributes) {
  return Ops(std::move(op), std::move(inputs), 1, std::move(attributes)).front();
}

std::string Expansion::Dequantized(size_t x, std::optional<size_t> scale, size_t zero,
                                   int64_t axis) {
  const auto count = [&](size_t input) {
    return ir::ElementCount(context_.Dims(input)).value_or(1);
  };
  const int64_t zeros = Has(zero) ? count(zero) : 1;
  const int64_t scales = scale ? count(*scale) : zeros;
  const auto rank = [&](size_t input) { return Has(input) ? context_.Rank(input) : 0; };
  const int64_t deepest = std::max(scale ? rank(*scale) : 0, rank(zero));
  // Along one axis it is one operator, which keeps a known tensor as it is.
  if ((!Has(zero) || scales == zeros) && (deepest < 2 || scales == 1)) {
    const auto ones = Constant::Floats(std::vector<float>(static_cast<size_t>(scales), 1.0f),
                                       scales == 1 ? ir::Shape{} : ir::Shape{scales});
    return Op("DequantizeLinear", {In(x), scale ? In(*scale) : Known(ones), In(zero)},
              {attribute::Int("axis", axis)});
  }
  const auto along = [&](size_t input, std::string value) {
    if (context_.Rank(input) != 1 || axis >= context_.Rank(x)) return value;
    ir::Shape dims(context_.Dims(x).size(), 1);
    dims[static_cast<size_t>(axis)] = count(input) == 1 ? 1 : -1;
    return Op("Reshape", {std::move(value), Int64s(dims)});
  };
  auto value = Cast(In(x), ElementType::kFloat);
  if (Has(zero)) value = Op("Sub", {value, along(zero, Cast(In(zero), ElementType::kFloat))});
  return scale ? Op("Mul", {value, along(*scale, In(*scale))}) : value;
}

Result<std::vector<Operand>> Expansion::Convert(const std::vector<std::string>& names) {
  graph_.outputs.clear();
  for (const auto& name : names) graph_.outputs.emplace_back().name = name;
  return context_.ImportGraph(graph_, nullptr, bound_);
}

Status Expansion::Finish(const std::vector<std::string>& names) {
  ANEMONE_TRY(context_.status());
  std::vector<std::string> wanted;
  for (size_t i = 0; i < names.size() && i < context_.OutputCount(); ++i) {
    if (context_.Wants(i)) wanted.push_back(names[i]);
  }
  ANEMONE_ASSIGN(const auto operands, Convert(wanted));
  size_t next = 0;
  for (size_t i = 0; i < names.size() && i < context_.OutputCount(); ++i) {
    if (context_.Wants(i)) ANEMONE_TRY(context_.SetOperand(i, operands[next++]));
  }
  return {};
}

}  // namespace anemone::onnx
