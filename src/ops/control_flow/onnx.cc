// ONNX: If. A condition known at import selects its branch; otherwise the If becomes a `cond`.
#include "onnx/converter.h"

namespace anemone::ops::control_flow {
namespace {

using namespace onnx;  // NOLINT: a converter file speaks both

const Graph* Branch(const NodeContext& c, std::string_view name) {
  const auto* attribute = c.node().Find(name);
  return attribute != nullptr && attribute->graphs.size() == 1 ? attribute->graphs[0].get()
                                                               : nullptr;
}

Status CheckOutputs(const NodeContext& c, const std::vector<Operand>& outputs) {
  if (outputs.size() < c.OutputCount()) return InvalidInput("a branch has too few outputs");
  for (const auto& output : outputs) {
    if (output.poisoned) return Unsupported("a node in a branch cannot be converted");
  }
  return {};
}

Status EmitIf(NodeContext& c) {
  const Graph *then_branch = Branch(c, "then_branch"), *else_branch = Branch(c, "else_branch");
  if (!c.Has(0) || then_branch == nullptr || else_branch == nullptr) {
    return InvalidInput("If needs a condition and two branches");
  }
  if (const auto* condition = c.Const(0)) {
    const auto value = condition->AsInts();
    if (!value || value->size() != 1) return InvalidInput("the condition is not a bool scalar");
    ANEMONE_ASSIGN(const auto outputs,
                   c.ImportGraph(value->front() != 0 ? *then_branch : *else_branch, nullptr));
    ANEMONE_TRY(CheckOutputs(c, outputs));
    for (size_t i = 0; i < c.OutputCount(); ++i) ANEMONE_TRY(c.SetOperand(i, outputs[i]));
    return {};
  }
  ir::Value* condition = c.Reshape(c.Value(0), {});
  ANEMONE_TRY(c.status());
  std::vector<ir::Shape> dims;
  auto operation = c.builder().AddWithBlocks(
      "cond", {{"pred", condition}}, c.node().outputs.empty() ? "cond" : c.node().outputs[0],
      [&](ir::Operation& cond) -> Status {
        for (const Graph* branch : {then_branch, else_branch}) {
          ir::Block* block = cond.AddBlock();
          ANEMONE_ASSIGN(auto outputs, c.ImportGraph(*branch, block));
          ANEMONE_TRY(CheckOutputs(c, outputs));
          ir::Builder builder(c.builder().function(), block);
          for (auto& output : outputs) {
            Node node;
            node.op = "If";
            node.outputs = {output.name};
            NodeContext inner(node, c.opset(), {&output}, builder, c.builder(), {});
            ir::Value* value = inner.Value(0);
            // A body must return values that it made itself.
            if (value != nullptr) value = inner.Op("identity", {{"x", value}});
            ANEMONE_TRY(inner.status());
            block->outputs().push_back(value);
          }
        }
        const auto &a = cond.blocks()[0]->outputs(), &b = cond.blocks()[1]->outputs();
        for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
          if (!(a[i]->type == b[i]->type)) {
            return Unsupported("the branches return {} and {}", a[i]->type.ToString(),
                               b[i]->type.ToString())
                .Advise("make both branches give the same shape");
          }
        }
        return {};
      });
  if (!operation.ok()) return std::move(operation).status();
  for (size_t i = 0; i < c.OutputCount() && i < (*operation)->outputs().size(); ++i) {
    ANEMONE_TRY(c.Set(i, (*operation)->output(i)));
  }
  return {};
}

constexpr std::string_view kLoops = "loops are not converted yet";
constexpr std::string_view kUnroll = "unroll the loop when exporting (fixed number of iterations)";

constexpr Converter kConverters[] = {
    {.op = "If", .emit = EmitIf},
    {.op = "Loop", .refusal = kLoops, .rewrite = kUnroll},
    {.op = "Scan", .refusal = kLoops, .rewrite = kUnroll},
    {.op = "SequenceMap", .refusal = kLoops, .rewrite = kUnroll},
    {.op = "Optional", .refusal = "optional values are not converted", .rewrite = "remove them"},
    {.op = "OptionalGetElement",
     .refusal = "optional values are not converted",
     .rewrite = "remove them"},
    {.op = "OptionalHasElement",
     .refusal = "optional values are not converted",
     .rewrite = "remove them"},
};

}  // namespace

std::span<const Converter> OnnxConverters() { return kConverters; }

}  // namespace anemone::ops::control_flow
