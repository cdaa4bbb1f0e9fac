#include "passes/input_exponentials.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <unordered_set>

#include "ir/op_def.h"

namespace anemone::passes {
namespace {

using Types = std::initializer_list<std::string_view>;

bool HasType(const ir::Operation& operation, Types types) {
  return std::ranges::find(types, operation.type()) != types.end();
}

// An operator whose result is far smaller or larger than what it reads.
bool IsExponential(const ir::Operation& operation) {
  return HasType(operation, {"softmax", "exp", "exp2", "reduce_log_sum_exp", "reduce_prod"});
}
// A step between an input and an exponential.
bool IsDifference(const ir::Operation& operation) {
  return HasType(operation, {"sub", "reduce_max", "reduce_min"});
}
// What brings an exponential back to the size of its input.
bool TakesBack(const ir::Operation& operation) {
  return HasType(operation, {"reduce_sum", "log", "sub", "real_div"});
}
bool MovesElements(const ir::Operation& operation) {
  return operation.def() != nullptr &&
         operation.def()->traits.elements == ir::ElementRule::kOfFirst;
}

class Finder {
 public:
  Finder(const ir::Function& function, const ValueRanges& inputs) : function_(function) {
    for (const auto& input : function.inputs()) {
      const bool floats = input->type.is_tensor() && IsFloat(input->type.dtype());
      if (floats && !inputs.contains(input.get())) raw_.insert(input.get());
    }
  }

  std::vector<std::string> Run() {
    for (const auto& operation : function_.block->operations()) Visit(*operation);
    std::vector<std::string> names;
    for (const auto& operation : function_.block->operations()) {
      if (kept_.contains(operation.get())) names.push_back(operation->name());
    }
    return names;
  }

 private:
  // Whether `which` holds one of the operands, and every other one is a constant, an input or a
  // difference of inputs.
  bool Reads(const ir::Operation& operation, const std::unordered_set<const ir::Value*>& which) {
    bool found = false;
    for (const auto& argument : operation.arguments()) {
      for (const ir::Value* value : argument.values) {
        found = found || which.contains(value);
        if (!which.contains(value) && !raw_.contains(value) && !near_.contains(value) &&
            !value->is_const())
          return false;
      }
    }
    return found;
  }

  void Visit(const ir::Operation& operation) {
    if (operation.is_const() || operation.outputs().empty()) return;
    if (MovesElements(operation) && Reads(operation, raw_)) {
      // The operator itself may stay: it is kept when something needs it.
      raw_.insert(operation.output());
    } else if (IsExponential(operation) && (Reads(operation, raw_) || Reads(operation, near_))) {
      Keep(operation);
    } else if (TakesBack(operation) && Reads(operation, large_)) {
      Keep(operation);
    } else if (IsDifference(operation) && (Reads(operation, raw_) || Reads(operation, near_))) {
      near_.insert(operation.output());
    }
  }

  // Keeps an operator and the steps before it.
  void Keep(const ir::Operation& operation) {
    if (!kept_.insert(&operation).second) return;
    if (operation.type() != "softmax") {
      large_.insert(operation.output());
      near_.insert(operation.output());
    }
    for (const auto& argument : operation.arguments()) {
      for (const ir::Value* value : argument.values) {
        const bool step = value->producer != nullptr && !value->is_const() &&
                          (raw_.contains(value) || near_.contains(value));
        if (step) Keep(*value->producer);
      }
    }
  }

  const ir::Function& function_;
  std::unordered_set<const ir::Value*> raw_;    // inputs, and views of them
  std::unordered_set<const ir::Value*> near_;   // differences of inputs
  std::unordered_set<const ir::Value*> large_;  // what was kept
  std::unordered_set<const ir::Operation*> kept_;
};

}  // namespace

std::vector<std::string> InputExponentials(const ir::Function& function,
                                           const ValueRanges& inputs) {
  return Finder(function, inputs).Run();
}

}  // namespace anemone::passes
