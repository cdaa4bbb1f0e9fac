// Verify: runs a variant beside its reference on the same inputs and judges every output; on
// failure it finds the first operator that drifts. Inputs are those of exec/synthetic_inputs.h.
// Thread rules: pure; uses the backend's threads.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "exec/backend.h"
#include "exec/synthetic_inputs.h"
#include "lab/manifest.h"

namespace anemone::lab {

struct VerifyOptions {
  int samples = 4;
  uint64_t seed = 0;
  int threads = 0;
  exec::Numerics reference_numerics = exec::Numerics::kAsTyped;
  exec::Numerics variant_numerics = exec::Numerics::kAsTyped;
  std::function<bool()> cancelled = {};  // asked before each input; true ends with kCancelled
};

using Inputs = std::map<std::string, exec::Tensor>;

// "4 seeded standard-normal inputs (seed 0)".
std::string DescribeInputs(const VerifyOptions& options);

// Parity of each output that both have, in the reference's order.
Result<std::vector<OutputParity>> Verify(const exec::Backend& backend,
                                         std::shared_ptr<const ir::Model> reference,
                                         std::shared_ptr<const ir::Model> variant,
                                         const ParityLimits& limits, const VerifyOptions& options);
// The same on given inputs.
Result<std::vector<OutputParity>> VerifyOn(const exec::Backend& backend,
                                           std::shared_ptr<const ir::Model> reference,
                                           std::shared_ptr<const ir::Model> variant,
                                           const ParityLimits& limits, const VerifyOptions& options,
                                           const std::vector<Inputs>& inputs);

// One operator's drift, matched by the name of its first output.
struct OperatorDrift {
  std::string name;
  std::string type;
  Parity parity;
};
// Per-operator parity on one set of inputs, in the variant's execution order; operators without a
// namesake of equal shape are left out.
Result<std::vector<OperatorDrift>> CompareOperators(const exec::Backend& backend,
                                                    std::shared_ptr<const ir::Model> reference,
                                                    std::shared_ptr<const ir::Model> variant,
                                                    const Inputs& inputs,
                                                    const VerifyOptions& options);
// The first whose relative L-infinity exceeds the limit, as "conv 'stem' (L-inf 0.07 of its
// range)"; empty when none.
std::string FirstDrift(const std::vector<OperatorDrift>& drifts, const ParityLimits& limits);

}  // namespace anemone::lab
