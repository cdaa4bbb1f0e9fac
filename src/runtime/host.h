// Identifies this machine where results depend on it: compiled models, verdicts on a first load,
// measured times. Read once; safe to call from any thread.
#pragma once

#include <string>

namespace anemone::runtime {

// macOS: the build ("24B83"); elsewhere the kernel's release. ANEMONE_OS_BUILD overrides it.
const std::string& HostOsBuild();
// "Apple M2 Pro", or the processor's own name; "unknown" when it has none.
const std::string& HostChip();

}  // namespace anemone::runtime
