// ONNX: If, Scan, Loop. A condition known at import selects its branch; otherwise the If becomes a
// `cond`. Loops whose number of rounds is known are written out round by round, others become a
// `while_loop`.
#include <algorithm>

#include "onnx/converter.h"
#include "onnx/expansion.h"
#include "ops/infer.h"

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
            NodeContext inner(node, c.opset(), {&output}, builder, c.builder(), c.runtime(), {});
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
    // What a branch gives may have a size that only the run time knows.
    if ((*operation)->output(i)->type.has_rank()) c.DimsOf((*operation)->output(i));
    ANEMONE_TRY(c.Set(i, (*operation)->output(i)));
  }
  return {};
}

constexpr int64_t kMaxRounds = 4096;

// The operand `x` at `index` of `axis`, which is dropped.
Result<Operand> At(NodeContext& c, const Operand& x, int64_t index, int64_t axis) {
  Expansion e(c);
  const auto name = e.Op("Gather", {e.Bind(x), e.Int64(index)}, {attribute::Int("axis", axis)});
  ANEMONE_ASSIGN(auto values, e.Convert({name}));
  return values[0];
}

// The operands stacked along a new `axis`; a negative one counts from the end of the result.
Result<Operand> Stack(NodeContext& c, const std::vector<Operand>& parts, int64_t axis) {
  Expansion e(c);
  std::vector<std::string> names;
  for (const Operand& part : parts) {
    names.push_back(e.Op("Unsqueeze", {e.Bind(part), e.Int64s({axis})}));
  }
  const auto name =
      names.size() == 1 ? names[0] : e.Op("Concat", names, {attribute::Int("axis", axis)});
  ANEMONE_ASSIGN(auto values, e.Convert({name}));
  return values[0];
}

Status CheckRounds(int64_t rounds) {
  if (rounds <= kMaxRounds) return {};
  return Unsupported("a loop of {} rounds, each of which is written out", rounds)
      .Advise("convert for fewer rounds");
}

// One run of a Scan: `states` go from round to round, `outputs` gather what each round gives.
Status RunScan(NodeContext& c, const Graph& body, const std::vector<Operand>& scanned,
               const std::vector<int64_t>& axes, const std::vector<int64_t>& backward,
               std::vector<Operand>& states, std::vector<std::vector<Operand>>& outputs) {
  const int64_t rounds =
      scanned.empty() ? 0 : c.FixedSize(scanned[0], static_cast<size_t>(axes[0]));
  ANEMONE_TRY(CheckRounds(rounds));
  for (int64_t round = 0; round < rounds; ++round) {
    std::vector<Operand> inputs = states;
    for (size_t k = 0; k < scanned.size(); ++k) {
      const int64_t at = backward[k] != 0 ? rounds - 1 - round : round;
      ANEMONE_ASSIGN(auto slice, At(c, scanned[k], at, axes[k]));
      inputs.push_back(std::move(slice));
    }
    ANEMONE_ASSIGN(auto results, c.ImportGraph(body, nullptr, inputs));
    if (results.size() != states.size() + outputs.size()) {
      return InvalidInput("the body has {} outputs for {} states and {} results", results.size(),
                          states.size(), outputs.size());
    }
    ANEMONE_TRY(CheckOutputs(c, results));
    for (size_t i = 0; i < states.size(); ++i) states[i] = results[i];
    for (size_t i = 0; i < outputs.size(); ++i) outputs[i].push_back(results[states.size() + i]);
  }
  return {};
}

std::vector<int64_t> IntsOr(const NodeContext& c, std::string_view name, size_t count) {
  return c.IntsAttribute(name).value_or(std::vector<int64_t>(count, 0));
}

