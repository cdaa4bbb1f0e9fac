// Higher-order operators: nodes whose arguments are graphs. Those that only change how PyTorch runs
// their body are written as the body; cond, while_loop, scan and map become ONNX's If, Loop and Scan.
#include <algorithm>
#include <array>

#include "torch/lowering.h"

namespace anemone::torch {
namespace {

using Kind = Argument::Kind;

constexpr int kMaxDepth = 16;

// Their first graph runs as it stands, with the arguments behind it.
constexpr auto kInlined = std::to_array<std::string_view>({
    "higher_order.wrap_with_set_grad_enabled",
    "higher_order.wrap_with_autocast",
    "higher_order.wrap",
    "higher_order.wrap_activation_checkpoint",
    "higher_order.tag_activation_checkpoint",
    "higher_order.strict_mode",
    "higher_order.hints_wrapper",
    "higher_order.invoke_subgraph",
});

// The names of the values that an argument stands for; "" for numbers and None.
void AddNames(const Argument& argument, std::vector<std::string>* names) {
  if (argument.kind == Kind::kNone || argument.kind == Kind::kString) {
    names->emplace_back();
    return;
  }
  names->insert(names->end(), argument.names.begin(), argument.names.end());
  for (const IntItem& item : argument.ints) names->push_back(item.name);
}

std::vector<std::string> NamesOf(const std::vector<Argument>& arguments) {
  std::vector<std::string> names;
  for (const Argument& argument : arguments) AddNames(argument, &names);
  return names;
}

const Graph* GraphAt(const Node& node, size_t index) {
  if (index >= node.inputs.size()) return nullptr;
  const Argument& argument = node.inputs[index].value;
  return argument.kind == Kind::kGraph ? argument.graph.get() : nullptr;
}

onnx::Attribute GraphAttribute(std::string name, std::shared_ptr<onnx::Graph> graph) {
  onnx::Attribute attribute;
  attribute.name = std::move(name);
  attribute.kind = onnx::Attribute::Kind::kGraph;
  attribute.graphs.push_back(std::move(graph));
  return attribute;
}

onnx::ValueInfo Named(std::string name) {
  onnx::ValueInfo info;
  info.name = std::move(name);
  return info;
}

}  // namespace

// The ONNX values of argument `index`, a value or a list of them.
Result<Values> Lowering::ValuesAt(const Node& node, size_t index, const Names& names) const {
  Values values;
  if (index >= node.inputs.size()) return values;
  std::vector<std::string> wanted;
  AddNames(node.inputs[index].value, &wanted);
  for (const std::string& name : wanted) {
    const auto found = names.values.find(name);
    if (found == names.values.end())
      return Unsupported("an argument that is a number, not a tensor")
          .Advise("pass it as a tensor");
    values.push_back(found->second);
  }
  return values;
}

Result<Values> Lowering::Inline(const Graph& body, const Values& values, Names* inner) {
  if (depth_ >= kMaxDepth) return InvalidInput("bodies nest deeper than {}", kMaxDepth);
  const std::vector<std::string> inputs = NamesOf(body.inputs);
  if (values.size() < inputs.size())
    return InvalidInput("its body takes {} inputs, not {}", inputs.size(), values.size());
  for (size_t i = 0; i < inputs.size(); ++i) inner->values[inputs[i]] = values[i];
  ++depth_;
  const Status status = Lower(body, *inner);
  --depth_;
  ANEMONE_TRY(Status(status));
  Values outputs;
  for (const std::string& name : NamesOf(body.outputs)) {
    const auto found = inner->values.find(name);
    if (!name.empty() && found == inner->values.end())
      return InvalidInput("nothing makes the output '{}' of its body", name);
    outputs.push_back(name.empty() ? "" : found->second);
  }
  return outputs;
}

// The same, of a body that runs more than once or not at all: it must not write to what is around it.
Result<Values> Lowering::InlinePure(const Graph& body, const Values& values) {
  Names inner;
  ANEMONE_ASSIGN(Values outputs, Inline(body, values, &inner));
  const std::vector<std::string> inputs = NamesOf(body.inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inner.values[inputs[i]] != values[i]) {
      return Unsupported("its body changes a tensor that it is given")
          .Advise("return the new tensor from the body");
    }
  }
  return outputs;
}

