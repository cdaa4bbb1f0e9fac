// A gate's report, for people and for machines: text for a terminal, Markdown for a pull request,
// JUnit XML for CI, JSON for scripts. Thread rules: pure functions of a report.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "gate/checks.h"
#include "gate/evidence.h"
#include "gate/policy.h"
#include "gate/verdict.h"

namespace anemone::gate {

// The diagnosis of a failure: its class, its cause, what to try.
struct Diagnosis {
  FailureClass failure = FailureClass::kNone;
  std::vector<std::string> operators;
  std::vector<std::string> advice;
};

// One model on one device.
struct ModelReport {
  Evidence evidence;
  std::vector<CheckResult> checks;
  Verdict verdict = Verdict::kNotMeasured;
  int exit_code = 4;
  std::vector<Diagnosis> diagnoses;  // one for each class that failed
  std::string certificate;           // path, when one was written
};
// Decides, and diagnoses what failed.
ModelReport MakeReport(const Policy& policy, Evidence evidence);
// For each class of failure among the checks.
std::vector<Diagnosis> Diagnose(const Evidence& evidence, const std::vector<CheckResult>& checks);

// The required checks behind a verdict that is not PASS.
std::vector<const CheckResult*> Deciding(const ModelReport& model);

struct GateReport {
  Policy policy;
  std::string tool_version;
  int64_t time_unix_ns = 0;
  std::vector<ModelReport> models;

  Verdict verdict() const;
  int exit_code() const;
};

std::string ToText(const GateReport& report);
std::string ToMarkdown(const GateReport& report);
// The schema that Jenkins and GitHub's reporters read (junit-10.xsd): a testsuite for each model, a
// testcase for each check; INCONCLUSIVE and NOT MEASURED are skipped, with the reason.
std::string ToJUnit(const GateReport& report);
// {"schema": "anemone.gate", ...}; docs/gate.md describes it.
std::string ToJson(const GateReport& report);

// Writes the certificate of a model that passed, for its device's build of the system. kMismatch
// for a model that did not pass, kUsage when the evidence lacks the model or the build.
Result<std::string> WriteCertificate(const std::string& directory, const Policy& policy,
                                     const ModelReport& model, int64_t time_unix_ns,
                                     const std::string& tool_version);

}  // namespace anemone::gate