Status EmitScan(NodeContext& c) {
  const Graph* body = Branch(c, "body");
  const int64_t scans = c.Int("num_scan_inputs", 0);
  const bool batched = c.opset() < 9;  // with sequence lengths first, and a batch dimension
  const size_t first = batched ? 1 : 0;
  if (body == nullptr || scans < 1 || c.InputCount() < first + static_cast<size_t>(scans)) {
    return InvalidInput("Scan needs a body and its inputs");
  }
  if (batched && c.Has(0)) return Unsupported("sequence lengths").Advise("leave them out");
  for (size_t i = first; i < c.InputCount(); ++i) {
    if (!c.Has(i)) return InvalidInput("input {} is missing", i);
  }
  const size_t states = c.InputCount() - first - static_cast<size_t>(scans);
  const size_t results = c.OutputCount() - std::min(c.OutputCount(), states);
  auto axes = IntsOr(c, "scan_input_axes", static_cast<size_t>(scans));
  const auto backward =
      IntsOr(c, batched ? "directions" : "scan_input_directions", static_cast<size_t>(scans));
  const auto out_axes = IntsOr(c, "scan_output_axes", results);
  const auto out_backward = IntsOr(c, "scan_output_directions", results);
  if (axes.size() != static_cast<size_t>(scans) || backward.size() != axes.size() ||
      out_axes.size() != results || out_backward.size() != results) {
    return InvalidInput("axes or directions do not fit the scanned inputs and outputs");
  }
  for (size_t i = first; i < c.InputCount(); ++i) {
    if (batched && c.Rank(i) < 1) return InvalidInput("input {} has no batch dimension", i);
  }
  const int64_t batch = batched ? c.Dims(first)[0] : 1;
  std::vector<std::vector<Operand>> finals(states + results);  // for each element of the batch
  if (batch < 1) return Unsupported("an empty batch");
  ANEMONE_TRY(CheckRounds(batch));
  for (int64_t b = 0; b < batch; ++b) {
    std::vector<Operand> state, scanned;
    for (size_t i = first; i < c.InputCount(); ++i) {
      Operand operand = c.In(i);
      if (batched) {
        ANEMONE_ASSIGN(operand, At(c, c.In(i), b, 0));
      }
      (i < first + states ? state : scanned).push_back(std::move(operand));
    }
    for (size_t k = 0; k < scanned.size(); ++k) {
      ANEMONE_ASSIGN(axes[k], NormalizeAxis(axes[k], scanned[k].rank()));
    }
    std::vector<std::vector<Operand>> outputs(results);
    ANEMONE_TRY(RunScan(c, *body, scanned, axes, backward, state, outputs));
    for (size_t i = 0; i < states; ++i) finals[i].push_back(state[i]);
    for (size_t i = 0; i < results; ++i) {
      if (outputs[i].empty()) return Unsupported("a scan of no rounds");
      if (out_backward[i] != 0) std::reverse(outputs[i].begin(), outputs[i].end());
      ANEMONE_ASSIGN(auto stacked, Stack(c, outputs[i], out_axes[i]));
      finals[states + i].push_back(std::move(stacked));
    }
  }
  for (size_t i = 0; i < c.OutputCount(); ++i) {
    Operand whole = finals[i][0];
    if (batched) {
      ANEMONE_ASSIGN(whole, Stack(c, finals[i], 0));
    }
    ANEMONE_TRY(c.SetOperand(i, whole));
  }
  return {};
}

// Whether a node of the graph, or of a graph inside, reads `name`.
bool Reads(const Graph& graph, const std::string& name) {
  for (const Node& node : graph.nodes) {
    if (std::ranges::find(node.inputs, name) != node.inputs.end()) return true;
    for (const auto& attribute : node.attributes) {
      for (const auto& inner : attribute.graphs) {
        if (Reads(*inner, name)) return true;
      }
    }
  }
  return std::ranges::any_of(graph.outputs, [&](const auto& out) { return out.name == name; });
}

// The variables of a while_loop: the states of the Loop, whether there is another round, and the number
// of the round where something asks for it.
struct Variables {
  std::vector<ir::Value*> initial;
  std::vector<Operand> states;  // as the Loop is given them
  bool counts = false;
  size_t going() const { return states.size(); }
  size_t round() const { return states.size() + 1; }
};

// The inputs of one body of the while_loop.
std::vector<ir::Value*> AddInputs(NodeContext& c, const Variables& variables,
                                  ir::Builder& builder) {
  std::vector<ir::Value*> inputs;
  for (const ir::Value* initial : variables.initial) {
    const std::string name = builder.UniqueName("carried");
    inputs.push_back(builder.block()->AddInput(name, initial->type));
  }
  for (size_t i = 0; i < variables.states.size(); ++i)
    c.runtime().SetDims(inputs[i], variables.states[i].dims);
  return inputs;
}

