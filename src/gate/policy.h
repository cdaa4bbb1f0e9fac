// A policy: the conditions that must hold before a model may ship. A JSON file
// (gates/*.json; docs/gate.md lists every key) that names the checks, which of them are
// required, and their limits.
//
//   {"schema": "anemone.gate_policy", "schema_version": 1, "name": "gate-c",
//    "subject": {"backend": "coreml", "compute_units": "all"}, "baseline": {"backend": "cpu"},
//    "run": {"inferences": 1000, "min_duration_s": 10},
//    "checks": {"latency": {"percentile": 99, "max_ratio": 0.7}, ...}}
//
// A check that is not named is not made. Omitted keys keep their defaults; an unknown key is an
// error, so that a misspelled limit cannot pass in silence. Thread rules: values. Errors: kUsage
// that lists all problems, each with file:key and the rule.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "gate/limits.h"

namespace anemone::gate {

inline constexpr std::string_view kPolicySchema = "anemone.gate_policy";
inline constexpr int64_t kPolicySchemaVersion = 1;

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

  void Visit(LimitVisitor& visitor);
};

struct Policy {
  std::string name;
  std::string description;
  std::string path;    // where it was read
  std::string sha256;  // of the file
  std::string subject_backend = "coreml";
  std::string subject_units = "all";
  std::string baseline_backend;      // empty: none
  std::vector<std::string> devices;  // chips that the gate covers, by prefix; empty: all
  std::vector<double> percentiles = {50, 90, 99};
  RunPolicy run;

  CheckPolicies checks;  // those that the policy names
};

// Gate C without its file: gates/gate-c.json at build time.
Policy BuiltInGateC();

// A file, or one of gates/ by its name ("ci-cpu" or "gates/ci-cpu.json"), which the build has embedded:
// an installed command has no such folder beside it.
Result<Policy> ReadPolicy(const std::string& path);
// The same from memory; `place` is the file's name in errors.
Result<Policy> ParsePolicy(std::string_view text, const std::string& place);
// The policy as such a file, without the keys that only people read.
Json PolicyJson(const Policy& policy);

// Names a check in the policy; `limits`, an object as in a policy file, override those that it has.
// Errors: kUsage for a check or a limit that does not exist, or is out of range.
Status SetCheck(Policy& policy, std::string_view key, Json limits = Json::Object());

}  // namespace anemone::gate
