// The reference interpreter: runs a function operation by operation through the reference kernels,
// exactly as the program is written. Slow and simple; the oracle of the fast executor, of every
// pass and of the importers. Thread rules: Interpret is pure but for `state`, which the caller owns
// and does not share between running calls.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "exec/kernel.h"
#include "exec/tensor.h"
#include "ir/program.h"

namespace anemone::exec {

struct InterpretOptions {
  // Called with each operation's outputs, in execution order; may be empty.
  std::function<void(const ir::Operation&, const std::vector<Tensor>&)> observe;
  // A while_loop is stopped with an error after this many rounds.
  int64_t max_loop_rounds = 1'000'000;
  RoundingRule rounding = {};
};

// Runs `function` on tensors by the names of its inputs, in float32 for fp16 inputs (they are
// rounded on entry). `state` holds the state inputs by name; missing ones are zero, and all are
// updated, or none when the call fails. Returns one tensor for each output. Errors: kUsage for a missing or misshapen input;
// kernel errors, with the operation as place.
Result<std::vector<Tensor>> Interpret(const ir::Function& function,
                                      const std::map<std::string, Tensor>& inputs,
                                      std::map<std::string, Tensor>* state = nullptr,
                                      const InterpretOptions& options = {});

// Runs one operation at a time, for executors that run most of a function in other ways and
// leave control flow, lists, states and values of dynamic shape to this class. One running call;
// one thread.
class Interpreter {
 public:
  // The elements are shared between a list and what list_write makes of it.
  using List = std::vector<std::shared_ptr<const Tensor>>;
  // The contents of a value at run time.
  struct Slot {
    Tensor tensor = {};
    std::shared_ptr<const List> list = {};
    bool grows = false;      // a list of dynamic length
    std::string state = {};  // name of the state that the value stands for
  };
  // A tensor that the caller holds elsewhere.
  using Outer = std::function<Result<Tensor>(const ir::Value& value)>;

  Interpreter(ir::Opset opset, std::map<std::string, Tensor>* state,
              const InterpretOptions& options, Outer outer = {})
      : opset_(opset), state_(state), options_(options), outer_(std::move(outer)) {}

  ir::Opset opset() const { return opset_; }
  const InterpretOptions& options() const { return options_; }

  // Makes a function's state input known, with zeros when it has no value yet.
  Status BindState(const ir::Value& input);
  // The state of that name, or null. It is the caller's: writing to it changes the state.
  Tensor* FindState(const std::string& name);
  void Set(const ir::Value& value, Slot slot) { slots_[&value] = std::move(slot); }
  // A constant, a value that was set or computed, or one from `outer`.
  Result<Slot> Get(const ir::Value& value);
  // Computes the outputs. Errors name the operation.
  Status Run(const ir::Operation& operation);
  Status RunBlock(const ir::Block& block);
  // Runs a body on `arguments`, one for each of its inputs; what it returns.
  Result<std::vector<Slot>> RunBody(const ir::Block& body, const std::vector<Slot>& arguments);
  // Sets all outputs of an operation.
  Status SetOutputs(const ir::Operation& operation, std::vector<Slot> results);

 private:
  Status RunOperation(const ir::Operation& operation);

  ir::Opset opset_;
  std::map<std::string, Tensor>* state_;
  const InterpretOptions& options_;
  Outer outer_;
  std::unordered_map<const ir::Value*, Slot> slots_;
  int depth_ = 0;                                           // of bodies
  std::unordered_map<const ir::Value*, Tensor> constants_;  // that bodies read, in each round
};

}  // namespace anemone::exec