Status FillCondition(NodeContext& c, const Variables& variables, ir::Block* block) {
  ir::Builder builder(c.builder().function(), block);
  const auto inputs = AddInputs(c, variables, builder);
  ir::Value* going = inputs[variables.going()];
  if (c.Has(0)) {
    ir::Value* below =
        builder.Op("less", {{"x", inputs[variables.round()]}, {"y", c.Reshape(c.Value(0), {})}});
    going = builder.Op("logical_and", {{"x", going}, {"y", below}});
  } else {
    going = builder.Op("identity", {{"x", going}});
  }
  ANEMONE_TRY(Status(builder.status()));
  block->outputs().push_back(going);
  return c.status();
}

// A result of the body, with the dims that the variable has.
Result<ir::Value*> Next(NodeContext& c, Operand& result, const ir::Shape& dims,
                        const ir::Type& type, ir::Builder& builder) {
  const bool scalar = dims.empty() && result.dims == ir::Shape{1};
  if (result.dims != dims && !scalar) {
    return Unsupported("a variable of {} that becomes {} in the body of a loop",
                       c.symbols().Text(dims), c.symbols().Text(result.dims))
        .Advise("give it the same shape in each round");
  }
  Node node;
  node.op = "Loop";
  node.outputs = {result.name};
  NodeContext inner(node, c.opset(), {&result}, builder, c.builder(), c.runtime(), {});
  ir::Value* value = inner.Reshape(inner.Value(0), dims);
  if (value != nullptr) value = inner.Op("identity", {{"x", value}});
  ANEMONE_TRY(inner.status());
  if (value->type.dtype() != type.dtype()) {
    return Unsupported("a variable of {} that becomes {} in the body of a loop", type.ToString(),
                       value->type.ToString())
        .Advise("give it the same type in each round");
  }
  return value;
}

Status FillBody(NodeContext& c, const Variables& variables, const Graph& body, ir::Block* block) {
  ir::Builder builder(c.builder().function(), block);
  const auto inputs = AddInputs(c, variables, builder);
  std::vector<Operand> given(2 + variables.states.size());
  if (!variables.counts) given[0].constant = onnx::Constant::Int64s({0}, {});
  if (variables.counts) given[0].value = inputs[variables.round()];
  given[1].value = inputs[variables.going()];
  for (size_t i = 0; i < variables.states.size(); ++i) {
    const Operand& state = variables.states[i];
    given[2 + i].dims = state.dims;
    given[2 + i].value = inputs[i];
    given[2 + i].type = state.type;
  }
  ANEMONE_ASSIGN(auto results, c.ImportGraph(body, block, given));
  if (results.size() != 1 + variables.states.size())
    return InvalidInput("the body has {} outputs", results.size());
  ANEMONE_TRY(CheckOutputs(c, results));
  ir::Builder end(c.builder().function(), block);
  std::vector<ir::Value*> outputs;
  for (size_t i = 0; i < variables.states.size(); ++i) {
    ANEMONE_ASSIGN(ir::Value * next,
                   Next(c, results[1 + i], variables.states[i].dims, inputs[i]->type, end));
    outputs.push_back(next);
  }
  ANEMONE_ASSIGN(ir::Value * going, Next(c, results[0], {}, inputs[variables.going()]->type, end));
  outputs.push_back(going);
  if (variables.counts) {
    outputs.push_back(
        end.Op("add", {{"x", inputs[variables.round()]}, {"y", ir::Literal::Int32(1)}}));
    ANEMONE_TRY(Status(end.status()));
  }
  block->outputs() = std::move(outputs);
  return {};
}

