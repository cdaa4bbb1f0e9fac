// Removes operations whose results are unused. Operations with an effect (state, random numbers)
// and operators that the op table does not know stay.
//
//   before                          after
//     a = relu(x = x);                b = tanh(x = x);
//     b = tanh(x = x);              } -> (b);
//   } -> (b);
#include <unordered_set>

#include "passes/pass.h"

namespace anemone::passes {
namespace {

// Effects of its own. Those of operations in bodies are found there.
bool HasEffects(const ir::Operation& operation) {
  if (operation.def() == nullptr) return !operation.is_const();
  const ir::Effects effects = operation.def()->traits.effects;
  return effects == ir::Effects::kReads || effects == ir::Effects::kWrites;
}

class Marker {
 public:
  void Mark(const ir::Operation* operation) {
    if (operation == nullptr || !live_.insert(operation).second) return;
    pending_.push_back(operation);
  }

  void Run() {
    while (!pending_.empty()) {
      const ir::Operation* operation = pending_.back();
      pending_.pop_back();
      for (const ir::Argument& argument : operation->arguments()) {
        for (const ir::Value* value : argument.values) Mark(value->producer);
      }
      for (const auto& block : operation->blocks()) {
        for (const ir::Value* output : block->outputs()) Mark(output->producer);
      }
      // An operation in a body needs the operation that has the body.
      if (operation->parent() != nullptr) Mark(operation->parent()->owner());
    }
  }

  bool IsLive(const ir::Operation& operation) const { return live_.contains(&operation); }

 private:
  std::unordered_set<const ir::Operation*> live_;
  std::vector<const ir::Operation*> pending_;
};

bool Sweep(ir::Block& block, const Marker& marker) {
  bool changed = false;
  block.EraseIf([&](const ir::Operation& operation) {
    const bool dead = !marker.IsLive(operation);
    changed |= dead;
    return dead;
  });
  for (const auto& operation : block.operations()) {
    for (const auto& inner : operation->blocks()) changed |= Sweep(*inner, marker);
  }
  return changed;
}

}  // namespace

Result<bool> DeadCodeElimination(ir::Function& function, PassContext&) {
  Marker marker;
  for (const ir::Value* output : function.outputs()) marker.Mark(output->producer);
  ir::ForEachOperation(*function.block, [&](const ir::Operation& operation) {
    if (HasEffects(operation)) marker.Mark(&operation);
  });
  marker.Run();
  return Sweep(*function.block, marker);
}

}  // namespace anemone::passes
