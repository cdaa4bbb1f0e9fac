#include "base/leftovers.h"

#include <unistd.h>

#include <cstdlib>
#include <map>

namespace anemone {
namespace {

struct Registry {
  std::mutex mutex;
  uint64_t last_id = 0;
  struct Entry {
    pid_t process = 0;
    Leftover::Clear clear;
  };
  std::map<uint64_t, Entry> entries;
};

void ClearAll(Registry& registry) {
  for (auto entry = registry.entries.rbegin(); entry != registry.entries.rend(); ++entry) {
    // After fork(), entries made before it belong to the parent.
    if (entry->second.process == ::getpid()) entry->second.clear();
  }
  registry.entries.clear();
}

// Never destroyed: threads may outlive main().
Registry& TheRegistry() {
  static auto* const registry = [] {
    std::atexit([] { ClearLeftovers(); });
    return new Registry;
  }();
  return *registry;
}

}  // namespace

Leftover::Leftover(const std::function<Clear()>& make) {
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  Clear clear = make();
  if (!clear) return;
  id_ = ++registry.last_id;
  registry.entries.emplace(id_, Registry::Entry{::getpid(), std::move(clear)});
}

void Leftover::Forget() {
  if (id_ == 0) return;
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  registry.entries.erase(std::exchange(id_, 0));
}

void Leftover::Keep(const std::function<void()>& act) {
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  if (registry.entries.contains(id_)) act();
}

std::unique_lock<std::mutex> ClearLeftovers() {
  Registry& registry = TheRegistry();
  std::unique_lock lock(registry.mutex);
  ClearAll(registry);
  return lock;
}

}  // namespace anemone
