// OpDef: everything that the IR knows about one MIL operator: parameters, type domains, defaults,
// constraints, type and shape inference, traits, cost. The table itself is in src/ops/ (one folder
// per family); the IR reaches it through FindOpDef.
//
// Versions are data on one definition: `since` on an operator, a parameter or a wider type domain
// names the first op set that has it. Thread rules: definitions are immutable and live for the
// whole process.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ir/literal.h"
#include "ir/type.h"

namespace anemone::ir {

class Block;
class Operation;
class OpArgs;

// Core ML's op sets, by the oldest system that has them (CoreML5 ... CoreML8 in the file format).
enum class Opset : uint8_t { kIOS15, kIOS16, kIOS17, kIOS18 };
std::string_view OpsetName(Opset opset);  // "ios15" ... (text form)
std::optional<Opset> OpsetFromName(std::string_view name);

// One parameter. `types` names a type variable of the definition ("T") or lists dtypes ("int32
// bool"). `default_text` is a literal in text form ("1", "true", "\"valid\"", "[0, 0]"); a float
// takes the dtype of its type variable. `default_fn` is for defaults that depend on other
// arguments. A parameter that has neither and is not required has no value when it is absent.
struct Param {
  std::string_view name;
  std::string_view types;
  bool required = true;
  bool variadic = false;  // one or more values (concat's `values`)
  bool constant = false;  // must be known when the model is compiled
  std::string_view default_text = {};
  Result<Literal> (*default_fn)(const OpArgs& args) = nullptr;
  Opset since = Opset::kIOS15;
  // From this op set on the argument may be float32 beside half data, and the float16 pass leaves
  // it so where it can. Absent: it has the precision of the data.
  std::optional<Opset> float32_since = std::nullopt;
};

struct TypeDomain {
  std::string_view name;    // "T"
  std::string_view dtypes;  // "fp16 fp32 int32"
  // Dtypes added by a later op set.
  Opset wider_since = Opset::kIOS15;
  std::string_view wider_dtypes = {};
};

// A rule that inference enforces. `label` ("conv_c3") appears in the definition, in the error and
// in the negative test.
struct Constraint {
  std::string_view label;
  std::string_view text;
};

// Arithmetic of one operation, for placement and its latency model; bytes follow from the types.
struct OpCost {
  int64_t flops = 0;  // a multiply-accumulate counts as two
};

// Who computes the results of an operator.
enum class RunBy : uint8_t {
  kUnset,
  kKernel,       // a kernel, from tensors alone, so that the executor can plan it
  kInterpreter,  // the interpreter, as it runs bodies, or holds lists or states
  kNothing,      // nothing: a constant is known, a classifier is rewritten before the run
};

// What running an operator sees or changes beside its arguments and results.
enum class Effects : uint8_t {
  kUnset,
  kNone,    // the same arguments give the same results: may be folded, merged and removed
  kReads,   // reads a state or draws random numbers: never folded or merged
  kWrites,  // writes a state: must run even when nothing uses its results
  kBodies,  // those of the operations in its bodies
};

// In which precision the float32 tensors of an operator are computed when the model is converted to
// float16.
enum class Precision : uint8_t {
  kUnset,
  kMayBeHalf,   // in half, wherever the type domains admit it
  kAsDeclared,  // as they are: the operator names a dtype, or serves a body, list or state that does
};

// How the elements of the first result follow from those of the first parameter, for the analysis
// of ranges. "Between" includes the ends; a padding of zeros makes a result kScaleWithFirst.
enum class ElementRule : uint8_t {
  kUnset,
  kComputed,        // by a function that promises neither of the following
  kScaleWithFirst,  // f(c * x) = c * f(x) for every c > 0, as relu and reduce_sum
  kOfFirst,  // elements of x or values between some of them, as max_pool, and so kScaleWithFirst
};

// Where the sizes of the first result come from, for shapes that only the run time knows.
enum class SizeRule : uint8_t {
  kUnset,
  kInferred,   // from a rule of the operator's own
  kOfFirst,    // they are those of the first parameter
  kBroadcast,  // x and y broadcast together
};

// What the layers above ask about an operator, so that none of them lists operators by name. Every
// definition sets every trait; tests/unit/ops/table_test.cc finds one that does not.
struct Traits {
  RunBy run_by = RunBy::kUnset;
  Effects effects = Effects::kUnset;
  Precision precision = Precision::kUnset;
  ElementRule elements = ElementRule::kUnset;
  SizeRule sizes = SizeRule::kUnset;
};
// A function of its tensors in either precision, as most operators are.
constexpr Traits TensorFunction(ElementRule elements, SizeRule sizes) {
  return {.run_by = RunBy::kKernel,
          .effects = Effects::kNone,
          .precision = Precision::kMayBeHalf,
          .elements = elements,
          .sizes = sizes};
}
// One whose results have the dtype that an argument names, as those of cast.
constexpr Traits NamesItsDType(ElementRule elements, SizeRule sizes) {
  Traits traits = TensorFunction(elements, sizes);
  traits.precision = Precision::kAsDeclared;
  return traits;
}

using InferFn = Status (*)(const OpArgs& args, std::vector<Type>* outputs);
using CostFn = OpCost (*)(const OpArgs& args, std::span<const Type> outputs);

struct OpDef {
  std::string_view name;
  std::string_view doc;
  Opset since = Opset::kIOS15;
  std::vector<Param> params;
  std::vector<TypeDomain> domains = {};
  std::vector<Constraint> constraints = {};
  InferFn infer = nullptr;
  // Null: one flop for each output element.
  CostFn cost = nullptr;
  Traits traits = {};
  // Whether an integer result may need more bits than the operands have, as that of add does.
  bool integers_grow = false;
  // Compile-time decompression (constexpr_*): all inputs constant, evaluated at load.
  bool constexpr_op = false;

