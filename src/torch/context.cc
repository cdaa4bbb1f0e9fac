#include "torch/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ranges>

namespace anemone::torch {
namespace {

using Kind = Argument::Kind;

const TensorMeta& NoMeta() {
  static const TensorMeta none;
  return none;
}

}  // namespace

Category CategoryOf(DType dtype) {
  if (dtype == DType::kBool) return Category::kBool;
  return IsInt(dtype) ? Category::kInt : Category::kFloat;
}

onnx::ElementType ElementTypeOf(DType dtype) {
  using onnx::ElementType;
  switch (dtype) {
    case DType::kBool:
      return ElementType::kBool;
    case DType::kFp16:
      return ElementType::kFloat16;
    case DType::kBf16:
      return ElementType::kBfloat16;
    case DType::kFp32:
      return ElementType::kFloat;
    case DType::kFp64:
      return ElementType::kDouble;
    case DType::kInt8:
      return ElementType::kInt8;
    case DType::kInt16:
      return ElementType::kInt16;
    case DType::kInt32:
      return ElementType::kInt32;
    case DType::kInt64:
      return ElementType::kInt64;
    case DType::kUInt8:
      return ElementType::kUint8;
    case DType::kUInt16:
      return ElementType::kUint16;
    default:
      return ElementType::kUndefined;
  }
}

Context::Context(const Node& node, const Graph& graph, onnx::Graph& out, Names& names,
                 std::string name, ir::Opset opset)
    : node_(node),
      graph_(graph),
      out_(out),
      names_(names),
      name_(std::move(name)),
      opset_(opset),
      first_node_(out.nodes.size()) {
  for (const Argument& output : node.outputs) {
    if (output.is_tensor()) {
      outputs_.insert(outputs_.end(), output.names.begin(), output.names.end());
    } else if (!output.ints.empty()) {
      outputs_.push_back(output.ints[0].name);
    } else {
      outputs_.push_back(output.names.empty() ? "" : output.names[0]);
    }
  }
}

const Argument* Context::Find(std::string_view name) const {
  const Argument* argument = node_.Find(name);
  return argument == nullptr || argument->kind == Kind::kNone ? nullptr : argument;
}

bool Context::IsTensor(std::string_view name) const {
  const Argument* argument = Find(name);
  return argument != nullptr && argument->kind == Kind::kTensor;
}

Status Context::Fail(Status status) {
  if (status_.ok()) status_ = std::move(status);
  return status_;
}

std::string Context::ValueOf(const std::string& aten) {
  const auto found = names_.values.find(aten);
  if (found != names_.values.end()) return found->second;
  (void)Fail(InvalidInput("nothing makes the value '{}'", aten));
  return {};
}

std::string Context::In(std::string_view name) {
  const Argument* argument = Find(name);
  if (argument == nullptr) return {};
  if (argument->kind == Kind::kTensor) return ValueOf(argument->names[0]);
  (void)Fail(InvalidInput("its argument '{}' is not a tensor", name));
  return {};
}

std::string Context::Need(std::string_view name) {
  if (!Has(name)) (void)Fail(InvalidInput("its argument '{}' is missing", name));
  return In(name);
}

const onnx::Tensor* Context::Held(std::string_view name) {
  if (!IsTensor(name)) return nullptr;
  std::string value = In(name);
  // Nodes stand behind what they read.
  for (const onnx::Node& node : std::views::reverse(out_.nodes)) {
    const bool view = node.op == "Transpose" || node.op == "Reshape" || node.op == "Identity";
    if (view && !node.outputs.empty() && node.outputs[0] == value) value = node.inputs[0];
  }
  const auto found = std::ranges::find(out_.initializers, value, &onnx::Tensor::name);
  return found == out_.initializers.end() ? nullptr : &*found;
}

std::optional<std::vector<int64_t>> Context::HeldInts(std::string_view name) {
  const onnx::Tensor* tensor = Held(name);
  if (tensor == nullptr || tensor->dims.size() > 1) return std::nullopt;
  const auto constant = onnx::Constant::FromTensor(*tensor);
  return constant.ok() ? constant->AsInts() : std::nullopt;
}

bool Context::IsReadAsFloat() const {
  const std::string& value = outputs_.at(0);
  const auto reads = [&](const Argument& argument) {
    return std::ranges::find(argument.names, value) != argument.names.end();
  };
  if (std::ranges::any_of(graph_.outputs, reads)) return false;
  for (const Node& node : graph_.nodes) {
    const bool reader = std::ranges::any_of(
        node.inputs, [&](const NamedArgument& argument) { return reads(argument.value); });
    if (!reader || node.target == "aten._assert_tensor_metadata.default") continue;
    const bool casts =
        node.target.starts_with("aten.to.") || node.target == "aten._to_copy.default";
    if (!casts || node.outputs.empty() || node.outputs[0].names.empty()) return false;
    if (!IsFloat(MetaOf(node.outputs[0].names[0]).dtype())) return false;
  }
  return true;
}

int64_t Context::ReadersOf(std::string_view name) const {
  const Argument* argument = Find(name);
  if (argument == nullptr || argument->names.empty()) return 0;
  const auto reads = [&](const Argument& other) {
    return std::ranges::count(other.names, argument->names[0]);
  };
  int64_t readers = 0;
  for (const Argument& output : graph_.outputs) readers += reads(output);
  for (const Node& node : graph_.nodes) {
    for (const NamedArgument& input : node.inputs) readers += reads(input.value);
  }
  return readers;
}

Values Context::List(std::string_view name) {
  Values values;
  const Argument* argument = Find(name);
  if (argument == nullptr) return values;
  for (const std::string& item : argument->names)
    values.push_back(item.empty() ? "" : ValueOf(item));
  return values;
}

const TensorMeta& Context::MetaOf(const std::string& aten) const {
  const auto found = graph_.tensors.find(aten);
  if (found != graph_.tensors.end()) return found->second;
  const auto added = names_.metas.find(aten);
  return added == names_.metas.end() ? NoMeta() : added->second;
}

const TensorMeta& Context::Meta(std::string_view name) const {
  const Argument* argument = Find(name);
  if (argument == nullptr || !argument->is_tensor() || argument->names.empty()) return NoMeta();
  return MetaOf(argument->names[0]);
}

std::optional<int64_t> Context::Dim(std::string_view name, int64_t d) const {
  const TensorMeta& meta = Meta(name);
  if (d < 0) d += meta.rank();
  if (d < 0 || d >= meta.rank()) return std::nullopt;
  return meta.sizes[static_cast<size_t>(d)].value;
}

int64_t Context::FixedDim(std::string_view name, int64_t d) {
  const auto size = Dim(name, d);
  if (size) return *size;
  (void)Fail(Unsupported("dimension {} of its '{}' must be a number, but is symbolic", d, name)
                 .Advise("export with a fixed size there"));
  return 1;
}

Category Context::CategoryOf(std::string_view name) const {
  const Argument* argument = Find(name);
  if (argument == nullptr) return Category::kBool;
  switch (argument->kind) {
    case Kind::kTensor:
      return torch::CategoryOf(Meta(name).dtype());
    case Kind::kInt:
    case Kind::kInts:
      return Category::kInt;
    case Kind::kBool:
      return Category::kBool;
    default:
      return Category::kFloat;
  }
}

int64_t Context::Int(std::string_view name, int64_t fallback) {
  const Argument* argument = Find(name);
  if (argument == nullptr) return fallback;
  if ((argument->kind == Kind::kInt || argument->kind == Kind::kBool) && !argument->ints.empty()) {
    if (argument->ints[0].name.empty()) return argument->ints[0].value;
    (void)Fail(
        Unsupported("its argument '{}' is symbolic", name).Advise("export with fixed sizes"));
    return fallback;
  }
  if (argument->kind == Kind::kFloat && argument->names.empty())
    return static_cast<int64_t>(argument->numbers[0]);
  (void)Fail(InvalidInput("its argument '{}' is not an integer", name));
  return fallback;
}

std::vector<int64_t> Context::Ints(std::string_view name, std::vector<int64_t> fallback) {
  const Argument* argument = Find(name);
  if (argument == nullptr) return fallback;
  std::vector<int64_t> values;
  for (const IntItem& item : argument->ints) {
    if (!item.name.empty()) {
      (void)Fail(
          Unsupported("its argument '{}' is symbolic", name).Advise("export with fixed sizes"));
    }
    values.push_back(item.value);
  }
  return values;
}

std::vector<int64_t> Context::IntsFor(std::string_view name, size_t count, int64_t fallback) {
  std::vector<int64_t> values = Ints(name);
  if (values.empty()) values.push_back(fallback);
  if (values.size() == 1) values.resize(count, values[0]);
  if (values.size() != count)
    (void)Fail(
        InvalidInput("its argument '{}' has {} numbers, not {}", name, values.size(), count));
  values.resize(count, fallback);
  return values;
}

double Context::Number(std::string_view name, double fallback) {
  const Argument* argument = Find(name);
  if (argument == nullptr) return fallback;
  if (argument->kind == Kind::kFloat && argument->names.empty()) return argument->numbers[0];
  return static_cast<double>(Int(name, 0));
}

bool Context::Flag(std::string_view name, bool fallback) const {
  const Argument* argument = Find(name);
  if (argument == nullptr || argument->ints.empty()) return fallback;
  return argument->ints[0].value != 0;
}

std::string Context::Text(std::string_view name, std::string_view fallback) const {
  const Argument* argument = Find(name);
  return argument != nullptr && argument->kind == Kind::kString ? argument->text
                                                                : std::string(fallback);
}

int64_t Context::Axis(std::string_view name, int64_t fallback, int64_t rank) {
  int64_t axis = Int(name, fallback);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= std::max<int64_t>(rank, 1)) {
    (void)Fail(InvalidInput("its argument '{}' is no axis of rank {}", name, rank));
    return 0;
  }
  return axis;
}

