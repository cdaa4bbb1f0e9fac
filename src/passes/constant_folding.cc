// Replaces an operation on constants by its result, and the shape of a statically shaped value by a
// constant; sizes that become known this way are written into the types. These stay: constexpr_*
// operators (their purpose is to stay compressed), operations with an effect, results that take
// much more memory than the operands, and operations that make an output of the function (an output
// must be made by an operation).
//
//   before                                      after
//     a = add(x = [1.5, 2.5], y = [1.0, 1.0]);     y = mul(x = x, y = [2.5, 3.5]);
//     y = mul(x = x, y = a);                     } -> (y);
//   } -> (y);
#include <algorithm>
#include <unordered_set>

#include "exec/kernel.h"
#include "ir/verifier.h"
#include "passes/pass.h"
#include "passes/rewriter.h"

namespace anemone::passes {
namespace {

// A result may be larger than the arguments together up to this size, and a few up to the second
// one: the hidden layers of networks on constants, such as those that make position biases.
constexpr size_t kFreeBytes = size_t{1} << 20;
constexpr size_t kLargerBytes = size_t{8} << 20;
constexpr size_t kLargerBytesTogether = size_t{32} << 20;
// Reference kernels are slow: operations that would take more than about a second stay.
constexpr int64_t kMaxFlops = int64_t{1} << 28;

bool AllConstant(const ir::Operation& operation) {
  for (const ir::Argument& argument : operation.arguments()) {
    for (const ir::Value* value : argument.values) {
      if (!value->is_const() || !value->type.is_tensor()) return false;
    }
  }
  return true;
}

size_t SizeOf(const ir::Type& type) {
  const auto count = type.is_tensor() && type.has_rank() ? type.element_count() : std::nullopt;
  const auto size = count ? ByteSize(type.dtype(), *count) : std::nullopt;
  return size.value_or(0);
}

// `spare`: what is left of kLargerBytesTogether.
bool SizesAllow(const ir::Operation& operation, ir::Opset opset, size_t* spare) {
  size_t in = 0;
  size_t out = 0;
  std::vector<ir::Type> types;
  // An argument that is given many times counts once: a chain of concatenations of one value with
  // itself would otherwise grow without bound.
  std::unordered_set<const ir::Value*> counted;
  for (const ir::Argument& argument : operation.arguments()) {
    for (const ir::Value* value : argument.values) {
      if (counted.insert(value).second) in += SizeOf(value->type);
    }
  }
  for (const auto& output : operation.outputs()) {
    types.push_back(output->type);
    // Only running tells the sizes of range_1d and non_zero, and only the values of their arguments
    // bound them; so only run operations whose outputs have a known size.
    if (!output->type.is_tensor() || !output->type.is_static()) return false;
    out += SizeOf(output->type);
  }
  const bool larger = out > std::max(in, kFreeBytes);
  if (larger && out > std::min(kLargerBytes, *spare)) return false;
  const auto cost = operation.def()->cost;
  const int64_t flops = cost == nullptr ? 0 : cost(ir::OpArgs(operation, opset), types).flops;
  if (flops > kMaxFlops || (larger && flops == 0)) return false;
  if (larger) *spare -= out;
  return true;
}

// The result of one operation, or nothing when it must not be folded.
std::vector<ir::Literal> FoldOperation(const ir::Operation& operation, ir::Opset opset,
                                       size_t* spare) {
  const ir::OpDef& def = *operation.def();
  if (operation.type() == "shape") {
    const ir::Value* x = operation.Input("x");
    if (x == nullptr || !x->type.is_tensor() || !x->type.is_static()) return {};
    if (std::ranges::any_of(x->type.shape(), [](int64_t size) { return size > INT32_MAX; }))
      return {};
    return {ir::Literal::Int32s(x->type.shape())};
  }
  if (exec::FindReferenceKernel(def.name) == nullptr) return {};
  if (!AllConstant(operation) || !SizesAllow(operation, opset, spare)) return {};
  std::vector<exec::FoldInput> inputs;
  for (const ir::Argument& argument : operation.arguments()) {
    exec::FoldInput input{argument.name, {}};
    for (const ir::Value* value : argument.values) input.literals.push_back(value->literal.get());
    inputs.push_back(std::move(input));
  }
  // An operation that cannot be evaluated now is not an error: it may succeed when it is run.
  auto folded = exec::Fold(def, opset, inputs, operation.has_int64_results());
  return folded.ok() ? std::move(folded).value() : std::vector<ir::Literal>();
}

// Gives outputs of unknown size the type that inference finds with more arguments known.
bool RefineTypes(ir::Operation& operation, ir::Opset opset) {
  const auto known = [](const auto& output) {
    return !output->type.is_tensor() || output->type.is_static();
  };
  if (std::ranges::all_of(operation.outputs(), known) || !operation.blocks().empty()) return false;
  std::vector<ir::Type> types;
  const Status inferred = ir::InferOperation(operation, opset, &types);
  if (!inferred.ok() || types.size() != operation.outputs().size()) return false;
  bool changed = false;
  for (size_t i = 0; i < types.size(); ++i) {
    ir::Type& type = operation.output(i)->type;
    if (type == types[i] || !types[i].is_tensor() || !types[i].is_static() ||
        !IsCompatible(types[i], type))
      continue;
    type = types[i];
    changed = true;
  }
  return changed;
}

}  // namespace

Result<bool> ConstantFolding(ir::Function& function, PassContext& context) {
  Rewriter rewriter(function);
  bool refined = false;
  size_t spare = kLargerBytesTogether;
  for (ir::Operation* operation : rewriter.operations()) {
    if (rewriter.IsDead(*operation) || operation->is_const() || operation->def() == nullptr)
      continue;
    refined |= RefineTypes(*operation, function.opset);
    const ir::OpDef& def = *operation->def();
    if (def.constexpr_op || !def.pure() || operation->outputs().empty()) continue;
    const auto& outputs = operation->outputs();
    if (std::ranges::any_of(outputs,
                            [&](const auto& o) { return rewriter.IsFunctionOutput(o.get()); }))
      continue;
    ANEMONE_TRY(context.CheckCancelled());
    std::vector<ir::Literal> results = FoldOperation(*operation, function.opset, &spare);
    if (results.size() != outputs.size()) continue;
    bool fits = true;
    for (size_t i = 0; i < results.size(); ++i)
      fits &= IsCompatible(results[i].type(), outputs[i]->type);
    if (!fits) continue;
    for (size_t i = 0; i < results.size(); ++i) {
      ir::Value* constant = rewriter.builder().Const(std::move(results[i]), outputs[i]->name);
      ANEMONE_TRY(rewriter.Commit(*operation));
      rewriter.Replace(outputs[i].get(), constant);
    }
  }
  return rewriter.Finish() || refined;
}

}  // namespace anemone::passes
