// Builder: appends operations to a block, checks and infers each one at once, adds defaults as
// constants (Core ML's compiler wants every parameter spelled out), and keeps names unique.
//
//   Builder b(function);
//   Value* y = b.Op("conv", {{"x", x}, {"weight", w}, {"strides", Ints({2, 2})}}, "stem");
//   ANEMONE_TRY(b.status());                                           // Op's errors are sticky
//   ANEMONE_ASSIGN(Operation* split, b.Add("split", {...}, "parts"));  // Add's are immediate
//
// Thread rules: one thread.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "base/status.h"
#include "ir/program.h"

namespace anemone::ir {

struct ArgInit {
  std::string_view name;
  std::variant<Value*, std::vector<Value*>, Literal> value;
};

// Short forms for argument lists.
inline Literal Ints(const std::vector<int64_t>& values) { return Literal::Int32s(values); }

class Builder {
 public:
  // Appends to the function's own block, or to `block` (a body nested in it), before position
  // `index`.
  explicit Builder(Function& function, Block* block = nullptr, size_t index = SIZE_MAX);

  // A function input; `name` must be free.
  Value* Input(std::string name, Type type);
  // A "const" operation named `hint`, with a number added when that name is taken.
  Value* Const(Literal literal, std::string_view hint = "const");
  // Adds an operation; outputs are named `name`, or `name`_0, `name`_1 ... when there are several.
  // A null Value* in `args` leaves that parameter out.
  Result<Operation*> Add(std::string_view type, std::vector<ArgInit> args, std::string_view name);
  // The same, with the bodies of a control-flow operator filled by `fill` before inference.
  template <typename Fill>
  Result<Operation*> AddWithBlocks(std::string_view type, std::vector<ArgInit> args,
                                   std::string_view name, Fill&& fill) {
    ANEMONE_ASSIGN(auto operation, Make(type, std::move(args), name));
    ANEMONE_TRY(fill(*operation));
    return Finish(std::move(operation), name);
  }
  // Sticky: returns the single output; after a failure returns null and keeps the first error in
  // status().
  Value* Op(std::string_view type, std::vector<ArgInit> args, std::string_view name = {});
  void SetOutputs(std::vector<Value*> outputs);

  const Status& status() const { return status_; }
  Function& function() const { return *function_; }
  Block* block() const { return block_; }
  // A name not yet used in the function, made a legal MIL identifier.
  std::string UniqueName(std::string_view hint);

 private:
  Result<std::unique_ptr<Operation>> Make(std::string_view type, std::vector<ArgInit> args,
                                          std::string_view name);
  Result<Operation*> Finish(std::unique_ptr<Operation> operation, std::string_view name);
  Operation* Insert(std::unique_ptr<Operation> operation);

  Function* function_;
  Block* block_;
  size_t index_;
  Status status_;
  std::unordered_set<std::string> names_;
  std::unordered_map<std::string, int> next_suffix_;
};

// [A-Za-z_][A-Za-z0-9_]*: other characters become '_', a leading digit gets a '_' before it.
std::string SanitizeIdentifier(std::string_view name);

}  // namespace anemone::ir