std::vector<int64_t> Context::Axes(std::string_view name, int64_t rank) {
  const Argument* argument = Find(name);
  std::vector<int64_t> axes;
  if (argument != nullptr && argument->kind == Kind::kInt) {
    axes.push_back(Axis(name, 0, rank));
    return axes;
  }
  for (int64_t axis : Ints(name)) axes.push_back(axis < 0 ? axis + rank : axis);
  if (axes.empty()) {
    for (int64_t d = 0; d < rank; ++d) axes.push_back(d);
  }
  for (const int64_t axis : axes) {
    if (axis < 0 || axis >= std::max<int64_t>(rank, 1))
      (void)Fail(InvalidInput("its argument '{}' has an axis beyond rank {}", name, rank));
  }
  return axes;
}

std::optional<DType> Context::Type(std::string_view name) const {
  const Argument* argument = Find(name);
  if (argument == nullptr || argument->kind != Kind::kScalarType) return std::nullopt;
  return ToDType(static_cast<ScalarType>(argument->ints[0].value));
}

std::optional<int64_t> Context::Known(const IntItem& item) {
  if (item.name.empty()) return item.value;
  return std::nullopt;
}

std::optional<std::vector<int64_t>> Context::KnownInts(std::string_view name) const {
  const Argument* argument = Find(name);
  if (argument == nullptr) return std::nullopt;
  std::vector<int64_t> values;
  for (const IntItem& item : argument->ints) {
    if (!item.name.empty()) return std::nullopt;
    values.push_back(item.value);
  }
  return values;
}

