// CircuitBreaker: stops calls to a backend that fails, and tests off the request path whether it
// works again. One for each (model, backend, units).
//
//                 trip                     wait over, a prober asks
//     closed -------------> open --------------------------------> half_open
//        ^                   ^ <------------- any probe fails ------- |
//        |________________________ all N probes pass _________________|
//
//     administrative: disabled, metrics_only, forced_open; Reset() leads back to closed
//
//   CircuitBreaker::Permit permit = breaker.Acquire();        // request path
//   if (!permit) { if (permit.probe_due()) WakeProber(); return NextBackend(); }
//   ... permit.Success(ns) / permit.Failure(kind, ns) / permit.Ignore();
//
//   if (auto probe = breaker.AcquireProbe()) { ... }          // a background thread
//
// Requests are never delayed and never used as probes: in open and half_open they are refused at
// once, and probe_due() says that a prober has something to do. half_open admits exactly N probes;
// one that is ignored or dropped without a report returns its place. A report counts only in the
// state that issued the permit: a call that began before a transition does not affect the state
// after it. The caller's mistakes (Ignore) never count.
//
// Thread rules: every method from any thread at once. Acquire takes no lock; neither does a success
// once a count window is full of successes. Listeners are called without a lock, in order, exactly
// once for each transition, on a thread that reported or administered. The breaker outlives its
// permits. Units: durations in nanoseconds. Errors: none; see Validate for configurations.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "runtime/circuit_breaker_config.h"
#include "runtime/circuit_breaker_window.h"
#include "runtime/telemetry_clock.h"
#include "runtime/telemetry_types.h"

namespace anemone::runtime {

// Why a breaker changed its state.
enum class TransitionReason : uint8_t {
  kConsecutiveFailures,
  kFailureRate,
  kSlowCallRate,
  kLatencySla,
  kMemoryLimit,
  kVerdict,         // Trip(): a self-test or a child process said so
  kWaitElapsed,     // open to half_open
  kProbesPassed,    // half_open to closed
  kProbeFailed,     // half_open to open
  kAdministrative,  // by a caller's request
  kRestored,        // from disk
};
inline constexpr size_t kTransitionReasonCount = 11;
// "consecutive_failures", "failure_rate" ...
std::string_view TransitionReasonName(TransitionReason reason);

struct BreakerEvent {
  CircuitState from = CircuitState::kClosed;
  CircuitState to = CircuitState::kClosed;
  TransitionReason reason = TransitionReason::kAdministrative;
  std::optional<FailureKind> failure;  // the failure that caused it, if any
  int64_t time_unix_ns = 0;
  int64_t wait_ns = 0;      // until probes are due; 0 unless `to` is open
  uint64_t transition = 0;  // 1 for the first of this breaker, without gaps
};

// The state that outlives the process (breaker_store.h).
struct BreakerImage {
  CircuitState state = CircuitState::kClosed;
  int64_t consecutive_failures = 0;
  int64_t consecutive_opens = 0;  // openings since it last closed
  int64_t opened_unix_ns = 0;     // when state is open
  int64_t wait_ns = 0;            // when state is open
  bool operator==(const BreakerImage&) const = default;
};

// A snapshot. Rates are null below minimum_number_of_calls.
struct BreakerGauges {
  CircuitState state = CircuitState::kClosed;
  std::optional<double> failure_rate;    // per cent
  std::optional<double> slow_call_rate;  // per cent
  int64_t buffered_calls = 0;
  int64_t failed_calls = 0;
  int64_t slow_calls = 0;
  int64_t over_sla_calls = 0;
  int64_t consecutive_failures = 0;
  int64_t consecutive_opens = 0;
  int64_t probes_admitted = 0;       // in this half_open
  uint64_t not_permitted_calls = 0;  // requests refused since the start
  uint64_t ignored_calls = 0;
  uint64_t late_reports = 0;  // of calls that began before a transition
  uint64_t transitions = 0;
  std::optional<int64_t> probe_due_in_ns;  // only when open; 0: due
};

struct BreakerOptions {
  const Clock* clock = nullptr;  // null: the machine's; must outlive the breaker
  // Uniform in [0, 1), for the jitter; called under the breaker's lock. Empty: a generator seeded
  // with wait_jitter_seed.
  std::function<double()> uniform = {};
  // After each transition.
  std::function<void(const BreakerEvent&)> on_transition = {};
  // After each change of Image(): a transition, a failure while closed, the success that ends a run
  // of failures.
  std::function<void(const BreakerImage&)> on_image = {};
  // The state to resume from; empty: initial_state.
  std::optional<BreakerImage> restored = {};
};

class CircuitBreaker {
 public:
  // The right to one call. Move-only; without a report it counts as ignored.
  class [[nodiscard]] Permit {
   public:
    Permit(Permit&& other) noexcept { *this = std::move(other); }
    Permit& operator=(Permit&& other) noexcept;
    ~Permit() { Ignore(); }

