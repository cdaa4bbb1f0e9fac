// The reference interpreter: runs a function operation by operation through the reference kernels,
// exactly as the program is written. Slow and simple; the oracle of the fast executor, of every
// pass and of the importers. Thread rules: Interpret is pure but for `state`, which the caller owns
// and does not share between running calls.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "exec/tensor.h"
#include "ir/program.h"

namespace anemone::exec {

struct InterpretOptions {
  // Called with each operation's outputs, in execution order; may be empty.
  std::function<void(const ir::Operation&, const std::vector<Tensor>&)> observe;
  // A while_loop is stopped with an error after this many rounds.
  int64_t max_loop_rounds = 1'000'000;
};

// Tensors by the names of the function's inputs, in float32 for fp16 inputs (they are rounded on
// entry). `state` holds the state inputs by name; missing ones are zero, and all are updated.
// Returns one tensor for each output. Errors: a missing or misshapen input is kUsage; whatever a
// kernel reports, with the operation as place.
Result<std::vector<Tensor>> Interpret(const ir::Function& function,
                                      const std::map<std::string, Tensor>& inputs,
                                      std::map<std::string, Tensor>* state = nullptr,
                                      const InterpretOptions& options = {});

}  // namespace anemone::exec
