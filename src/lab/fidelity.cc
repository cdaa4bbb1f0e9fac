#include "lab/fidelity.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "lab/half_check.h"
#include "lab/half_search.h"
#include "lab/parity_json.h"
#include "lab/verify.h"
#include "passes/float16.h"

namespace anemone::lab {
namespace {

Result<std::vector<OutputParity>> Compare(const exec::Backend& backend,
                                          const std::shared_ptr<const ir::Model>& model,
                                          const std::shared_ptr<const ir::Model>& half,
                                          exec::Numerics numerics, const Samples& samples,
                                          const FidelityOptions& options) {
  VerifyOptions verify;
  verify.threads = options.threads;
  verify.reference_numerics = exec::Numerics::kFloat32;
  verify.variant_numerics = numerics;
  std::vector<Inputs> inputs;
  for (int64_t i = 0; i < samples.count(); ++i) inputs.push_back(samples.at(i));
  return VerifyOn(backend, model, half, options.limits, verify, inputs);
}

bool AllPassed(const std::vector<OutputParity>& outputs) {
  return std::ranges::all_of(outputs,
                             [](const OutputParity& output) { return output.judged.passed; });
}

}  // namespace

Result<Fidelity> DiagnoseFloat16(const exec::Backend& backend,
                                 std::shared_ptr<const ir::Model> model, const Samples& samples,
                                 const FidelityOptions& options) {
  Fidelity fidelity;
  fidelity.inputs = samples.description();
  std::vector<Inputs> inputs;
  for (int64_t i = 0; i < samples.count(); ++i) inputs.push_back(samples.at(i));
  ANEMONE_ASSIGN(fidelity.operators, TraceHalf(backend, model, "", inputs, options.threads));
  std::vector<const OperatorFidelity*> order;
  for (const OperatorFidelity& row : fidelity.operators) {
    if (fidelity.first_overflow.empty() && row.overflowing > 0) fidelity.first_overflow = row.name;
    if (fidelity.first_not_a_number.empty() && row.not_a_number > 0)
      fidelity.first_not_a_number = row.name;
    if (row.added > 0) order.push_back(&row);
  }
  std::ranges::stable_sort(order, std::greater(), &OperatorFidelity::added);
  for (size_t i = 0; i < std::min(order.size(), options.max_dominant); ++i)
    fidelity.dominant.push_back(order[i]->name);

  std::shared_ptr<const ir::Model> converted;
  if (options.to_float16) {
    ANEMONE_ASSIGN(converted, options.to_float16(*model, {}));
  }
  // Core ML's float16 program if it can be made; otherwise every result is rounded.
  ANEMONE_ASSIGN(
      fidelity.outputs,
      Compare(backend, model, converted ? converted : model,
              converted ? exec::Numerics::kAsTyped : exec::Numerics::kFloat16, samples, options));
  fidelity.passed = AllPassed(fidelity.outputs);
  if (!options.to_float16) return fidelity;
  ANEMONE_ASSIGN(const HalfCheck check,
                 HalfCheck::Make(backend, model, "", std::move(inputs), options.threads));
  HalfSearchOptions search;
  search.limit = options.limits.linf;
  search.goal = options.limits.linf / 2;
  search.to_float16 = options.to_float16;
  ANEMONE_ASSIGN(const HalfPlan plan, PlanHalf(check, search));
  if (plan.keep.empty() && plan.rescaled == 0) return fidelity;
  fidelity.rescaled = plan.rescaled;
  for (const std::string& name : plan.keep)
    fidelity.keep_float32.push_back(passes::OperationPatterns::Of(name));
  ANEMONE_ASSIGN(const auto kept,
                 options.to_float16(*plan.base, {plan.keep.begin(), plan.keep.end()}));
  ANEMONE_ASSIGN(fidelity.kept_outputs,
                 Compare(backend, model, kept, exec::Numerics::kAsTyped, samples, options));
  fidelity.kept_passed = AllPassed(fidelity.kept_outputs);
  return fidelity;
}

std::string FidelityJson(const Fidelity& fidelity) {
  const auto name = [](const std::string& text) {
    return text.empty() ? Json(nullptr) : Json(text);
  };
  const auto outputs = [](const std::vector<OutputParity>& list) {
    Json rows = Json::Array();
    for (const OutputParity& output : list) {
      Json row{{"output", output.output}};
      row.Update(ParityJson(output.parity));
      row["limit_l_inf"] = output.limits.linf;
      row["limit_rmse"] = output.limits.rmse;
      row["passed"] = output.judged.passed;
      rows.push_back(std::move(row));
    }
    return rows;
  };
  Json json;
  json["inputs"] = fidelity.inputs;
  json["passed"] = fidelity.passed;
  json["first_overflow"] = name(fidelity.first_overflow);
  json["first_not_a_number"] = name(fidelity.first_not_a_number);
  json["dominant"] = fidelity.dominant;
  json["keep_float32"] = fidelity.keep_float32;
  json["rescaled_operators"] = fidelity.rescaled;
  json["keep_float32_passed"] =
      fidelity.kept_outputs.empty() ? Json(nullptr) : Json(fidelity.kept_passed);
  json["outputs"] = outputs(fidelity.outputs);
  json["outputs_with_keep_float32"] = outputs(fidelity.kept_outputs);
  Json rows = Json::Array();
  for (const OperatorFidelity& row : fidelity.operators) {
    rows.push_back({{"name", row.name},
                    {"type", row.type},
                    {"largest", FiniteOrNull(row.largest)},
                    {"overflowing", row.overflowing},
                    {"not_a_number", row.not_a_number},
                    {"error", FiniteOrNull(row.error)},
                    {"added", FiniteOrNull(row.added)}});
  }
  json["operators"] = std::move(rows);
  return json.Dump();
}

}  // namespace anemone::lab
