#include "onnx/importer.h"

#include <algorithm>

#include "onnx/check.h"
#include "onnx/converter.h"
#include "onnx/fold.h"
#include "onnx/fold_sizes.h"
#include "onnx/fold_table.h"
#include "onnx/high_rank.h"

namespace anemone::onnx {
namespace {

constexpr int kMaxDepth = 32;            // of nested subgraphs and functions
constexpr int64_t kMaxWalked = 1 << 20;  // nodes, including those of inlined functions

int64_t OpsetOf(const std::map<std::string, int64_t>& opsets, const std::string& domain) {
  const auto found = opsets.find(domain);
  return found == opsets.end() ? 0 : found->second;
}

// Tells which of `nodes` something in `wanted` depends on.
std::vector<bool> FindLive(const std::vector<Node>& nodes, const std::vector<std::string>& wanted) {
  std::unordered_set<std::string_view> needed(wanted.begin(), wanted.end());
  std::vector<bool> live(nodes.size(), false);
  for (size_t i = nodes.size(); i-- > 0;) {
    for (const auto& output : nodes[i].outputs) live[i] = live[i] || needed.contains(output);
    if (!live[i]) continue;
    for (const auto name : UsedNames(nodes[i])) needed.insert(name);
  }
  return live;
}

// Before opset 7, the attribute `axis` says which dimension of input 0 the first one of input 1 stands
// for; what follows is repeated. As today's rules have it, input 1 with ones at its end.
std::optional<Operand> AlignAtAxis(const Node& node, const std::vector<Operand*>& inputs) {
  const auto* broadcast = node.Find("broadcast");
  const auto* axis = node.Find("axis");
  if (broadcast == nullptr || broadcast->i == 0 || axis == nullptr || inputs.size() != 2)
    return std::nullopt;
  if (inputs[0] == nullptr || inputs[1] == nullptr || inputs[1]->poisoned) return std::nullopt;
  Operand operand = *inputs[1];
  const int64_t at = axis->i >= 0 || axis->i < -64 ? axis->i : axis->i + inputs[0]->rank();
  if (at < 0 || at > inputs[0]->rank()) return std::nullopt;
  const int64_t ones = inputs[0]->rank() - operand.rank() - at;
  for (int64_t i = 0; i < ones; ++i) operand.dims.push_back(1);
  if (operand.constant) operand.constant = operand.constant->Reshaped(operand.dims);
  return operand;
}

// What an operator meant before opset 7 where it was another one: kUnsupported.
Status CheckOldMeaning(const Node& node, int64_t opset) {
  const bool other = (node.op == "Upsample" && opset < 7) || (node.op == "Tile" && opset < 6) ||
                     (node.op == "Pad" && opset < 2) || (node.op == "Cast" && opset < 6);
  const auto* test = node.Find("is_test");
  const bool training = node.op == "BatchNormalization" && (test == nullptr || test->i == 0);
  if (!other && !training) return {};
  return Unsupported("{}", training ? "training mode" : "the form that it had in this old opset")
      .Advise("upgrade the model with onnx.version_converter");
}

// Tensors without elements are known and vanish; only these operators have something to do with one.
Status CheckElements(NodeContext& context) {
  if (!context.Has(0) || std::ranges::count(context.Sizes(0), 0) == 0) return {};
  constexpr std::string_view kTakers[] = {"Concat",  "Shape",   "Size",     "Reshape",
                                          "Squeeze", "Flatten", "Identity", "Unsqueeze"};
  if (std::ranges::find(kTakers, context.node().op) != std::end(kTakers)) return {};
  return Unsupported("its input '{}' has the shape {}, without elements", context.In(0).name,
                     ir::ShapeToString(context.Sizes(0)))
      .Advise("Core ML has no such tensors: give it a shape with elements");
}

// Only these operators know sequences of tensors.
Status CheckSequences(const NodeContext& context) {
  constexpr std::string_view kTakers[] = {"Identity", "If", "Loop", "Scan", "ConcatFromSequence"};
  const std::string& op = context.node().op;
  if (op.starts_with("Sequence") || std::ranges::find(kTakers, op) != std::end(kTakers)) return {};
  for (size_t i = 0; i < context.InputCount(); ++i) {
    if (!context.Has(i) || context.In(i).items == nullptr) continue;
    return Unsupported("its input '{}' is a sequence of tensors", context.In(i).name)
        .Advise("take the tensors out of it in the model");
  }
  return {};
}

// ONNX's element type of an output whose converter did not say it: that of the first input that the
// program holds in the same dtype. Positions and counts are int64.
DType TypeOfOutput(NodeContext& context, size_t output) {
  const DType dtype = context.outputs()[output].dtype();
  const std::string& op = context.node().op;
  if (dtype != DType::kInt32 && dtype != DType::kFp32) return dtype;
  const bool positions = op == "ArgMax" || op == "ArgMin" || op == "NonZero" ||
                         op == "NonMaxSuppression" || (output == 1 && op != "Split");
  if (positions && dtype == DType::kInt32) return DType::kInt64;
  const size_t first = op == "Where" ? 1 : op == "OneHot" ? 2 : 0;
  for (size_t i = first; i < context.InputCount(); ++i) {
    if (context.Has(i) && context.Dtype(i) == dtype) return context.Type(i);
  }
  return dtype;
}

}  // namespace

Operand* Importer::Scope::Find(const std::string& name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->outer) {
    const auto found = scope->values.find(name);
    if (found != scope->values.end()) return found->second.get();
  }
  return nullptr;
}

