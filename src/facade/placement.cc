// RunPlacement: the agreement of predictions with plans of real machines, with the document
// "anemone.placement_score".
#include "exec/function_inputs.h"
#include "facade/document.h"
#include "facade/tool_options.h"
#include "facade/tools.h"
#include "options/option.h"
#include "placement/analyze.h"
#include "placement/plan.h"
#include "placement/score.h"
#include "runtime/run_record_io.h"

namespace anemone::facade {
namespace {

using placement::ComputePlan;

// The planned units of a run record's header: no supported sets, no costs.
Result<ComputePlan> PlanOfRecord(const std::string& path) {
  ANEMONE_ASSIGN(const runtime::RunRecord record, runtime::ReadRunRecord(path));
  if (!record.header.planned_units) return InvalidInput("the run record holds no plan").At(path);
  ComputePlan plan;
  plan.form = "run record";
  plan.chip = record.header.machine.chip.value_or("");
  const auto units = ComputeUnitsFromName(record.header.compute_units);
  if (units.ok()) plan.units = *units;
  for (const auto& [name, unit] : *record.header.planned_units) {
    placement::PlannedOperation operation;
    operation.name = name;
    operation.preferred = unit;
    const bool one = unit != ComputeUnit::kUnknown && unit != ComputeUnit::kMixed;
    if (one) plan.operations.push_back(std::move(operation));
  }
  return plan;
}

Result<ComputePlan> ReadReport(const std::string& path) {
  if (path.ends_with(".jsonl")) return PlanOfRecord(path);
  return placement::ReadComputePlan(path);
}

// What was named, else what the report says, else an error: rules differ by chip.
Result<const placement::Chip*> ChipOf(const std::string& named, const ComputePlan& plan,
                                      const std::string& path) {
  if (!named.empty()) return placement::FindChip(named);
  std::string_view name = plan.chip;
  if (name.starts_with("Apple ")) name.remove_prefix(6);
  if (name.empty()) {
    return Usage("the report does not say on which chip the plan was made: give --chip").At(path);
  }
  return placement::FindChip(name).At(path);
}

PlacementResult::Agreement AgreementRow(const placement::Agreement& agreement) {
  return {agreement.name,       agreement.operations,         agreement.sets_compared,
          agreement.sets_right, agreement.preferred_compared, agreement.preferred_right};
}

std::vector<std::string> UnitNames(const std::vector<ComputeUnit>& units) {
  std::vector<std::string> names;
  for (const ComputeUnit unit : units) names.emplace_back(ComputeUnitName(unit));
  return names;
}

std::string UnitNameOf(ComputeUnit unit) {
  return unit == ComputeUnit::kUnknown ? "" : std::string(ComputeUnitName(unit));
}

PlacementResult ToResult(const placement::Score& score) {
  PlacementResult result;
  result.all = AgreementRow(score.all);
  result.not_in_plan = score.not_in_plan;
  result.not_in_model = score.not_in_model;
  for (const auto& row : score.by_operator) result.by_operator.push_back(AgreementRow(row));
  for (const auto& row : score.by_rule) result.by_rule.push_back(AgreementRow(row));
  for (const placement::Disagreement& row : score.disagreements) {
    result.disagreements.push_back({row.name, row.type, row.rule, UnitNames(row.predicted),
                                    UnitNames(row.planned), UnitNameOf(row.predicted_preferred),
                                    UnitNameOf(row.planned_preferred)});
  }
  return result;
}

Json AgreementJson(const PlacementResult::Agreement& agreement) {
  Json json;
  if (!agreement.name.empty()) json["name"] = agreement.name;
  json["operations"] = agreement.operations;
  json["units_compared"] = agreement.units_compared;
  json["units_right"] = agreement.units_right;
  json["preferred_compared"] = agreement.preferred_compared;
  json["preferred_right"] = agreement.preferred_right;
  return json;
}

std::string ScoreJson(const PlacementResult& result) {
  const auto text_or_null = [](const std::string& text) {
    return text.empty() ? Json() : Json(text);
  };
  Json json = Document("anemone.placement_score");
  json["all"] = AgreementJson(result.all);
  json["not_in_plan"] = result.not_in_plan;
  json["not_in_model"] = result.not_in_model;
  json["by_operator"] = Json::Array();
  for (const auto& row : result.by_operator) json["by_operator"].push_back(AgreementJson(row));
  json["by_rule"] = Json::Array();
  for (const auto& row : result.by_rule) json["by_rule"].push_back(AgreementJson(row));
  json["disagreements"] = Json::Array();
  for (const auto& row : result.disagreements) {
    json["disagreements"].push_back({{"name", row.name},
                                     {"type", row.type},
                                     {"rule", row.rule},
                                     {"predicted", row.predicted},
                                     {"planned", row.planned},
                                     {"predicted_preferred", text_or_null(row.predicted_preferred)},
                                     {"planned_preferred", text_or_null(row.planned_preferred)}});
  }
  return DocumentText(json);
}

}  // namespace

Result<PlacementResult> RunPlacement(const PlacementOptions& options) {
  ANEMONE_TRY(options::Check(options));
  ANEMONE_ASSIGN(const auto loaded, LoadModel(options));
  ANEMONE_ASSIGN(const ir::Function* function,
                 exec::ChooseFunction(*loaded.model, options.function));
  const auto flexible = placement::FlexibilityOf(*loaded.model, function->name);
  placement::Score total;
  for (const std::string& path : options.reports) {
    ANEMONE_ASSIGN(const ComputePlan plan, ReadReport(path));
    ANEMONE_ASSIGN(const placement::Chip* chip, ChipOf(options.chip, plan, path));
    auto units = plan.units.value_or(ComputeUnits::kCpuAndNe);
    if (!options.compute_units.empty()) {
      ANEMONE_ASSIGN(units, ComputeUnitsFromName(options.compute_units));
    }
    total.Add(placement::ScorePlan(placement::Analyze(*function, *chip, flexible, units), plan));
  }
  if (total.all.operations == 0) {
    return InvalidInput("no operation of the reports is in the model: {} names are not known",
                        total.not_in_model);
  }
  PlacementResult result = ToResult(total);
  result.json = ScoreJson(result);
  return result;
}

}  // namespace anemone::facade
