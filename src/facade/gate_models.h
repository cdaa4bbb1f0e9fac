// What a gate is asked to judge, made ready to run: models found and converted, the original of
// each, real inputs. Thread rules: pure but for the files. Errors: those of loading and converting.
#pragma once

#include <string>
#include <vector>

#include "anemone/tools.h"
#include "base/status.h"
#include "gate/live.h"
#include "gate/policy.h"

namespace anemone::facade {

// A policy file; empty: Gate C as it is built in (gates/gate-c.json).
Result<gate::Policy> FindPolicy(const std::string& path);

// A folder that is not a package stands for the packages in it, in the order of their names.
Result<std::vector<std::string>> ExpandFolders(const std::vector<std::string>& models);

// Loads one model for the gate. One that is not a package yet (a catalog model, an .onnx) is
// converted to float16 the way `convert` does, into the folder `scratch`, and judged beside its
// original. The original of a package is what `reference` says, else the network that the manifest
// names, else the fp32 variant beside the package.
Result<gate::LiveModel> MakeLiveModel(const GateOptions& options, const std::string& model,
                                      const std::string& scratch);

}  // namespace anemone::facade
