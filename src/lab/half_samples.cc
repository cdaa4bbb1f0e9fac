#include "lab/half_samples.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/random.h"
#include "exec/synthetic_inputs.h"

namespace anemone::lab {
namespace {

constexpr int kHalfSamples = 4;

// Operators whose result holds the elements of their `x`.
bool PassesElements(std::string_view type) {
  constexpr std::array<std::string_view, 7> kTypes = {
      "cast", "expand_dims", "identity", "reshape", "transpose", "squeeze", "tile"};
  return std::ranges::find(kTypes, type) != kTypes.end();
}

// How many values the integers of `input` may have: the size of the smallest table that they index;
// 0 when they index none.
int64_t TableSize(const ir::UseMap& uses, const ir::Value* input) {
  int64_t size = 0;
  const auto take = [&](int64_t found) {
    if (found > 0) size = size == 0 ? found : std::min(size, found);
  };
  std::vector<const ir::Value*> reached = {input};
  std::unordered_set<const ir::Value*> seen = {input};
  for (size_t i = 0; i < reached.size(); ++i) {
    const auto found = uses.find(reached[i]);
    if (found == uses.end()) continue;
    for (const ir::Use& use : found->second) {
      const ir::Operation* user = use.operation;
      if (user == nullptr) continue;
      if (user->type() == "gather" && user->Input("indices") == reached[i]) {
        const ir::Value* table = user->Input("x");
        const ir::Value* axis = user->Input("axis");
        const int64_t rank = table->type.has_rank() ? table->type.rank() : 0;
        int64_t at = axis != nullptr && axis->is_const() ? axis->literal->AsInt().value_or(0) : 0;
        if (at < 0) at += rank;
        if (at < rank) take(table->type.shape()[static_cast<size_t>(at)]);
      } else if (user->type() == "one_hot" && user->Input("indices") == reached[i]) {
        const ir::Value* depth = user->Input("one_hot_vector_size");
        if (depth != nullptr && depth->is_const()) take(depth->literal->AsInt().value_or(0));
      } else if (PassesElements(user->type()) && !user->outputs().empty() &&
                 seen.insert(user->output()).second) {
        reached.push_back(user->output());
      }
    }
  }
  return size;
}

}  // namespace

std::string DescribeHalfSamples() { return fmt::format("{} random inputs", kHalfSamples); }

Result<std::vector<Inputs>> HalfSamples(const ir::Model& model, const ir::Function& function,
                                        int64_t integers) {
  const ir::UseMap uses = ir::FindUses(function);
  std::vector<Inputs> samples;
  for (int sample = 0; sample < kHalfSamples; ++sample) {
    ANEMONE_ASSIGN(Inputs inputs, exec::SyntheticInputs(model, function, 0, sample));
    for (const auto& input : function.inputs()) {
      const auto found = inputs.find(input->name);
      if (found == inputs.end()) continue;
      exec::Tensor& tensor = found->second;
      // Half of the samples as normalized networks see numbers, half as others do.
      const ir::FunctionDescription* described = model.FindFunction(function.name);
      const ir::Feature* feature =
          described != nullptr ? described->FindInput(input->name) : nullptr;
      const bool image = feature != nullptr && feature->image() != nullptr;
      Random random(0, input->name + "%" + std::to_string(sample));
      if (tensor.dtype() == DType::kFp32 && sample % 2 == 1 && !image)
        random.FillUniform({tensor.As<float>(), static_cast<size_t>(tensor.count())}, 0, 1);
      if (tensor.dtype() != DType::kInt32) continue;
      const int64_t table = TableSize(uses, input.get());
      // The first range gives way to a table, the narrower ones cut it.
      const bool whole = table > 0 && (integers == kIntegerRanges[0] || table < integers);
      const int64_t values = whole ? table : integers;
      for (int64_t i = 0; i < tensor.count(); ++i) {
        tensor.As<int32_t>()[i] = static_cast<int32_t>(
            random.NextBits() % static_cast<uint64_t>(std::min<int64_t>(values, INT32_MAX)));
      }
    }
    exec::MakePixels(model, function, &inputs);
    samples.push_back(std::move(inputs));
  }
  return samples;
}

}  // namespace anemone::lab
