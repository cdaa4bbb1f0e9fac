// Subgraph: a range of a function's operations as a separate model, so that one operator, or
// everything after it, can be run on values that were computed before. Values that the range takes
// from outside become inputs, by their names; constants are included (their bytes shared). Thread
// rules: pure functions. Errors: kUnsupported for functions with states.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/model.h"

namespace anemone::lab {

// A deep copy that shares the bytes of the weights.
ir::Model CloneModel(const ir::Model& model);

// The operations of a function's block except constants, in execution order, and the values that
// flow between them. Points into the function.
class OperationOrder {
 public:
  explicit OperationOrder(const ir::Function& function);

  const ir::Function& function() const { return *function_; }
  size_t size() const { return operations_.size(); }
  const ir::Operation& at(size_t index) const { return *operations_[index]; }
  // Values that exist before operation `index` runs and are needed by it or later, or are outputs:
  // function inputs and results, in a fixed order.
  std::vector<const ir::Value*> LiveBefore(size_t index) const;

 private:
  const ir::Function* function_;
  std::vector<const ir::Operation*> operations_;
  // For each value, the operation that makes it (SIZE_MAX: an input) and the last that takes it
  // (size() for an output of the function).
  struct Span {
    const ir::Value* value = nullptr;
    size_t made = 0;
    size_t last = 0;
  };
  std::vector<Span> spans_;
};

struct Subgraph {
  std::shared_ptr<ir::Model> model;  // one function, "main"
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
};
// The operations [begin, end). Outputs are the values made there that are live before `end`.
Result<Subgraph> Extract(const OperationOrder& order, size_t begin, size_t end);

}  // namespace anemone::lab
