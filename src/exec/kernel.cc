#include "exec/kernel.h"

#include <algorithm>
#include <deque>
#include <new>
#include <stdexcept>

#include "exec/evaluate.h"
#include "exec/int64_results.h"

namespace anemone::exec {
namespace {

// Values of at most this many elements are given to inference as known: shapes, axes, scalars.
constexpr int64_t kKnownElements = 4096;

// Runs the kernel of `args` on tensors; `types` gets the inferred types of the outputs, with the dtypes
// of `declared` where it has them.
Result<std::vector<Tensor>> RunKernel(const ir::OpArgs& args, const std::vector<EvalInput>& inputs,
                                      const std::vector<DType>& declared,
                                      const RoundingRule& rounding, bool int64_results,
                                      std::vector<ir::Type>* types) {
  const ir::OpDef& def = args.def();
  ANEMONE_TRY(ir::InferTypes(args, types));
  for (size_t i = 0; i < std::min(types->size(), declared.size()); ++i) {
    ir::Type& type = (*types)[i];
    if (!type.is_tensor() || type.dtype() == declared[i] || declared[i] == DType::kInvalid)
      continue;
    type = type.has_rank() ? ir::Type::Tensor(declared[i], type.shape())
                           : ir::Type::UnrankedTensor(declared[i]);
  }
  const KernelFn kernel = FindReferenceKernel(def.name);
  if (kernel == nullptr) return Unsupported("operator {} has no kernel", def.name);
  std::vector<Tensor> outputs(types->size());
  KernelContext context(
      args, *types, [&](size_t index, DType dtype, const Shape& shape) -> Result<MutableTensor> {
        ANEMONE_ASSIGN(outputs[index], Tensor::Allocate(dtype, shape));
        return outputs[index].mutable_view();
      });
  for (const EvalInput& input : inputs) {
    if (input.tensors.empty()) continue;
    std::vector<ConstTensor> views;
    for (const Tensor& tensor : input.tensors) views.push_back(tensor.view());
    context.Bind(input.param, std::move(views));
  }
  ANEMONE_TRY(RunKernel(kernel, context));
  if (int64_results) ANEMONE_TRY(CheckInt64Results(args, inputs, outputs));
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].dtype() == DType::kInvalid)
      return Internal("the kernel of {} did not write output {}", def.name, i);
    if (rounding.Rounds((*types)[i].dtype()) && outputs[i].dtype() == DType::kFp32) {
      RoundToHalf({outputs[i].As<float>(), static_cast<size_t>(outputs[i].count())});
    }
  }
  return outputs;
}

}  // namespace

Status RunKernel(KernelFn kernel, KernelContext& context) {
  // This is the only place that catches: kernels hold intermediate values in vectors, whose sizes
  // follow from the model and its inputs.
  const auto no_memory = [&] {
    return InvalidInput("not enough memory for the intermediate values of {}",
                        context.args().def().name);
  };
  try {
    return kernel(context);
  } catch (const std::bad_alloc&) {
    return no_memory();
  } catch (const std::length_error&) {
    return no_memory();
  }
}

bool KernelContext::Has(std::string_view param) const { return Count(param) != 0; }

size_t KernelContext::Count(std::string_view param) const {
  for (const Bound& bound : inputs_) {
    if (bound.param == param) return bound.tensors.size();
  }
  return 0;
}

Result<ConstTensor> KernelContext::Input(std::string_view param, size_t index) {
  for (const Bound& bound : inputs_) {
    if (bound.param == param && index < bound.tensors.size()) return bound.tensors[index];
  }
  const ir::Literal* value = args_.ValueOf(param, index);
  if (value == nullptr)
    return InvalidInput("parameter '{}' of {} is missing", param, args_.def().name);
  ANEMONE_ASSIGN(Tensor tensor, Tensor::FromLiteral(*value));
  defaults_.push_back(std::move(tensor));
  return defaults_.back().view();
}

Result<MutableTensor> KernelContext::Output(size_t index) {
  const ir::Type& type = output_types_[index];
  if (!type.is_static()) {
    return Internal("the shape {} of output {} of {} is not known", type.ToString(), index,
                    args_.def().name);
  }
  return AllocateOutput(index, type.shape());
}

Result<MutableTensor> KernelContext::AllocateOutput(size_t index, const Shape& shape) {
  return allocator_(index, StorageDType(output_types_[index].dtype()), shape);
}

Result<std::vector<Tensor>> Evaluate(const ir::OpDef& def, ir::Opset opset,
                                     const std::vector<EvalInput>& inputs,
                                     const RoundingRule& rounding) {
  return EvaluateAs(def, opset, inputs, {.rounding = rounding});
}

Result<std::vector<Tensor>> EvaluateAs(const ir::OpDef& def, ir::Opset opset,
                                       const std::vector<EvalInput>& inputs,
                                       const EvaluateOptions& options) {
  ir::OpArgs args(def, opset);
  std::deque<ir::Literal> known;
  for (const EvalInput& input : inputs) {
    std::vector<ir::OpArgs::Arg> list;
    for (const ir::Literal* literal : input.known) list.push_back({literal->type(), literal});
    for (size_t i = 0; i < input.tensors.size(); ++i) {
      const Tensor& tensor = input.tensors[i];
      const DType dtype = i < input.declared.size() ? input.declared[i] : tensor.dtype();
      const ir::Literal* value = nullptr;
      if (tensor.count() <= kKnownElements) {
        ANEMONE_ASSIGN(ir::Literal literal, tensor.ToLiteral(dtype));
        known.push_back(std::move(literal));
        value = &known.back();
      }
      list.push_back({ir::Type::Tensor(dtype, tensor.shape()), value});
    }
    args.AddAll(input.param, std::move(list));
  }
  std::vector<ir::Type> types;
  return RunKernel(args, inputs, options.declared, options.rounding, options.int64_results, &types);
}

Result<std::vector<ir::Literal>> Fold(const ir::OpDef& def, ir::Opset opset,
                                      const std::vector<FoldInput>& inputs, bool int64_results) {
  ir::OpArgs args(def, opset);
  std::vector<EvalInput> tensors;
  for (const FoldInput& input : inputs) {
    std::vector<ir::OpArgs::Arg> list;
    EvalInput bound{input.param, {}, {}, {}};
    for (const ir::Literal* literal : input.literals) {
      list.push_back({literal->type(), literal});
      if (literal->type().is_tensor() && literal->dtype() != DType::kString) {
        ANEMONE_ASSIGN(Tensor tensor, Tensor::FromLiteral(*literal));
        bound.tensors.push_back(std::move(tensor));
      }
    }
    args.AddAll(input.param, std::move(list));
    if (!bound.tensors.empty()) tensors.push_back(std::move(bound));
  }
  std::vector<ir::Type> types;
  ANEMONE_ASSIGN(auto outputs, RunKernel(args, tensors, {}, {}, int64_results, &types));
  std::vector<ir::Literal> literals;
  for (size_t i = 0; i < outputs.size(); ++i) {
    ANEMONE_ASSIGN(ir::Literal literal, outputs[i].ToLiteral(types[i].dtype()));
    literals.push_back(std::move(literal));
  }
  return literals;
}

}  // namespace anemone::exec
