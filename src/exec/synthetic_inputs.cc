#include "exec/synthetic_inputs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_set>
#include <vector>

#include "base/random.h"
#include "ir/feature_shapes.h"

namespace anemone::exec {
namespace {

// Operators that pass integers on to where they are used as indices.
bool PassesIndices(std::string_view type) {
  constexpr std::array kNames =
      std::to_array<std::string_view>({"cast", "expand_dims", "identity", "reshape", "select",
                                       "slice_by_index", "squeeze", "transpose"});
  return std::ranges::find(kNames, type) != kNames.end();
}

// How many values an integer input may have: the smallest dimension that it indexes, as of a table of
// embeddings; 10 where it indexes none, or a larger one.
uint32_t ChoicesOf(const ir::Value& input, const ir::UseMap& uses) {
  uint32_t choices = 10;
  std::vector<const ir::Value*> pending = {&input};
  std::unordered_set<const ir::Value*> seen(pending.begin(), pending.end());
  while (!pending.empty()) {
    const ir::Value* value = pending.back();
    pending.pop_back();
    const auto found = uses.find(value);
    if (found == uses.end()) continue;
    for (const ir::Use& use : found->second) {
      const ir::Operation* user = use.operation;
      if (user == nullptr) continue;
      if (user->type() == "gather" && user->Input("indices") == value) {
        const ir::Value* x = user->Input("x");
        const ir::Value* axis = user->Input("axis");
        const auto at = axis != nullptr && axis->is_const() ? axis->literal->AsInt() : std::nullopt;
        if (!at || !x->type.has_rank()) continue;
        const int64_t d = *at < 0 ? *at + x->type.rank() : *at;
        if (d < 0 || d >= x->type.rank()) continue;
        const int64_t size = x->type.shape()[static_cast<size_t>(d)];
        if (size > 0 && size < choices) choices = static_cast<uint32_t>(size);
      } else if (PassesIndices(user->type()) && seen.insert(user->output()).second) {
        pending.push_back(user->output());
      }
    }
  }
  return choices;
}

Result<Tensor> SyntheticTensor(const ir::Value& input, const ir::Shape& shape, Random random,
                               uint32_t choices) {
  ANEMONE_ASSIGN(Tensor tensor, Tensor::Allocate(StorageDType(input.type.dtype()), shape));
  const auto count = static_cast<size_t>(tensor.count());
  switch (tensor.dtype()) {
    case DType::kFp32:
      random.FillNormal({tensor.As<float>(), count}, 0, 1);
      break;
    case DType::kInt32:
      for (size_t i = 0; i < count; ++i)
        tensor.As<int32_t>()[i] = static_cast<int32_t>(random.NextBits() % choices);
      break;
    case DType::kInt16:
    case DType::kUInt16:
      for (size_t i = 0; i < count; ++i)
        tensor.As<int16_t>()[i] = static_cast<int16_t>(random.NextBits() % choices);
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
  ir::UseMap uses;
  if (std::ranges::any_of(function.inputs(), [](const auto& input) {
        return input->type.is_tensor() && IsInt(input->type.dtype());
      })) {
    uses = ir::FindUses(function);
  }
  for (const auto& input : function.inputs()) {
    if (input->type.is_state()) continue;
    ANEMONE_ASSIGN(const ir::Shape shape, ir::DefaultInputShape(model, function, *input));
    ANEMONE_ASSIGN(
        inputs[input->name],
        SyntheticTensor(*input, shape, Random(seed, input->name + "#" + std::to_string(sample)),
                        ChoicesOf(*input, uses)));
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
