#include "neural_network/known_values.h"

#include <unordered_map>
#include <vector>

#include "exec/kernel.h"

namespace anemone::neural_network {
namespace {

// Shapes and what is computed from them have a few elements; larger values are left to the passes.
constexpr int64_t kMaxKnownElements = 256;
constexpr int kMaxOperations = 256;

class Evaluation {
 public:
  explicit Evaluation(ir::Opset opset) : opset_(opset) {}

  // Null when the value is not known.
  const ir::Literal* Find(const ir::Value& value) {
    if (value.is_const()) return value.literal.get();
    if (const auto found = known_.find(&value); found != known_.end()) return &found->second;
    const ir::Operation* operation = value.producer;
    if (operation == nullptr || operation->def() == nullptr || --left_ < 0) return nullptr;
    const ir::OpDef& def = *operation->def();
    if (!def.pure() || def.constexpr_op || !operation->blocks().empty() ||
        exec::FindReferenceKernel(def.name) == nullptr || !AllSmall(*operation)) {
      return nullptr;
    }
    std::vector<exec::FoldInput> inputs;
    for (const ir::Argument& argument : operation->arguments()) {
      exec::FoldInput input{argument.name, {}};
      for (const ir::Value* part : argument.values) {
        const ir::Literal* literal = Find(*part);
        if (literal == nullptr) return nullptr;
        input.literals.push_back(literal);
      }
      inputs.push_back(std::move(input));
    }
    auto folded = exec::Fold(def, opset_, inputs);
    if (!folded.ok() || folded->size() != operation->outputs().size()) return nullptr;
    for (size_t i = 0; i < folded->size(); ++i) {
      known_.emplace(operation->outputs()[i].get(), std::move((*folded)[i]));
    }
    const auto found = known_.find(&value);
    return found == known_.end() ? nullptr : &found->second;
  }

 private:
  static bool AllSmall(const ir::Operation& operation) {
    for (const auto& output : operation.outputs()) {
      const ir::Type& type = output->type;
      const auto count = type.is_tensor() && type.has_rank() ? type.element_count() : std::nullopt;
      if (!count || *count > kMaxKnownElements) return false;
    }
    return true;
  }

  ir::Opset opset_;
  int left_ = kMaxOperations;
  std::unordered_map<const ir::Value*, ir::Literal> known_;  // its elements stay where they are
};

}  // namespace

std::optional<ir::Literal> KnownValue(const ir::Value& value, ir::Opset opset) {
  Evaluation evaluation(opset);
  const ir::Literal* literal = evaluation.Find(value);
  if (literal == nullptr) return std::nullopt;
  return *literal;
}

}  // namespace anemone::neural_network
