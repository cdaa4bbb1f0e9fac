// Manifest: the facts of one variant, written beside its package as NAME.manifest.json. Nine flat
// keys are fixed because users' scripts read them; the rest says where each number comes from. An
// unknown number is null, never 0. Thread rules: values. Errors of reading: kInvalidInput with
// file, key and rule.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "lab/parity.h"

namespace anemone::lab {

// Parity of one output with the reference's.
struct OutputParity {
  std::string output;
  Parity parity;
  ParityLimits limits;
  JudgedParity judged;
};

// An estimate with its interval.
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
};

struct Manifest {
  std::string model;
  std::string backend = "mlprogram";
  std::string precision;  // "fp32", "fp16", "int8"
  std::optional<Estimate> ane_op_coverage_pct;
  std::optional<Estimate> expected_speedup_m1;
  std::optional<Estimate> expected_speedup_m2;
  std::optional<Estimate> expected_speedup_m3;
  // Of the first judged output; absolute. Absent for the reference itself.
  std::vector<OutputParity> outputs;
  std::string first_drift;  // the first operator over the limit, when an output failed

  // "seeded" or "pretrained", or "file" for the user's own model.
  std::string weights_source;
  std::map<std::string, std::string> weights;  // seed; or url, sha256, license
  std::string tool_version;
  std::string deployment_target;
  std::string raised_from;  // the target before a compression raised it; empty when none did
  std::string package_sha256;
  int64_t package_size_bytes = 0;
  int64_t weight_bytes = 0;
  std::string parity_inputs;  // the inputs of the measured deltas
  struct Tensor {
    std::string name;
    int64_t bytes_before = 0;
    int64_t bytes_after = 0;
    std::string skipped;
  };
  std::vector<Tensor> tensors;

  // Whether every judged output passed; a reference (no outputs judged) passes.
  bool passed() const;
};

std::string ToJson(const Manifest& manifest);
// Where the manifest of NAME.mlpackage stands: beside it, as NAME.manifest.json.
std::string ManifestPathOf(const std::string& package);
// Writes atomically.
Status WriteManifest(const Manifest& manifest, const std::string& path);

// The nine fixed keys, read back from a file.
struct ManifestKeys {
  std::string model;
  std::string backend;
  std::string precision;
  std::optional<double> ane_op_coverage_pct;
  std::optional<double> expected_speedup_m1;
  std::optional<double> expected_speedup_m2;
  std::optional<double> expected_speedup_m3;
  std::optional<double> accuracy_delta_l_inf;
  std::optional<double> accuracy_delta_rmse;
  std::string package_sha256;
};
// Checks schema, version and the type of every fixed key.
Result<ManifestKeys> ReadManifest(const std::string& path);

}  // namespace anemone::lab
