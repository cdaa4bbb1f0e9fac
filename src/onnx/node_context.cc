#include "onnx/node_context.h"

#include <algorithm>

namespace anemone::onnx {

namespace {

DType ProgramDType(DType dtype) {
  if (dtype == DType::kBool) return DType::kBool;
  return IsInt(dtype) ? DType::kInt32 : DType::kFp32;
}

}  // namespace

int64_t FixedDims::operator[](size_t d) const {
  return context_->FixedSize(context_->In(input_), d);
}

const ir::Shape& FixedDims::raw() const { return context_->In(input_).dims; }

const ir::Shape& FixedDims::all() const { return context_->FixedShape(input_); }

const ir::Shape& NodeContext::FixedShape(size_t i) const {
  if (!IsOpen(i)) return inputs_[i]->dims;
  // One for each input: its iterators must belong together.
  const auto [found, added] = substitutes_.try_emplace(i);
  ir::Shape& shape = found->second;
  if (!added) return shape;
  for (size_t d = 0; d < inputs_[i]->dims.size(); ++d) shape.push_back(FixedSize(*inputs_[i], d));
  return shape;
}

DType Operand::dtype() const {
  if (sizes) return type == DType::kInvalid ? DType::kInt32 : ProgramDType(type);
  if (constant) return ProgramDType(constant->dtype);
  if (quantized != nullptr) return DType::kFp32;
  if (value != nullptr) return value->type.dtype();
  return integers != nullptr ? DType::kFp32 : DType::kInvalid;
}

DType Operand::onnx_type() const {
  if (constant) return constant->dtype;
  if (sizes && type == DType::kInvalid) return DType::kInt64;
  return type != DType::kInvalid ? type : dtype();
}

std::string NodeContext::OperationName(std::string_view type, bool final) const {
  std::string name;
  for (const auto& output : node_.outputs) {
    if (!output.empty()) {
      name = output;
      break;
    }
  }
  return final ? name : name + "_" + std::string(type);
}

ir::Value* NodeContext::Materialize(Operand& operand) {
  if (!status_.ok()) return nullptr;
  if (operand.items != nullptr) {
    status_ =
        Unsupported("'{}' is a sequence of tensors, which Core ML does not have", operand.name)
            .Advise("take the tensors out of it in the model");
    return nullptr;
  }
  if (operand.value == nullptr && operand.quantized != nullptr) {
    if (operand.rank() > kMaxRank) {
      status_ = Unsupported("the constant '{}' has rank {}, but Core ML's limit is {}",
                            operand.name, operand.rank(), kMaxRank);
      return nullptr;
    }
    auto emitted = operand.quantized->Emit(constants_, operand.name);
    if (!emitted.ok()) {
      status_ = std::move(emitted).status();
      return nullptr;
    }
    operand.value = *emitted;
  }
  if (operand.value == nullptr && operand.integers != nullptr) {
    ir::Value* floats = Cast(operand.integers, DType::kFp32);
    if (&builder_ != &constants_) return floats;  // as a reshape, below
    operand.value = floats;
  }
  if (operand.value == nullptr && operand.constant) {
    if (std::ranges::count(operand.dims, 0) != 0) {
      status_ = Unsupported(
          "the tensor '{}' has the shape {}, without elements, which Core ML does not have",
          operand.name, ir::ShapeToString(operand.dims));
      return nullptr;
    }
    if (operand.rank() > kMaxRank) {
      status_ = Unsupported("the constant '{}' has rank {}, but Core ML's limit is {}",
                            operand.name, operand.rank(), kMaxRank);
      return nullptr;
    }
    auto literal = LiteralOf(*operand.constant, operand.name);
    if (!literal.ok()) {
      status_ = std::move(literal).status().At(fmt::format("constant '{}'", operand.name));
      return nullptr;
    }
    operand.value = constants_.Const(std::move(*literal), operand.name);
  }
  if (operand.value == nullptr && operand.sizes) {
    if (operand.sizes->empty()) {
      status_ =
          Unsupported("the tensor '{}' has no elements, which Core ML does not have", operand.name);
      return nullptr;
    }
    ir::Value* flat = Checked(runtime_.Vector(*operand.sizes, builder_, operand.name));
    ir::Value* shaped = Reshape(flat, operand.dims);
    return ::anemone::IsFloat(operand.dtype()) ? Cast(shaped, DType::kFp32) : shaped;
  }
  if (IsPending(operand)) {
    if (operand.rank() > kMaxRank) {
      status_ = Unsupported("its input '{}' has rank {}, but Core ML's limit is {}", operand.name,
                            operand.rank(), kMaxRank);
      return nullptr;
    }
    // Written where it is first needed. The body of a control-flow operator must not leak it, so
    // there it is not kept.
    ir::Value* reshaped = Reshape(operand.value, operand.dims);
    if (&builder_ == &constants_) operand.value = reshaped;
    return reshaped;
  }
  return operand.value;
}

bool NodeContext::IsPending(const Operand& operand) const {
  return operand.value != nullptr && runtime_.DimsOf(operand.value) != operand.dims;
}

ir::Value* NodeContext::Checked(Result<ir::Value*> value) {
  if (!status_.ok()) return nullptr;
  if (value.ok()) return *value;
  status_ = std::move(value).status();
  return nullptr;
}

Error NodeContext::NeedsFixed(const Operand& operand, size_t d) const {
  return Unsupported("{} needs dimension {} of its input '{}' as a number, but it is open: {}",
                     node_.op, d, operand.name, runtime_.symbols().Text(operand.dims[d]))
      .Advise("give the inputs that it depends on a fixed size there");
}

int64_t NodeContext::FixedSize(const Operand& operand, size_t d) const {
  const int64_t size = operand.dims[d];
  if (!Symbols::IsSymbol(size)) return size;
  if (needs_fixed_.ok()) needs_fixed_ = NeedsFixed(operand, d);
  // Plausible, for the code until the failure is seen.
  return std::max<int64_t>(runtime_.symbols().DefaultOf(size), 1);
}

std::optional<std::vector<int64_t>> NodeContext::KnownSizes(size_t i) const {
  if (!Has(i)) return std::nullopt;
  if (inputs_[i]->sizes) return inputs_[i]->sizes;
  const auto* constant = Const(i);
  return constant != nullptr ? constant->AsWholeNumbers() : std::nullopt;
}

ir::Value* NodeContext::WithDims(ir::Value* value, ir::Shape dims) {
  if (value != nullptr && !value->type.is_static()) runtime_.SetDims(value, std::move(dims));
  return value;
}

ir::Value* NodeContext::SizeValue(int64_t size) {
  if (!status_.ok()) return nullptr;
  return Checked(runtime_.Value(size, builder_));
}

ir::Value* NodeContext::SizesValue(const std::vector<int64_t>& sizes, std::string_view suffix) {
  if (!status_.ok()) return nullptr;
  return Checked(runtime_.Vector(sizes, builder_, OperationName(suffix, false)));
}

int64_t NodeContext::AddSizes(int64_t a, int64_t b) {
  const auto sum = symbols().Add(a, b);
  if (!sum && status_.ok()) status_ = Unsupported("a size that cannot be computed");
  return sum.value_or(1);
}

int64_t NodeContext::MulSizes(int64_t a, int64_t b) {
  const auto product = symbols().Mul(a, b);
  if (!product && status_.ok()) status_ = Unsupported("a size that cannot be computed");
  return product.value_or(1);
}

Status NodeContext::NeedInputs(size_t count) const {
  for (size_t i = 0; i < count; ++i) {
    if (!Has(i)) return InvalidInput("input {} is missing", i);
  }
  return {};
}

const Constant* NodeContext::Const(size_t i) const {
  if (!Has(i)) return nullptr;
  if (inputs_[i]->constant) return &*inputs_[i]->constant;
  if (inputs_[i]->quantized == nullptr) return nullptr;
  const auto found = expanded_.find(i);
  if (found != expanded_.end()) return &found->second;
  return &expanded_.emplace(i, inputs_[i]->quantized->Expanded()).first->second;
}

ir::Value* NodeContext::Value(size_t i) { return Has(i) ? Materialize(*inputs_[i]) : nullptr; }

Result<std::vector<int64_t>> NodeContext::Ints(size_t i, std::string_view what) const {
  if (!Has(i)) return InvalidInput("input {} ({}) is missing", i, what);
  const auto* constant = Const(i);
  if (constant == nullptr && inputs_[i]->sizes) {
    std::string text;
    for (const int64_t size : *inputs_[i]->sizes)
      text += (text.empty() ? "" : ", ") + runtime_.symbols().Text(size);
    return Unsupported("{} must be numbers, but depend on open dimensions: [{}]", what, text)
        .Advise("give the inputs that they depend on a fixed size there");
  }
  if (constant == nullptr) {
    return Unsupported("{}: known only at run time", what)
        .Advise("export with fixed shapes, or simplify the model so that it becomes a constant");
  }
  const auto ints = constant->AsInts();
  if (!ints) return InvalidInput("{} is not an integer tensor", what);
  return *ints;
}

Result<double> NodeContext::Number(size_t i, std::string_view what) const {
  if (!Has(i)) return InvalidInput("input {} ({}) is missing", i, what);
  const auto* constant = Const(i);
  if (constant == nullptr)
    return Unsupported("{}: known only at run time", what).Advise("make it an initializer");
  const auto values = constant->AsDoubles();
  if (!values || values->size() != 1) return InvalidInput("{} is not a scalar", what);
  return values->front();
}

Result<std::optional<std::vector<int64_t>>> NodeContext::IntsOr(size_t i,
                                                                std::string_view attribute) const {
  if (Has(i)) {
    ANEMONE_ASSIGN(auto ints, Ints(i, attribute));
    return std::optional(std::move(ints));
  }
  return IntsAttribute(attribute);
}

int64_t NodeContext::Int(std::string_view name, int64_t fallback) const {
  const auto* found = node_.Find(name);
  return found != nullptr && found->kind == Attribute::Kind::kInt ? found->i : fallback;
}

double NodeContext::Float(std::string_view name, double fallback) const {
  const auto* found = node_.Find(name);
  return found != nullptr && found->kind == Attribute::Kind::kFloat ? found->f : fallback;
}

std::string NodeContext::String(std::string_view name, std::string_view fallback) const {
  const auto* found = node_.Find(name);
  return found != nullptr && found->kind == Attribute::Kind::kString ? found->s
                                                                     : std::string(fallback);
}

std::optional<std::vector<int64_t>> NodeContext::IntsAttribute(std::string_view name) const {
  const auto* found = node_.Find(name);
  if (found == nullptr) return std::nullopt;
  return found->ints;
}

std::vector<ir::Value*> NodeContext::MultiOp(std::string_view type, Args args) {
  if (!status_.ok()) return {};
  auto operation = builder_.Add(type, std::move(args), OperationName(type, false));
  if (!operation.ok()) {
    status_ = std::move(operation).status();
    return {};
  }
  status_ = runtime_.Infer(**operation, target());
  if (!status_.ok()) return {};
  std::vector<ir::Value*> values;
  for (const auto& output : (*operation)->outputs()) values.push_back(output.get());
  return values;
}

ir::Value* NodeContext::Op(std::string_view type, Args args) {
  const auto values = MultiOp(type, std::move(args));
  return values.empty() ? nullptr : values.front();
}

Status NodeContext::Emit(std::string_view type, Args args) {
  ANEMONE_TRY(status_);
  ANEMONE_ASSIGN(auto* operation, builder_.Add(type, std::move(args), OperationName(type, true)));
  ANEMONE_TRY(runtime_.Infer(*operation, target()));
  return Set(0, operation->output());
}

Result<ir::Literal> NodeContext::LiteralOf(const Constant& constant, const std::string& name) {
  int64_t first = 0;
  const auto clamped = clamp_int64_ ? constant.ClampedToInt32(&first) : std::nullopt;
  if (!clamped) return constant.ToLiteral();
  Note(fmt::format("the constant '{}' holds {}, which 32 bits cannot: clamped, as asked", name,
                   first));
  return clamped->ToLiteral();
}

ir::Value* NodeContext::MakeConst(ir::Literal literal, std::string_view suffix) {
  if (!status_.ok()) return nullptr;
  return builder_.Const(std::move(literal), OperationName(suffix, false));
}

ir::Value* NodeContext::MakeConst(const Constant& constant, std::string_view suffix) {
  if (!status_.ok()) return nullptr;
  auto literal = LiteralOf(constant, OperationName(suffix, false));
  if (!literal.ok()) {
    status_ = std::move(literal).status();
    return nullptr;
  }
  return MakeConst(std::move(*literal), suffix);
}

ir::Value* NodeContext::MakeConst(const Quantized& constant, std::string_view suffix) {
  if (!status_.ok()) return nullptr;
  auto emitted = constant.Emit(builder_, OperationName(suffix, false));
  if (!emitted.ok()) {
    status_ = std::move(emitted).status();
    return nullptr;
  }
  return *emitted;
}

ir::Value* NodeContext::Reshape(ir::Value* value, const ir::Shape& dims) {
  if (value == nullptr) return value;
  const ir::Shape from = runtime_.DimsOf(value);
  if (from == dims) return value;
  if (dims.empty()) return Op("squeeze", {{"x", value}});
  if (value->type.is_scalar()) {
    value = Op("expand_dims", {{"x", value}, {"axes", ir::Ints({0})}});
    return Reshape(value, dims);
  }
  const auto open = std::ranges::count_if(dims, Symbols::IsSymbol);
  if (open == 0) return Op("reshape", {{"x", value}, {"shape", ir::Ints(dims)}});
  return ReshapeOpen(value, from, dims);
}

// Dimensions of size 1 that come or go need no sizes, and of one open dimension the reshape itself
// finds the size; with more of them the shape is computed.
ir::Value* NodeContext::ReshapeOpen(ir::Value* value, const ir::Shape& from,
                                    const ir::Shape& dims) {
  std::vector<int64_t> dropped, added;
  ir::Shape core, wanted;
  for (size_t d = 0; d < from.size(); ++d) {
    if (from[d] != 1) core.push_back(from[d]);
    if (from[d] == 1) dropped.push_back(static_cast<int64_t>(d));
  }
  for (size_t d = 0; d < dims.size(); ++d) {
    if (dims[d] != 1) wanted.push_back(dims[d]);
    if (dims[d] == 1) added.push_back(static_cast<int64_t>(d));
  }
  if (core == wanted) {
    if (!dropped.empty()) value = Op("squeeze", {{"x", value}, {"axes", ir::Ints(dropped)}});
    if (!added.empty()) value = Op("expand_dims", {{"x", value}, {"axes", ir::Ints(added)}});
    return value;
  }
  ir::Shape shape = dims;
  ir::Value* reshaped = nullptr;
  // Only where both have as many elements at every size; else the run compares.
  const auto count = symbols().Product(from, 0, from.size());
  const bool same = count && count == symbols().Product(dims, 0, dims.size());
  if (same && std::ranges::count_if(dims, Symbols::IsSymbol) == 1) {
    for (int64_t& size : shape) size = Symbols::IsSymbol(size) ? -1 : size;
    reshaped = Op("reshape", {{"x", value}, {"shape", ir::Ints(shape)}});
  } else {
    reshaped = Op("reshape", {{"x", value}, {"shape", SizesValue(shape, "shape")}});
  }
  return WithDims(reshaped, dims);
}

ir::Value* NodeContext::Cast(ir::Value* value, DType dtype) {
  if (value == nullptr || value->type.dtype() == dtype) return value;
  return Op("cast", {{"x", value}, {"dtype", ir::Literal::String(std::string(DTypeName(dtype)))}});
}

ir::Value* NodeContext::Wrap(ir::Value* value, DType type) {
  if (value == nullptr || !IsInt(type) || BitWidth(type) >= 32) return value;
  if (value->type.dtype() != DType::kInt32) return value;
  const auto number = [&](int32_t n) { return MakeConst(ir::Literal::Int32(n), "wrap"); };
  const int32_t range = 1 << BitWidth(type);
  // MIL's mod has the sign of the divisor.
  if (!IsSignedInt(type)) return Binary("mod", {value, number(range)});
  ir::Value* shifted = Binary("add", {value, number(range / 2)});
  return Binary("sub", {Binary("mod", {shifted, number(range)}), number(range / 2)});
}

Status NodeContext::Set(size_t output, ir::Value* value) {
  ANEMONE_TRY(status_);
  if (value == nullptr) return Internal("the converter of {} did not make a value", node_.op);
  if (!value->type.is_tensor() || !value->type.has_rank() || !runtime_.Knows(value)) {
    return Unsupported("the size of its output depends on the data")
        .Advise("rewrite the model so that every tensor has a fixed shape");
  }
  return SetView(output, value, runtime_.DimsOf(value));
}

Status NodeContext::SetView(size_t output, ir::Value* value, ir::Shape dims) {
  ANEMONE_TRY(status_);
  if (output >= outputs_.size()) return {};
  if (value == nullptr) return Internal("the converter of {} did not make a value", node_.op);
  outputs_[output].value = value;
  outputs_[output].dims = std::move(dims);
  return {};
}

Status NodeContext::SetConstant(size_t output, Constant constant) {
  if (output >= outputs_.size()) return {};
  outputs_[output].dims = constant.dims;
  outputs_[output].constant = std::move(constant);
  return {};
}

Status NodeContext::SetQuantized(size_t output, Quantized constant) {
  if (output >= outputs_.size()) return {};
  outputs_[output].dims = constant.dims();
  outputs_[output].quantized = std::make_shared<const Quantized>(std::move(constant));
  return {};
}

Status NodeContext::SetIntegers(size_t output, ir::Value* integers, DType type) {
  ANEMONE_TRY(status_);
  if (output >= outputs_.size()) return {};
  if (integers == nullptr) return Internal("the converter of {} did not make a value", node_.op);
  if (!runtime_.Knows(integers)) return Unsupported("the size of its output depends on the data");
  outputs_[output].dims = runtime_.DimsOf(integers);
  outputs_[output].integers = integers;
  outputs_[output].type = type;
  return {};
}

Status NodeContext::SetSizes(size_t output, std::vector<int64_t> sizes, ir::Shape dims,
                             DType type) {
  if (std::ranges::none_of(sizes, Symbols::IsSymbol))
    return SetConstant(output, Constant::FromInts(type, sizes, std::move(dims)));
  if (output >= outputs_.size()) return {};
  outputs_[output].dims = std::move(dims);
  outputs_[output].sizes = std::move(sizes);
  outputs_[output].type = type;
  return {};
}

Status NodeContext::Forward(size_t output, size_t input) {
  if (!Has(input)) return InvalidInput("input {} is missing", input);
  return SetOperand(output, In(input));
}

Status NodeContext::SetSequence(size_t output, std::vector<Operand> items) {
  constexpr size_t kMostItems = 4096;
  if (items.size() > kMostItems) return Unsupported("a sequence of {} tensors", items.size());
  for (const Operand& item : items) {
    if (item.items != nullptr) return InvalidInput("a sequence holds the sequence '{}'", item.name);
  }
  Operand operand;
  operand.items = std::make_shared<const std::vector<Operand>>(std::move(items));
  return SetOperand(output, operand);
}

Status NodeContext::SetOperand(size_t output, const Operand& operand) {
  if (output >= outputs_.size()) return {};
  outputs_[output] = operand;
  return {};
}

}  // namespace anemone::onnx