Operand* Importer::Scope::Add(Operand operand) {
  std::string name = operand.name;
  return values.insert_or_assign(std::move(name), std::make_unique<Operand>(std::move(operand)))
      .first->second.get();
}

Importer::Importer(const Model& model, const ImportOptions& options)
    : model_(model), options_(options) {
  auto function = std::make_unique<ir::Function>();
  function->name = "main";
  function->opset = options.target;
  function_ = function.get();
  program_.functions.push_back(std::move(function));
  builder_ = std::make_unique<ir::Builder>(*function_);
  runtime_ = std::make_unique<RuntimeSizes>(*builder_);
}

// A newer opset than the converters know changes few operators: the model is converted by its
// operators, and the user is told once.
void Importer::NoteOpset() {
  if (model_.opset() <= kNewestOpset) return;
  notes_.push_back(fmt::format(
      "opset {} is newer than {}, the newest that this version knows: its operators are "
      "taken to mean what they mean there; compare the outputs, or export with opset {}",
      model_.opset(), kNewestOpset, kNewestOpset));
}

std::vector<std::optional<ir::Shape>> Importer::DeclaredShapes(const Node& node) {
  if (!declared_) {
    declared_.emplace();
    for (const auto* infos : {&model_.graph.value_infos, &model_.graph.outputs}) {
      for (const auto& info : *infos) {
        if (!info.shape ||
            !std::ranges::all_of(*info.shape, [](const Dim& dim) { return dim.value.has_value(); }))
          continue;
        ir::Shape shape;
        for (const Dim& dim : *info.shape) shape.push_back(*dim.value);
        declared_->insert_or_assign(info.name, std::move(shape));
      }
    }
  }
  std::vector<std::optional<ir::Shape>> shapes(node.outputs.size());
  for (size_t i = 0; i < shapes.size(); ++i) {
    const auto found = declared_->find(node.outputs[i]);
    if (found != declared_->end()) shapes[i] = found->second;
  }
  return shapes;
}

Status Importer::AddInitializers(const Graph& graph, Scope& scope) {
  for (const auto& tensor : graph.initializers) {
    initializer_bytes_ += tensor.data.size();
    Operand operand;
    operand.name = tensor.name;
    operand.dims = tensor.dims;
    auto constant = Constant::FromTensor(tensor);
    // If its type cannot be held, the nodes that read it are reported.
    if (constant.ok()) {
      operand.constant = std::move(*constant);
    } else {
      operand.poisoned = true;
      operand.reason = fmt::format("initializer '{}': {}", tensor.name, constant.error().message());
    }
    scope.Add(std::move(operand));
  }
  return {};
}

