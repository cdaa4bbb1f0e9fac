// The boundary of the imported program: its inputs and outputs, their types, shapes and names, and
// the metadata.
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/json.h"
#include "onnx/importer.h"
#include "onnx/integer_products.h"
#include "onnx/reader.h"

namespace anemone::onnx {

Status Importer::AddInputs(Scope& scope) {
  std::unordered_set<std::string_view> initializers;
  for (const auto& tensor : model_.graph.initializers) initializers.insert(tensor.name);
  const auto is_initializer = [&](const std::string& name) { return initializers.contains(name); };
  std::string names;
  for (const auto& input : model_.graph.inputs) {
    if (is_initializer(input.name)) continue;
    names += (names.empty() ? "" : ", ") + input.name;
  }
  const auto check = [&](std::string_view what, const std::string& name) -> Status {
    const auto found = std::find_if(model_.graph.inputs.begin(), model_.graph.inputs.end(),
                                    [&](const auto& input) { return input.name == name; });
    if (found != model_.graph.inputs.end() && !is_initializer(name)) return {};
    return Usage("a {} is given for '{}', which is not an input; the inputs are {}", what, name,
                 names);
  };
  for (const auto& [name, shape] : options_.input_shapes) ANEMONE_TRY(check("shape", name));
  for (const auto& [name, value] : options_.input_values) ANEMONE_TRY(check("value", name));
  ANEMONE_TRY(ReadGivenNames());
  for (const auto& input : model_.graph.inputs) {
    if (is_initializer(input.name)) continue;
    Status status = AddInput(input, scope).At(fmt::format("input '{}'", input.name));
    if (status.ok()) continue;
    // All open shapes are reported at once, so that one more try suffices.
    if (status.error().code() != ErrorCode::kUnsupported) return status;
    blocked_.push_back({status.ToString()});
  }
  if (blocked_.size() == 1) return Unsupported("{}", blocked_[0].text);
  if (blocked_.empty()) return {};
  std::string list;
  for (const auto& blocked : blocked_) list += "\n  " + blocked.text;
  return Unsupported("{} inputs need attention:{}", blocked_.size(), list);
}

namespace {

// Names that exporters give dimensions they know nothing of.
bool SaysNothing(const std::string& name) {
  return name.empty() || name == "?" || name == "-1" || name == "None";
}

// Whether all that is open of a shape is its batch: the first dimension, which is called so or stands
// before the channels of a picture. Anything else that is open (a length, a width) has no size to guess.
bool OnlyBatchIsOpen(const std::vector<Dim>& dims) {
  if (dims.empty() || dims[0].value) return false;
  if (!std::all_of(dims.begin() + 1, dims.end(), [](const Dim& dim) { return dim.value; }))
    return false;
  std::string name = dims[0].param;
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  if (name.find("batch") != std::string::npos || name == "n" || name == "b" || name == "bs")
    return true;
  return SaysNothing(name) && dims.size() == 4 && (dims[1].value == 1 || dims[1].value == 3);
}

std::string SizeText(const InputSize& size) {
  if (size.is_fixed()) return fmt::format("{}", size.size);
  if (!size.choices.empty()) return fmt::format("[{}]", fmt::join(size.choices, "|"));
  if (size.upper == 0) return "?";
  return fmt::format("[{}..{}]", size.lower, size.upper);
}

Status CheckInputSize(const InputSize& size) {
  const auto below = [](int64_t one) { return one < 1; };
  if (below(size.size) || std::ranges::any_of(size.choices, below))
    return Usage("the given shape holds {}, but sizes must be at least 1", size.size);
  if (size.upper != 0 && (size.lower > size.upper || size.size > size.upper))
    return Usage("the given shape holds the range {}", SizeText(size));
  return {};
}

}  // namespace

Result<int64_t> Importer::GivenSize(const InputSize& given, const std::string& name,
                                    const std::string& input, size_t d) {
  ANEMONE_TRY(CheckInputSize(given));
  const bool shared = !SaysNothing(name);
  const auto known = shared ? named_.find(name) : named_.end();
  if (known != named_.end()) {
    const auto open = open_.find(known->second);
    if (open == open_.end() && given.is_fixed()) return given.size;  // as the caller wants each
    if (open != open_.end() && open->second.given == given) return known->second;
    return Usage("dimension {} is '{}', which is {} here but {} in input '{}'", d, name,
                 SizeText(given),
                 open == open_.end() ? fmt::format("{}", known->second)
                                     : SizeText(open->second.given),
                 open == open_.end() ? "another" : open->second.input)
        .Advise("give the dimensions of one name one size");
  }
  int64_t size = given.size;
  if (!given.is_fixed()) {
    Symbols::Bounds bounds{given.lower, given.upper == 0 ? kUpperOfAny : given.upper};
    if (!given.choices.empty()) {
      const auto [low, high] = std::ranges::minmax(given.choices);
      bounds = {low, high};
    }
    const bool movable = given.choices.empty() && given.upper == 0;
    size = runtime_->symbols().AddOpen(shared ? name : fmt::format("{}.{}", input, d), bounds,
                                       given.size, movable);
    open_.emplace(size, Open{given, input});
  }
  if (shared) named_.emplace(name, size);
  return size;
}

// So that an input without a shape finds what the others say of its dimensions, in any order.
Status Importer::ReadGivenNames() {
  for (const auto& input : model_.graph.inputs) {
    const auto given = options_.input_shapes.find(input.name);
    if (given == options_.input_shapes.end() || !input.shape ||
        input.shape->size() != given->second.size())
      continue;
    for (size_t d = 0; d < given->second.size(); ++d) {
      const Dim& dim = (*input.shape)[d];
      if (dim.value || SaysNothing(dim.param)) continue;
      auto size = GivenSize(given->second[d], dim.param, input.name, d);
      if (!size.ok()) return std::move(size).status().At(fmt::format("input '{}'", input.name));
    }
  }
  return {};
}

Result<ir::Shape> Importer::InputShape(const ValueInfo& info) {
  const auto given = options_.input_shapes.find(info.name);
  if (given != options_.input_shapes.end()) {
    const auto& sizes = given->second;
    if (info.shape && info.shape->size() != sizes.size()) {
      return Usage("the given shape has rank {}, but the model says {}", sizes.size(),
                   info.shape->size());
    }
    ir::Shape shape;
    for (size_t d = 0; d < sizes.size(); ++d) {
      const Dim* dim = info.shape ? &(*info.shape)[d] : nullptr;
      if (dim != nullptr && dim->value && (!sizes[d].is_fixed() || *dim->value != sizes[d].size)) {
        ANEMONE_TRY(CheckInputSize(sizes[d]));
        return Usage("the given shape has {} for dim {}, but the model fixes it to {}",
                     SizeText(sizes[d]), d, *dim->value);
      }
      ANEMONE_ASSIGN(const int64_t size,
                     GivenSize(sizes[d], dim == nullptr ? "" : dim->param, info.name, d));
      shape.push_back(size);
    }
    return shape;
  }
  if (!info.shape) {
    return Unsupported("the model does not declare its rank")
        .Advise(fmt::format("give its shape, for example --input {}:1x3x224x224", info.name));
  }
  ir::Shape shape;
  std::string text, fixed, ranges;
  bool open = false;
  // The example is one that such a network is likely to take.
  const auto& dims = *info.shape;
  const bool picture = dims.size() == 4 && (dims[1].value == 1 || dims[1].value == 3);
  for (const auto& dim : dims) {
    const auto named = SaysNothing(dim.param) ? named_.end() : named_.find(dim.param);
    const bool known = dim.value || named != named_.end();
    open = open || !known;
    const std::string unknown = dim.param.empty() ? "?" : dim.param;
    const std::string number = dim.value ? std::to_string(*dim.value) : "";
    text += (text.empty() ? "" : ", ") + (dim.value ? number : unknown);
    fixed += (fixed.empty() ? "" : "x") + (dim.value                     ? number
                                           : picture && shape.size() > 1 ? "224"
                                                                         : "1");
    ranges += (ranges.empty() ? "" : "x") + (dim.value ? number : "[1..512]");
    shape.push_back(dim.value ? *dim.value : known ? named->second : 1);
  }
  if (open && OnlyBatchIsOpen(dims)) {
    shape[0] = 1;
    if (!SaysNothing(dims[0].param)) named_.emplace(dims[0].param, 1);
    std::string rest;
    for (size_t d = 1; d < shape.size(); ++d) rest += fmt::format("x{}", shape[d]);
    notes_.push_back(
        fmt::format("input '{}': its batch is open and becomes 1 (--input {}:4{} gives another, "
                    "--input '{}:[1..8]{}' a range)",
                    info.name, info.name, rest, info.name, rest));
    return shape;
  }
  if (open) {
    return Unsupported("its shape [{}] is open", text)
        .Advise(
            fmt::format("fix it, for example --input {}:{}, or give what it may be, for example "
                        "--input '{}:{}'",
                        info.name, fixed, info.name, ranges));
  }
  return shape;
}

namespace {

Status CheckSize(const ir::Shape& shape) {
  constexpr int64_t kMaxElements = int64_t{1} << 40;
  for (const int64_t dim : shape) {
    if (Symbols::IsSymbol(dim)) return {};  // its bounds are judged where sizes are written
    if (dim > INT32_MAX) return InvalidInput("a dim of {} is beyond the limit of 2^31-1", dim);
  }
  const auto count = ir::ElementCount(shape);
  if (!count || *count >= kMaxElements) {
    return InvalidInput("the shape {} has more than 2^40 elements", ir::ShapeToString(shape));
  }
  return {};
}

}  // namespace

namespace {

// The given value in the element type and shape of the input.
Result<Constant> InType(const Constant& given, DType dtype, const ir::Shape& shape) {
  const auto reals = given.AsDoubles();
  if (!reals) return Usage("the given value has no numbers");
  const auto count = static_cast<size_t>(ir::ElementCount(shape).value_or(0));
  const auto fill = [&](auto values) {
    if (values.size() == 1 && given.dims.empty()) values.resize(count, values[0]);
    return values;
  };
  const bool whole = IsInt(dtype) || dtype == DType::kBool;
  const auto integers = given.AsInts();
  if (!whole) return Constant::FromDoubles(dtype, fill(*reals), shape);
  if (integers) return Constant::FromInts(dtype, fill(*integers), shape);
  if (std::ranges::any_of(*reals, [](double x) { return x != std::trunc(x); }))
    return Usage("the given value is not a whole number, but the input holds {}", DTypeName(dtype));
  return Constant::FromDoubles(dtype, fill(*reals), shape);
}

}  // namespace

Status Importer::AddKnownInput(const ValueInfo& info, const Constant& given, Scope& scope) {
  const DType dtype = ToDType(info.type);
  ir::Shape shape = given.dims;
  if (given.dims.empty()) {
    ANEMONE_ASSIGN(shape, InputShape(info));
    if (Symbols::AnySymbol(shape)) return Usage("its value is given, but its shape is open");
  } else if (info.shape) {
    bool fits = info.shape->size() == shape.size();
    for (size_t d = 0; fits && d < shape.size(); ++d) {
      const auto& dim = (*info.shape)[d];
      fits = !dim.value || *dim.value == shape[d];
    }
    if (!fits) {
      return Usage("the given value has the shape {}, which is not the input's",
                   ir::ShapeToString(shape));
    }
  }
  ANEMONE_TRY(CheckSize(shape));
  Operand operand;
  operand.name = info.name;
  operand.dims = shape;
  ANEMONE_ASSIGN(operand.constant, InType(given, dtype, shape));
  notes_.push_back(
      fmt::format("input '{}' is fixed: the converted model is without it", info.name));
  scope.Add(std::move(operand));
  return {};
}

Status Importer::AddInput(const ValueInfo& info, Scope& scope) {
  if (info.kind != ValueInfo::Kind::kTensor) {
    return Unsupported("only tensors can be inputs").Advise("unpack sequences and optionals");
  }
  const DType dtype = ToDType(info.type);
  if (dtype == DType::kInvalid || dtype == DType::kString || IsSubByte(dtype)) {
    return Unsupported("tensors of {} cannot be inputs", ElementTypeName(info.type));
  }
  if (const auto given = options_.input_values.find(info.name);
      given != options_.input_values.end()) {
    return AddKnownInput(info, given->second, scope);
  }
  ANEMONE_ASSIGN(ir::Shape shape, InputShape(info));
  ANEMONE_TRY(CheckSize(shape));
  if (shape.size() > static_cast<size_t>(kMaxRank)) {
    return Unsupported("rank {} is beyond Core ML's limit of {}", shape.size(), kMaxRank);
  }
  Operand operand;
  operand.name = info.name;
  operand.dims = shape;
  if (std::ranges::count(shape, 0) != 0) {
    // Nothing can be fed to it, so all that depends on it is known now.
    operand.constant = Constant::FromInts(dtype, {}, shape);
    notes_.push_back(fmt::format(
        "input '{}' has the shape {}, without elements, which Core ML does not have: the converted "
        "model is without this input",
        info.name, ir::ShapeToString(shape)));
    scope.Add(std::move(operand));
    return {};
  }
  if (shape.empty()) shape = {1};
  const std::string name = builder_->UniqueName(info.name);
  if (name != info.name) renamed_[name] = info.name;
  const DType declared = ::anemone::IsFloat(dtype) ? DType::kFp32 : DType::kInt32;
  ir::Shape known = shape;
  for (int64_t& size : known) size = Symbols::IsSymbol(size) ? ir::kDynamic : size;
  operand.value = builder_->Input(name, ir::Type::Tensor(declared, known));
  operand.type = dtype;
  if (Symbols::AnySymbol(shape)) {
    runtime_->SetDims(operand.value, shape);
    open_inputs_.emplace(name, shape);
  }
  if (dtype == DType::kBool) {
    operand.value = builder_->Op(
        "cast", {{"x", operand.value}, {"dtype", ir::Literal::String("bool")}}, name + "_bool");
    ANEMONE_TRY(builder_->status());
    if (Symbols::AnySymbol(shape)) runtime_->SetDims(operand.value, shape);
  }
  scope.Add(std::move(operand));
  return {};
}

// Core ML keeps states in float16, whatever the model computes in.
Status Importer::AddStates(Scope& scope) {
  for (const State& state : model_.graph.states) {
    const std::string place = fmt::format("state '{}'", state.name);
    if (function_->opset < ir::Opset::kIOS18) {
      Status status = Unsupported("tensors that live between calls need iOS18")
                          .Advise("convert with --minimum-deployment-target iOS18");
      return std::move(status).At(place);
    }
    if (!::anemone::IsFloat(state.dtype) || state.dims.empty() ||
        std::ssize(state.dims) > kMaxRank) {
      Status status = Unsupported("a state of {} with the shape {}: Core ML has float ones only",
                                  DTypeName(state.dtype), ir::ShapeToString(state.dims))
                          .Advise("pass it as an input and return its new value");
      return std::move(status).At(place);
    }
    if (!state.starts_at_zero) {
      notes_.push_back(fmt::format(
          "the state '{}' has other elements than zeros in the file; Core ML starts it at zero: "
          "write them into it before the first call",
          state.name));
    }
    const std::string name = builder_->UniqueName(state.name);
    if (name != state.name) renamed_[name] = state.name;
    ir::Value* held =
        builder_->Input(name, ir::Type::State(ir::Type::Tensor(DType::kFp16, state.dims)));
    states_[state.name] = held;
    Operand operand;
    operand.name = state.name;
    operand.dims = state.dims;
    operand.type = state.dtype;
    ir::Value* read = builder_->Op("read_state", {{"input", held}}, name + "_read");
    operand.value = builder_->Op("cast", {{"x", read}, {"dtype", ir::Literal::String("fp32")}},
                                 name + "_read_fp32");
    ANEMONE_TRY(Status(builder_->status()));
    scope.Add(std::move(operand));
  }
  return {};
}

Status Importer::WriteStates(const Scope& scope) {
  for (const State& state : model_.graph.states) {
    if (state.next.empty()) continue;
    Operand* next = scope.Find(state.next);
    if (next == nullptr) return Internal("nothing made the state '{}'", state.name);
    Node node;
    node.op = "state";
    node.outputs = {state.name + "_next"};
    NodeContext context(node, model_.opset(), {next}, *builder_, *builder_, *runtime_, {});
    ir::Value* value = context.Cast(context.Value(0), DType::kFp16);
    ANEMONE_TRY(context.status());
    ANEMONE_ASSIGN(auto* write,
                   builder_->Add("write_state", {{"input", states_[state.name]}, {"data", value}},
                                 state.name + "_write"));
    (void)write;
  }
  return {};
}

Result<ir::Value*> Importer::OutputValue(const ValueInfo& info, Operand& operand,
                                         std::unordered_set<const ir::Value*>& taken) {
  Node node;
  node.op = "output";
  node.outputs = {info.name};
  NodeContext context(node, model_.opset(), {&operand}, *builder_, *builder_, *runtime_, {});
  ir::Value* value = context.Value(0);
  ANEMONE_TRY(context.status());
  // The results of QuantizeLinear are whole numbers in float inside the program.
  const bool whole = IsInt(operand.onnx_type()) && value->type.dtype() == DType::kFp32;
  if (whole || value->type.dtype() == DType::kBool) value = context.Cast(value, DType::kInt32);
  if (value != nullptr && value->type.is_scalar()) value = context.Reshape(value, {1});
  // A constant or an input cannot be an output itself, nor can one value be two outputs.
  if (value != nullptr &&
      (value->is_const() || value->producer == nullptr || taken.contains(value))) {
    value = context.Op("identity", {{"x", value}});
  }
  ANEMONE_TRY(context.status());
  taken.insert(value);
  return value;
}

Status Importer::SetOutputs(const Scope& scope) {
  std::unordered_set<const ir::Value*> taken;
  for (const auto& info : model_.graph.outputs) {
    Operand* operand = scope.Find(info.name);
    if (operand == nullptr) return Internal("nothing made the output '{}'", info.name);
    auto value = OutputValue(info, *operand, taken);
    if (!value.ok()) return std::move(value).status().At(fmt::format("output '{}'", info.name));
    function_->block->outputs().push_back(*value);
  }
  NameOutputs(function_->block->outputs());
  return {};
}

// Gives the outputs the names that they have in the file, renaming other values that hold
// those names.
void Importer::NameOutputs(const std::vector<ir::Value*>& values) {
  std::unordered_map<std::string, ir::Value*> by_name;
  std::unordered_set<std::string> inputs;
  for (const auto& input : function_->inputs()) inputs.insert(input->name);
  ir::ForEachOperation(*function_->block, [&](const ir::Operation& operation) {
    for (const auto& output : operation.outputs()) by_name[output->name] = output.get();
  });
  const auto rename = [](ir::Value* value, const std::string& name) {
    value->name = name;
    if (value->producer->outputs().size() == 1) {
      value->producer->attributes()["name"] = ir::Literal::String(name);
    }
  };
  std::unordered_set<std::string> used;
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string& original = model_.graph.outputs[i].name;
    std::string wanted = ir::SanitizeIdentifier(original);
    // A sanitized name may collide with an input or an earlier output.
    while (inputs.contains(wanted) || used.contains(wanted)) wanted += "_out";
    used.insert(wanted);
    if (wanted != original) renamed_[wanted] = original;
    const auto holder = by_name.find(wanted);
    if (holder != by_name.end() && holder->second != values[i]) {
      ir::Value* other = holder->second;
      rename(other, builder_->UniqueName(wanted));
      by_name[other->name] = other;
    }
    rename(values[i], wanted);
    by_name[wanted] = values[i];
  }
}