std::string Context::IntValue(const IntItem& item) {
  return item.name.empty() ? Int64(item.value) : ValueOf(item.name);
}

std::string Context::IntVector(const std::vector<IntItem>& items) {
  std::vector<int64_t> run;
  Values parts;
  const auto flush = [&] {
    if (!run.empty()) parts.push_back(Int64s(std::move(run)));
    run.clear();
  };
  for (const IntItem& item : items) {
    if (item.name.empty()) {
      run.push_back(item.value);
    } else {
      flush();
      parts.push_back(Reshape(ValueOf(item.name), {1}));
    }
  }
  if (parts.empty()) return Int64s(std::move(run));
  flush();
  if (parts.size() == 1) return parts[0];
  return Op("Concat", parts, {onnx::attribute::Int("axis", 0)});
}

const TensorMeta& Context::Out(size_t i) const {
  return i < outputs_.size() ? MetaOf(outputs_[i]) : NoMeta();
}

Category Context::OutCategory(size_t i) const { return torch::CategoryOf(Out(i).dtype()); }

std::string Context::Fresh(const std::string& op) {
  return fmt::format("{}/{}_{}", name_, op, count_++);
}

Values Context::Ops(std::string op, Values inputs, size_t outputs, Attributes attributes) {
  onnx::Node node;
  while (!inputs.empty() && inputs.back().empty()) inputs.pop_back();
  node.inputs = std::move(inputs);
  node.attributes = std::move(attributes);
  for (size_t i = 0; i < outputs; ++i) node.outputs.push_back(Fresh(op));
  node.op = std::move(op);
  out_.nodes.push_back(std::move(node));
  return out_.nodes.back().outputs;
}

