// The reference for CircuitBreaker: the same state machine, written to be read. It keeps every call
// of the present state and evaluates each rule from that list, from scratch, each time. One thread.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "runtime/circuit_breaker.h"

namespace anemone::runtime::fakes {

class BreakerModel {
 public:
  struct Ticket {
    uint64_t age;  // how many transitions had happened when it was issued
    CircuitState state;
  };
  struct Transition {
    CircuitState from;
    CircuitState to;
    TransitionReason reason;
    int64_t wait_ns;
  };

  BreakerModel(const BreakerConfig& config, std::function<double()> uniform)
      : state(config.initial_state), config_(config), uniform_(std::move(uniform)) {}

  // Everything that a test may check.
  CircuitState state;
  int64_t now_ns = 0;
  int64_t consecutive_opens = 0;
  int64_t admitted = 0;
  uint64_t refused = 0, ignored = 0, late = 0;
  std::vector<Transition> transitions;

  std::optional<Ticket> Acquire() {
    const bool passes = state == CircuitState::kClosed || state == CircuitState::kDisabled ||
                        state == CircuitState::kMetricsOnly;
    if (!passes) {
      ++refused;
      return std::nullopt;
    }
    return Ticket{transitions.size(), state};
  }

  bool ProbeDue() const {
    if (state == CircuitState::kOpen) return now_ns >= open_until_ns_;
    return state == CircuitState::kHalfOpen && admitted < Probes();
  }

  std::optional<Ticket> AcquireProbe() {
    if (state == CircuitState::kOpen && now_ns >= open_until_ns_) {
      Move(CircuitState::kHalfOpen, TransitionReason::kWaitElapsed, 0);
    }
    if (state != CircuitState::kHalfOpen || admitted == Probes()) return std::nullopt;
    ++admitted;
    return Ticket{transitions.size(), state};
  }

  void Success(Ticket ticket, int64_t ns) { Report(ticket, false, ns); }
  void Failure(Ticket ticket, FailureKind kind, int64_t ns) {
    const bool wanted =
        (kind == FailureKind::kNonFinite && !config_.record_nonfinite_as_failure) ||
        (kind == FailureKind::kParityDrift && !config_.record_parity_drift_as_failure);
    Report(ticket, !wanted, ns);
  }
  void Ignore(Ticket ticket) {
    ++ignored;
    if (ticket.state != CircuitState::kHalfOpen) return;
    if (ticket.age != transitions.size()) {
      ++late;
    } else {
      --admitted;
    }
  }

  void Memory(int64_t bytes) {
    if (config_.memory_limit_bytes == 0 || bytes <= config_.memory_limit_bytes) return;
    if (Trips()) Open(TransitionReason::kMemoryLimit);
  }
  void Trip() {
    if (Trips()) Open(TransitionReason::kVerdict);
  }
  void Baseline(int64_t p50_ns) { baseline_ns_ = p50_ns; }
  void Reset() {
    consecutive_opens = 0;
    if (state != CircuitState::kClosed) {
      Move(CircuitState::kClosed, TransitionReason::kAdministrative, 0);
    }
    calls_.clear();
  }
  void Administer(CircuitState to) {
    if (state == to) return;
    consecutive_opens = 0;
    Move(to, TransitionReason::kAdministrative, 0);
  }

  int64_t ConsecutiveFailures() const {
    int64_t count = 0;
    while (count < Size(calls_) && calls_[calls_.size() - 1 - static_cast<size_t>(count)].failed) {
      ++count;
    }
    return count;
  }
  // The calls over which rates are taken.
  WindowTotals Window() const {
    WindowTotals totals;
    for (size_t i = 0; i < calls_.size(); ++i) {
      const bool inside =
          config_.sliding_window_type == WindowType::kCount
              ? Size(calls_) - static_cast<int64_t>(i) <= config_.sliding_window_size
              : now_ns / kSecond - calls_[i].at_ns / kSecond < config_.sliding_window_size;
      if (!inside) continue;
      totals.calls += 1;
      totals.failed += calls_[i].failed;
      totals.slow += calls_[i].slow;
      totals.over_sla += calls_[i].over_sla;
    }
    return totals;
  }

