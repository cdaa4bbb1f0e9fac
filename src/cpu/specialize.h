// Specialize: what is known about a function before it runs, for given input shapes: the type of
// every value, the values that depend on constants and shapes only, and which operations contribute
// to the outputs. Ownership: the result borrows the function and owns the literals it made or took
// from `constants`. Thread rules: those of `constants`, one thread at a time.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "cpu/folded_constants.h"
#include "ir/program.h"

namespace anemone::cpu {

struct ValueFacts {
  ir::Type type;
  const ir::Literal* known = nullptr;
  // Follows from constants alone, so it is the same in every plan of the function.
  bool fixed = false;
  // A large weight: known, but computed only when somebody asks FoldedConstants for it.
  bool deferred = false;
  int deferred_depth = 0;  // operations between it and the constants
  // Live operations that use it, in order, once per use; a nested body counts for its owner.
  std::vector<const ir::Operation*> users;
  bool is_output = false;
  bool dynamic = false;  // computed by the interpreter, not in a buffer
};

struct Node {
  const ir::Operation* operation = nullptr;
  std::optional<ir::OpArgs> args;  // absent when interpreted
  std::vector<ir::Type> types;     // of the outputs
  bool interpreted = false;
  bool as_declared = false;  // a result's dtype is the declared one, not what inference says here
};

struct Specialized {
  std::deque<Node> nodes;  // live and not folded, in order
  std::unordered_map<const ir::Value*, ValueFacts> values;
  std::vector<LiteralRef> literals;
  int64_t own_bytes = 0;  // of the literals that no other plan has
};

// `shapes` holds those of the tensor inputs, by name. Errors name the operation.
Result<Specialized> Specialize(const ir::Function& function,
                               const std::map<std::string, ir::Shape>& shapes,
                               FoldedConstants& constants);

}  // namespace anemone::cpu
