#include "lab/precision.h"

#include "base/dtype.h"
#include "exec/function_inputs.h"
#include "ir/program.h"

namespace anemone::lab {

Precision LookAtPrecision(const ir::Model& model) {
  Precision found;
  const auto function = exec::ChooseFunction(model, "");
  if (!function.ok()) return found;
  ir::ForEachOperation(*(*function)->block, [&](const ir::Operation& operation) {
    found.compressed |= operation.is_constexpr();
    for (const auto& output : operation.outputs())
      found.half |= output->type.is_tensor() && output->type.dtype() == DType::kFp16;
  });
  return found;
}

std::string PrecisionOf(const ir::Model& model) {
  if (!exec::ChooseFunction(model, "").ok()) return {};
  const Precision found = LookAtPrecision(model);
  return found.compressed ? "int8" : found.half ? "fp16" : "fp32";
}

ChosenLimits ChooseLimits(const ir::Model& reference, const ir::Model& variant, bool half) {
  const Precision precision = LookAtPrecision(variant);
  if (precision.compressed) return {kInt8Limits, "int8", "the variant has compressed weights"};
  if (precision.half || half)
    return {kFp16Limits, "fp16", "the variant computes in half precision"};
  // A reference that rounds to half precision cannot be met more closely than that.
  if (LookAtPrecision(reference).half)
    return {kFp16Limits, "fp16", "the reference computes in half precision"};
  return {kFp32Limits, "fp32", "the variant computes in float32, with plain weights"};
}

}  // namespace anemone::lab