  const Param* FindParam(std::string_view param) const;
  // Whether the same arguments give the same results, and nothing else happens.
  bool pure() const { return traits.effects == Effects::kNone; }
};

// The same operator, whose integer results may need more bits than its operands have.
inline OpDef WithGrowingIntegers(OpDef def) {
  def.integers_grow = true;
  return def;
}

// The arguments of one operation as inference, kernels, placement and cost see them: types, known
// values, defaults. Holds pointers into what it was built from; short-lived.
class OpArgs {
 public:
  struct Arg {
    Type type;
    const Literal* value = nullptr;  // null when only the run time knows it
  };

  OpArgs(const OpDef& def, Opset opset) : def_(&def), opset_(opset) {}
  // The arguments of an operation of the IR.
  OpArgs(const Operation& operation, Opset opset);
  void Add(std::string_view param, Arg arg) { AddAll(param, {std::move(arg)}); }
  void AddAll(std::string_view param, std::vector<Arg> args);

  const OpDef& def() const { return *def_; }
  Opset opset() const { return opset_; }
  const Operation* operation() const {
    return operation_;
  }  // null at run time of an unrolled kernel

  // Whether an argument was given (a default does not count).
  bool Has(std::string_view param) const;
  size_t Count(std::string_view param) const;
  // Type of argument `index` of a given parameter. Only when Has(param).
  const Type& TypeOf(std::string_view param, size_t index = 0) const;
  // The known value: the given constant or the default; null when unknown or absent.
  const Literal* ValueOf(std::string_view param, size_t index = 0) const;
  // Whether the value is known now, or the parameter is absent without a default.
  bool IsKnown(std::string_view param) const;

  // Known values. An error names the parameter when its value is unknown, has the wrong dtype, or
  // is absent without a default.
  Result<int64_t> Int(std::string_view param) const;
  Result<std::vector<int64_t>> Ints(std::string_view param) const;
  Result<double> Float(std::string_view param) const;
  Result<bool> Bool(std::string_view param) const;
  Result<std::string> String(std::string_view param) const;

  // Bodies of control flow.
  std::span<const std::unique_ptr<Block>> blocks() const;

 private:
  struct Entry {
    std::string_view param;
    std::vector<Arg> args;
  };
  const Entry* Find(std::string_view param) const;
  Result<const Literal*> Known(std::string_view param) const;

  const OpDef* def_;
  Opset opset_;
  const Operation* operation_ = nullptr;
  std::vector<Entry> entries_;
  mutable std::deque<std::pair<std::string_view, Literal>> defaults_;  // made on demand
};

// The error of a broken constraint: "message [label]".
template <typename... Args>
Error Violates(std::string_view label, fmt::format_string<Args...> format, Args&&... args) {
  return InvalidInput("{} [{}]", fmt::vformat(format, fmt::make_format_args(args...)), label);
}

// Checks that each given argument is declared, each required one present, each dtype in its domain
// (one dtype for each type variable), each constant parameter known, then runs the definition's
// inference. `outputs` gets the types.
Status InferTypes(const OpArgs& args, std::vector<Type>* outputs);

// The definition of `name`, or null. Defined by the op table (src/ops/registry.cc).
const OpDef* FindOpDef(std::string_view name);
// All definitions, sorted by name.
std::span<const OpDef* const> AllOpDefs();

}  // namespace anemone::ir
