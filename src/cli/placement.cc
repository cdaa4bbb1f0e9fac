// anemone placement score: what Core ML planned on a real machine beside what we predict.
#include <algorithm>
#include <iostream>

#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/tools.h"

namespace anemone::cli {
namespace {

using Agreement = PlacementResult::Agreement;

struct ScoreFlags {
  PlacementOptions options;
  uint64_t limit = 20;
};

std::string UnitList(const std::vector<std::string>& units) {
  std::string text;
  for (const std::string& unit : units) text += (text.empty() ? "" : "+") + unit;
  return text.empty() ? "-" : text;
}

std::string UnitText(const std::string& unit) { return unit.empty() ? "-" : unit; }

std::string Share(int64_t right, int64_t compared) {
  if (compared == 0) return "not compared";
  return fmt::format("{:.1f} % ({}/{})",
                     100.0 * static_cast<double>(right) / static_cast<double>(compared), right,
                     compared);
}

void PrintAgreements(const std::string& title, const std::vector<Agreement>& rows, size_t limit) {
  std::cout << fmt::format("\n{:28} {:>10} {:>22} {:>22}\n", title, "operations", "units right",
                           "preferred right");
  for (size_t i = 0; i < std::min(limit, rows.size()); ++i) {
    std::cout << fmt::format("{:28} {:>10} {:>22} {:>22}\n", rows[i].name, rows[i].operations,
                             Share(rows[i].units_right, rows[i].units_compared),
                             Share(rows[i].preferred_right, rows[i].preferred_compared));
  }
}

void PrintScore(const PlacementResult& result, size_t limit) {
  std::cout << fmt::format("units right      {}\n",
                           Share(result.all.units_right, result.all.units_compared));
  std::cout << fmt::format("preferred right  {}\n",
                           Share(result.all.preferred_right, result.all.preferred_compared));
  std::cout << fmt::format("not in a plan    {}\nnot in the model {}\n", result.not_in_plan,
                           result.not_in_model);
  PrintAgreements("operator (worst first)", result.by_operator, limit);
  PrintAgreements("rule (worst first)", result.by_rule, limit);
  if (result.disagreements.empty()) return;
  std::cout << fmt::format("\n{:28} {:20} {:24} {:14} {:14} {:10} {}\n", "disagreement", "type",
                           "our rule", "we say", "plan says", "we prefer", "plan prefers");
  for (size_t i = 0; i < std::min(limit, result.disagreements.size()); ++i) {
    const PlacementResult::Disagreement& row = result.disagreements[i];
    std::cout << fmt::format("{:28} {:20} {:24} {:14} {:14} {:10} {}\n", row.name, row.type,
                             row.rule, UnitList(row.predicted), UnitList(row.planned),
                             UnitText(row.predicted_preferred), UnitText(row.planned_preferred));
  }
}

Status RunScore(const ScoreFlags& flags, const Globals& globals) {
  ANEMONE_ASSIGN(const PlacementResult result, facade::RunPlacement(flags.options));
  if (globals.json) {
    Print(result.json);
  } else {
    PrintScore(result, flags.limit);
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
  AddOptions(score, options::TableOf(flags->options));
  score.AddOption("--limit", flags->limit, "rows of each table").ShowDefault();
  score.Footer("Example: anemone placement score model.mlpackage plan.json --chip m4");
  OnRun(score, context, [flags, &context] { return RunScore(*flags, context.globals); });
}

}  // namespace anemone::cli