Status Importer::Walk(const std::vector<Node>& nodes, const std::vector<std::string>& wanted,
                      const Opsets& opsets, Scope& scope, ir::Builder& builder, int depth) {
  if (depth > kMaxDepth)
    return InvalidInput("functions and subgraphs nest deeper than {}", kMaxDepth);
  const auto live = FindLive(nodes, wanted);
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (!live[i]) continue;
    if (++walked_ > kMaxWalked) return InvalidInput("more than {} nodes to convert", kMaxWalked);
    ANEMONE_TRY(WalkNode(nodes[i], i, opsets, scope, builder, depth).At(nodes[i].Place(i)));
  }
  return {};
}

Status Importer::WalkNode(const Node& node, size_t index, const Opsets& opsets, Scope& scope,
                          ir::Builder& builder, int depth) {
  std::vector<Operand*> inputs;
  bool poisoned = false;
  for (const auto& name : node.inputs) {
    inputs.push_back(name.empty() ? nullptr : scope.Find(name));
    if (!name.empty() && inputs.back() == nullptr) return Internal("nothing made '{}'", name);
    if (inputs.back() == nullptr || !inputs.back()->poisoned) continue;
    poisoned = true;
    if (!inputs.back()->reason.empty()) {
      Block(node, index, opsets, Unsupported("{}", inputs.back()->reason));
      inputs.back()->reason.clear();
    }
  }
  const ir::TextTemplate* lowering = FindLowering(node);
  const auto* function = lowering != nullptr ? nullptr : FindFunction(node);
  if (function != nullptr) {
    return Inline(*function, node, std::move(inputs), scope, builder, depth);
  }
  const int64_t opset = OpsetOf(opsets, node.domain);
  const auto import_graph = [&](const Graph& graph, ir::Block* block,
                                const std::vector<Operand>& given) {
    return ImportGraph(graph, opsets, scope, builder, block, depth + 1, given);
  };
  const size_t first = builder.block()->operations().size();
  std::optional<Operand> aligned;
  if (node.domain.empty() && opset < kBroadcastOpset) {
    aligned = AlignAtAxis(node, inputs);
    if (aligned) inputs[1] = &*aligned;
  }
  NodeContext context(node, opset, std::move(inputs), builder, *builder_, *runtime_, import_graph);
  context.SetClampInt64(options_.clamp_int64);
  // What a file declares of a network with open inputs may be true of its example only.
  if (depth == 1 && open_inputs_.empty()) context.SetDeclared(DeclaredShapes(node));
  Status status;
  if (poisoned) {
    const auto* converter = FindConverter(node.domain, node.op, opset);
    if (converter == nullptr || converter->emit == nullptr || !node.refusal.empty())
      status = Convert(context);
  } else {
    status = lowering != nullptr ? Lower(*lowering, context, builder) : Convert(context);
    // What went wrong after an open dimension was read says nothing.
    if (status.ok() || !context.needs_fixed().ok()) status = context.status();
  }
  for (const std::string& note : context.notes()) {
    if (std::ranges::find(notes_, note) == notes_.end()) notes_.push_back(note);
  }
  if (!status.ok()) {
    const auto code = status.error().code();
    if (code != ErrorCode::kUnsupported && code != ErrorCode::kInvalidInput) return status;
    Block(node, index, opsets, status.error());
    poisoned = true;
  }
  bool wide = false;  // whether an output has integers that int32 may not hold
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].empty()) continue;
    Operand& output = context.outputs()[i];
    output.name = node.outputs[i];
    if (output.type == DType::kInvalid) output.type = TypeOfOutput(context, i);
    if (poisoned) {
      output = Operand{
          .name = node.outputs[i], .dims = {}, .constant = {}, .value = nullptr, .poisoned = true};
    } else if (output.value == nullptr && !output.is_known() && output.integers == nullptr &&
               !output.sizes && output.items == nullptr && !output.poisoned) {
      return Unsupported("its output {}, '{}', is not converted", i, node.outputs[i])
          .Advise("remove what reads it");
    }
    wide = wide || output.type == DType::kInt64 || output.type == DType::kUInt64 ||
           output.type == DType::kUInt32;
    scope.Add(std::move(output));
  }
  if (!poisoned && wide) {
    const auto& operations = builder.block()->operations();
    for (size_t i = first; i < operations.size(); ++i) operations[i]->MarkInt64Results();
  }
  return {};
}

