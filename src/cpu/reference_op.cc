#include "cpu/reference_op.h"

#include <cstring>
#include <utility>

#include "exec/int64_results.h"

namespace anemone::cpu {
namespace {

// Integers known only at run time are passed to the kernel's argument checks up to this many.
constexpr int64_t kKnownElements = 4096;

bool IsInteger(DType dtype) { return IsInt(dtype) || dtype == DType::kBool; }

}  // namespace

Result<ir::OpArgs> ReferenceOp::ArgsOf(const Frame& frame, std::deque<ir::Literal>* made) const {
  ir::OpArgs args(*def, opset);
  for (const Input& input : inputs) {
    std::vector<ir::OpArgs::Arg> list;
    for (const Operand& operand : input.operands) {
      const ir::Literal* known = operand.known;
      const int64_t count = operand.type.element_count().value_or(0);
      if (known == nullptr && IsInteger(operand.type.dtype()) && count <= kKnownElements) {
        const exec::ConstTensor view{exec::StorageDType(operand.type.dtype()), operand.type.shape(),
                                     frame.In(operand.buffer)};
        ANEMONE_ASSIGN(exec::Tensor tensor, exec::Tensor::Copy(view));
        ANEMONE_ASSIGN(ir::Literal literal, tensor.ToLiteral(operand.type.dtype()));
        known = &made->emplace_back(std::move(literal));
      }
      list.push_back({operand.type, known});
    }
    args.AddAll(input.param, std::move(list));
  }
  return args;
}

Status ReferenceOp::Run(Frame& frame) const {
  std::deque<ir::Literal> made;
  ANEMONE_ASSIGN(const ir::OpArgs args, ArgsOf(frame, &made));
  exec::KernelContext context(
      args, outputs,
      [&](size_t index, DType dtype, const exec::Shape& shape) -> Result<exec::MutableTensor> {
        if (shape != outputs[index].shape()) {
          return Internal("output {} has shape {}, but {} was planned", index,
                          ir::ShapeToString(shape), ir::ShapeToString(outputs[index].shape()));
        }
        return exec::MutableTensor{dtype, shape, frame.Out(buffers[index])};
      });
  for (const Input& input : inputs) {
    std::vector<exec::ConstTensor> views;
    for (const Operand& operand : input.operands) {
      if (operand.buffer == kNoBuffer) continue;
      views.push_back({exec::StorageDType(operand.type.dtype()), operand.type.shape(),
                       frame.In(operand.buffer)});
    }
    if (!views.empty()) context.Bind(input.param, std::move(views));
  }
  ANEMONE_TRY(exec::RunKernel(kernel, context));
  if (int64_results) ANEMONE_TRY(CheckInt64Results(args, frame));
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!rounding.Rounds(outputs[i].dtype())) continue;
    RoundToHalf(
        {frame.Out(buffers[i]), static_cast<size_t>(outputs[i].element_count().value_or(0))});
  }
  return {};
}

Status ReferenceOp::CheckInt64Results(const ir::OpArgs& args, const Frame& frame) const {
  const auto copy = [&](const ir::Type& type, BufferId buffer) {
    return exec::Tensor::Copy({exec::StorageDType(type.dtype()), type.shape(), frame.In(buffer)});
  };
  std::vector<exec::EvalInput> tensors;
  for (const Input& input : inputs) {
    exec::EvalInput made{input.param, {}, {}, {}};
    for (const Operand& operand : input.operands) {
      if (operand.buffer == kNoBuffer) continue;
      ANEMONE_ASSIGN(exec::Tensor tensor, copy(operand.type, operand.buffer));
      made.tensors.push_back(std::move(tensor));
    }
    if (!made.tensors.empty()) tensors.push_back(std::move(made));
  }
  std::vector<exec::Tensor> results;
  for (size_t i = 0; i < outputs.size(); ++i) {
    ANEMONE_ASSIGN(exec::Tensor result, copy(outputs[i], buffers[i]));
    results.push_back(std::move(result));
  }
  return exec::CheckInt64Results(args, tensors, results);
}

Status RunInterpreted(const ir::Operation& operation, const std::vector<InterpretedOutput>& outputs,
                      Frame& frame) {
  ANEMONE_TRY(frame.interpreter->Run(operation));
  for (const InterpretedOutput& output : outputs) {
    ANEMONE_ASSIGN(const auto slot, frame.interpreter->Get(*output.value));
    if (slot.tensor.shape() != output.type.shape()) {
      return InvalidInput("output '{}' has shape {}, but is declared {}", output.value->name,
                          ir::ShapeToString(slot.tensor.shape()),
                          ir::ShapeToString(output.type.shape()));
    }
    std::memcpy(frame.at[static_cast<size_t>(output.buffer)], slot.tensor.view().data,
                slot.tensor.size_bytes());
  }
  return {};
}

}  // namespace anemone::cpu
