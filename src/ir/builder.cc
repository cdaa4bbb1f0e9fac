#include "ir/builder.h"

#include "ir/verifier.h"

namespace anemone::ir {
namespace {

void CollectNames(const Block& block, std::unordered_set<std::string>* names) {
  for (const auto& input : block.inputs()) names->insert(input->name);
  for (const auto& operation : block.operations()) {
    for (const auto& output : operation->outputs()) names->insert(output->name);
    for (const auto& inner : operation->blocks()) CollectNames(*inner, names);
  }
}

bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDecimalDigit(char c) { return c >= '0' && c <= '9'; }

// The bodies of an operation that is being made are not in the function yet, so that what fills them may
// give a name twice.
void RenameTwins(const Function& function, Operation& operation, Builder& builder) {
  std::unordered_set<std::string> used;
  CollectNames(*function.block, &used);
  const auto rename = [&](Value& value) {
    // Makes the name known to the builder too.
    std::string other = builder.UniqueName(value.name);
    if (used.insert(value.name).second) return;
    while (!used.insert(other).second) other = builder.UniqueName(value.name);
    value.name = std::move(other);
  };
  const auto visit = [&](auto&& self, const Block& block) -> void {
    for (const auto& input : block.inputs()) rename(*input);
    for (const auto& inner : block.operations()) {
      for (const auto& output : inner->outputs()) rename(*output);
      for (const auto& body : inner->blocks()) self(self, *body);
    }
  };
  for (const auto& block : operation.blocks()) visit(visit, *block);
}

}  // namespace

std::string SanitizeIdentifier(std::string_view name) {
  std::string clean;
  clean.reserve(name.size() + 1);
  for (char c : name) clean += IsAlpha(c) || IsDecimalDigit(c) ? c : '_';
  if (clean.empty() || IsDecimalDigit(clean[0])) clean.insert(clean.begin(), '_');
  return clean;
}

Builder::Builder(Function& function, Block* block, size_t index)
    : function_(&function),
      block_(block != nullptr ? block : function.block.get()),
      index_(index) {}

std::string Builder::UniqueName(std::string_view hint) {
  // Only now: most passes make nothing in most functions, and all names of a large one take long.
  if (names_.empty()) CollectNames(*function_->block, &names_);
  std::string base = SanitizeIdentifier(hint);
  std::string name = base;
  while (!names_.insert(name).second) name = base + "_" + std::to_string(next_suffix_[base]++);
  return name;
}

Value* Builder::Input(std::string name, Type type) {
  if (names_.empty()) CollectNames(*function_->block, &names_);
  names_.insert(name);
  return block_->AddInput(std::move(name), std::move(type));
}

Operation* Builder::Insert(std::unique_ptr<Operation> operation) {
  if (index_ == SIZE_MAX) return block_->Insert(std::move(operation));
  return block_->Insert(std::move(operation), index_++);
}

Value* Builder::Const(Literal literal, std::string_view hint) {
  auto operation = std::make_unique<Operation>("const", FindOpDef("const"));
  std::string name = UniqueName(hint);
  operation->attributes()["name"] = Literal::String(name);
  Value* value = operation->AddOutput(std::move(name), literal.type());
  value->literal = std::make_shared<const Literal>(std::move(literal));
  Insert(std::move(operation));
  return value;
}

Result<std::unique_ptr<Operation>> Builder::Make(std::string_view type, std::vector<ArgInit> args,
                                                 std::string_view name) {
  const OpDef* def = FindOpDef(type);
  if (def == nullptr) return Internal("the operator '{}' does not exist", type);
  auto operation = std::make_unique<Operation>(std::string(type), def);
  for (ArgInit& arg : args) {
    if (auto* value = std::get_if<Value*>(&arg.value)) {
      if (*value != nullptr) operation->SetInput(arg.name, *value);
    } else if (auto* values = std::get_if<std::vector<Value*>>(&arg.value)) {
      operation->SetInputs(arg.name, std::move(*values));
    } else {
      std::string hint = std::string(name.empty() ? type : name) + "_" + std::string(arg.name);
      operation->SetInput(arg.name, Const(std::get<Literal>(std::move(arg.value)), hint));
    }
  }
  return operation;
}

Result<Operation*> Builder::Finish(std::unique_ptr<Operation> operation, std::string_view name) {
  if (!operation->blocks().empty()) RenameTwins(*function_, *operation, *this);
  const std::string label(name.empty() ? std::string_view(operation->type()) : name);
  const OpDef& def = *operation->def();
  {
    // Found first and set later: the arguments that `args` points to must not move meanwhile.
    std::vector<std::pair<std::string_view, Literal>> missing;
    const OpArgs args(*operation, function_->opset);
    for (const Param& param : def.params) {
      if (function_->opset < param.since || args.Has(param.name)) continue;
      if (const Literal* value = args.ValueOf(param.name)) missing.emplace_back(param.name, *value);
    }
    for (auto& [name_of_param, value] : missing) {
      operation->SetInput(name_of_param,
                          Const(std::move(value), label + "_" + std::string(name_of_param)));
    }
  }
  std::vector<Type> types;
  const std::string place = fmt::format("{} '{}'", operation->type(), label);
  ANEMONE_TRY(InferOperation(*operation, function_->opset, &types).At(place));
  if (types.size() == 1) {
    operation->AddOutput(UniqueName(label), types[0]);
  } else {
    for (size_t i = 0; i < types.size(); ++i)
      operation->AddOutput(UniqueName(label + "_" + std::to_string(i)), types[i]);
  }
  operation->attributes()["name"] = Literal::String(label);
  return Insert(std::move(operation));
}

Result<Operation*> Builder::Add(std::string_view type, std::vector<ArgInit> args,
                                std::string_view name) {
  ANEMONE_ASSIGN(auto operation, Make(type, std::move(args), name));
  return Finish(std::move(operation), name);
}

Value* Builder::Op(std::string_view type, std::vector<ArgInit> args, std::string_view name) {
  if (!status_.ok()) return nullptr;
  auto operation = Add(type, std::move(args), name);
  if (!operation.ok()) {
    status_ = std::move(operation).status();
    return nullptr;
  }
  return (*operation)->output();
}

void Builder::SetOutputs(std::vector<Value*> outputs) { block_->outputs() = std::move(outputs); }

}  // namespace anemone::ir
