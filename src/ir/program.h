// The MIL program in memory: Program > Function > Block > Operation > Value. Importers build it,
// passes rewrite it, writers serialize it, the executor plans from it, placement reads it.
//
// Ownership: a Program owns its Functions, a Function its Block, a Block its Operations and its own
// input Values, an Operation its output Values and nested Blocks. Pointers to Values and Operations
// stay valid until the owner is erased; moving a Program keeps them valid. Constants are operations
// of type "const" whose output Value holds a Literal. Thread rules: any number of readers, or one
// writer.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "ir/literal.h"
#include "ir/op_def.h"
#include "ir/type.h"

namespace anemone::ir {

class Block;
class Operation;

// One result of an operation, or one input of a function or block.
struct Value {
  std::string name;  // unique within the function
  Type type;
  Operation* producer = nullptr;  // null for an input of a function or block
  // Set for the output of a "const" operation only.
  std::shared_ptr<const Literal> literal;

  bool is_const() const { return literal != nullptr; }
  // Whether it is known once the model is loaded: a constant, or decompressed from constants.
  bool is_stored() const;
};

// The attribute of Operation::has_int64_results.
inline constexpr const char* kInt64Results = "int64_results";

// An argument: the values bound to one parameter. More than one only for a variadic parameter such
// as concat's `values`.
struct Argument {
  std::string name;
  std::vector<Value*> values;
};

class Operation {
 public:
  Operation(std::string type, const OpDef* def) : type_(std::move(type)), def_(def) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  const std::string& type() const { return type_; }
  // Null for an operator that the op table does not know: it can be read, printed and written, but
  // not inferred or run.
  const OpDef* def() const { return def_; }
  bool is_const() const { return type_ == "const"; }
  // Whether it decompresses constants when the model is loaded (constexpr_*). An operator that the
  // op table does not know is judged by its name.
  bool is_constexpr() const;
  // The block that holds this operation.
  Block* parent() const { return parent_; }

  const std::vector<Argument>& arguments() const { return arguments_; }
  std::vector<Argument>& arguments() { return arguments_; }
  // The single value bound to `parameter`; null when absent.
  Value* Input(std::string_view parameter) const;
  // All values bound to `parameter`; empty when absent.
  const std::vector<Value*>& Inputs(std::string_view parameter) const;
  // Replaces or adds.
  void SetInput(std::string_view parameter, Value* value);
  void SetInputs(std::string_view parameter, std::vector<Value*> values);
  void RemoveInput(std::string_view parameter);

  const std::vector<std::unique_ptr<Value>>& outputs() const { return outputs_; }
  Value* output(size_t index = 0) const { return outputs_[index].get(); }
  Value* AddOutput(std::string name, Type type);

  // Bodies of cond (true, false) and while_loop (condition, body).
  const std::vector<std::unique_ptr<Block>>& blocks() const { return blocks_; }
  Block* AddBlock();

  // Attributes beyond the arguments; "name" is the operation's name.
  const std::map<std::string, Literal>& attributes() const { return attributes_; }
  std::map<std::string, Literal>& attributes() { return attributes_; }
  // The "name" attribute, or else the first output's name.
  std::string name() const;
  // Whether the model that the program was made from computes the integer results in 64 bits, and they
  // may not fit in the 32 that Core ML has (OpDef::integers_grow). Running the operation then fails
  // where one does not, instead of wrapping it around. An attribute, so that copies and passes keep it;
  // packages have it in their metadata (format/int64_results.h).
  bool has_int64_results() const { return attributes_.contains(kInt64Results); }
  // Does nothing to an operation whose integer results always fit.
  void MarkInt64Results();

 private:
  friend class Block;
  std::string type_;
  const OpDef* def_;
  Block* parent_ = nullptr;
  std::vector<Argument> arguments_;
  std::vector<std::unique_ptr<Value>> outputs_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::map<std::string, Literal> attributes_;
};

class Block {
 public:
  Block() = default;
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  const std::vector<std::unique_ptr<Value>>& inputs() const { return inputs_; }
  Value* AddInput(std::string name, Type type);

  const std::vector<std::unique_ptr<Operation>>& operations() const { return operations_; }
  // Inserts `operation` before position `index` (the end by default) and returns it.
  Operation* Insert(std::unique_ptr<Operation> operation, size_t index = SIZE_MAX);
  // Erases the operations for which `dead` is true, in one sweep. Nothing may still use
  // their values.
  template <typename Predicate>
  void EraseIf(Predicate dead) {
    std::erase_if(operations_, [&](const auto& operation) { return dead(*operation); });
  }
  // Takes all operations out, for a pass that rebuilds the block in a new order.
  std::vector<std::unique_ptr<Operation>> TakeOperations() { return std::move(operations_); }

  const std::vector<Value*>& outputs() const { return outputs_; }
  std::vector<Value*>& outputs() { return outputs_; }
  // The operation whose body this is; null for a function's block.
  Operation* owner() const { return owner_; }

 private:
  friend class Operation;
  Operation* owner_ = nullptr;
  std::vector<std::unique_ptr<Value>> inputs_;
  std::vector<std::unique_ptr<Operation>> operations_;
  std::vector<Value*> outputs_;
};

// A function: typed inputs (the block's inputs), an op set, a body.
struct Function {
  std::string name;
  Opset opset = Opset::kIOS15;
  std::map<std::string, Literal> attributes;
  std::unique_ptr<Block> block = std::make_unique<Block>();

  const std::vector<std::unique_ptr<Value>>& inputs() const { return block->inputs(); }
  const std::vector<Value*>& outputs() const { return block->outputs(); }
};

struct Program {
  int64_t version = 1;
  std::map<std::string, Literal> attributes;
  std::vector<std::unique_ptr<Function>> functions;

  Function* Find(std::string_view name) const;
  // "main", or else the only function; null when there is none.
  Function* main() const;
};

// ---- helpers over whole functions ----

struct Use {
  Operation* operation = nullptr;  // null: an output of `block`
  Block* block = nullptr;
  size_t argument = 0;  // index into operation->arguments()
  size_t index = 0;     // index into that argument's values, or into block->outputs()
};
using UseMap = std::unordered_map<const Value*, std::vector<Use>>;
// Every use of every value, nested blocks included. Stale after any change of the function.
UseMap FindUses(const Function& function);
// Rewrites every use (nested blocks, block outputs) of the keys to the mapped values; follows
// chains of replacements.
void ReplaceUses(Function& function, const std::unordered_map<const Value*, Value*>& replacements);
// Calls `visit` for each operation, nested ones included, in execution order (an operation before
// its bodies).
template <typename Visitor>
void ForEachOperation(const Block& block, Visitor&& visit) {
  for (const auto& operation : block.operations()) {
    visit(*operation);
    for (const auto& inner : operation->blocks()) ForEachOperation(*inner, visit);
  }
}
// A deep copy that shares the bytes of the literals.
Program Clone(const Program& program);

}  // namespace anemone::ir
