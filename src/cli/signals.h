// What the command does when it is told to end: temporary folders and child processes go with it.
#pragma once

namespace anemone::cli {

// From now on SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGPIPE clear what must not outlive the process
// (base/leftovers.h) and then end it, as they would have without this; those that are ignored stay
// so. A second Ctrl-C ends it at once. Called once, early in main().
void ClearOnSignals();

}  // namespace anemone::cli
