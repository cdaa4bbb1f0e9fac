// A policy: what must hold before a model may ship. A JSON file (gates/*.json; docs/gate.md has
// every key) that names the checks, which of them are required, and their limits.
//
//   {"schema": "anemone.gate_policy", "schema_version": 1, "name": "gate-c",
//    "subject": {"backend": "coreml", "compute_units": "all"}, "baseline": {"backend": "cpu"},
//    "run": {"inferences": 1000, "min_duration_s": 10},
//    "checks": {"latency": {"percentile": 99, "max_ratio": 0.7}, ...}}
//
// A check that is not named is not made. Keys left out keep their defaults; a key that does not
// exist is an error, so that a misspelled limit cannot pass in silence. Thread rules: values. Errors:
// kUsage with file:key and the rule.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "lab/parity.h"

namespace anemone::gate {

// What every check has.
struct CheckPolicy {
  bool required = true;  // else it is made and shown, and does not decide
};

struct InferencesPolicy : CheckPolicy {
  int64_t min_count = 1000;
  int64_t max_crashes = 0;
  int64_t max_failures = 0;  // of any kind, crashes included
};
struct DispatchPolicy : CheckPolicy {
  std::string unit = "ane";
  double min_share_pct = 0;  // more than this share of the operators, or of the calls
};
struct LatencyPolicy : CheckPolicy {
  double percentile = 99;
  double max_ratio = 0.7;  // of the subject's percentile and the baseline's
  double confidence = 0.95;
  int64_t resamples = 2000;
  double conservative_speedup = 1.5;  // shown beside; decides when `require_conservative`
  bool require_conservative = false;
  bool require_interleaved = true;
};
struct ParityPolicy : CheckPolicy {
  std::map<std::string, lab::ParityLimits> limits;  // by precision
  int64_t synthetic_samples = 4;
  uint64_t seed = 0;
  bool real_inputs = false;  // required, else INCONCLUSIVE without
};
struct TelemetryPolicy : CheckPolicy {
  double max_gap_s = 60;  // between two calls of a record
};
struct MemoryPolicy : CheckPolicy {
  double max_growth_bytes_per_call = 1024;
  int64_t min_calls = 200;  // fewer cannot show a slope
};
struct FallbacksPolicy : CheckPolicy {
  int64_t max_count = 0;
};
struct FilesPolicy : CheckPolicy {
  // Manifest keys that must have a value; null is "unknown", not complete.
  std::vector<std::string> manifest_keys = {"model", "backend", "precision", "accuracy_delta_l_inf",
                                            "accuracy_delta_rmse"};
};

struct RunPolicy {
  int64_t inferences = 1000;
  double min_duration_s = 10;
  double max_duration_s = 600;
  double warmup_s = 1;
  int64_t warmup_calls = 20;
  double warmup_cap_s = 30;
  double steady_tolerance = 0.05;
  int64_t block = 25;
  double max_silence_s = 300;  // of the process that runs the calls: a load may take that long
};

struct Policy {
  std::string name;
  std::string description;
  std::string path;    // where it was read
  std::string sha256;  // of the file
  std::string subject_backend = "coreml";
  std::string subject_units = "all";
  std::string baseline_backend;      // empty: none
  std::vector<std::string> devices;  // chips that the gate speaks of, by prefix; empty: all
  std::vector<double> percentiles = {50, 90, 99};
  RunPolicy run;

  std::optional<CheckPolicy> compile;
  std::optional<InferencesPolicy> inferences;
  std::optional<DispatchPolicy> dispatch;
  std::optional<LatencyPolicy> latency;
  std::optional<ParityPolicy> parity;
  std::optional<ParityPolicy> backend_parity;
  std::optional<TelemetryPolicy> telemetry;
  std::optional<MemoryPolicy> memory;
  std::optional<FallbacksPolicy> fallbacks;
  std::optional<FilesPolicy> files;
  std::optional<CheckPolicy> fallback_proof;
  std::optional<CheckPolicy> logs;

  // Whether any check looks at measured calls.
  bool needs_runs() const {
    return compile || inferences || dispatch || latency || backend_parity || telemetry || memory ||
           fallbacks;
  }
};

// The limits by precision when a policy names none: the product's.
std::map<std::string, lab::ParityLimits> DefaultParityLimits();

// Gate C without its file: what gates/gate-c.json says.
Policy BuiltInGateC();

Result<Policy> ReadPolicy(const std::string& path);
// The same from memory; `place` is the file's name in errors.
Result<Policy> ParsePolicy(std::string_view text, const std::string& place);

}  // namespace anemone::gate
