// Proves the fallback by injecting faults: for each kind, a session with a faulty backend before
// the executor must answer every call with exactly the executor's result, name the reason, count
// it, and open the circuit; what it logs must be valid. Thread rules: pure but for the files that
// it writes. Errors: the model cannot run at all, or a file cannot be written.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "gate/evidence.h"
#include "ir/model.h"

namespace anemone::gate {

struct FallbackProof {
  std::vector<InjectedFault> faults;
  std::vector<LogEvidence> logs;
};

// Logs go to `directory`, which exists: telemetry.jsonl and fallback.run.jsonl.
Result<FallbackProof> ProveFallback(std::shared_ptr<const ir::Model> model,
                                    const std::string& model_name, const std::string& model_hash,
                                    const std::string& directory, int threads);

// Every line must be JSON with the event schema's keys.
LogEvidence CheckEventLog(const std::string& path);

}  // namespace anemone::gate
