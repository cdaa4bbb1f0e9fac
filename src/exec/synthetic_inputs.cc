#include "exec/synthetic_inputs.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "ir/feature_shapes.h"

namespace anemone::exec {
namespace {

Result<Tensor> SyntheticTensor(const ir::Value& input, const ir::Shape& shape, Random random) {
  ANEMONE_ASSIGN(Tensor tensor, Tensor::Allocate(StorageDType(input.type.dtype()), shape));
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

Result<std::map<std::string, Tensor>> SyntheticInputs(const ir::Model& model,
                                                      const ir::Function& function, uint64_t seed,
                                                      int sample) {
  std::map<std::string, Tensor> inputs;
  for (const auto& input : function.inputs()) {
    if (input->type.is_state()) continue;
    ANEMONE_ASSIGN(const ir::Shape shape, ir::DefaultInputShape(model, function, *input));
    ANEMONE_ASSIGN(
        inputs[input->name],
        SyntheticTensor(*input, shape, Random(seed, input->name + "#" + std::to_string(sample))));
  }
  return inputs;
}

void MakePixels(const ir::Model& model, const ir::Function& function,
                std::map<std::string, Tensor>* inputs) {
  const ir::FunctionDescription* description = model.FindFunction(function.name);
  if (description == nullptr) return;
  for (auto& [name, tensor] : *inputs) {
    const ir::Feature* feature = description->FindInput(name);
    if (feature == nullptr || feature->image() == nullptr || tensor.dtype() != DType::kFp32) {
      continue;
    }
    for (int64_t i = 0; i < tensor.count(); ++i) {
      float& value = tensor.As<float>()[i];
      value = std::clamp(std::nearbyint(128.0F + 64.0F * value), 0.0F, 255.0F);
    }
  }
}

}  // namespace anemone::exec
