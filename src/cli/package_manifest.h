// NAME.manifest.json beside a NAME.mlpackage that a command wrote: what it is, where its weights
// came from, what it will probably do on Apple's chips. Thread rules: the main thread. Errors: kIo.
#pragma once

#include <string>

#include "base/status.h"
#include "facade/model_source.h"
#include "ir/model.h"
#include "lab/manifest.h"

namespace anemone::cli {

// "out/model.mlpackage" -> "out/model.manifest.json".
std::string ManifestPath(const std::string& package);

// Fills all but the parity, which is what was measured, and the tensors, which is what compression
// did. `source` is the MODEL argument that `original` was loaded from; `written` the program in
// `package`. What cannot be estimated for this program stays unknown.
Status DescribePackage(const std::string& source, const facade::LoadedModel& original,
                       const ir::Model& written, const std::string& package,
                       lab::Manifest* manifest);

}  // namespace anemone::cli
