// Ends the command cleanly on signals: temporary folders and child processes are removed with it.
#pragma once

#include <functional>

namespace anemone::cli {

// From now on SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGPIPE clear everything that must not outlive
// the process (base/leftovers.h) and then end it as usual; ignored signals stay ignored. A second
// Ctrl-C ends it at once. Called once, early in main().
void ClearOnSignals();

// From now on the first SIGINT or SIGTERM does no more than make the function that is returned say
// true; the second ends the process as above. For a command that ends by itself then.
std::function<bool()> StopOnSignals();

}  // namespace anemone::cli
