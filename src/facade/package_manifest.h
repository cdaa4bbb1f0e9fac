// NAME.manifest.json beside a NAME.mlpackage that a command wrote: what the package is, where its
// weights came from, and its expected behavior on Apple's chips. Thread rules: the main thread.
// Errors: kIo.
#pragma once

#include <string>

#include "base/status.h"
#include "compress/report.h"
#include "facade/model_source.h"
#include "ir/model.h"
#include "lab/manifest.h"

namespace anemone::facade {

// Fills everything except the parity, which comes from measurement, and the tensors, which come
// from compression. `source` is the MODEL argument from which `original` was loaded; `written` is
// the program in `package`. Values that cannot be estimated for this program stay unknown.
Status DescribePackage(const std::string& source, const LoadedModel& original,
                       const ir::Model& written, const std::string& package,
                       lab::Manifest* manifest);

// What was done to each tensor.
void NoteTensors(const compress::Report& report, lab::Manifest* manifest);

}  // namespace anemone::facade