std::string Context::Op(std::string op, Values inputs, Attributes attributes) {
  return Ops(std::move(op), std::move(inputs), 1, std::move(attributes)).front();
}

std::string Context::OpOf(std::string domain, std::string op, Values inputs,
                          Attributes attributes) {
  std::string value = Op(std::move(op), std::move(inputs), std::move(attributes));
  out_.nodes.back().domain = std::move(domain);
  return value;
}

std::string Context::Known(const onnx::Constant& constant) {
  onnx::Tensor tensor;
  tensor.name = Fresh("const");
  tensor.dtype = constant.dtype;
  tensor.type = static_cast<int32_t>(ElementTypeOf(constant.dtype));
  tensor.dims = constant.dims;
  tensor.element_count = constant.count();
  tensor.data = constant.data;
  out_.initializers.push_back(std::move(tensor));
  return out_.initializers.back().name;
}

std::string Context::Int64s(std::vector<int64_t> values) {
  return Known(onnx::Constant::Int64s(std::move(values)));
}

std::string Context::Int64(int64_t value) { return Known(onnx::Constant::Int64s({value}, {})); }

std::string Context::Number(double value) {
  return Known(onnx::Constant::Floats({static_cast<float>(value)}, {}));
}

std::string Context::Constant(double value, Category category) {
  if (category == Category::kFloat) return Number(value);
  if (category == Category::kInt) return Int64(static_cast<int64_t>(value));
  return Known(onnx::Constant::FromInts(DType::kBool, {value != 0 ? 1 : 0}, {}));
}

std::string Context::Cast(std::string value, DType dtype) {
  return Op("Cast", {std::move(value)},
            {onnx::attribute::Int("to", static_cast<int64_t>(ElementTypeOf(dtype)))});
}

std::string Context::As(std::string value, Category from, Category to) {
  if (from == to) return value;
  return Cast(std::move(value), to == Category::kFloat ? DType::kFp32
                                : to == Category::kInt ? DType::kInt64
                                                       : DType::kBool);
}

// In fewer than 32 bits sums and products wrap around, so operands have the width of the result first.
std::string Context::InWidthOfOutput(std::string value, std::optional<DType> given,
                                     Category category) {
  if (category != Category::kInt || outputs_.empty() || OutCategory() != Category::kInt)
    return value;
  const DType type = Out(0).dtype();
  if (!IsInt(type)) return value;
  const bool narrow = BitWidth(type) < 32 || (given && BitWidth(*given) < 32);
  return narrow && given != type ? Cast(std::move(value), type) : value;
}

