// Ends the command cleanly on signals: temporary folders and child processes are removed with it.
#pragma once

namespace anemone::cli {

// From now on SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGPIPE clear everything that must not outlive
// the process (base/leftovers.h) and then end it as usual; ignored signals stay ignored. A second
// Ctrl-C ends it at once. Called once, early in main().
void ClearOnSignals();

}  // namespace anemone::cli
