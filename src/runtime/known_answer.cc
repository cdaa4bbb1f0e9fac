#include "runtime/known_answer.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "exec/failure.h"
#include "exec/function_inputs.h"
#include "exec/synthetic_inputs.h"

namespace anemone::runtime {
namespace {

using Tensors = std::map<std::string, exec::Tensor>;

Status CheckOutput(const std::string& name, const exec::ConstTensor& expected,
                   const exec::ConstTensor& given, const AnswerLimits& limits) {
  if (given.dtype != expected.dtype || given.shape != expected.shape) {
    return exec::Failure(exec::FailureKind::kSchemaMismatch,
                         fmt::format("output '{}' is {} {}, but should be {} {}", name,
                                     DTypeName(given.dtype), ir::ShapeToString(given.shape),
                                     DTypeName(expected.dtype), ir::ShapeToString(expected.shape)));
  }
  if (!AllFinite(given)) {
    return exec::Failure(exec::FailureKind::kNonFinite,
                         fmt::format("output '{}' holds a NaN or an infinity", name));
  }
  // Integers are choices (a label, an arg-max) that half precision may flip: only
  // floats are judged.
  if (expected.dtype != DType::kFp32) return {};
  const auto count = static_cast<size_t>(expected.count());
  const float* want = expected.As<float>();
  const float* have = given.As<float>();
  double low = 0, high = 0, largest = 0, squares = 0;
  for (size_t i = 0; i < count; ++i) {
    low = std::min<double>(low, want[i]);
    high = std::max<double>(high, want[i]);
    const double off = std::abs(static_cast<double>(want[i]) - have[i]);
    largest = std::max(largest, off);
    squares += off * off;
  }
  if (count == 0 || high == low) return {};
  const double linf = largest / (high - low);
  const double rmse = std::sqrt(squares / static_cast<double>(count)) / (high - low);
  if (linf <= limits.linf_of_range && rmse <= limits.rmse_of_range) return {};
  return exec::Failure(
      exec::FailureKind::kParityDrift,
      fmt::format("output '{}' is off by {:.3g} of its range (RMSE {:.3g}); {:.3g} and {:.3g} are "
                  "allowed",
                  name, linf, rmse, limits.linf_of_range, limits.rmse_of_range));
}

}  // namespace

bool AllFinite(const exec::ConstTensor& tensor) {
  if (tensor.dtype != DType::kFp32) return true;
  // Exponent bits all set; an integer loop vectorizes.
  constexpr uint32_t kExponent = 0x7f800000;
  const auto count = static_cast<size_t>(tensor.count());
  const float* values = tensor.As<float>();
  uint32_t bad = 0;
  for (size_t i = 0; i < count; ++i) {
    bad |= (std::bit_cast<uint32_t>(values[i]) & kExponent) == kExponent ? 1 : 0;
  }
  return bad == 0;
}

bool AllFinite(const Tensors& tensors) {
  return std::all_of(tensors.begin(), tensors.end(),
                     [](const auto& entry) { return AllFinite(entry.second.view()); });
}

Result<KnownAnswer> KnownAnswer::Make(const exec::Backend& trusted,
                                      std::shared_ptr<const ir::Model> model,
                                      const exec::LoadOptions& options) {
  KnownAnswer answer;
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*model, options.function));
  ANEMONE_ASSIGN(answer.inputs_, exec::SyntheticInputs(*model, *function, 1, 0));
  exec::MakePixels(*model, *function, &answer.inputs_);
  ANEMONE_ASSIGN(const auto executable, trusted.Load(std::move(model), options));
  exec::State state;
  ANEMONE_ASSIGN(answer.outputs_, executable->Run(answer.inputs_, &state, nullptr));
  if (!AllFinite(answer.outputs_)) {
    return Unsupported("the answer of the {} backend to a seeded input is not finite",
                       trusted.name());
  }
  return answer;
}

Status KnownAnswer::Check(const Tensors& outputs, const AnswerLimits& limits) const {
  for (const auto& [name, expected] : outputs_) {
    const auto given = outputs.find(name);
    if (given == outputs.end()) {
      return exec::Failure(exec::FailureKind::kSchemaMismatch,
                           fmt::format("output '{}' is missing", name));
    }
    ANEMONE_TRY(CheckOutput(name, expected.view(), given->second.view(), limits));
  }
  return {};
}

Status KnownAnswer::Ask(exec::Executable& executable, const AnswerLimits& limits) const {
  exec::State state;
  ANEMONE_ASSIGN(const auto outputs, executable.Run(inputs_, &state, nullptr));
  return Check(outputs, limits);
}

}  // namespace anemone::runtime
