// Options of downloads, turned into what fetching works with. Thread rules: pure functions of the
// environment. Errors: kUsage for options out of range.
#pragma once

#include <string>

#include "acquire/fetch.h"
#include "anemone/tools.h"
#include "base/status.h"

namespace anemone::facade {

// The environment's settings with the options over them. Progress goes to the hooks, which must
// outlive the result, as "LABEL: 12.0 of 98.0 MB, ...".
Result<acquire::FetchOptions> ToFetchOptions(const DownloadOptions& options, const Hooks& hooks,
                                             const std::string& label);

}  // namespace anemone::facade
