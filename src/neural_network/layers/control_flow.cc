// branch and loop as cond and while_loop. A network writes blobs by name, also those around it; the
// program's bodies return what their network has written.
#include <algorithm>
#include <memory>
#include <set>

#include "neural_network/known_values.h"
#include "neural_network/layer_context.h"
#include "neural_network/layer_table.h"
#include "neural_network/loop_jumps.h"
#include "neural_network/network.h"

namespace anemone::neural_network {
namespace {

using Layer = nn::NeuralNetworkLayer;

// Names that the layers of a network write, nested networks included.
void CollectWritten(const Layers& layers, int depth, std::set<std::string>* names) {
  if (depth > 32) return;  // deeper ones are refused when they are lifted
  for (const auto& layer : layers) {
    for (const auto& output : layer.output()) names->insert(output);
    if (layer.has_branch()) {
      CollectWritten(layer.branch().ifbranch().layers(), depth + 1, names);
      CollectWritten(layer.branch().elsebranch().layers(), depth + 1, names);
    }
    if (layer.has_loop()) {
      CollectWritten(layer.loop().conditionnetwork().layers(), depth + 1, names);
      CollectWritten(layer.loop().bodynetwork().layers(), depth + 1, names);
    }
  }
}

// A blob under its own dimensions, with a value that `block` made itself.
Result<ir::Value*> Returned(LayerContext& c, const Blob& blob, DType dtype, ir::Builder& builder,
                            const std::string& name) {
  nn::NeuralNetworkLayer names;
  names.set_name(name);
  Scope none;
  LayerContext context(names, c.traits(), none, builder, {blob});
  ir::Value* value = context.Cast(context.Raw(0), dtype);
  value = context.Op("identity", {{"x", value}});
  ANEMONE_TRY(context.status());
  return value;
}

Blob BlobOf(ir::Value* value) {
  if (!value->type.has_rank()) return {value, {}, false};
  return {value, value->type.shape()};
}

// One number that is true where it is not 0, as a scalar bool.
Result<ir::Value*> Condition(LayerContext& c, const Blob& blob, ir::Builder& builder) {
  nn::NeuralNetworkLayer names;
  names.set_name(c.name() + "_condition");
  Scope none;
  LayerContext context(names, c.traits(), none, builder, {blob});
  ir::Value* value = blob.value;
  if (const auto count = value->type.has_rank() ? value->type.element_count() : std::nullopt;
      count && *count != 1) {
    return InvalidInput("its condition has {} values, and the format asks for one", *count);
  }
  if (!value->type.is_scalar()) {
    value = context.Op("reshape", {{"x", value}, {"shape", ir::Ints({1})}});
    value = context.Op("squeeze", {{"x", value}, {"axes", ir::Ints({0})}});
  }
  value = context.Cast(value, DType::kBool);
  ANEMONE_TRY(context.status());
  return value;
}

// ---- branch

struct Body {
  ir::Block* block;
  Scope scope;
};

Status EmitBranch(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(1, 1, c.OutputCount()));
  const nn::BranchLayerParams& params = c.layer().branch();
  // A condition that follows from constants and fixed shapes leaves one branch, which runs in the
  // network around it. The other one need not even fit the shapes.
  const auto known = KnownValue(*c.In(0).value, c.builder().function().opset);
  const auto number = known ? known->AsDoubles() : std::nullopt;
  if (number && number->size() == 1) {
    const auto& network = number->front() != 0 ? params.ifbranch() : params.elsebranch();
    return LiftLayers(network.layers(), c.traits(), c.scope(), c.builder());
  }
  ANEMONE_ASSIGN(ir::Value * condition, Condition(c, c.In(0), c.builder()));
  std::vector<std::string> names;
  const auto fill = [&](ir::Operation& cond) -> Status {
    std::vector<Body> bodies;
    for (const auto* network : {&params.ifbranch(), &params.elsebranch()}) {
      Body body{cond.AddBlock(), Scope(&c.scope())};
      ir::Builder builder(c.builder().function(), body.block);
      ANEMONE_TRY(LiftLayers(network->layers(), c.traits(), body.scope, builder));
      bodies.push_back(std::move(body));
    }
    // What either branch writes is defined after it if the other one, or the network around, has
    // it too.
    std::set<std::string> written;
    for (const Body& body : bodies) {
      for (const auto& [name, blob] : body.scope.own()) written.insert(name);
    }
    for (const std::string& name : written) {
      const Blob* yes = bodies[0].scope.Find(name);
      const Blob* no = bodies[1].scope.Find(name);
      if (yes == nullptr || no == nullptr) continue;
      if (!yes->ranked || !no->ranked || yes->dims.size() != no->dims.size()) {
        // Nothing after the branch may rely on such a blob; its readers are told it is missing.
        continue;
      }
      const DType first = yes->value->type.dtype(), second = no->value->type.dtype();
      const DType dtype = first == second ? first : DType::kFp32;
      std::vector<ir::Value*> values;
      for (size_t i = 0; i < 2; ++i) {
        ir::Builder builder(c.builder().function(), bodies[i].block);
        ANEMONE_ASSIGN(ir::Value * value, Returned(c, i == 0 ? *yes : *no, dtype, builder, name));
        values.push_back(value);
      }
      if (!ir::IsCompatible(values[0]->type, values[1]->type)) {
        // Sizes that differ are known only at run time.
        ir::Shape shape = values[0]->type.shape();
        for (size_t d = 0; d < shape.size(); ++d) {
          if (shape[d] != values[1]->type.shape()[d]) shape[d] = ir::kDynamic;
        }
        for (ir::Value* value : values) value->type = ir::Type::Tensor(dtype, shape);
      }
      for (size_t i = 0; i < 2; ++i) bodies[i].block->outputs().push_back(values[i]);
      names.push_back(name);
    }
    return {};
  };
  ANEMONE_ASSIGN(ir::Operation * cond,
                 c.builder().AddWithBlocks("cond", {{"pred", condition}}, c.name(), fill));
  for (size_t i = 0; i < names.size(); ++i) c.scope().Write(names[i], BlobOf(cond->output(i)));
  return {};
}

// ---- loop

// A variable of the loop: a blob that the network around has and the loop writes.
struct Variable {
  std::string name;
  Blob initial;
  ir::Type type;
};

// The body of a while_loop: the variables, then the number of rounds done when it is counted.
struct LoopBody {
  std::vector<ir::Value*> inputs;
  Scope scope;
};

LoopBody OpenBody(LayerContext& c, ir::Builder& builder, const std::vector<Variable>& variables,
                  bool counted) {
  LoopBody body{{}, Scope(&c.scope())};
  for (const Variable& variable : variables) {
    ir::Value* input = builder.Input(builder.UniqueName(variable.name + "_in"), variable.type);
    body.inputs.push_back(input);
    body.scope.Write(variable.name, BlobOf(input));
  }
  if (counted) {
    body.inputs.push_back(
        builder.Input(builder.UniqueName(c.name() + "_round"), ir::Type::Scalar(DType::kInt32)));
  }
  return body;
}

struct LoopPlan {
  const nn::LoopLayerParams* params = nullptr;
  // Without jumps. Its weights are views into it, so they keep it alive.
  std::shared_ptr<const nn::NeuralNetwork> without_jumps;
  const Layers* body = nullptr;
  std::string broken;  // the flag of a loopBreak; empty without one
  std::vector<Variable> variables;
  ir::Value* rounds = nullptr;  // the most rounds, int32; null when they are not counted
};

Status FillCondition(LayerContext& c, const LoopPlan& plan, ir::Block* block) {
  ir::Builder builder(c.builder().function(), block);
  LoopBody body = OpenBody(c, builder, plan.variables, plan.rounds != nullptr);
  ANEMONE_TRY(
      LiftLayers(plan.params->conditionnetwork().layers(), c.traits(), body.scope, builder));
  ir::Value* go_on = nullptr;
  const std::string& name = plan.params->conditionvar();
  if (!name.empty()) {
    const Blob* blob = body.scope.Find(name);
    if (blob == nullptr) return InvalidInput("its condition '{}' is made nowhere", name);
    ANEMONE_ASSIGN(go_on, Condition(c, *blob, builder));
  }
  const auto require = [&](ir::Operation* condition) -> Status {
    if (go_on == nullptr) {
      go_on = condition->output();
      return {};
    }
    ANEMONE_ASSIGN(
        ir::Operation * both,
        builder.Add("logical_and", {{"x", go_on}, {"y", condition->output()}}, c.name() + "_both"));
    go_on = both->output();
    return {};
  };
  if (!plan.broken.empty()) {
    ANEMONE_ASSIGN(ir::Value * broken, Condition(c, *body.scope.Find(plan.broken), builder));
    ANEMONE_ASSIGN(ir::Operation * whole,
                   builder.Add("logical_not", {{"x", broken}}, c.name() + "_unbroken"));
    ANEMONE_TRY(require(whole));
  }
  if (plan.rounds != nullptr) {
    ANEMONE_ASSIGN(
        ir::Operation * below,
        builder.Add("less", {{"x", body.inputs.back()}, {"y", plan.rounds}}, c.name() + "_below"));
    ANEMONE_TRY(require(below));
  }
  // A body returns a value that it made itself.
  ANEMONE_ASSIGN(ir::Operation * result,
                 builder.Add("identity", {{"x", go_on}}, c.name() + "_continue"));
  block->outputs().push_back(result->output());
  return {};
}

Status FillBody(LayerContext& c, const LoopPlan& plan, ir::Block* block,
                std::vector<ir::Type>* returned) {
  ir::Builder builder(c.builder().function(), block);
  LoopBody body = OpenBody(c, builder, plan.variables, plan.rounds != nullptr);
  // What the condition's network writes is there in the body too.
  ANEMONE_TRY(
      LiftLayers(plan.params->conditionnetwork().layers(), c.traits(), body.scope, builder));
  NetworkTraits traits = c.traits();
  if (plan.without_jumps) traits.weights = WeightSource(plan.without_jumps);
  ANEMONE_TRY(LiftLayers(*plan.body, traits, body.scope, builder));
  for (const Variable& variable : plan.variables) {
    const Blob* blob = body.scope.Find(variable.name);
    if (blob == nullptr) return Internal("the variable '{}' is lost", variable.name);
    ANEMONE_ASSIGN(ir::Value * value,
                   Returned(c, *blob, variable.type.dtype(), builder, variable.name));
    returned->push_back(value->type);
    block->outputs().push_back(value);
  }
  if (plan.rounds != nullptr) {
    ANEMONE_ASSIGN(ir::Operation * next,
                   builder.Add("add", {{"x", body.inputs.back()}, {"y", ir::Literal::Int32(1)}},
                               c.name() + "_next"));
    block->outputs().push_back(next->output());
  }
  return {};
}

// Gives variables unknown sizes where a round returns another size than it got. False when nothing
// changed.
bool Widen(const std::vector<ir::Type>& returned, std::vector<Variable>* variables) {
  bool changed = false;
  for (size_t i = 0; i < variables->size(); ++i) {
    ir::Type& type = (*variables)[i].type;
    const ir::Type& next = returned[i];
    if (!type.has_rank()) continue;
    if (!next.has_rank() || next.rank() != type.rank()) {
      type = ir::Type::UnrankedTensor(type.dtype());
      changed = true;
      continue;
    }
    ir::Shape shape = type.shape();
    for (size_t d = 0; d < shape.size(); ++d) {
      if (shape[d] != next.shape()[d]) shape[d] = ir::kDynamic;
    }
    if (shape == type.shape()) continue;
    type = ir::Type::Tensor(type.dtype(), shape);
    changed = true;
  }
  return changed;
}

// The most rounds: the input, or the parameter; null when neither limits the loop.
Result<ir::Value*> Rounds(LayerContext& c, const nn::LoopLayerParams& params) {
  if (c.InputCount() == 1) {
    ir::Value* rounds = c.View(c.Int(0), {1});
    rounds = c.Op("squeeze", {{"x", rounds}, {"axes", ir::Ints({0})}});
    ANEMONE_TRY(c.status());
    return rounds;
  }
  if (params.maxloopiterations() == 0) return static_cast<ir::Value*>(nullptr);
  const auto most = std::min<uint64_t>(params.maxloopiterations(), INT32_MAX);
  return c.Constant(ir::Literal::Int32(static_cast<int32_t>(most)), "rounds");
}

Status EmitLoop(LayerContext& c) {
  ANEMONE_TRY(c.CheckCounts(0, 1, c.OutputCount()));
  LoopPlan plan;
  plan.params = &c.layer().loop();
  plan.body = &plan.params->bodynetwork().layers();
  ANEMONE_ASSIGN(plan.rounds, Rounds(c, *plan.params));
  if (plan.rounds == nullptr && plan.params->conditionvar().empty()) {
    return Unsupported("a loop without a limit and a condition").Advise("give it a condition");
  }
  std::set<std::string> written;
  CollectWritten(plan.params->conditionnetwork().layers(), 0, &written);
  CollectWritten(*plan.body, 0, &written);
  if (HasJump(*plan.body)) {
    const auto unused = [&](std::string name) {
      while (written.contains(name) || c.scope().Find(name) != nullptr) name += "_";
      return name;
    };
    const JumpFlags flags{unused(c.name() + "_broken"), unused(c.name() + "_skip")};
    plan.without_jumps =
        std::make_shared<const nn::NeuralNetwork>(WithoutJumps(plan.params->bodynetwork(), flags));
    plan.body = &plan.without_jumps->layers();
    plan.broken = flags.broken;
    written.insert(flags.broken);
    ir::Value* not_yet = c.Constant(ir::Literal::Fp32s({0.0f}, {1}), "broken");
    ANEMONE_TRY(c.status());
    c.scope().Write(flags.broken, {not_yet, {1}});
  }
  for (const std::string& name : written) {
    const Blob* blob = c.scope().Find(name);
    if (blob == nullptr) continue;
    Variable variable;
    variable.name = name;
    variable.initial = *blob;
    ANEMONE_ASSIGN(ir::Value * value, Returned(c, *blob, DType::kFp32, c.builder(), name));
    variable.initial.value = value;
    variable.type = value->type;
    plan.variables.push_back(std::move(variable));
  }
  // A size that changes from round to round is known only at run time; which ones do, the body
  // tells.
  for (bool widened = true; widened;) {
    std::vector<ir::Type> returned;
    ir::Operation trial("while_loop", nullptr);
    ANEMONE_TRY(FillBody(c, plan, trial.AddBlock(), &returned));
    widened = Widen(returned, &plan.variables);
  }
  std::vector<ir::Value*> initial;
  for (const Variable& variable : plan.variables) initial.push_back(variable.initial.value);
  if (plan.rounds != nullptr) initial.push_back(c.Constant(ir::Literal::Int32(0), "first"));
  ANEMONE_TRY(c.status());
  if (initial.empty()) return {};
  ANEMONE_ASSIGN(
      ir::Operation * loop,
      c.builder().AddWithBlocks("while_loop", {{"loop_vars", std::move(initial)}}, c.name(),
                                [&](ir::Operation& operation) -> Status {
                                  ANEMONE_TRY(FillCondition(c, plan, operation.AddBlock()));
                                  std::vector<ir::Type> types;
                                  return FillBody(c, plan, operation.AddBlock(), &types);
                                }));
  for (size_t i = 0; i < plan.variables.size(); ++i) {
    c.scope().Write(plan.variables[i].name, BlobOf(loop->output(i)));
  }
  return {};
}

// EmitLoop has rewritten those of a loop.
Status EmitJump(LayerContext&) { return InvalidInput("a jump that no loop is around"); }

constexpr LayerRow kControlFlowRows[] = {
    {Layer::kBranch, "branch", EmitBranch, "cond"},
    {Layer::kLoop, "loop", EmitLoop, "while_loop", "one without a limit and a condition"},
    {Layer::kLoopBreak, "loopBreak", EmitJump, "cond"},
    {Layer::kLoopContinue, "loopContinue", EmitJump, "cond"},
    {Layer::kCustom, "custom", nullptr, "",
     "a custom layer: what it computes is in the app that ships the model, not in the file"},
};

}  // namespace

std::span<const LayerRow> ControlFlowLayers() { return kControlFlowRows; }

}  // namespace anemone::neural_network
