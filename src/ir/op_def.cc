#include "ir/op_def.h"

#include <algorithm>

#include "ir/program.h"
#include "ir/text.h"

namespace anemone::ir {
namespace {

constexpr std::string_view kOpsetNames[] = {"ios15", "ios16", "ios17", "ios18"};

// Whether `word` is one of the space-separated words of `list`.
bool ListHas(std::string_view list, std::string_view word) {
  for (size_t begin = 0; begin < list.size();) {
    const size_t end = std::min(list.find(' ', begin), list.size());
    if (list.substr(begin, end - begin) == word) return true;
    begin = end + 1;
  }
  return false;
}

const TypeDomain* FindDomain(const OpDef& def, std::string_view name) {
  for (const TypeDomain& domain : def.domains) {
    if (domain.name == name) return &domain;
  }
  return nullptr;
}

}  // namespace

std::string_view OpsetName(Opset opset) { return kOpsetNames[static_cast<size_t>(opset)]; }

std::optional<Opset> OpsetFromName(std::string_view name) {
  for (size_t i = 0; i < std::size(kOpsetNames); ++i) {
    if (kOpsetNames[i] == name) return static_cast<Opset>(i);
  }
  return std::nullopt;
}

const Param* OpDef::FindParam(std::string_view param) const {
  for (const Param& candidate : params) {
    if (candidate.name == param) return &candidate;
  }
  return nullptr;
}

OpArgs::OpArgs(const Operation& operation, Opset opset)
    : def_(operation.def()), opset_(opset), operation_(&operation) {
  for (const Argument& argument : operation.arguments()) {
    Entry entry{argument.name, {}};
    entry.args.reserve(argument.values.size());
    for (const Value* value : argument.values)
      entry.args.push_back({value->type, value->literal.get()});
    entries_.push_back(std::move(entry));
  }
}

void OpArgs::AddAll(std::string_view param, std::vector<Arg> args) {
  entries_.push_back({param, std::move(args)});
}

const OpArgs::Entry* OpArgs::Find(std::string_view param) const {
  for (const Entry& entry : entries_) {
    if (entry.param == param) return &entry;
  }
  return nullptr;
}

bool OpArgs::Has(std::string_view param) const {
  const Entry* entry = Find(param);
  return entry != nullptr && !entry->args.empty();
}

size_t OpArgs::Count(std::string_view param) const {
  const Entry* entry = Find(param);
  return entry == nullptr ? 0 : entry->args.size();
}

const Type& OpArgs::TypeOf(std::string_view param, size_t index) const {
  static const Type kNone;
  const Entry* entry = Find(param);
  return entry == nullptr || index >= entry->args.size() ? kNone : entry->args[index].type;
}

const Literal* OpArgs::ValueOf(std::string_view param, size_t index) const {
  const Entry* entry = Find(param);
  if (entry != nullptr) return index < entry->args.size() ? entry->args[index].value : nullptr;
  for (const auto& [name, literal] : defaults_) {
    if (name == param) return &literal;
  }
  const Param* declared = def_->FindParam(param);
  if (declared == nullptr || opset_ < declared->since) {
    // A parameter of a later op set: its default describes what the older operator does.
    if (declared == nullptr) return nullptr;
  }
  if (declared->default_fn != nullptr) {
    auto made = declared->default_fn(*this);
    if (!made.ok()) return nullptr;
    defaults_.emplace_back(declared->name, std::move(made).value());
    return &defaults_.back().second;
  }
  if (declared->default_text.empty()) return nullptr;
  // A float default takes the dtype that the type variable has in this operation.
  DType float_dtype = DType::kFp32;
  for (const Param& other : def_->params) {
    if (other.types == declared->types && Has(other.name)) {
      float_dtype = TypeOf(other.name).dtype();
      break;
    }
  }
  if (!IsFloat(float_dtype)) float_dtype = DType::kFp32;
  auto made = ParseLiteral(declared->default_text, float_dtype);
  assert(made.ok() && "a definition's default_text does not parse");
  if (!made.ok()) return nullptr;
  defaults_.emplace_back(declared->name, std::move(made).value());
  return &defaults_.back().second;
}

bool OpArgs::IsKnown(std::string_view param) const {
  return !Has(param) || ValueOf(param) != nullptr;
}

Result<const Literal*> OpArgs::Known(std::string_view param) const {
  const Literal* value = ValueOf(param);
  if (value != nullptr) return value;
  if (Has(param))
    return InvalidInput("parameter '{}' must be known when the model is compiled", param);
  return InvalidInput("parameter '{}' is missing", param);
}

#define ANEMONE_KNOWN(Name, CType, Method, What)                               \
  Result<CType> OpArgs::Name(std::string_view param) const {                   \
    ANEMONE_ASSIGN(const Literal* literal, Known(param));                      \
    auto value = literal->Method();                                            \
    if (!value)                                                                \
      return InvalidInput("parameter '{}' must be {}, but is {}", param, What, \
                          literal->type().ToString());                         \
    return *value;                                                             \
  }
ANEMONE_KNOWN(Int, int64_t, AsInt, "an integer")
ANEMONE_KNOWN(Ints, std::vector<int64_t>, AsInts, "a tensor of integers")
ANEMONE_KNOWN(Float, double, AsDouble, "a number")
ANEMONE_KNOWN(Bool, bool, AsBool, "a bool")
ANEMONE_KNOWN(String, std::string, AsString, "a string")
#undef ANEMONE_KNOWN

std::span<const std::unique_ptr<Block>> OpArgs::blocks() const {
  if (operation_ == nullptr) return {};
  return operation_->blocks();
}

namespace {

// Checks that the dtype is in the parameter's domain; the first use of a type variable binds it.
Status CheckDType(const OpArgs& args, const Param& param, const Type& type,
                  std::vector<std::pair<std::string_view, DType>>* bound) {
  if (param.types.empty() || param.types == "any") return {};
  DType dtype = type.dtype();
  if (type.is_state()) dtype = type.elements()[0].dtype();
  if (type.kind() == Type::Kind::kList || type.kind() == Type::Kind::kTuple ||
      type.kind() == Type::Kind::kDictionary) {
    if (ListHas(param.types, "list")) return {};
    return InvalidInput("parameter '{}' takes {}, but is given {}", param.name, param.types,
                        type.ToString());
  }
  const std::string_view name = DTypeName(dtype);
  const TypeDomain* domain = FindDomain(args.def(), param.types);
  if (domain == nullptr) {
    if (ListHas(param.types, name)) return {};
    return InvalidInput("parameter '{}' takes {}, but is given {}", param.name, param.types,
                        type.ToString());
  }
  const bool wide = args.opset() >= domain->wider_since && ListHas(domain->wider_dtypes, name);
  if (!ListHas(domain->dtypes, name) && !wide) {
    const bool later = ListHas(domain->wider_dtypes, name);
    return Error(later ? ErrorCode::kUnsupported : ErrorCode::kInvalidInput,
                 fmt::format("parameter '{}' takes {}, but is given {}", param.name, domain->dtypes,
                             type.ToString()))
        .Advise(later
                    ? fmt::format("{} is allowed from {} on", name, OpsetName(domain->wider_since))
                    : "");
  }
  for (const auto& [variable, first] : *bound) {
    if (variable == domain->name && first != dtype) {
      return InvalidInput("parameter '{}' is {}, but the other arguments of type {} are {}",
                          param.name, name, variable, DTypeName(first));
    }
    if (variable == domain->name) return {};
  }
  bound->emplace_back(domain->name, dtype);
  return {};
}

// Whether an argument is fixed when the model is compiled: its value is known, or a constexpr_*
// operator makes it. An operator that is evaluated by itself receives large weights as tensors, so
// they need not be constant.
bool IsConstant(const OpArgs& args, std::string_view param, size_t index) {
  if (args.ValueOf(param, index) != nullptr || args.operation() == nullptr) return true;
  const Operation* producer = args.operation()->Inputs(param)[index]->producer;
  return producer != nullptr && producer->is_constexpr();
}

}  // namespace

namespace {

// The product of the known sizes fits into 64 bits, so that code after inference cannot overflow.
Status CheckElementCount(const Type& type) {
  if (!type.is_tensor()) return {};
  Shape known;
  for (const int64_t dim : type.shape()) {
    if (dim != kDynamic) known.push_back(dim);
  }
  if (ElementCount(known).has_value()) return {};
  return InvalidInput("a result of {} has more elements than 64 bits can count", type.ToString());
}

}  // namespace

Status InferTypes(const OpArgs& args, std::vector<Type>* outputs) {
  const OpDef& def = args.def();
  if (args.opset() < def.since) {
    return Unsupported("operator {} needs the op set {} or later, but the function is {}", def.name,
                       OpsetName(def.since), OpsetName(args.opset()))
        .Advise(fmt::format("raise the deployment target to {}", OpsetName(def.since)));
  }
  if (args.operation() != nullptr) {
    for (const Argument& argument : args.operation()->arguments()) {
      if (def.FindParam(argument.name) == nullptr) {
        return InvalidInput("operator {} has no parameter '{}'", def.name, argument.name);
      }
    }
  }
  std::vector<std::pair<std::string_view, DType>> bound;
  for (const Param& param : def.params) {
    const size_t count = args.Count(param.name);
    if (count == 0) {
      if (param.required && args.opset() >= param.since) {
        return InvalidInput("operator {} is missing its parameter '{}'", def.name, param.name);
      }
      continue;
    }
    if (args.opset() < param.since) {
      return Unsupported("parameter '{}' of {} needs the op set {} or later", param.name, def.name,
                         OpsetName(param.since));
    }
    if (count > 1 && !param.variadic) {
      return InvalidInput("parameter '{}' of {} takes one value, but is given {}", param.name,
                          def.name, count);
    }
    for (size_t i = 0; i < count; ++i) {
      ANEMONE_TRY(CheckDType(args, param, args.TypeOf(param.name, i), &bound));
      if (param.constant && !IsConstant(args, param.name, i)) {
        return InvalidInput("parameter '{}' of {} must be constant", param.name, def.name);
      }
    }
  }
  outputs->clear();
  if (def.infer == nullptr) return Internal("operator {} has no inference", def.name);
  ANEMONE_TRY(def.infer(args, outputs));
  for (const Type& type : *outputs) ANEMONE_TRY(CheckElementCount(type));
  return {};
}

}  // namespace anemone::ir