namespace {

// The shape that the node gives its input when it only rearranges dims; nullopt for other operators.
Result<std::optional<ir::Shape>> MovedDims(const NodeContext& context) {
  const std::string& op = context.node().op;
  const ir::Shape& dims = context.Dims(0);
  if (op == "Identity") return std::optional(dims);
  if (op == "Cast") {
    const bool to_float = context.Int("to", 0) == static_cast<int64_t>(ElementType::kFloat);
    return to_float ? std::optional(dims) : std::nullopt;
  }
  const auto list = [&](std::string_view attribute) { return context.IntsOr(1, attribute); };
  std::optional<ir::Shape> moved;
  if (op == "Reshape") {
    ANEMONE_ASSIGN(const auto shape, list("shape"));
    if (!shape) return InvalidInput("Reshape has no shape");
    ANEMONE_ASSIGN(moved, ReshapedDims(dims, *shape, context.Int("allowzero", 0) != 0));
  } else if (op == "Squeeze") {
    ANEMONE_ASSIGN(const auto axes, list("axes"));
    ANEMONE_ASSIGN(moved, SqueezedDims(dims, axes));
  } else if (op == "Unsqueeze") {
    ANEMONE_ASSIGN(const auto axes, list("axes"));
    if (!axes) return InvalidInput("Unsqueeze has no axes");
    ANEMONE_ASSIGN(moved, UnsqueezedDims(dims, *axes));
  }
  return moved;
}

// Moves the integers of a quantized constant, where the operator only rearranges them; false for
// operators that compute.
Result<bool> MoveQuantized(NodeContext& context) {
  const Quantized* x = context.QuantizedIn(0);
  if (x == nullptr || !context.node().domain.empty()) return false;
  if (context.node().op == "Transpose") {
    ANEMONE_ASSIGN(const auto perm, Permutation(context.node(), context.Dims(0).size()));
    ANEMONE_TRY(context.SetQuantized(0, x->Transposed(perm)));
    return true;
  }
  ANEMONE_ASSIGN(const auto dims, MovedDims(context));
  if (!dims) return false;
  auto moved = x->Reshaped(*dims);
  if (!moved) return false;
  ANEMONE_TRY(context.SetQuantized(0, std::move(*moved)));
  return true;
}

}  // namespace

// Bounds the memory that a chain of ever larger constants can ask for. A network rearranges each of
// its weights a few times at most; a file without weights has no reason to make large tensors out of
// nothing.
Status Importer::CheckFolded() const {
  constexpr size_t kBytesOfAnyModel = size_t{256} << 20;
  const size_t limit = kBytesOfAnyModel + 4 * initializer_bytes_;
  if (folded_bytes_ <= limit) return {};
  return InvalidInput("the tensors known at import grow beyond the limit of {} bytes", limit)
      .Advise("simplify the model with its exporter, so that large tensors are initializers");
}

Status Importer::CountFolded(const FoldArgs& args, const std::vector<Constant>& outputs) {
  for (const auto& output : outputs) {
    if (args.In(0) != nullptr && output.data.data() == args.In(0)->data.data()) continue;  // a view
    folded_bytes_ += output.data.size();
  }
  return CheckFolded();
}

