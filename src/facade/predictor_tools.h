// What inspect and run do with a model that is not a program. Thread rules: as the tools. Errors:
// kUsage for an option that is for programs; those of the readers and of the model.
#pragma once

#include "anemone/tools.h"
#include "base/status.h"
#include "facade/model_source.h"
#include "format/model_file.h"

namespace anemone::facade {

// The document "anemone.inspect", and the same for a terminal.
Result<InspectResult> InspectFeatureModel(const format::ModelFile& file,
                                          const InspectOptions& options);
// The document "anemone.run" of the model that `source` has opened; inputs are NAME=VALUE too
// (facade/feature_files.h), or random.
Result<RunResult> RunFeatureModel(const ModelSource& source, const RunOptions& options);

}  // namespace anemone::facade