Result<std::shared_ptr<onnx::Graph>> Lowering::Body(Values inputs,
                                                    const std::function<Result<Values>()>& fill) {
  auto graph = std::make_shared<onnx::Graph>();
  for (std::string& name : inputs) graph->inputs.push_back(Named(std::move(name)));
  onnx::Graph* around = std::exchange(out_, graph.get());
  Result<Values> outputs = fill();
  out_ = around;
  if (!outputs.ok()) return std::move(outputs).status().error();
  for (const std::string& value : *outputs) {
    if (value.empty()) continue;  // None
    onnx::Node node;
    node.op = "Identity";
    node.inputs = {value};
    node.outputs = {UniqueName(value + "/out")};
    graph->outputs.push_back(Named(node.outputs[0]));
    graph->nodes.push_back(std::move(node));
  }
  return graph;
}

// Adds the node; its outputs stand for those of the ATen node that are not None.
Status Lowering::AddHigherOrder(const Node& node, onnx::Node made, size_t count, Names& names) {
  const std::string name = NameOf(node);
  for (const std::string& output : NamesOf(node.outputs)) {
    if (output.empty()) continue;
    made.outputs.push_back(UniqueName(fmt::format("{}/{}", name, output)));
    names.values[output] = made.outputs.back();
  }
  if (made.outputs.size() != count)
    return InvalidInput("it has {} outputs, its body {}", made.outputs.size(), count);
  made.origin = OriginOf(node);
  out_->nodes.push_back(std::move(made));
  return {};
}

Status Lowering::LowerCond(const Node& node, Names& names) {
  const Graph *yes = GraphAt(node, 1), *no = GraphAt(node, 2);
  if (yes == nullptr || no == nullptr) return InvalidInput("it has no two branches");
  ANEMONE_ASSIGN(const Values operands, ValuesAt(node, 3, names));
  const Argument& condition = node.inputs[0].value;
  if (condition.kind == Kind::kBool && condition.ints[0].name.empty()) {
    ANEMONE_ASSIGN(const Values outputs,
                   InlinePure(condition.ints[0].value != 0 ? *yes : *no, operands));
    return SetOutputs(node, outputs, names);
  }
  ANEMONE_ASSIGN(Values inputs, ValuesAt(node, 0, names));
  onnx::Node made;
  made.op = "If";
  made.inputs = std::move(inputs);
  size_t count = 0;
  for (const auto& [key, graph] : {std::pair{"then_branch", yes}, std::pair{"else_branch", no}}) {
    ANEMONE_ASSIGN(auto body, Body({}, [&] { return InlinePure(*graph, operands); }));
    count = body->outputs.size();
    made.attributes.push_back(GraphAttribute(key, std::move(body)));
  }
  return AddHigherOrder(node, std::move(made), count, names);
}

Status Lowering::LowerWhile(const Node& node, Names& names) {
  const Graph *condition = GraphAt(node, 0), *round = GraphAt(node, 1);
  if (condition == nullptr || round == nullptr) return InvalidInput("it has no two bodies");
  ANEMONE_ASSIGN(const Values carried, ValuesAt(node, 2, names));
  ANEMONE_ASSIGN(const Values others, ValuesAt(node, 3, names));
  const auto with_others = [&](Values values) {
    values.insert(values.end(), others.begin(), others.end());
    return values;
  };
  ANEMONE_ASSIGN(const Values first, InlinePure(*condition, with_others(carried)));
  if (first.size() != 1) return InvalidInput("its condition has {} outputs", first.size());
  onnx::Node made;
  made.op = "Loop";
  made.inputs = {"", first[0]};
  made.inputs.insert(made.inputs.end(), carried.begin(), carried.end());
  Values inputs = {UniqueName("round"), UniqueName("going")};
  Values state;
  for (size_t i = 0; i < carried.size(); ++i) state.push_back(UniqueName("carried"));
  inputs.insert(inputs.end(), state.begin(), state.end());
  ANEMONE_ASSIGN(auto body, Body(std::move(inputs), [&]() -> Result<Values> {
                   ANEMONE_ASSIGN(Values next, InlinePure(*round, with_others(state)));
                   ANEMONE_ASSIGN(Values again, InlinePure(*condition, with_others(next)));
                   again.insert(again.end(), next.begin(), next.end());
                   return again;
                 }));
  made.attributes.push_back(GraphAttribute("body", std::move(body)));
  return AddHigherOrder(node, std::move(made), carried.size(), names);
}

