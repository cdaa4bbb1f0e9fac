// The folder for everything that can be made or fetched again. Pure function of the environment.
#pragma once

#include <string>

namespace anemone {

// ANEMONE_CACHE_DIR, $XDG_CACHE_HOME/anemone, or ~/.cache/anemone; empty when neither they nor HOME
// are set.
std::string CacheRoot();
// $XDG_STATE_HOME/anemone, or ~/.local/state/anemone; empty when neither is set.
std::string StateRoot();

}  // namespace anemone