void Importer::AddMetadata(ir::Model& model) const {
  auto& user = model.metadata.user_defined;
  // An ONNX file may hold any bytes as text; a package must not.
  for (const auto& [key, value] : model_.metadata) user[ToUtf8(key)] = ToUtf8(value);
  model.metadata.description = ToUtf8(model_.doc_string);
  std::string producer = ToUtf8(model_.producer_name);
  if (!model_.producer_version.empty()) producer += " " + ToUtf8(model_.producer_version);
  if (!producer.empty()) user["onnx.producer"] = producer;
  user["onnx.opset"] = std::to_string(model_.opset());
  model.notes = notes_;
  for (const auto& [name, original] : renamed_) user["onnx.name." + name] = ToUtf8(original);
}

Result<ir::Model> ImportModel(const Model& model, const ImportOptions& options) {
  const auto is_product = [](const Node& node) {
    return node.op == "MatMulInteger" || node.op == "ConvInteger";
  };
  if (std::ranges::none_of(model.graph.nodes, is_product)) return Importer(model, options).Run();
  Model fused = model;
  FuseIntegerProducts(&fused.graph);
  return Importer(fused, options).Run();
}

Result<ir::Model> ImportOnnx(const std::string& path, const ImportOptions& options) {
  ANEMONE_ASSIGN(const Model model, ReadModel(path));
  return ImportModel(model, options).At(path);
}

}  // namespace anemone::onnx
