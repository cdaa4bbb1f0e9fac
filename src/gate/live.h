// Gathers the evidence for one model by running it here: everything that the policy asks for and
// this machine can do. The rest (no Core ML) stays absent, with the reason.
//
// Thread rules: one thread; nothing else should load the machine meanwhile. Errors: no backend can
// run the model, or a file cannot be written; failures of the subject are evidence.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "gate/evidence.h"
#include "gate/policy.h"
#include "lab/verify.h"

namespace anemone::gate {

struct LiveModel {
  std::string name;
  std::string path;            // of the package; empty when it exists in memory only
  std::string hash;            // 64 hexadecimal digits
  std::string precision = {};  // empty: the manifest's, else derived from the model
  std::shared_ptr<const ir::Model> model;
  std::shared_ptr<const ir::Model> reference = nullptr;
  std::string reference_name = {};
  std::string reference_problem = {};  // why there is no reference
  std::vector<lab::Inputs> real_inputs = {};
  // For tests, replaces the backend's plan.
  std::optional<std::vector<std::pair<std::string, ComputeUnit>>> planned_units = {};
};

struct LiveOptions {
  std::string directory;  // exists: records and logs go there
  int threads = 0;
  std::string tool_version;
  std::function<void(const std::string& stage, int64_t done, int64_t total)> progress = {};
  // Asked between steps; true ends the run with kCancelled.
  std::function<bool()> cancelled = {};
  // How to start a child process for the measured calls, so that a crash there is a finding:
  // program and arguments before kRunSidesCommand. Empty, or a model that is in memory only: in
  // this process.
  std::vector<std::string> helper = {};
  // For tests, replaces the policy's backend; a helper finds it by itself.
  const exec::Backend* subject_backend = nullptr;
};

Result<Evidence> RunLive(const Policy& policy, const LiveModel& model, const LiveOptions& options);

// The facts in the package's files, and which of these keys its manifest has no value for.
FilesEvidence LookAtFiles(const std::string& package, const std::vector<std::string>& keys);

}  // namespace anemone::gate
