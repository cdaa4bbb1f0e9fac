#include "gate/matrix.h"

#include <algorithm>

#include "base/json.h"
#include "lab/latency.h"
#include "lab/measure.h"

namespace anemone::gate {
namespace {

MatrixRow RowOf(const Policy& policy, const ModelReport& model) {
  const Evidence& evidence = model.evidence;
  MatrixRow row;
  row.device = evidence.device ? evidence.device->label() : "unknown";
  row.variant = evidence.model + (evidence.precision.empty() ? "" : " " + evidence.precision);
  row.model_hash = evidence.model_hash;
  row.verdict = model.verdict;
  for (const CheckResult* check : Deciding(model)) {
    row.decided_by += (row.decided_by.empty() ? "" : ", ") + check->name;
  }
  const Sides sides = SidesOf(policy, evidence);
  if (sides.baseline != nullptr) {
    const auto durations = lab::DurationsNs(sides.baseline->record);
    if (!durations.empty()) row.baseline_p99_ns = lab::PercentileNs(durations, 99);
  }
  if (sides.subject == nullptr) return row;
  const runtime::RunRecord& record = sides.subject->record;
  row.inferences = static_cast<int64_t>(record.calls.size());
  const auto durations = lab::DurationsNs(record);
  if (!durations.empty()) {
    row.p50_ns = lab::PercentileNs(durations, 50);
    row.p99_ns = lab::PercentileNs(durations, 99);
    if (row.baseline_p99_ns && *row.baseline_p99_ns > 0) {
      row.p99_ratio = static_cast<double>(*row.p99_ns) / static_cast<double>(*row.baseline_p99_ns);
    }
  }
  if (record.header.planned_units && !record.header.planned_units->empty()) {
    const auto& units = *record.header.planned_units;
    const auto on_ane = std::count_if(units.begin(), units.end(), [](const auto& unit) {
      return unit.second == ComputeUnit::kAne;
    });
    const bool known = std::none_of(units.begin(), units.end(), [](const auto& unit) {
      return unit.second == ComputeUnit::kUnknown;
    });
    if (known) {
      row.planned_ane_pct = 100 * static_cast<double>(on_ane) / static_cast<double>(units.size());
    }
  }
  for (const runtime::RunParity& parity : record.parity) {
    if (parity.l_inf) row.l_inf = std::max(row.l_inf.value_or(0), *parity.l_inf);
    if (parity.rmse) row.rmse = std::max(row.rmse.value_or(0), *parity.rmse);
  }
  row.fallbacks = std::count_if(record.calls.begin(), record.calls.end(), [](const auto& call) {
    return call.fallback_reason != runtime::FallbackReason::kNone;
  });
  return row;
}

// Quoted, so that a spreadsheet does not take a model's name for a formula.
std::string Csv(const std::string& text) {
  std::string out = "\"";
  if (!text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos) {
    out += '\'';
  }
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c == '\n' || c == '\r' ? ' ' : c;
  }
  return out + "\"";
}

template <typename Value>
std::string CsvOrEmpty(const std::optional<Value>& value) {
  return value ? fmt::format("{}", *value) : std::string();
}

}  // namespace

Matrix MakeMatrix(const Policy& policy, std::vector<RecordFile> records, std::string tool_version,
                  int64_t time_unix_ns) {
  Matrix matrix;
  matrix.report.policy = policy;
  matrix.report.tool_version = std::move(tool_version);
  matrix.report.time_unix_ns = time_unix_ns;
  for (Evidence& evidence : GroupRecords(std::move(records))) {
    matrix.report.models.push_back(MakeReport(policy, std::move(evidence)));
    matrix.rows.push_back(RowOf(policy, matrix.report.models.back()));
  }
  return matrix;
}

std::string ToCsv(const Matrix& matrix) {
  std::string out =
      "device,variant,verdict,decided_by,inferences,p50_ns,p99_ns,baseline_p99_ns,p99_ratio,"
      "planned_ane_pct,l_inf,rmse,fallbacks,model_hash\n";
  for (const MatrixRow& row : matrix.rows) {
    out += fmt::format(
        "{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", Csv(row.device), Csv(row.variant),
        Csv(std::string(VerdictName(row.verdict))), Csv(row.decided_by), row.inferences,
        CsvOrEmpty(row.p50_ns), CsvOrEmpty(row.p99_ns), CsvOrEmpty(row.baseline_p99_ns),
        CsvOrEmpty(row.p99_ratio), CsvOrEmpty(row.planned_ane_pct), CsvOrEmpty(row.l_inf),
        CsvOrEmpty(row.rmse), CsvOrEmpty(row.fallbacks), row.model_hash);
  }
  return out;
}

std::string ToTableJson(const Matrix& matrix) {
  Json json;
  json["schema"] = "anemone.matrix";
  json["schema_version"] = 1;
  json["tool_version"] = matrix.report.tool_version;
  json["time_unix_ns"] = matrix.report.time_unix_ns;
  json["policy"] = {{"name", matrix.report.policy.name}, {"sha256", matrix.report.policy.sha256}};
  Json rows = Json::Array();
  for (const MatrixRow& row : matrix.rows) {
    rows.push_back({{"device", row.device},
                    {"variant", row.variant},
                    {"model_hash", row.model_hash},
                    {"verdict", VerdictName(row.verdict)},
                    {"decided_by", row.decided_by.empty() ? Json(nullptr) : Json(row.decided_by)},
                    {"inferences", row.inferences},
                    {"p50_ns", OrNull(row.p50_ns)},
                    {"p99_ns", OrNull(row.p99_ns)},
                    {"baseline_p99_ns", OrNull(row.baseline_p99_ns)},
                    {"p99_ratio", OrNull(row.p99_ratio)},
                    {"planned_ane_pct", OrNull(row.planned_ane_pct)},
                    {"l_inf", OrNull(row.l_inf)},
                    {"rmse", OrNull(row.rmse)},
                    {"fallbacks", OrNull(row.fallbacks)}});
  }
  json["rows"] = std::move(rows);
  return json.Dump({.indent = 2}) + "\n";
}

}  // namespace anemone::gate