    // Whether the call may be made.
    explicit operator bool() const { return admitted_; }
    // The state that decided.
    CircuitState state() const { return state_; }
    // Whether the call was refused and a prober would be admitted now.
    bool probe_due() const { return probe_due_; }

    // Report exactly one of these; later reports do nothing.
    void Success(int64_t duration_ns);
    void Failure(FailureKind kind, int64_t duration_ns);
    // The caller's mistake, or an abandoned call: neither says anything about the backend.
    void Ignore();

   private:
    friend class CircuitBreaker;
    Permit() = default;
    CircuitBreaker* breaker_ = nullptr;  // null: refused, or reported
    uint64_t generation_ = 0;
    CircuitState state_ = CircuitState::kClosed;
    bool admitted_ = false;
    bool probe_due_ = false;
  };

  // `config` must have passed Validate.
  explicit CircuitBreaker(const BreakerConfig& config, BreakerOptions options = {});
  CircuitBreaker(const CircuitBreaker&) = delete;
  CircuitBreaker& operator=(const CircuitBreaker&) = delete;

  // Asks whether a request may go to the backend.
  Permit Acquire();
  // Asks to probe. Moves from open to half_open when the wait is over; refused in other states.
  Permit AcquireProbe();

  // Judges the backend's memory: above the limit a closed circuit opens and a half_open one fails.
  void JudgeMemory(int64_t bytes);
  // Opens a closed or half_open circuit at once: a known-answer test failed, a child crashed.
  void Trip(FailureKind kind);
  // The p50 of a healthy warm run, for slow_call_baseline_factor.
  void SetBaseline(int64_t p50_ns);

  // Administration. Reset closes and forgets everything, from any state.
  void Reset();
  void ForceOpen() { Administer(CircuitState::kForcedOpen); }
  void Disable() { Administer(CircuitState::kDisabled); }
  void MetricsOnly() { Administer(CircuitState::kMetricsOnly); }

  CircuitState state() const { return StateOf(word_.load(std::memory_order_acquire)); }
  // For a prober that sleeps: how long until AcquireProbe may succeed; null when only a transition
  // can change that.
  std::optional<int64_t> probe_due_in_ns() const;
  BreakerGauges Gauges();
  BreakerImage Image() const;
  const BreakerConfig& config() const { return config_; }

 private:
  enum class Outcome : uint8_t { kSuccess, kFailure, kIgnored };

  // One word holds the state and the number of transitions that led to it.
  static CircuitState StateOf(uint64_t word) { return static_cast<CircuitState>(word & 7); }
  static uint64_t GenerationOf(uint64_t word) { return word >> 3; }

  void Report(const Permit& permit, Outcome outcome, FailureKind kind, int64_t duration_ns);
  void CountLocked(CallMarks marks, std::optional<FailureKind> failure, int64_t now_ns);
  std::optional<TransitionReason> BrokenRuleLocked() const;
  void OpenLocked(TransitionReason reason, std::optional<FailureKind> failure);
  void MoveLocked(CircuitState to, TransitionReason reason, std::optional<FailureKind> failure,
                  int64_t wait_ns);
  void RestoreLocked(const BreakerImage& image);
  void Administer(CircuitState to);
  BreakerImage ImageLocked() const;
  int64_t NextWaitLocked();
  // Calls the listeners with the queued events, without holding the lock.
  void Deliver();

  const BreakerConfig config_;
  const BreakerOptions options_;
  const Clock& clock_;

  std::atomic<uint64_t> word_;
  std::atomic<int64_t> open_until_ns_{0};    // monotonic, while open
  std::atomic<int64_t> probes_admitted_{0};  // written under the lock
  std::atomic<int64_t> slow_ns_;             // INT64_MAX: no call is slow
  std::atomic<bool> all_clean_{false};       // one more success would change nothing
  std::atomic<uint64_t> not_permitted_{0};
  std::atomic<uint64_t> ignored_{0};
  std::atomic<uint64_t> late_{0};

  mutable std::mutex mutex_;  // all below
  CallWindow window_;
  int64_t consecutive_failures_ = 0;
  int64_t consecutive_opens_ = 0;
  int64_t probes_passed_ = 0;
  int64_t opened_unix_ns_ = 0;
  int64_t wait_ns_ = 0;
  uint64_t jitter_state_;
  std::deque<BreakerEvent> events_;  // not delivered yet
  bool image_changed_ = false;
  bool delivering_ = false;
};

}  // namespace anemone::runtime
