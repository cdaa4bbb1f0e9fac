// Rewriter: changes a function while a pass walks over it. New operations are made with builder(),
// committed, and replace old ones; operations that are no longer needed are dropped at once, so
// that counts of uses stay exact. Pointers stay valid until Finish(), but a constant that nothing
// uses any more has lost its literal.
//
//   Rewriter rewriter(function);
//   for (ir::Operation* op : rewriter.operations()) {
//     if (rewriter.IsDead(*op) || op->type() != "mul") continue;
//     ir::Value* y = rewriter.builder().Op("silu", {{"x", x}}, op->name());
//     ANEMONE_TRY(rewriter.Commit(*op));          // the new operations go before op
//     rewriter.Replace(op->output(), y);          // op is dead now
//   }
//   return rewriter.Finish();
//
// A pass that only uses the Rewriter must not change arguments behind its back. Thread rules: one
// thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/status.h"
#include "ir/builder.h"
#include "ir/program.h"

namespace anemone::passes {

class Rewriter {
 public:
  explicit Rewriter(ir::Function& function);

  ir::Function& function() const { return function_; }
  ir::Opset opset() const { return function_.opset; }
  // All operations as they were at the start, nested ones included, in execution order. Some may be
  // dead by now.
  const std::vector<ir::Operation*>& operations() const { return operations_; }
  bool IsDead(const ir::Operation& operation) const { return dead_.contains(&operation); }

  // How often a value is used, as an argument or as an output of a block.
  size_t UseCount(const ir::Value* value) const;
  // The operation whose argument is the only use of `value`; null when there are more uses, or the
  // use is not an argument.
  ir::Operation* OnlyUser(const ir::Value* value) const;
  // Whether `value` is an output of the function: then its name is part of the interface.
  bool IsFunctionOutput(const ir::Value* value) const;

  // Makes new operations; they belong to no block before Commit or CommitAfter.
  ir::Builder& builder() { return builder_; }
  // Puts the new operations before `anchor`, one of operations(); or returns the builder's error.
  Status Commit(const ir::Operation& anchor);
  // Puts them after the operation that makes `value`, or at the start of the block whose input
  // it is.
  Status CommitAfter(const ir::Value* value);
  // Forgets new operations that were not committed.
  void Discard();

  // Whether Replace(old, replacement) is allowed: an output of the function keeps its name, so its
  // replacement cannot be an input, a constant or another output.
  bool CanReplace(const ir::Value* old, const ir::Value* replacement) const;
  // Turns every use of `old` into one of `replacement`, whose type must fit there. A new value, and
  // any value that becomes an output of the function, takes over the name.
  void Replace(ir::Value* old, ir::Value* replacement);
  // Changes only the block outputs that are `old` to `replacement`, which takes over the name.
  void ReplaceFunctionOutput(ir::Value* old, ir::Value* replacement);
  // Changes one argument.
  void SetInputs(ir::Operation& operation, std::string_view parameter,
                 std::vector<ir::Value*> values);

  // Restores the order of the blocks; returns whether anything changed. Call once, at the end.
  bool Finish();

 private:
  using Operations = std::vector<std::unique_ptr<ir::Operation>>;

  ir::UseMap& Uses() const;
  Status TakeScratch(Operations* placed);
  void AddUses(ir::Operation& operation);
  void RemoveUses(ir::Operation& operation);
  void TakeName(ir::Value* from, ir::Value* to);
  void DropIfUnused(ir::Operation* operation);
  static void Forget(ir::Value& constant);

  ir::Function& function_;
  std::vector<ir::Operation*> operations_;
  std::unordered_map<const ir::Value*, ir::Block*> input_block_;
  ir::Block scratch_;
  ir::Builder builder_;
  // Found when they are first asked for: most passes match nothing in most functions.
  mutable std::optional<ir::UseMap> uses_;
  std::unordered_set<const ir::Operation*> dead_;
  std::unordered_set<const ir::Value*> fresh_;  // made by this Rewriter
  std::unordered_map<const ir::Operation*, Operations> before_;
  std::unordered_map<const ir::Operation*, Operations> after_;
  std::unordered_map<const ir::Block*, Operations> at_start_;
  bool changed_ = false;
};

}  // namespace anemone::passes
