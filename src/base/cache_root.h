// Where everything that may be made or fetched again is kept. Pure function of the environment.
#pragma once

#include <string>

namespace anemone {

// ANEMONE_CACHE_DIR, $XDG_CACHE_HOME/anemone, or ~/.cache/anemone; empty when none is set.
std::string CacheRoot();

}  // namespace anemone
