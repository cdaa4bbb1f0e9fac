// The demo's report as one HTML page: no script, no request, so that it opens as a file. Thread rules:
// pure function.
#pragma once

#include <string>

#include "anemone/tools.h"

namespace anemone::facade {

std::string DemoPage(const DemoResult& result, const DemoOptions& options);

}  // namespace anemone::facade
