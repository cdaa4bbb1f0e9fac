// What identifies this machine where results depend on it: compiled models, verdicts on a first
// load, measured times. Read once; free to call from any thread.
#pragma once

#include <string>

namespace anemone::runtime {

// macOS: the build ("24B83"); elsewhere the kernel's release. ANEMONE_OS_BUILD takes its place.
const std::string& HostOsBuild();
// "Apple M2 Pro", or the name that the processor gives itself; "unknown" when it gives none.
const std::string& HostChip();

}  // namespace anemone::runtime
