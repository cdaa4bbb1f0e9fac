// The folder for everything that can be made or fetched again. Pure function of the environment.
#pragma once

#include <string>

namespace anemone {

// ANEMONE_CACHE_DIR, $XDG_CACHE_HOME/anemone, or ~/.cache/anemone; empty when neither they nor HOME
// are set.
std::string CacheRoot();

}  // namespace anemone
