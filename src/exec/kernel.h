// The reference-kernel interface, which src/ops/<family>/kernel.cc implements. Reference kernels
// are written to be read: they are the oracle of every faster kernel, the fallback of the executor,
// and the constant folder. They see float tensors as float32, accumulate in float or double, and
// know nothing of rounding: the caller rounds results declared fp16. Thread rules: a kernel is a
// pure function of its context; any number run at once.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "exec/tensor.h"
#include "ir/op_def.h"

namespace anemone::exec {

class KernelContext {
 public:
  // Gives the kernel a tensor of `shape` for output `index`; called once for each output.
  using Allocator =
      std::function<Result<MutableTensor>(size_t index, DType dtype, const Shape& shape)>;

  KernelContext(const ir::OpArgs& args, std::span<const ir::Type> output_types, Allocator allocator)
      : args_(args), output_types_(output_types), allocator_(std::move(allocator)) {}

  // Bound by the caller before the kernel runs, in the order of the operation's arguments.
  void Bind(std::string_view param, std::vector<ConstTensor> tensors) {
    inputs_.push_back({param, std::move(tensors)});
  }

  // Compile-time parameters and types. Values of integer inputs are known here even when they
  // arrive at run time.
  const ir::OpArgs& args() const { return args_; }
  bool Has(std::string_view param) const;
  // A given tensor argument, or (scalars such as `alpha`) its default.
  Result<ConstTensor> Input(std::string_view param, size_t index = 0);
  size_t Count(std::string_view param) const;
  // Output `index` with the inferred shape; an error when inference left it dynamic (then use
  // AllocateOutput).
  Result<MutableTensor> Output(size_t index = 0);
  Result<MutableTensor> AllocateOutput(size_t index, const Shape& shape);
  const ir::Type& OutputType(size_t index = 0) const { return output_types_[index]; }
  size_t OutputCount() const { return output_types_.size(); }

 private:
  struct Bound {
    std::string_view param;
    std::vector<ConstTensor> tensors;
  };
  const ir::OpArgs& args_;
  std::span<const ir::Type> output_types_;
  Allocator allocator_;
  std::vector<Bound> inputs_;
  std::vector<Tensor> defaults_;  // keeps default values alive
};

using KernelFn = Status (*)(KernelContext& context);

class Interpreter;
// How an operator runs that no kernel can compute (RunBy::kInterpreter): it reads its arguments
// from the interpreter and sets its outputs there.
using InterpretFn = Status (*)(const ir::Operation& operation, Interpreter& interpreter);

// One of the two, by the operator's trait RunBy.
struct KernelEntry {
  std::string_view op;
  KernelFn kernel = nullptr;
  InterpretFn interpret = nullptr;
};

// Runs `kernel`; running out of memory for its intermediate values is returned as an error.
Status RunKernel(KernelFn kernel, KernelContext& context);

// The reference kernel of `op`, or null. Defined by the op table (src/ops/registry.cc).
KernelFn FindReferenceKernel(std::string_view op);
// How the interpreter runs `op`, or null when a kernel does, or nothing. Likewise.
InterpretFn FindInterpretFn(std::string_view op);

// One parameter's tensors for Evaluate, with the dtypes that the program declares for them (fp16 is
// float32 in memory).
struct EvalInput {
  std::string_view param;
  std::vector<Tensor> tensors;
  std::vector<DType> declared = {};            // empty: the tensors' own dtypes
  std::vector<const ir::Literal*> known = {};  // instead of `tensors`: strings
};
// Which float results are rounded to half, by the dtype that the program declares.
struct RoundingRule {
  bool fp16 = true;
  bool fp32 = false;
  bool Rounds(DType dtype) const {
    return (dtype == DType::kFp16 && fp16) || (dtype == DType::kFp32 && fp32);
  }
};
// Runs one operator through its reference kernel. Integer, bool and scalar inputs count as known
// values in inference, so shapes are exact. Floats are rounded to half where the inferred type
// says fp16.
Result<std::vector<Tensor>> Evaluate(const ir::OpDef& def, ir::Opset opset,
                                     const std::vector<EvalInput>& inputs,
                                     const RoundingRule& rounding = {});

// The same on constants, for constant folding and constexpr_*. String parameters are allowed here.
struct FoldInput {
  std::string_view param;
  std::vector<const ir::Literal*> literals;
};
// `int64_results`: that of the operation (ir::Operation::has_int64_results).
Result<std::vector<ir::Literal>> Fold(const ir::OpDef& def, ir::Opset opset,
                                      const std::vector<FoldInput>& inputs,
                                      bool int64_results = false);

}  // namespace anemone::exec
