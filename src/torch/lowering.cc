#include "torch/lowering.h"

#include <fmt/format.h>

#include <algorithm>

#include "onnx/symbols.h"
#include "torch/converter.h"

namespace anemone::torch {
namespace {

using Kind = Argument::Kind;

// The version of ai.onnx whose operators the converters write.
constexpr int64_t kOpset = 23;
// torch.export writes "no bound" as the largest of its integers.
constexpr int64_t kNoBound = int64_t{1} << 31;

// Asserts and hints to the compiler: nothing at run time reads what they give.
bool IsAssertion(std::string_view target) {
  constexpr std::string_view kAssertions[] = {
      "aten._assert_async.msg",
      "aten._assert_scalar.default",
      "aten._assert_tensor_metadata.default",
      "aten.sym_constrain_range.default",
      "aten.sym_constrain_range_for_size.default",
      "aten._functional_sym_constrain_range.default",
  };
  return std::ranges::find(kAssertions, target) != std::end(kAssertions);
}

bool IsComplex(const TensorMeta& meta) {
  return meta.type == ScalarType::kComplexHalf || meta.type == ScalarType::kComplexFloat ||
         meta.type == ScalarType::kComplexDouble;
}

// Whether it only moves the elements of a complex tensor, its one argument.
bool MovesComplex(const Node& node, const Graph& graph) {
  const auto meta = graph.tensors.find(SourceOf(node));
  if (meta == graph.tensors.end() || !IsComplex(meta->second)) return false;
  for (const std::string_view moves :
       {"aten.view.default", "aten.reshape.default", "aten._unsafe_view.default",
        "aten.unsqueeze.default", "aten.squeeze.dim", "aten.permute.default", "aten.transpose.int",
        "aten.slice.Tensor", "aten.select.int", "aten.expand.default", "aten.flatten.using_ints",
        "aten.pad.default", "aten.constant_pad_nd.default", "aten.reflection_pad1d.default",
        "aten.replication_pad1d.default", "aten.neg.default"}) {
    if (node.target == moves) return true;
  }
  return false;
}

// Whether the node reads or makes complex tensors and is not one of the few that know how those are
// held: any other would take the two parts for a dimension.
bool MistakesComplex(const Node& node, const Graph& graph) {
  const std::string_view target = node.target;
  if (target.starts_with("aten.fft_") || target.starts_with("aten.stft.")) return false;
  for (const std::string_view known :
       {"aten.real.default", "aten.imag.default", "aten.complex.default", "aten.abs.default",
        "aten.view_as_real.default", "aten.view_as_complex.default", "aten.alias.default",
        "aten.detach.default", "aten.clone.default"}) {
    if (target == known) return false;
  }
  const auto is_complex = [&](const Argument& argument) {
    return std::ranges::any_of(argument.names, [&](const std::string& name) {
      const auto meta = graph.tensors.find(name);
      return meta != graph.tensors.end() && IsComplex(meta->second);
    });
  };
  return std::ranges::any_of(node.inputs, is_complex, &NamedArgument::value) ||
         std::ranges::any_of(node.outputs, is_complex);
}

// Whether a node or an output of the graph reads one of the values.
bool IsRead(const Graph& graph, const std::vector<std::string>& values) {
  const auto reads = [&](const Argument& argument) {
    return std::ranges::find_first_of(argument.names, values) != argument.names.end();
  };
  return std::ranges::any_of(graph.outputs, reads) ||
         std::ranges::any_of(graph.nodes, [&](const Node& node) {
           return std::ranges::any_of(node.inputs, reads, &NamedArgument::value);
         });
}

std::string Advice(const std::string& target) {
  if (!target.starts_with("aten.") && !target.starts_with("prims.") &&
      !target.starts_with("_operator.") && !target.starts_with("higher_order.")) {
    return "it is a custom operator: give it a decomposition to ATen operators and export again "
           "with program.run_decompositions({torch.ops.NAMESPACE.NAME.default: function})";
  }
  return "export again after program = program.run_decompositions(), which may write it as simpler "
         "operators, or rewrite the module without it";
}

}  // namespace

std::string Lowering::UniqueName(const std::string& hint) {
  std::string name = hint;
  for (int i = 1; !taken_.insert(name).second; ++i) name = fmt::format("{}_{}", hint, i);
  return name;
}

// A module that is one operator gives it its path; further ones of the module add their own names.
std::string Lowering::NameOf(const Node& node) {
  std::string own = node.name;
  if (own.empty() && !node.outputs.empty()) {
    const Argument& first = node.outputs[0];
    if (!first.names.empty()) own = first.names[0];
    if (own.empty() && !first.ints.empty()) own = first.ints[0].name;
  }
  if (own.empty()) own = node.target;
  if (node.module.empty()) return UniqueName(own);
  if (!taken_.contains(node.module)) return UniqueName(node.module);
  return UniqueName(node.module + "." + own);
}

std::string Lowering::OriginOf(const Node& node) {
  std::string origin = node.target;
  if (!node.module.empty()) origin += fmt::format(" in {}", node.module);
  if (!node.source.empty()) origin += fmt::format(" at {}", node.source);
  return origin;
}

bool Lowering::IsMutated(const InputSpec& spec) const {
  if (mutated_.contains(spec.value.names[0])) return true;
  return std::ranges::any_of(program_.outputs, [&](const OutputSpec& output) {
    return output.kind == OutputSpec::Kind::kBufferMutation && output.target == spec.target;
  });
}

// An integer that the caller gives: an input of one element, since Core ML has no scalar ones.
Status Lowering::AddNumber(const std::string& name) {
  onnx::ValueInfo info;
  info.name = UniqueName(name);
  info.kind = onnx::ValueInfo::Kind::kTensor;
  info.type = static_cast<int32_t>(onnx::ElementType::kInt64);
  info.shape.emplace().push_back({1, {}});
  onnx::Node scalar;
  scalar.op = "Squeeze";
  scalar.inputs = {info.name};
  scalar.outputs = {UniqueName(name + "/number")};
  names_.values[name] = scalar.outputs[0];
  model_.graph.inputs.push_back(std::move(info));
  model_.graph.nodes.push_back(std::move(scalar));
  return {};
}

Status Lowering::AddUserInput(const InputSpec& spec) {
  if (spec.value.kind == Kind::kInt && !spec.value.ints.empty() &&
      !spec.value.ints[0].name.empty()) {
    return AddNumber(spec.value.ints[0].name);
  }
  if (spec.value.kind != Kind::kTensor) return {};  // a number that the export has put in place
  const std::string& name = spec.value.names[0];
  const auto found = program_.graph.tensors.find(name);
  if (found == program_.graph.tensors.end())
    return InvalidInput("the input '{}' has no type", name);
  const TensorMeta& meta = found->second;
  if (meta.dtype() == DType::kInvalid) {
    return Unsupported("the input '{}' is of {}", name, ScalarTypeName(meta.type))
        .Advise("pass its parts as float tensors");
  }
  onnx::ValueInfo info;
  info.name = UniqueName(name);
  info.kind = onnx::ValueInfo::Kind::kTensor;
  info.type = static_cast<int32_t>(ElementTypeOf(meta.dtype()));
  info.shape.emplace();
  for (const Size& size : meta.sizes) info.shape->push_back({size.value, size.expression});
  names_.values[name] = info.name;
  model_.graph.inputs.push_back(std::move(info));
  return {};
}

Status Lowering::AddHeld(const InputSpec& spec) {
  const std::string& value = spec.value.names[0];
  const auto found = program_.tensors.find(spec.target);
  if (found == program_.tensors.end())
    return InvalidInput("the file holds no tensor '{}'", spec.target);
  const HeldTensor& held = found->second;
  if (spec.kind == InputSpec::Kind::kBuffer && IsMutated(spec)) return AddState(spec, held);
  if (IsMutated(spec)) {
    return Unsupported("the model changes its parameter '{}' in place", spec.target)
        .Advise("keep what changes in a buffer of the module");
  }
  const std::tuple key(static_cast<const void*>(held.data.data()), held.type, held.dims);
  if (!held.data.empty()) {
    const auto shared = held_.find(key);
    if (shared != held_.end()) {
      names_.values[value] = shared->second;
      return {};
    }
  }
  onnx::Tensor tensor;
  tensor.name = UniqueName(spec.target);
  tensor.dtype = ToDType(held.type);
  tensor.type = static_cast<int32_t>(ElementTypeOf(tensor.dtype));
  tensor.dims = held.dims;
  tensor.element_count = 1;
  for (const int64_t size : held.dims) tensor.element_count *= size;
  tensor.data = held.data;
  names_.values[value] = tensor.name;
  held_.emplace(key, tensor.name);
  model_.graph.initializers.push_back(std::move(tensor));
  return {};
}

Status Lowering::AddState(const InputSpec& spec, const HeldTensor& tensor) {
  // What else lies in the same memory changes with it, which states of Core ML do not.
  for (const InputSpec& other : program_.inputs) {
    const auto found = program_.tensors.find(other.target);
    if (other.target == spec.target || found == program_.tensors.end()) continue;
    if (!tensor.Overlaps(found->second) || !IsRead(program_.graph, other.value.names)) continue;
    return Unsupported("the buffer '{}', which the model changes, shares its memory with '{}'",
                       spec.target, other.target)
        .Advise("keep one of them, and take views of it in forward()");
  }
  onnx::State state;
  state.name = UniqueName(spec.target);
  state.dtype = ToDType(tensor.type);
  state.dims = tensor.dims;
  const auto zero = [](std::byte byte) { return byte == std::byte{0}; };
  const std::byte* data = tensor.data.data();
  state.starts_at_zero = std::all_of(data, data + tensor.data.size(), zero);
  names_.values[spec.value.names[0]] = state.name;
  states_[spec.target] = state.name;
  model_.graph.states.push_back(std::move(state));
  return {};
}

Status Lowering::AddInputs() {
  if (program_.inputs.size() != program_.graph.inputs.size()) {
    return InvalidInput("the signature has {} inputs, the graph {}", program_.inputs.size(),
                        program_.graph.inputs.size());
  }
  // The user's names come first: nothing else may take them.
  for (const InputSpec& spec : program_.inputs) {
    if (spec.kind == InputSpec::Kind::kUser) ANEMONE_TRY(AddUserInput(spec));
  }
  for (const OutputSpec& spec : program_.outputs) {
    if (spec.kind == OutputSpec::Kind::kUser && spec.value.kind == Kind::kTensor)
      taken_.insert(spec.value.names[0]);
  }
  for (const InputSpec& spec : program_.inputs) {
    const bool held = spec.kind == InputSpec::Kind::kParameter ||
                      spec.kind == InputSpec::Kind::kBuffer ||
                      spec.kind == InputSpec::Kind::kConstant;
    if (held) ANEMONE_TRY(AddHeld(spec));
  }
  return {};
}

void Lowering::Refuse(const Node& node, Names& names, const std::string& name, const Error& error) {
  onnx::Node refused;
  refused.op = node.target;
  refused.domain = "torch";
  refused.origin = OriginOf(node);
  refused.refusal = error.message();
  if (!error.place().empty()) refused.refusal = error.place() + ": " + refused.refusal;
  refused.rewrite = error.advice();
  const auto read = [&](const std::string& value) {
    const auto found = names.values.find(value);
    if (found != names.values.end()) refused.inputs.push_back(found->second);
  };
  for (const NamedArgument& input : node.inputs) {
    for (const std::string& value : input.value.names) read(value);
    for (const IntItem& item : input.value.ints) read(item.name);
  }
  const auto make = [&](const std::string& value) {
    if (value.empty()) return;
    refused.outputs.push_back(fmt::format("{}/{}", name, value));
    names.values[value] = refused.outputs.back();
  };
  for (const Argument& output : node.outputs) {
    for (const std::string& value : output.names) make(value);
    for (const IntItem& item : output.ints) make(item.name);
  }
  out_->nodes.push_back(std::move(refused));
}

Status Lowering::EmitByParts(const Node& node, const Graph& graph, Names& names) {
  const std::string source = SourceOf(node);
  if (source.empty() || node.outputs.empty() || node.outputs[0].names.empty())
    return InvalidInput("it has no tensor");
  Context context(node, graph, *out_, names, NameOf(node), options_.target);
  const std::string whole = context.ValueOf(source);
  Values parts;
  for (const int64_t index : {0, 1}) {
    const std::string given = fmt::format("#{}", added_++), made = fmt::format("#{}", added_++);
    names.values[given] =
        context.Op("Gather", {whole, context.Int64(index)}, {onnx::attribute::Int("axis", -1)});
    names.metas[given] = context.MetaOf(source);
    names.metas[made] = context.Out(0);
    names.metas[given].type = names.metas[made].type = ScalarType::kFloat;
    Node part = node;
    part.name = made;
    for (NamedArgument& input : part.inputs) {
      if (input.value.kind == Kind::kTensor && input.value.names[0] == source)
        input.value.names[0] = given;
    }
    part.outputs[0].names = {made};
    ANEMONE_TRY(Emit(part, graph, names));
    parts.push_back(context.Unsqueeze(names.values[made], {context.Out(0).rank()}));
  }
  return context.Set(
      0, context.Op("Concat", parts, {onnx::attribute::Int("axis", context.Out(0).rank())}));
}

Status Lowering::Emit(const Node& node, const Graph& graph, Names& names) {
  if (MovesComplex(node, graph)) return EmitByParts(node, graph, names);
  const std::string name = NameOf(node);
  const size_t first = out_->nodes.size();
  Status status;
  const Converter* converter = FindConverter(node.target);
  if (converter == nullptr) {
    status = Unsupported("there is no conversion of this operator").Advise(Advice(node.target));
  } else if (converter->emit == nullptr) {
    status = Unsupported("{}", converter->refusal).Advise(converter->rewrite);
  } else if (MistakesComplex(node, graph)) {
    status = Unsupported("complex tensors")
                 .Advise("compute with the real and imaginary parts as two tensors");
  } else {
    Context context(node, graph, *out_, names, name, options_.target);
    status = converter->emit(context);
    if (!context.status().ok()) status = context.status();
  }
  if (!status.ok()) {
    const ErrorCode code = status.error().code();
    if (code != ErrorCode::kUnsupported && code != ErrorCode::kInvalidInput)
      return std::move(status).At(OriginOf(node));
    out_->nodes.resize(first);
    Refuse(node, names, name, status.error());
    return {};
  }
  for (size_t i = first; i < out_->nodes.size(); ++i) out_->nodes[i].origin = OriginOf(node);
  return {};
}

Status Lowering::Refresh(const std::string& view, const Graph& graph, Names& names) {
  const Aliases::View how = *names.aliases.Find(view);
  if (how.node == nullptr) {
    names.values[view] = names.values[how.source];
  } else {
    // The other outputs of the node are refreshed by their own turn.
    std::unordered_map<std::string, std::string> kept;
    for (const Argument& output : how.node->outputs) {
      for (const std::string& name : output.names) {
        if (name != view && names.values.contains(name)) kept[name] = names.values[name];
      }
    }
    ANEMONE_TRY(Emit(*how.node, graph, names));
    for (auto& [name, value] : kept) names.values[name] = std::move(value);
  }
  const std::vector<std::string> views = names.aliases.ViewsOf(view);
  for (const std::string& inner : views) ANEMONE_TRY(Refresh(inner, graph, names));
  return {};
}

Status Lowering::Write(const std::string& value, const std::string& made, const std::string& cause,
                       const Graph& graph, Names& names) {
  names.values[value] = made;
  const std::vector<std::string> views = names.aliases.ViewsOf(value);
  for (const std::string& view : views) {
    if (view != cause) ANEMONE_TRY(Refresh(view, graph, names));
  }
  const Aliases::View* found = names.aliases.Find(value);
  if (found == nullptr) return {};
  const Aliases::View how = *found;
  const std::string result = fmt::format("#{}", added_++);
  Node back = PutBack(how, graph, value, result);
  if (back.target.empty()) {
    back.target = how.node->target;
    Refuse(back, names, UniqueName(result),
           Unsupported("a change in place through this view")
               .Advise("write to the tensor itself, or to a slice of it"));
  } else {
    const auto meta = graph.tensors.find(how.source);
    if (meta != graph.tensors.end()) names.metas[result] = meta->second;
    back.name = result;
    ANEMONE_TRY(Emit(back, graph, names));
  }
  const std::string whole = names.values[result];
  return Write(how.source, whole, value, graph, names);
}

Status Lowering::LowerInPlace(const Node& node, const std::string& functional, const Graph& graph,
                              Names& names) {
  Node pure = node;
  pure.target = functional;
  const std::string source = SourceOf(node);
  if (node.outputs.empty() || node.outputs[0].names.empty() || source.empty())
    return InvalidInput("an operator that writes in place has no tensor to write to");
  ANEMONE_TRY(Emit(pure, graph, names));
  const std::string& output = node.outputs[0].names[0];
  const std::string made = names.values[output];
  ANEMONE_TRY(Write(source, made, "", graph, names));
  names.aliases.Add(output, {source, nullptr, 0});
  return {};
}

Status Lowering::LowerNode(const Node& node, const Graph& graph, Names& names) {
  auto body = LowerHigherOrder(node, graph, names);
  if (!body.ok()) {
    Refuse(node, names, NameOf(node), body.error());
    return {};
  }
  if (*body) return {};
  const std::string functional = FunctionalTarget(node.target);
  if (!functional.empty()) return LowerInPlace(node, functional, graph, names);
  ANEMONE_TRY(Emit(node, graph, names));
  if (!IsView(node, graph)) return {};
  size_t index = 0;
  for (const Argument& output : node.outputs) {
    for (const std::string& value : output.names)
      names.aliases.Add(value, {SourceOf(node), &node, index++});
  }
  return {};
}

Status Lowering::Lower(const Graph& graph, Names& names) {
  for (const Node& node : graph.nodes) {
    if (IsAssertion(node.target)) continue;
    ANEMONE_TRY(LowerNode(node, graph, names));
  }
  return {};
}

Status Lowering::AddOutputs() {
  std::set<std::string> used;
  for (const onnx::ValueInfo& input : model_.graph.inputs) used.insert(input.name);
  for (const OutputSpec& spec : program_.outputs) {
    if (spec.value.kind != Kind::kTensor) {
      if (spec.kind != OutputSpec::Kind::kUser) continue;
      const bool symbolic = spec.value.kind == Kind::kInt && !spec.value.ints.empty() &&
                            !spec.value.ints[0].name.empty();
      if (!symbolic) continue;  // a number or None, which the caller knows
    }
    const std::string& wanted =
        spec.value.kind == Kind::kTensor ? spec.value.names[0] : spec.value.ints[0].name;
    const auto value = names_.values.find(wanted);
    if (value == names_.values.end()) return InvalidInput("nothing makes the output '{}'", wanted);
    if (spec.kind == OutputSpec::Kind::kBufferMutation) {
      const auto name = states_.find(spec.target);
      for (onnx::State& state : model_.graph.states) {
        if (name != states_.end() && state.name == name->second) state.next = value->second;
      }
      continue;
    }
    if (spec.kind == OutputSpec::Kind::kInputMutation) {
      return Unsupported("the model changes its input '{}' in place", spec.target)
          .Advise("return the new value, or keep it in a buffer of the module");
    }
    const auto meta = program_.graph.tensors.find(wanted);
    if (meta != program_.graph.tensors.end() && IsComplex(meta->second)) {
      return Unsupported("the output '{}' is complex", wanted)
          .Advise("return torch.view_as_real of it");
    }
    std::string name = wanted;
    while (!used.insert(name).second) name += "_out";
    if (value->second != name) {
      // Something else may hold the name: what is inside gives way.
      onnx::Node node;
      node.op = "Identity";
      node.inputs = {value->second};
      node.outputs = {name};
      model_.graph.nodes.push_back(std::move(node));
    }
    onnx::ValueInfo info;
    info.name = name;
    model_.graph.outputs.push_back(std::move(info));
  }
  if (model_.graph.outputs.empty())
    return InvalidInput("the program has no output that is a tensor");
  return {};
}

Result<onnx::Model> Lowering::Run() {
  model_.opsets[""] = kOpset;
  model_.producer_name = "PyTorch";
  model_.producer_version = program_.torch_version;
  mutated_ = MutatedInputs(program_.graph);
  ANEMONE_TRY(AddInputs());
  ANEMONE_TRY(Lower(program_.graph, names_));
  for (const InputSpec& spec : program_.inputs) {
    const auto state = states_.find(spec.target);
    if (spec.kind != InputSpec::Kind::kBuffer || state == states_.end()) continue;
    for (onnx::State& each : model_.graph.states) {
      const std::string& now = names_.values[spec.value.names[0]];
      if (each.name == state->second && now != each.name) each.next = now;
    }
  }
  ANEMONE_TRY(AddOutputs());
  return std::move(model_);
}

Result<onnx::ImportOptions> Lowering::Options() const {
  onnx::ImportOptions options = options_;
  std::map<std::string, onnx::InputSize> given;  // of symbols, by the caller
  const auto each_input = [&](auto&& visit) {
    for (const InputSpec& spec : program_.inputs) {
      if (spec.kind != InputSpec::Kind::kUser || spec.value.kind != Kind::kTensor) continue;
      const auto meta = program_.graph.tensors.find(spec.value.names[0]);
      if (meta != program_.graph.tensors.end()) visit(meta->first, meta->second);
    }
  };
  each_input([&](const std::string& name, const TensorMeta& meta) {
    const auto shape = options_.input_shapes.find(name);
    if (shape == options_.input_shapes.end() || shape->second.size() != meta.sizes.size()) return;
    for (size_t d = 0; d < meta.sizes.size(); ++d) {
      if (!meta.sizes[d].value) given.emplace(meta.sizes[d].expression, shape->second[d]);
    }
  });
  each_input([&](const std::string& name, const TensorMeta& meta) {
    const bool open = std::ranges::any_of(meta.sizes, [](const Size& s) { return !s.value; });
    if (!open || options_.input_shapes.contains(name)) return;
    std::vector<onnx::InputSize> shape;
    for (const Size& size : meta.sizes) {
      if (size.value) {
        shape.emplace_back(*size.value);
        continue;
      }
      if (const auto known = given.find(size.expression); known != given.end()) {
        shape.push_back(known->second);
        continue;
      }
      onnx::InputSize range;
      const auto found = program_.ranges.find(size.expression);
      const Range bounds = found == program_.ranges.end() ? Range{} : found->second;
      range.lower = std::max<int64_t>(bounds.low.value_or(1), 1);
      range.upper = bounds.high && *bounds.high < kNoBound ? *bounds.high : 0;
      range.size = std::max(size.hint.value_or(range.lower), range.lower);
      if (range.upper != 0) range.size = std::min(range.size, range.upper);
      shape.push_back(range);
    }
    options.input_shapes.emplace(name, std::move(shape));
  });
  return options;
}

}  // namespace anemone::torch