// scan(f, init, xs, others), and map_impl(f, xs, others), which has nothing that goes from round to
// round.
Status Lowering::LowerScan(const Node& node, Names& names) {
  const bool maps = node.target == "higher_order.map_impl";
  const Graph* round = GraphAt(node, 0);
  if (round == nullptr) return InvalidInput("it has no body");
  Values state;
  if (!maps) {
    ANEMONE_ASSIGN(state, ValuesAt(node, 1, names));
  }
  ANEMONE_ASSIGN(const Values scanned, ValuesAt(node, maps ? 1 : 2, names));
  ANEMONE_ASSIGN(const Values others, ValuesAt(node, maps ? 2 : 3, names));
  onnx::Node made;
  made.op = "Scan";
  made.inputs = state;
  made.inputs.insert(made.inputs.end(), scanned.begin(), scanned.end());
  Values given;
  for (size_t i = 0; i < made.inputs.size(); ++i) given.push_back(UniqueName("slice"));
  ANEMONE_ASSIGN(auto body, Body(given, [&] {
                   Values values = given;
                   values.insert(values.end(), others.begin(), others.end());
                   return InlinePure(*round, values);
                 }));
  const size_t count = body->outputs.size();
  made.attributes.push_back(
      onnx::attribute::Int("num_scan_inputs", static_cast<int64_t>(scanned.size())));
  made.attributes.push_back(GraphAttribute("body", std::move(body)));
  return AddHigherOrder(node, std::move(made), count, names);
}

Status Lowering::SetOutputs(const Node& node, const Values& values, Names& names) {
  const std::vector<std::string> outputs = NamesOf(node.outputs);
  if (values.size() < outputs.size()) return InvalidInput("its body makes fewer outputs");
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].empty() && !values[i].empty()) names.values[outputs[i]] = values[i];
  }
  return {};
}

Status Lowering::LowerInlined(const Node& node, const Graph& outer, Names& names) {
  const Graph* body = nullptr;
  std::vector<std::string> given;
  for (const NamedArgument& input : node.inputs) {
    const bool names_values = input.value.kind != Kind::kNone && input.value.kind != Kind::kString;
    if (body == nullptr) {
      if (input.value.kind == Kind::kGraph) body = input.value.graph.get();
    } else if (names_values && input.name.empty()) {
      AddNames(input.value, &given);
    }
  }
  if (body == nullptr) return InvalidInput("it has no body");
  Values values;
  for (const std::string& name : given) {
    const auto found = names.values.find(name);
    values.push_back(found == names.values.end() ? "" : found->second);
  }
  Names inner;
  ANEMONE_ASSIGN(const Values outputs, Inline(*body, values, &inner));
  // What the body wrote to has changed outside too.
  const std::vector<std::string> inputs = NamesOf(body->inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string now = inner.values[inputs[i]];
    if (now != values[i] && !given[i].empty()) ANEMONE_TRY(Write(given[i], now, "", outer, names));
  }
  return SetOutputs(node, outputs, names);
}

Result<bool> Lowering::LowerHigherOrder(const Node& node, const Graph& outer, Names& names) {
  Status status;
  if (std::ranges::find(kInlined, node.target) != kInlined.end()) {
    status = LowerInlined(node, outer, names);
  } else if (node.target == "higher_order.cond") {
    status = LowerCond(node, names);
  } else if (node.target == "higher_order.while_loop") {
    status = LowerWhile(node, names);
  } else if (node.target == "higher_order.scan" || node.target == "higher_order.map_impl") {
    status = LowerScan(node, names);
  } else {
    return false;
  }
  if (!status.ok()) return std::move(status).error();
  return true;
}

}  // namespace anemone::torch