std::string Context::AsOutput(const std::string& aten) {
  const DType type = MetaOf(aten).dtype();
  const Category category = OutCategory();
  std::optional<DType> given;
  if (torch::CategoryOf(type) == Category::kInt) given = type;
  return InWidthOfOutput(As(ValueOf(aten), torch::CategoryOf(type), category), given, category);
}

std::string Context::Operand(std::string_view name, Category category) {
  const Argument* argument = Find(name);
  if (argument == nullptr) {
    (void)Fail(InvalidInput("its argument '{}' is missing", name));
    return {};
  }
  if (argument->kind == Kind::kTensor) {
    const Category from = CategoryOf(name);
    std::optional<DType> given;
    if (from == Category::kInt) given = Meta(name).dtype();
    return InWidthOfOutput(As(In(name), from, category), given, category);
  }
  std::string value;
  if (!argument->names.empty()) {
    value = As(ValueOf(argument->names[0]), Category::kFloat, category);
  } else if (!argument->ints.empty() && !argument->ints[0].name.empty()) {
    value = As(ValueOf(argument->ints[0].name), Category::kInt, category);
  } else {
    value = Constant(Number(name, 0), category);
  }
  return InWidthOfOutput(std::move(value), {}, category);
}

std::string Context::Reshape(std::string value, const std::vector<int64_t>& dims) {
  return Op("Reshape", {std::move(value), Int64s(dims)});
}

std::string Context::Transpose(std::string value, std::vector<int64_t> perm) {
  if (std::ranges::is_sorted(perm)) return value;
  return Op("Transpose", {std::move(value)}, {onnx::attribute::Ints("perm", std::move(perm))});
}

std::string Context::Unsqueeze(std::string value, std::vector<int64_t> axes) {
  if (axes.empty()) return value;
  return Op("Unsqueeze", {std::move(value), Int64s(std::move(axes))});
}

std::string Context::Squeeze(std::string value, std::vector<int64_t> axes) {
  if (axes.empty()) return value;
  return Op("Squeeze", {std::move(value), Int64s(std::move(axes))});
}

std::string Context::Slice(std::string value, int64_t axis, int64_t begin, int64_t end) {
  return Op("Slice", {std::move(value), Int64s({begin}), Int64s({end}), Int64s({axis})});
}

std::string Context::DimValue(std::string_view name, int64_t d) {
  if (d < 0) d += Rank(name);
  return Op("Shape", {In(name)},
            {onnx::attribute::Int("start", d), onnx::attribute::Int("end", d + 1)});
}

std::string Context::ShapeOf(std::string_view name) { return Op("Shape", {In(name)}); }

std::optional<std::vector<int64_t>> Context::DimsOf(const TensorMeta& meta) {
  std::vector<int64_t> dims;
  for (const Size& size : meta.sizes) {
    if (!size.value) return std::nullopt;
    dims.push_back(*size.value);
  }
  return dims;
}

std::optional<std::vector<int64_t>> Context::OutDims(size_t i) const { return DimsOf(Out(i)); }

void Context::Rename(const std::string& from, const std::string& to) {
  for (size_t i = first_node_; i < out_.nodes.size(); ++i) {
    for (auto* list : {&out_.nodes[i].inputs, &out_.nodes[i].outputs})
      std::ranges::replace(*list, from, to);
  }
}

Status Context::Set(size_t output, const std::string& value) {
  ANEMONE_TRY(Status(status_));
  if (output >= outputs_.size() || outputs_[output].empty()) return {};
  if (value.empty()) return Internal("nothing was made for output {}", output);
  // A value that this node made gets the name of the output.
  std::string name = value;
  if (value.starts_with(name_ + "/") && !value.starts_with(name_ + "/const_")) {
    name = output == 0 ? name_ : fmt::format("{}/output_{}", name_, output);
    Rename(value, name);
  }
  names_.values[outputs_[output]] = name;
  return {};
}

}  // namespace anemone::torch
