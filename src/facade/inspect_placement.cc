#include "facade/inspect_placement.h"

#include <algorithm>
#include <map>

#include "base/json.h"
#include "exec/function_inputs.h"
#include "placement/latency_model.h"
#include "placement/workload.h"

namespace anemone::facade {
namespace {
using placement::Analysis;
using placement::AnalyzedOp;
using placement::Verdict;

Json TextOrNull(std::string_view text) {
  return text.empty() ? Json(nullptr) : Json(std::string(text));
}

Json NumberOrNull(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

// Null for a unit that is not known.
Json UnitJson(ComputeUnit unit) {
  return unit == ComputeUnit::kUnknown ? Json(nullptr) : Json(ComputeUnitName(unit));
}

Json OperatorJson(const AnalyzedOp& op, ComputeUnits units) {
  Json json;
  json["name"] = op.operation->name();
  json["type"] = op.operation->type();
  json["outputs"] = Json::Array();
  for (const auto& output : op.operation->outputs()) json["outputs"].push_back(output->name);
  Json supported = Json::Array();
  for (const ComputeUnit unit : kHardwareUnits) {
    if (Allows(units, unit) && op.Supports(unit)) supported.push_back(ComputeUnitName(unit));
  }
  json["supported"] = std::move(supported);
  json["preferred"] = UnitJson(op.preferred);
  for (const ComputeUnit unit : kHardwareUnits)
    json[std::string(ComputeUnitName(unit))] = VerdictJson(op.placement.of(unit));
  json["flops"] = op.work.known ? Json(op.work.flops) : Json(nullptr);
  json["bytes"] = op.work.known ? Json(op.work.bytes()) : Json(nullptr);
  json["weight_bytes"] = op.work.weight_bytes;
  json["flops_per_byte"] = op.work.known ? Json(op.work.intensity()) : Json(nullptr);
  json["segmenter_estimate_us"] = {{"ane", NumberOrNull(op.beliefs.ane_us)},
                                   {"bnns", NumberOrNull(op.beliefs.bnns_us)},
                                   {"classic_cpu", NumberOrNull(op.beliefs.classic_us)}};
  json["note"] = TextOrNull(op.note);
  json["nested"] = op.nested;
  return json;
}

Json CoverageJson(const placement::Coverage& coverage) {
  return {{"by_count_pct", coverage.by_count_pct},
          {"by_flops_pct", coverage.by_flops_pct},
          {"by_estimated_time_pct", coverage.by_time_pct}};
}

Json WorkloadJson(const placement::Workload& work) {
  return {{"conv_flops", work.conv_flops},
          {"depthwise_flops", work.depthwise_flops},
          {"matmul_flops", work.matmul_flops},
          {"other_flops", work.other_flops},
          {"int8_flops", work.int8_flops},
          {"weight_bytes", work.weight_bytes},
          {"weight_bytes_fp16", work.weight_bytes_fp16},
          {"activation_bytes", work.activation_bytes},
          {"movement_bytes", work.movement_bytes},
          {"reduction_bytes", work.reduction_bytes},
          {"operations", work.operations}};
}

Json IntervalJson(const std::optional<placement::Interval>& interval) {
  if (!interval) return nullptr;
  return {{"value", interval->value}, {"low", interval->low}, {"high", interval->high}};
}

Json LatencyJson(const placement::LatencyReport& report) {
  return {{"source", "estimated"},
          {"basis", report.basis},
          {"placed_ms", IntervalJson(report.placed_ms)},
          {"ane_ms", IntervalJson(report.ane_ms)},
          {"gpu_ms", IntervalJson(report.gpu_ms)},
          {"cpu_ms", IntervalJson(report.cpu_ms)},
          {"speedup_over_cpu", IntervalJson(report.speedup_over_cpu)}};
}

std::string_view EngineName(placement::Engine engine) {
  static constexpr std::string_view kNames[] = {"ane", "bnns", "classic_cpu"};
  return kNames[static_cast<size_t>(engine)];
}

Json ChipJson(const Analysis& analysis) {
  const placement::Chip& chip = *analysis.chip;
  Json json;
  json["chip"] = chip.name;
  json["title"] = chip.title;
  json["ane_family"] = placement::AneFamilyName(chip.family);
  json["rules"] = chip.rules_measured ? "measured on this generation"
                                      : "measured on M4, limits from compiler tables";
  json["source"] = "estimated";
  json["operators"] = analysis.operations.size();
  json["supported_on_ane"] = CoverageJson(analysis.supported);
  json["supported_on_ane"]["low_pct"] = analysis.supported_low_pct;
  json["supported_on_ane"]["high_pct"] = analysis.supported_high_pct;
  json["preferred_on_ane"] = CoverageJson(analysis.preferred);
  json["latency"] = LatencyJson(placement::EstimateLatency(analysis));
  json["workload"] =
      WorkloadJson(placement::SumWorkloads(analysis, [](const AnalyzedOp&) { return true; }));
  json["segments"] = Json::Array();
  for (const placement::Segment& segment : analysis.segments) {
    json["segments"].push_back({{"engine", EngineName(segment.engine)},
                                {"first", segment.first},
                                {"operators", segment.count}});
  }
  json["tie"] = analysis.tie;
  json["notes"] = analysis.notes;
  json["ops"] = Json::Array();
  for (const AnalyzedOp& op : analysis.operations)
    json["ops"].push_back(OperatorJson(op, analysis.units));
  return json;
}

std::string Supported(const AnalyzedOp& op, ComputeUnits units) {
  std::string text;
  for (const ComputeUnit unit : kHardwareUnits) {
    if (!Allows(units, unit) || !op.Supports(unit)) continue;
    text += (text.empty() ? "" : " ") + std::string(ComputeUnitName(unit));
  }
  return text;
}

// "M6, measured", "M6, inferred from H16".
std::string EvidenceText(const placement::Evidence& evidence) {
  std::string text = fmt::format("{}, {}", evidence.source.empty() ? "no source" : evidence.source,
                                 placement::ConfidenceName(evidence.confidence));
  if (evidence.confidence == placement::Confidence::kInferred && evidence.measured_on)
    text += fmt::format(" from {}", placement::AneFamilyName(*evidence.measured_on));
  return text;
}

std::string Reason(const AnalyzedOp& op) {
  const Verdict& ane = op.placement.ane;
  std::string text;
  if (!ane.reason.empty()) {
    text = fmt::format("{} [{}]", ane.reason, EvidenceText(ane.evidence));
  }
  if (!ane.rewrite.empty()) text += "; try: " + ane.rewrite;
  if (!op.note.empty()) text += (text.empty() ? "" : "; ") + op.note;
  if (text.empty() && ane.expected && op.preferred == ComputeUnit::kCpu)
    text = "supported; too little work to pay for a launch and the switches";
  return text;
}

// Below what it explains, in lines that fit 100 columns of a terminal.
void AppendWrapped(std::string_view text, std::string* out) {
  constexpr size_t kColumns = 94;
  while (!text.empty()) {
    size_t end = text.size();
    if (end > kColumns) {
      end = text.rfind(' ', kColumns);
      if (end == std::string_view::npos) end = std::min(text.find(' '), text.size());
    }
    *out += fmt::format("      {}\n", text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void AppendOperators(const Analysis& analysis, bool all, std::string* out) {
  *out += fmt::format("\n{}: operators{}\n", analysis.chip->title,
                      all ? "" : " that miss the Neural Engine, or fit it badly (--ops lists all)");
  size_t hidden = 0;
  size_t left = 0;
  size_t width = 4;
  for (const AnalyzedOp& op : analysis.operations) {
    width = std::clamp(op.operation->name().size(), width, size_t{44});
  }
  for (const std::string& note : analysis.notes) AppendWrapped("note: " + note, out);
  *out +=
      fmt::format("  {:{}} {:24} {:12} {}\n", "name", width, "type", "units", "preferred, and why");
  // A rule that bars half of the model would fill the screen: a few examples, then a count.
  constexpr int64_t kExamples = 3;
  std::map<std::string_view, int64_t> by_rule;
  for (const AnalyzedOp& op : analysis.operations) {
    left += op.Supports(ComputeUnit::kAne) && op.preferred == ComputeUnit::kCpu ? 1 : 0;
    if (!all && op.Supports(ComputeUnit::kAne) && op.note.empty()) {
      ++hidden;
      continue;
    }
    const Verdict& ane = op.placement.ane;
    if (!all && ++by_rule[ane.expected ? "note" : ane.rule] > kExamples) continue;
    *out +=
        fmt::format("  {:{}} {:24} {:12} {}\n", op.operation->name(), width, op.operation->type(),
                    Supported(op, analysis.units), ComputeUnitName(op.preferred));
    AppendWrapped(Reason(op), out);
  }
  for (const auto& [rule, count] : by_rule) {
    if (count <= kExamples) continue;
    *out += fmt::format("  {} more of the rule {}\n", count - kExamples, rule);
  }
  if (hidden > 0) *out += fmt::format("  {} more could run on the Neural Engine\n", hidden);
  if (left > 0 && analysis.units != ComputeUnits::kCpuOnly) {
    *out += fmt::format(
        "  {} that it takes stay on the CPU: too little work to pay for its launch and the "
        "switches\n",
        left);
  }
}

std::string IntervalText(const std::optional<placement::Interval>& interval,
                         std::string_view unit) {
  if (!interval) return "unknown";
  return fmt::format("{:.3g} {}({:.2g} to {:.2g})", interval->value, unit, interval->low,
                     interval->high);
}

void AppendLatencies(const PlacementReport& report, std::string* out) {
  *out += fmt::format("\n{:8} {:>22} {:>22} {:>22} {:>20}\n", "chip", "estimated as placed",
                      "on the CPU alone", "on the GPU alone", "speed-up over CPU");
  for (const Analysis& analysis : report.chips) {
    const placement::LatencyReport latency = placement::EstimateLatency(analysis);
    *out += fmt::format("{:8} {:>22} {:>22} {:>22} {:>20}\n", analysis.chip->title,
                        IntervalText(latency.placed_ms, "ms "), IntervalText(latency.cpu_ms, "ms "),
                        IntervalText(latency.gpu_ms, "ms "),
                        IntervalText(latency.speedup_over_cpu, ""));
  }
}

}  // namespace

Json VerdictJson(const Verdict& verdict) {
  Json json;
  json["support"] = placement::SupportName(verdict.support);
  json["expected"] = verdict.expected;
  json["rule"] = TextOrNull(verdict.rule);
  json["reason"] = TextOrNull(verdict.reason);
  json["source"] = TextOrNull(verdict.evidence.source);
  json["confidence"] = placement::ConfidenceName(verdict.evidence.confidence);
  const auto& measured_on = verdict.evidence.measured_on;
  json["measured_on"] = measured_on ? Json(placement::AneFamilyName(*measured_on)) : Json(nullptr);
  json["rewrite"] = TextOrNull(verdict.rewrite);
  return json;
}

Result<PlacementReport> AnalyzePlacement(const ir::Model& model, const std::string& name,
                                         const std::vector<const placement::Chip*>& chips,
                                         ComputeUnits units) {
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(model, name));
  PlacementReport report;
  report.function = function->name;
  const placement::FlexibleShapes flexible = placement::FlexibilityOf(model, function->name);
  for (const placement::Chip* chip : chips)
    report.chips.push_back(placement::Analyze(*function, *chip, flexible, units));
  return report;
}

Json PlacementJson(const PlacementReport& report) {
  Json json = Json::Array();
  for (const Analysis& analysis : report.chips) json.push_back(ChipJson(analysis));
  return json;
}

std::string PlacementText(const PlacementReport& report, bool all_operators) {
  std::string out =
      fmt::format("{:8} {:>9} {:>22} {:>16} {:>16} {:>16}\n", "chip", "operators",
                  "Neural Engine takes", "of arithmetic", "preferred on it", "segments");
  for (const Analysis& analysis : report.chips) {
    out += fmt::format("{:8} {:>9} {:>21.1f}% {:>15.1f}% {:>15.1f}% {:>16}\n", analysis.chip->title,
                       analysis.operations.size(), analysis.supported.by_count_pct,
                       analysis.supported.by_flops_pct, analysis.preferred.by_count_pct,
                       analysis.segments.size());
  }
  AppendLatencies(report, &out);
  for (const Analysis& analysis : report.chips) AppendOperators(analysis, all_operators, &out);
  return out;
}

}  // namespace anemone::facade
