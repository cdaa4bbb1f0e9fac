#include "onnx/node_context.h"

#include <algorithm>

namespace anemone::onnx {

namespace {

DType ProgramDType(DType dtype) {
  if (dtype == DType::kBool) return DType::kBool;
  return IsInt(dtype) ? DType::kInt32 : DType::kFp32;
}

}  // namespace

DType Operand::dtype() const {
  if (constant) return ProgramDType(constant->dtype);
  if (quantized != nullptr) return DType::kFp32;
  if (value != nullptr) return value->type.dtype();
  return integers != nullptr ? DType::kFp32 : DType::kInvalid;
}

DType Operand::onnx_type() const {
  if (constant) return constant->dtype;
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
    auto literal = operand.constant->ToLiteral();
    if (!literal.ok()) {
      status_ = std::move(literal).status().At(fmt::format("constant '{}'", operand.name));
      return nullptr;
    }
    operand.value = constants_.Const(std::move(*literal), operand.name);
  }
  if (operand.pending_reshape()) {
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
  return Set(0, operation->output());
}

ir::Value* NodeContext::MakeConst(ir::Literal literal, std::string_view suffix) {
  if (!status_.ok()) return nullptr;
  return builder_.Const(std::move(literal), OperationName(suffix, false));
}

ir::Value* NodeContext::MakeConst(const Constant& constant, std::string_view suffix) {
  if (!status_.ok()) return nullptr;
  auto literal = constant.ToLiteral();
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
  if (value == nullptr || value->type.shape() == dims) return value;
  if (dims.empty()) return Op("squeeze", {{"x", value}});
  if (value->type.is_scalar()) {
    value = Op("expand_dims", {{"x", value}, {"axes", ir::Ints({0})}});
    return Reshape(value, dims);
  }
  return Op("reshape", {{"x", value}, {"shape", ir::Ints(dims)}});
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
  if (!value->type.is_tensor() || !value->type.is_static()) {
    return Unsupported("the size of its output depends on the data")
        .Advise("rewrite the model so that every tensor has a fixed shape");
  }
  return SetView(output, value, value->type.shape());
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
  outputs_[output].dims = integers->type.shape();
  outputs_[output].integers = integers;
  outputs_[output].type = type;
  return {};
}

Status NodeContext::Forward(size_t output, size_t input) {
  if (!Has(input)) return InvalidInput("input {} is missing", input);
  return SetOperand(output, In(input));
}

Status NodeContext::SetOperand(size_t output, const Operand& operand) {
  if (output >= outputs_.size()) return {};
  outputs_[output] = operand;
  return {};
}

}  // namespace anemone::onnx
