#include "exec/int64_results.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace anemone::exec {
namespace {

constexpr double kEnd = 2147483648.0;  // 2^31

Error Beyond(double value) {
  return InvalidInput(
             "its result, about {:.6g}, does not fit in the 32 bits of Core ML's integers; the "
             "model that was converted computes it in 64 bits [int64_results]",
             value)
      .Advise("compute it in floats in the model, or keep the numbers before it smaller");
}

// A cast. NaN and the infinities are no integers in 64 bits either.
Status CheckFloats(const Tensor& x) {
  const float* values = x.As<float>();
  for (int64_t i = 0; i < x.count(); ++i) {
    const double value = values[i];
    if (std::isfinite(value) && (value >= kEnd || value < -kEnd)) return Beyond(value);
  }
  return {};
}

// Whether the operator takes floats in the place of the parameter's integers.
bool TakesFloats(const ir::OpDef& def, std::string_view param) {
  const ir::Param* found = def.FindParam(param);
  return found != nullptr && std::ranges::any_of(def.domains, [&](const ir::TypeDomain& domain) {
           return domain.name == found->types &&
                  domain.dtypes.find("fp32") != std::string_view::npos;
         });
}

Result<Tensor> ToFloats(const Tensor& x) {
  ANEMONE_ASSIGN(Tensor floats, Tensor::Allocate(DType::kFp32, x.shape()));
  std::copy_n(x.As<int32_t>(), x.count(), floats.As<float>());
  return floats;
}

}  // namespace

Status CheckInt64Results(const ir::OpArgs& args, const std::vector<EvalInput>& inputs,
                         const std::vector<Tensor>& results) {
  const ir::OpDef& def = args.def();
  std::vector<EvalInput> floats;
  for (const EvalInput& input : inputs) {
    EvalInput& made = floats.emplace_back(EvalInput{input.param, {}, {}, input.known});
    const bool takes_floats = TakesFloats(def, input.param);
    for (const Tensor& tensor : input.tensors) {
      if (takes_floats && tensor.dtype() == DType::kFp32) return CheckFloats(tensor);
      if (!takes_floats || tensor.dtype() != DType::kInt32) {
        made.tensors.push_back(tensor);
        continue;
      }
      ANEMONE_ASSIGN(Tensor converted, ToFloats(tensor));
      made.tensors.push_back(std::move(converted));
    }
  }
  // Known values that no tensor holds: strings.
  for (const ir::Param& param : def.params) {
    const auto is_it = [&](const EvalInput& input) { return input.param == param.name; };
    if (!args.Has(param.name) || std::ranges::any_of(floats, is_it)) continue;
    EvalInput made{param.name, {}, {}, {}};
    for (size_t i = 0; i < args.Count(param.name); ++i) {
      made.known.push_back(args.ValueOf(param.name, i));
    }
    floats.push_back(std::move(made));
  }
  ANEMONE_ASSIGN(const auto numbers, Evaluate(def, args.opset(), floats));
  for (size_t i = 0; i < std::min(numbers.size(), results.size()); ++i) {
    if (results[i].dtype() != DType::kInt32 || numbers[i].dtype() != DType::kFp32) continue;
    const auto* integers = results[i].As<int32_t>();
    const float* values = numbers[i].As<float>();
    for (int64_t j = 0; j < std::min(results[i].count(), numbers[i].count()); ++j) {
      // What wrapped around lacks 2^32 or more; a rounded float32 lacks a few thousand at most.
      const double value = values[j];
      if (!(std::fabs(value - static_cast<double>(integers[j])) < kEnd)) return Beyond(value);
    }
  }
  return {};
}

}  // namespace anemone::exec
