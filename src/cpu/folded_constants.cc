#include "cpu/folded_constants.h"

#include <vector>

#include "exec/kernel.h"

namespace anemone::cpu {

Result<LiteralRef> FoldedConstants::Get(const ir::Value& value) {
  if (value.is_const()) return LiteralRef(value.literal);
  const auto found = entries_.find(&value);
  if (found != entries_.end()) {
    LiteralRef held = found->second.held.lock();
    if (held != nullptr) return held;
  }
  if (value.producer == nullptr) return Internal("value '{}' is not a constant", value.name);
  const ir::Operation& operation = *value.producer;
  LiteralRef result;
  ANEMONE_TRY(Fold(operation, value, &result)
                  .At(fmt::format("{} '{}'", operation.type(), operation.name())));
  return result;
}

Status FoldedConstants::Fold(const ir::Operation& operation, const ir::Value& wanted,
                             LiteralRef* result) {
  std::vector<LiteralRef> held;
  std::vector<exec::FoldInput> inputs;
  for (const ir::Argument& argument : operation.arguments()) {
    exec::FoldInput input{argument.name, {}};
    for (const ir::Value* value : argument.values) {
      ANEMONE_ASSIGN(LiteralRef literal, Get(*value));
      input.literals.push_back(literal.get());
      held.push_back(std::move(literal));
    }
    inputs.push_back(std::move(input));
  }
  ANEMONE_ASSIGN(auto literals,
                 exec::Fold(*operation.def(), opset_, inputs, operation.has_int64_results()));
  ++foldings_;
  for (size_t i = 0; i < literals.size(); ++i) {
    auto made = std::make_shared<const ir::Literal>(std::move(literals[i]));
    Entry& entry = entries_[operation.output(i)];
    entry.held = made;
    if (made->bytes().size() <= kSmallLiteralBytes) entry.kept = made;
    if (operation.output(i) == &wanted) *result = std::move(made);
  }
  return {};
}

}  // namespace anemone::cpu
