// The state of circuit breakers on disk, which ends crash loops: one small JSON file for each
// (model, backend, units), with the OS build that it was learned on.
//
//   BreakerStore store(dir, os_build);
//   BreakerStore::Loaded loaded = store.Load(key);      // the image, and a note for the log
//   ANEMONE_ASSIGN(Attempt attempt, store.Begin(key, "load"));
//   ... work that may kill this process ...
//   attempt.End();
//
// Begin leaves a mark on disk that End removes. A mark whose process is gone means that the process
// died in between: the next Load counts it as one more consecutive failure, so that after
// `consecutive_failures` such deaths the circuit is open from the start and the backend is not even
// tried. Marks of living processes are left alone. A process that the user kills in between counts
// too, because it looks the same.
//
// Files are replaced atomically; an unreadable one is a fresh start with the reason in `note`,
// never an error. A file that was learned on another OS build gives half_open: an update may have
// fixed the backend, so probes decide. Thread rules: any thread at once; between processes the last
// writer of a key wins. Errors: kIo when writing.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "runtime/circuit_breaker.h"
#include "runtime/telemetry_event.h"

namespace anemone::runtime {

// The route that a breaker guards.
struct BreakerKey {
  std::string model_hash;
  std::string backend;
  std::string units;
  bool operator==(const BreakerKey&) const = default;
  auto operator<=>(const BreakerKey&) const = default;
};

// The telemetry event of a transition, for Telemetry::record_event.
Event CircuitEvent(const BreakerKey& key, const BreakerEvent& event);

class BreakerStore {
 public:
  struct Loaded {
    std::optional<BreakerImage> image;  // empty: nothing known, start fresh
    std::string note;                   // why it differs from the saved one; empty when it does not
    int64_t deaths = 0;                 // marks of dead processes that this Load counted
  };

  // Removes its mark when it is destroyed or End is called; a process that dies does neither.
  class Attempt {
   public:
    Attempt(Attempt&& other) noexcept
        : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
    Attempt& operator=(Attempt&&) = delete;
    ~Attempt() { End(); }
    void End();

   private:
    friend class BreakerStore;
    Attempt(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
    std::string path_;
    int fd_ = -1;  // holds the lock that shows that this process is alive
  };

  // `dir` is made on the first write.
  BreakerStore(std::string dir, std::string os_build);

  Loaded Load(const BreakerKey& key) const;
  Status Save(const BreakerKey& key, const BreakerImage& image) const;
  // `what` is for people: "load", "first_inference".
  Result<Attempt> Begin(const BreakerKey& key, std::string_view what) const;
  // Forgets everything about the key.
  Status Clear(const BreakerKey& key) const;

  // The file of a key, named by a hash of it.
  std::string PathOf(const BreakerKey& key) const;

 private:
  int64_t CollectDeaths(const BreakerKey& key) const;

  std::string dir_;
  std::string os_build_;
};

// One breaker for each key in this process, synchronized with the store.
// Ownership: shared; breakers stay alive with the registry. Thread rules: any thread at once. The
// callbacks must not call the registry.
class BreakerRegistry {
 public:
  // `store` may be null: nothing is kept between processes. `on_transition` and `on_note` (a store
  // that was reset, a state that could not be saved) may be empty.
  BreakerRegistry(const BreakerConfig& config, std::shared_ptr<const BreakerStore> store,
                  std::function<void(const BreakerKey&, const BreakerEvent&)> on_transition = {},
                  std::function<void(const BreakerKey&, const std::string&)> on_note = {},
                  const Clock* clock = nullptr);
  BreakerRegistry(const BreakerRegistry&) = delete;
  BreakerRegistry& operator=(const BreakerRegistry&) = delete;
  ~BreakerRegistry();

  // The breaker of the key, made and restored on first use.
  std::shared_ptr<CircuitBreaker> Get(const BreakerKey& key);
  // Calls `visit` for each breaker.
  void ForEach(const std::function<void(const BreakerKey&, CircuitBreaker&)>& visit);

 private:
  struct Entries;
  const BreakerConfig config_;
  const std::shared_ptr<const BreakerStore> store_;
  const std::function<void(const BreakerKey&, const BreakerEvent&)> on_transition_;
  const std::function<void(const BreakerKey&, const std::string&)> on_note_;
  const Clock* const clock_;
  std::mutex mutex_;
  std::unique_ptr<Entries> entries_;
};

}  // namespace anemone::runtime