// A Loop that ends when its data say so.
Status EmitWhile(NodeContext& c, const Graph& body) {
  Variables variables;
  variables.counts = c.Has(0) || Reads(body, body.inputs[0].name);
  for (size_t i = 2; i < c.InputCount(); ++i) {
    if (!c.Has(i)) return InvalidInput("input {} is missing", i);
    variables.initial.push_back(c.Value(i));
    variables.states.push_back(c.In(i));
  }
  if (c.OutputCount() > variables.states.size()) {
    return Unsupported("a loop that gathers what each round gives, and whose rounds are not known")
        .Advise("keep the results in a tensor of fixed size that goes from round to round");
  }
  variables.initial.push_back(c.Has(1) ? c.Reshape(c.Value(1), {})
                                       : c.MakeConst(ir::Literal::Bool(true), "going"));
  if (variables.counts) variables.initial.push_back(c.MakeConst(ir::Literal::Int32(0), "first"));
  ANEMONE_TRY(c.status());
  auto operation = c.builder().AddWithBlocks(
      "while_loop", {{"loop_vars", variables.initial}},
      c.node().outputs.empty() ? "loop" : c.node().outputs[0], [&](ir::Operation& loop) -> Status {
        ANEMONE_TRY(FillCondition(c, variables, loop.AddBlock()));
        return FillBody(c, variables, body, loop.AddBlock());
      });
  if (!operation.ok()) return std::move(operation).status();
  for (size_t i = 0; i < c.OutputCount(); ++i) {
    ir::Value* value = (*operation)->output(i);
    c.runtime().SetDims(value, variables.states[i].dims);
    ANEMONE_TRY(c.Set(i, value));
    c.SetType(i, variables.states[i].type);
  }
  return {};
}

// A Loop whose number of rounds is known is written out round by round, any other as a while_loop.
Status EmitLoop(NodeContext& c) {
  const Graph* body = Branch(c, "body");
  if (body == nullptr || body->inputs.size() < 2) return InvalidInput("Loop needs a body");
  const auto* limit = c.Const(0);
  const auto* condition = c.Const(1);
  if ((c.Has(0) && limit == nullptr) || (c.Has(1) && condition == nullptr))
    return EmitWhile(c, *body);
  const auto first_of = [](const onnx::Constant* constant, int64_t fallback) {
    const auto ints = constant != nullptr ? constant->AsInts() : std::nullopt;
    return ints && !ints->empty() ? ints->front() : fallback;
  };
  const int64_t rounds = first_of(limit, INT64_MAX);
  bool again = first_of(condition, 1) != 0;
  std::vector<Operand> state;
  for (size_t i = 2; i < c.InputCount(); ++i) {
    if (!c.Has(i)) return InvalidInput("input {} is missing", i);
    state.push_back(c.In(i));
  }
  std::vector<std::vector<Operand>> outputs(c.OutputCount() -
                                            std::min(c.OutputCount(), state.size()));
  for (int64_t round = 0; again && round < rounds; ++round) {
    ANEMONE_TRY(CheckRounds(round));
    Operand number, going;
    number.constant = onnx::Constant::Int64s({round}, {});
    going.constant = onnx::Constant::FromInts(DType::kBool, {1}, {});
    std::vector<Operand> inputs = {std::move(number), std::move(going)};
    inputs.insert(inputs.end(), state.begin(), state.end());
    ANEMONE_ASSIGN(auto results, c.ImportGraph(*body, nullptr, inputs));
    if (results.size() != 1 + state.size() + outputs.size()) {
      return InvalidInput("the body has {} outputs", results.size());
    }
    ANEMONE_TRY(CheckOutputs(c, results));
    // What the rounds before made is read by nothing then.
    if (!results[0].constant) return EmitWhile(c, *body);
    again = first_of(&*results[0].constant, 0) != 0;
    for (size_t i = 0; i < state.size(); ++i) state[i] = results[i + 1];
    for (size_t i = 0; i < outputs.size(); ++i) outputs[i].push_back(results[1 + state.size() + i]);
  }
  for (size_t i = 0; i < state.size() && i < c.OutputCount(); ++i) {
    ANEMONE_TRY(c.SetOperand(i, state[i]));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!c.Wants(state.size() + i)) continue;
    if (outputs[i].empty()) return Unsupported("a loop of no rounds whose output has no elements");
    ANEMONE_ASSIGN(const auto stacked, Stack(c, outputs[i], 0));
    ANEMONE_TRY(c.SetOperand(state.size() + i, stacked));
  }
  return {};
}

constexpr Converter kConverters[] = {
    {.op = "If", .emit = EmitIf},
    {.op = "Loop", .emit = EmitLoop},
    {.op = "Scan", .emit = EmitScan},
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
