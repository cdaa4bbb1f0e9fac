#include "exec/synthetic_inputs.h"

#include "base/random.h"

namespace anemone::exec {
namespace {

Result<Tensor> SyntheticTensor(const ir::Value& input, Random random) {
  if (!input.type.is_static()) {
    return Unsupported("input '{}' has the dynamic type {}", input.name, input.type.ToString())
        .Advise("give the input's values, or fix its shape with --input NAME:SHAPE");
  }
  ANEMONE_ASSIGN(Tensor tensor,
                 Tensor::Allocate(StorageDType(input.type.dtype()), input.type.shape()));
  const auto count = static_cast<size_t>(tensor.count());
  switch (tensor.dtype()) {
    case DType::kFp32:
      random.FillNormal({tensor.As<float>(), count}, 0, 1);
      break;
    case DType::kInt32:
      for (size_t i = 0; i < count; ++i)
        tensor.As<int32_t>()[i] = static_cast<int32_t>(random.NextBits() % 10);
      break;
    case DType::kInt16:
    case DType::kUInt16:
      for (size_t i = 0; i < count; ++i)
        tensor.As<int16_t>()[i] = static_cast<int16_t>(random.NextBits() % 10);
      break;
    default:
      for (size_t i = 0; i < count; ++i)
        tensor.As<uint8_t>()[i] = static_cast<uint8_t>(random.NextBits() % 2);
  }
  return tensor;
}

}  // namespace

Result<std::map<std::string, Tensor>> SyntheticInputs(const ir::Function& function, uint64_t seed,
                                                      int sample) {
  std::map<std::string, Tensor> inputs;
  for (const auto& input : function.inputs()) {
    if (input->type.is_state()) continue;
    ANEMONE_ASSIGN(
        inputs[input->name],
        SyntheticTensor(*input, Random(seed, input->name + "#" + std::to_string(sample))));
  }
  return inputs;
}

}  // namespace anemone::exec