Status Importer::Convert(NodeContext& context) {
  const Node& node = context.node();
  if (!node.refusal.empty()) return Unsupported("{}", node.refusal).Advise(node.rewrite);
  const auto* converter = FindConverter(node.domain, node.op, context.opset());
  ANEMONE_TRY(CheckSequences(context));
  bool known = !node.inputs.empty();
  bool quantized = false;
  for (size_t i = 0; i < context.InputCount(); ++i) {
    known = known && (context.Known(i) || !context.Has(i));
    quantized = quantized || context.QuantizedIn(i) != nullptr;
  }
  if (known && quantized) {
    ANEMONE_ASSIGN(const bool moved, MoveQuantized(context));
    if (moved) return {};
  }
  if (known) {
    ANEMONE_TRY(CheckFolded());
    FoldArgs args{node, context.opset(), {}};
    for (size_t i = 0; i < context.InputCount(); ++i) args.inputs.push_back(context.Const(i));
    ANEMONE_ASSIGN(auto folded, FoldNode(args));
    if (folded) {
      ANEMONE_TRY(CountFolded(args, *folded));
      for (size_t i = 0; i < folded->size(); ++i) {
        ANEMONE_TRY(context.SetConstant(i, std::move((*folded)[i])));
      }
      return {};
    }
  }
  ANEMONE_ASSIGN(const bool sized, FoldSizes(context));
  if (sized) return {};
  if (converter == nullptr) {
    return Unsupported("there is no conversion of this operator{}",
                       node.domain.empty() ? "" : fmt::format(" of domain '{}'", node.domain))
        .Advise("--lowering FILE says in MIL what it becomes (docs/custom-lowerings.md)");
  }
  if (node.domain.empty() && context.opset() < kBroadcastOpset) {
    ANEMONE_TRY(CheckOldMeaning(node, context.opset()));
  }
  if (converter->emit == nullptr) {
    return Unsupported("{}", converter->refusal).Advise(converter->rewrite);
  }
  ANEMONE_TRY(CheckElements(context));
  ANEMONE_ASSIGN(const bool lowered, LowerRank(context));
  if (lowered) return {};
  return converter->emit(context);
}

Result<std::vector<Operand>> Importer::ImportGraph(const Graph& graph, const Opsets& opsets,
                                                   Scope& scope, ir::Builder& builder,
                                                   ir::Block* block, int depth,
                                                   const std::vector<Operand>& inputs) {
  Scope inner;
  inner.outer = &scope;
  Opsets own_opsets = opsets;
  if (graph.opset != 0) own_opsets[""] = graph.opset;
  ANEMONE_TRY(AddInitializers(graph, inner));
  if (inputs.size() > graph.inputs.size()) {
    return InvalidInput("the graph '{}' takes {} inputs, not {}", graph.name, graph.inputs.size(),
                        inputs.size());
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    Operand operand = inputs[i];
    operand.name = graph.inputs[i].name;
    inner.Add(std::move(operand));
  }
  std::unique_ptr<ir::Builder> own;
  if (block != nullptr) own = std::make_unique<ir::Builder>(*function_, block);
  std::vector<std::string> wanted;
  for (const auto& output : graph.outputs) wanted.push_back(output.name);
  ANEMONE_TRY(Walk(graph.nodes, wanted, own_opsets, inner, own ? *own : builder, depth));
  std::vector<Operand> outputs;
  for (const auto& name : wanted) {
    const Operand* operand = inner.Find(name);
    if (operand == nullptr) return Internal("nothing made '{}'", name);
    outputs.push_back(*operand);
  }
  return outputs;
}

const Function* Importer::FindFunction(const Node& node) const {
  for (const auto& function : model_.functions) {
    if (function.name == node.op && function.domain == node.domain &&
        function.overload == node.overload) {
      return &function;
    }
  }
  return nullptr;
}

namespace {

// Replaces attributes that refer to the function's own by the values of the call; drops those that
// the call does not give.
void BindAttributes(std::vector<Node>& nodes, const Function& function, const Node& call) {
  const auto find = [&](const std::string& name) -> const Attribute* {
    if (const auto* given = call.Find(name)) return given;
    for (const auto& fallback : function.attribute_defaults) {
      if (fallback.name == name) return &fallback;
    }
    return nullptr;
  };
  for (auto& node : nodes) {
    std::vector<Attribute> bound;
    for (auto& attribute : node.attributes) {
      if (attribute.reference.empty()) {
        for (auto& graph : attribute.graphs) {
          graph = std::make_shared<Graph>(*graph);
          BindAttributes(graph->nodes, function, call);
        }
        bound.push_back(std::move(attribute));
      } else if (const auto* value = find(attribute.reference)) {
        bound.push_back(*value);
        bound.back().name = attribute.name;
      }
    }
    node.attributes = std::move(bound);
  }
}

}  // namespace

