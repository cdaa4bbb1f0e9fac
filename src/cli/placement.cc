// placement score: what Core ML planned on a real machine beside what we predict.
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "exec/session_inputs.h"
#include "placement/analyze.h"
#include "placement/plan.h"
#include "placement/score.h"
#include "runtime/run_record_io.h"

namespace anemone::cli {
namespace {

using placement::Agreement;
using placement::ComputePlan;
using placement::Disagreement;
using placement::Score;

struct ScoreFlags {
  ModelFlags model;
  std::vector<std::string> reports;
  std::string function;
  std::string chip;
  std::string compute_units;
  uint64_t limit = 20;
};

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

// The flag, else what the report says, else an error: rules differ by chip.
Result<const placement::Chip*> ChipOf(const ScoreFlags& flags, const ComputePlan& plan,
                                      const std::string& path) {
  if (!flags.chip.empty()) return placement::FindChip(flags.chip);
  std::string_view name = plan.chip;
  if (name.starts_with("Apple ")) name.remove_prefix(6);
  if (name.empty()) {
    return Usage("the report does not say on which chip the plan was made: give --chip").At(path);
  }
  return placement::FindChip(name).At(path);
}

std::string UnitList(const std::vector<ComputeUnit>& units) {
  std::string text;
  for (const ComputeUnit unit : units)
    text += (text.empty() ? "" : "+") + std::string(ComputeUnitName(unit));
  return text.empty() ? "-" : text;
}

std::string_view UnitText(ComputeUnit unit) {
  return unit == ComputeUnit::kUnknown ? "-" : ComputeUnitName(unit);
}

std::string Share(int64_t right, int64_t compared) {
  if (compared == 0) return "not compared";
  return fmt::format("{:.1f} % ({}/{})",
                     100.0 * static_cast<double>(right) / static_cast<double>(compared), right,
                     compared);
}

void PrintRows(const std::string& title, const std::vector<Agreement>& rows, size_t limit) {
  std::cout << fmt::format("\n{:28} {:>10} {:>22} {:>22}\n", title, "operations", "units right",
                           "preferred right");
  for (size_t i = 0; i < std::min(limit, rows.size()); ++i) {
    std::cout << fmt::format("{:28} {:>10} {:>22} {:>22}\n", rows[i].name, rows[i].operations,
                             Share(rows[i].sets_right, rows[i].sets_compared),
                             Share(rows[i].preferred_right, rows[i].preferred_compared));
  }
}

void PrintScore(const Score& score, size_t limit) {
  std::cout << fmt::format("units right      {}\n",
                           Share(score.all.sets_right, score.all.sets_compared));
  std::cout << fmt::format("preferred right  {}\n",
                           Share(score.all.preferred_right, score.all.preferred_compared));
  std::cout << fmt::format("not in a plan    {}\nnot in the model {}\n", score.not_in_plan,
                           score.not_in_model);
  PrintRows("operator (worst first)", score.by_operator, limit);
  PrintRows("rule (worst first)", score.by_rule, limit);
  if (score.disagreements.empty()) return;
  std::cout << fmt::format("\n{:28} {:20} {:24} {:14} {:14} {:10} {}\n", "disagreement", "type",
                           "our rule", "we say", "plan says", "we prefer", "plan prefers");
  for (size_t i = 0; i < std::min(limit, score.disagreements.size()); ++i) {
    const Disagreement& row = score.disagreements[i];
    std::cout << fmt::format("{:28} {:20} {:24} {:14} {:14} {:10} {}\n", row.name, row.type,
                             row.rule, UnitList(row.predicted), UnitList(row.planned),
                             UnitText(row.predicted_preferred), UnitText(row.planned_preferred));
  }
}

Json AgreementJson(const Agreement& agreement) {
  Json json;
  if (!agreement.name.empty()) json["name"] = agreement.name;
  json["operations"] = agreement.operations;
  json["units_compared"] = agreement.sets_compared;
  json["units_right"] = agreement.sets_right;
  json["preferred_compared"] = agreement.preferred_compared;
  json["preferred_right"] = agreement.preferred_right;
  return json;
}

Json UnitsJson(const std::vector<ComputeUnit>& units) {
  Json json = Json::array();
  for (const ComputeUnit unit : units) json.push_back(ComputeUnitName(unit));
  return json;
}

Json UnitJson(ComputeUnit unit) {
  return unit == ComputeUnit::kUnknown ? Json(nullptr) : Json(ComputeUnitName(unit));
}

Json ScoreJson(const Score& score) {
  Json json = Document("anemone.placement_score");
  json["all"] = AgreementJson(score.all);
  json["not_in_plan"] = score.not_in_plan;
  json["not_in_model"] = score.not_in_model;
  json["by_operator"] = Json::array();
  for (const Agreement& row : score.by_operator) json["by_operator"].push_back(AgreementJson(row));
  json["by_rule"] = Json::array();
  for (const Agreement& row : score.by_rule) json["by_rule"].push_back(AgreementJson(row));
  json["disagreements"] = Json::array();
  for (const Disagreement& row : score.disagreements) {
    json["disagreements"].push_back({{"name", row.name},
                                     {"type", row.type},
                                     {"rule", row.rule},
                                     {"predicted", UnitsJson(row.predicted)},
                                     {"planned", UnitsJson(row.planned)},
                                     {"predicted_preferred", UnitJson(row.predicted_preferred)},
                                     {"planned_preferred", UnitJson(row.planned_preferred)}});
  }
  return json;
}

Status RunScore(const ScoreFlags& flags, const Globals& globals) {
  ANEMONE_ASSIGN(const auto loaded, Load(flags.model));
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*loaded.model, flags.function));
  const auto flexible = placement::FlexibilityOf(*loaded.model, function->name);
  Score total;
  for (const std::string& path : flags.reports) {
    ANEMONE_ASSIGN(const ComputePlan plan, ReadReport(path));
    ANEMONE_ASSIGN(const placement::Chip* chip, ChipOf(flags, plan, path));
    auto units = plan.units.value_or(ComputeUnits::kCpuAndNe);
    if (!flags.compute_units.empty()) {
      ANEMONE_ASSIGN(units, ComputeUnitsFromName(flags.compute_units));
    }
    total.Add(placement::ScorePlan(placement::Analyze(*function, *chip, flexible, units), plan));
  }
  if (total.all.operations == 0) {
    return InvalidInput("no operation of the reports is in the model: {} names are not known",
                        total.not_in_model);
  }
  if (globals.json) {
    Print(ScoreJson(total));
  } else {
    PrintScore(total, flags.limit);
  }
  return {};
}

}  // namespace

void AddPlacement(Command app, Context& context) {
  Command command =
      app.AddCommand("placement", "what Core ML planned on a real machine, beside what we predict");
  command.RequireCommand();
  Command score = command.AddCommand(
      "score", "agreement of our prediction with compute plans, by operator and by rule");
  auto flags = std::make_shared<ScoreFlags>();
  AddModelFlags(score, flags->model, false);
  score
      .AddOption("REPORT", flags->reports,
                 "plans: dump_plan.py's or WhisperKit's JSON, the text of ExecuTorch's script, "
                 "or a run.jsonl")
      .Required();
  score.AddOption("--function", flags->function, "which function of a multi-function model");
  score.AddOption("--chip", flags->chip, "the chip, when the report does not name it");
  score.AddOption("--compute-units", flags->compute_units,
                  "all, cpu_and_ne, cpu_and_gpu or cpu_only, when the report does not say");
  score.AddOption("--limit", flags->limit, "rows of each table").ShowDefault();
  score.Footer("Example: anemone placement score model.mlpackage plan.json --chip m4");
  OnRun(score, context, [flags, &context] { return RunScore(*flags, context.globals); });
}

}  // namespace anemone::cli