 private:
  static constexpr int64_t kSecond = 1'000'000'000;
  struct Call {
    int64_t at_ns;
    bool failed, slow, over_sla;
  };

  static int64_t Size(const std::vector<Call>& calls) { return static_cast<int64_t>(calls.size()); }
  int64_t Probes() const { return config_.permitted_number_of_calls_in_half_open_state; }
  bool Trips() const { return state == CircuitState::kClosed || state == CircuitState::kHalfOpen; }

  bool IsSlow(int64_t ns) const {
    if (config_.slow_call_duration_threshold_ns)
      return ns >= *config_.slow_call_duration_threshold_ns;
    return baseline_ns_ > 0 &&
           static_cast<double>(ns) >=
               std::floor(config_.slow_call_baseline_factor * static_cast<double>(baseline_ns_));
  }

  void Report(Ticket ticket, bool failed, int64_t ns) {
    if (ticket.state == CircuitState::kDisabled) return;
    if (ticket.age != transitions.size()) {
      ++late;
      return;
    }
    const bool over = config_.latency_sla_p99_ns > 0 && ns > config_.latency_sla_p99_ns;
    calls_.push_back({now_ns, failed, IsSlow(ns), over});
    if (state == CircuitState::kHalfOpen) {
      if (failed || over || IsSlow(ns)) {
        Open(TransitionReason::kProbeFailed);
      } else if (Size(calls_) == Probes()) {
        consecutive_opens = 0;
        Move(CircuitState::kClosed, TransitionReason::kProbesPassed, 0);
      }
    } else if (state == CircuitState::kClosed) {
      JudgeClosed();
    }
    // Calls that no rule needs any more.
    if (calls_.size() > 4096) calls_.erase(calls_.begin(), calls_.begin() + 2048);
  }

  void JudgeClosed() {
    const auto& c = config_;
    if (c.consecutive_failures > 0 && ConsecutiveFailures() >= c.consecutive_failures) {
      return Open(TransitionReason::kConsecutiveFailures);
    }
    const WindowTotals window = Window();
    const auto reaches = [&](int64_t part, double per_cent) {
      return per_cent > 0 && window.calls >= c.minimum_number_of_calls &&
             static_cast<double>(part) * 100.0 / static_cast<double>(window.calls) >= per_cent;
    };
    if (reaches(window.failed, c.failure_rate_threshold)) {
      return Open(TransitionReason::kFailureRate);
    }
    if (reaches(window.slow, c.slow_call_rate_threshold)) {
      return Open(TransitionReason::kSlowCallRate);
    }
    if (c.latency_sla_p99_ns == 0) return;
    // p99 by its definition: 99 % of the calls are within the limit, or it is exceeded.
    int64_t needed = std::max<int64_t>(c.minimum_number_of_calls, 100);
    if (c.sliding_window_type == WindowType::kCount) {
      needed = std::max(c.minimum_number_of_calls, std::min<int64_t>(c.sliding_window_size, 100));
    }
    const int64_t within = window.calls - window.over_sla;
    if (window.calls >= needed && within * 100 < window.calls * 99) {
      Open(TransitionReason::kLatencySla);
    }
  }

  void Open(TransitionReason reason) {
    ++consecutive_opens;
    double wait = static_cast<double>(config_.wait_duration_in_open_state_ns) *
                  std::pow(config_.wait_backoff_multiplier, consecutive_opens - 1);
    const auto longest = static_cast<double>(config_.max_wait_duration_in_open_state_ns);
    wait = std::min(wait, longest);
    if (config_.wait_jitter > 0) wait *= 1 + config_.wait_jitter * (2 * uniform_() - 1);
    const int64_t wait_ns = std::llround(std::min(wait, longest));
    open_until_ns_ = now_ns + wait_ns;
    Move(CircuitState::kOpen, reason, wait_ns);
  }

  void Move(CircuitState to, TransitionReason reason, int64_t wait_ns) {
    transitions.push_back({state, to, reason, wait_ns});
    state = to;
    calls_.clear();
    admitted = 0;
  }

  BreakerConfig config_;
  std::function<double()> uniform_;
  std::vector<Call> calls_;  // counted in the present state
  int64_t open_until_ns_ = 0;
  int64_t baseline_ns_ = 0;
};

}  // namespace anemone::runtime::fakes