Status Importer::Inline(const Function& function, const Node& node, std::vector<Operand*> inputs,
                        Scope& scope, ir::Builder& builder, int depth) {
  if (inputs.size() > function.inputs.size() || node.outputs.size() > function.outputs.size()) {
    return InvalidInput("function '{}' is called with {} inputs and {} outputs, but has {} and {}",
                        function.name, inputs.size(), node.outputs.size(), function.inputs.size(),
                        function.outputs.size());
  }
  Scope inner;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i] == nullptr) continue;
    Operand operand = *inputs[i];
    operand.name = function.inputs[i];
    inner.Add(std::move(operand));
  }
  std::vector<Node> body = function.nodes;
  BindAttributes(body, function, node);
  // An input that the call omits is omitted wherever the body reads it.
  for (auto& inside : body) {
    for (auto& input : inside.inputs) {
      const bool parameter =
          std::find(function.inputs.begin(), function.inputs.end(), input) != function.inputs.end();
      if (parameter && inner.Find(input) == nullptr) input.clear();
    }
  }
  const Opsets& opsets = function.opsets.empty() ? model_.opsets : function.opsets;
  ANEMONE_TRY(Walk(body, function.outputs, opsets, inner, builder, depth + 1));
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].empty()) continue;
    const Operand* made = inner.Find(function.outputs[i]);
    if (made == nullptr)
      return InvalidInput("function '{}' does not make its output '{}'", function.name,
                          function.outputs[i]);
    Operand operand = *made;
    operand.name = node.outputs[i];
    scope.Add(std::move(operand));
  }
  return {};
}

void Importer::Block(const Node& node, size_t index, const Opsets& opsets, const Error& error) {
  const std::string op = node.domain.empty() ? node.op : node.domain + "." + node.op;
  std::string name = node.name;
  for (const auto& output : node.outputs) {
    if (name.empty() && !output.empty()) name = "making '" + output + "'";
  }
  std::string text = node.origin.empty()
                         ? fmt::format("{} (opset {}), node {} {}: {}", op,
                                       OpsetOf(opsets, node.domain), index, name, error.message())
                         : fmt::format("{}: {}", node.origin, error.message());
  if (!error.place().empty()) text = fmt::format("{} at {}", text, error.place());
  if (!error.advice().empty()) text += "; " + error.advice();
  blocked_.push_back({std::move(text), error.code() == ErrorCode::kUnsupported});
}

Error Importer::BlockedError() const {
  bool unsupported = false;
  std::string list;
  for (const auto& blocked : blocked_) {
    unsupported = unsupported || blocked.unsupported;
    list += "\n  " + blocked.text;
  }
  const auto code = unsupported ? ErrorCode::kUnsupported : ErrorCode::kInvalidInput;
  return Error(code, fmt::format("{} of the model cannot be converted:{}",
                                 blocked_.size() == 1 ? std::string("1 node")
                                                      : fmt::format("{} nodes", blocked_.size()),
                                 list));
}

Result<ir::Model> Importer::Run() {
  NoteOpset();
  Scope scope;
  ANEMONE_TRY(AddInputs(scope));
  ANEMONE_TRY(AddInitializers(model_.graph, scope));
  ANEMONE_TRY(AddStates(scope));
  std::vector<std::string> wanted;
  for (const auto& output : model_.graph.outputs) wanted.push_back(output.name);
  for (const auto& state : model_.graph.states) {
    if (!state.next.empty()) wanted.push_back(state.next);
  }
  ANEMONE_TRY(Walk(model_.graph.nodes, wanted, model_.opsets, scope, *builder_, 1));
  if (!blocked_.empty()) return BlockedError();
  NoteUnusedLowerings();
  ANEMONE_TRY(WriteStates(scope));
  ANEMONE_TRY(SetOutputs(scope));
  ANEMONE_ASSIGN(ir::Model model, ir::MakeModel(std::move(program_)));
  ANEMONE_TRY(DescribeOpenInputs(model));
  AddMetadata(model);
  return model;
}

}  // namespace anemone::onnx
