#include "base/cache_root.h"

#include <cstdlib>

namespace anemone {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

std::string CacheRoot() {
  if (std::string root = Variable("ANEMONE_CACHE_DIR"); !root.empty()) return root;
  if (const std::string cache = Variable("XDG_CACHE_HOME"); !cache.empty()) {
    return cache + "/anemone";
  }
  const std::string home = Variable("HOME");
  return home.empty() ? std::string() : home + "/.cache/anemone";
}

std::string StateRoot() {
  if (const std::string state = Variable("XDG_STATE_HOME"); !state.empty()) {
    return state + "/anemone";
  }
  const std::string home = Variable("HOME");
  return home.empty() ? std::string() : home + "/.local/state/anemone";
}

}  // namespace anemone
