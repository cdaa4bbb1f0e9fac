// The device matrix: the gate's verdict on every model on every device in the records, as one table
// (CSV, JSON) and one self-contained HTML page. Thread rules: pure functions. The names of the
// columns state the units.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gate/policy.h"
#include "gate/report.h"

namespace anemone::gate {

// One model on one device. Unknown is absent, never 0.
struct MatrixRow {
  std::string device;
  std::string variant;  // "resnet50 fp16"
  std::string model_hash;
  Verdict verdict = Verdict::kNotMeasured;
  int64_t inferences = 0;  // of the subject
  std::optional<int64_t> p50_ns;
  std::optional<int64_t> p99_ns;
  std::optional<int64_t> baseline_p99_ns;
  std::optional<double> p99_ratio;
  std::optional<double> planned_ane_pct;
  std::optional<double> l_inf;
  std::optional<double> rmse;
  std::optional<int64_t> fallbacks;
  std::string decided_by;  // the checks behind a verdict that is not PASS
};

struct Matrix {
  GateReport report;
  std::vector<MatrixRow> rows;  // in the order of the report's models
};

Matrix MakeMatrix(const Policy& policy, std::vector<RecordFile> records, std::string tool_version,
                  int64_t time_unix_ns);

std::string ToCsv(const Matrix& matrix);
std::string ToTableJson(const Matrix& matrix);
std::string ToHtml(const Matrix& matrix);

}  // namespace anemone::gate
