#include "runtime/circuit_breaker.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/random.h"

namespace anemone::runtime {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

constexpr std::array<std::string_view, kTransitionReasonCount> kReasonNames = {
    "consecutive_failures", "failure_rate",   "slow_call_rate", "latency_sla",
    "memory_limit",         "verdict",        "wait_elapsed",   "probes_passed",
    "probe_failed",         "administrative", "restored"};

// Whether calls pass in this state.
bool Passes(CircuitState state) {
  return state == CircuitState::kClosed || state == CircuitState::kDisabled ||
         state == CircuitState::kMetricsOnly;
}

std::optional<double> Rate(int64_t part, int64_t all, int64_t minimum) {
  if (all < minimum || all == 0) return std::nullopt;
  return 100.0 * static_cast<double>(part) / static_cast<double>(all);
}

}  // namespace

std::string_view TransitionReasonName(TransitionReason reason) {
  return kReasonNames[static_cast<size_t>(reason)];
}

// --- Permit

CircuitBreaker::Permit& CircuitBreaker::Permit::operator=(Permit&& other) noexcept {
  if (this == &other) return *this;
  Ignore();
  breaker_ = std::exchange(other.breaker_, nullptr);
  generation_ = other.generation_;
  state_ = other.state_;
  admitted_ = std::exchange(other.admitted_, false);
  probe_due_ = other.probe_due_;
  return *this;
}

void CircuitBreaker::Permit::Success(int64_t duration_ns) {
  if (CircuitBreaker* breaker = std::exchange(breaker_, nullptr)) {
    breaker->Report(*this, Outcome::kSuccess, FailureKind::kUnknown, duration_ns);
  }
}

void CircuitBreaker::Permit::Failure(FailureKind kind, int64_t duration_ns) {
  CircuitBreaker* breaker = std::exchange(breaker_, nullptr);
  if (breaker == nullptr) return;
  const BreakerConfig& config = breaker->config_;
  const bool tolerated =
      (kind == FailureKind::kNonFinite && !config.record_nonfinite_as_failure) ||
      (kind == FailureKind::kParityDrift && !config.record_parity_drift_as_failure);
  breaker->Report(*this, tolerated ? Outcome::kSuccess : Outcome::kFailure, kind, duration_ns);
}

void CircuitBreaker::Permit::Ignore() {
  if (CircuitBreaker* breaker = std::exchange(breaker_, nullptr)) {
    breaker->Report(*this, Outcome::kIgnored, FailureKind::kUnknown, 0);
  }
}

// --- Construction

CircuitBreaker::CircuitBreaker(const BreakerConfig& config, BreakerOptions options)
    : config_(config),
      options_(std::move(options)),
      clock_(options_.clock != nullptr ? *options_.clock : Clock::System()),
      word_(static_cast<uint64_t>(config.initial_state)),
      slow_ns_(config.slow_call_duration_threshold_ns.value_or(INT64_MAX)),
      window_(config_),
      jitter_state_(config.wait_jitter_seed) {
  if (!options_.restored) return;
  {
    const std::lock_guard lock(mutex_);
    RestoreLocked(*options_.restored);
  }
  Deliver();
}

void CircuitBreaker::RestoreLocked(const BreakerImage& image) {
  // An administrative state of the configuration overrides the one on disk.
  if (config_.initial_state != CircuitState::kClosed) return;
  consecutive_opens_ = std::max<int64_t>(image.consecutive_opens, 0);
  switch (image.state) {
    case CircuitState::kClosed:
      consecutive_failures_ = std::max<int64_t>(image.consecutive_failures, 0);
      if (config_.consecutive_failures > 0 &&
          consecutive_failures_ >= config_.consecutive_failures) {
        OpenLocked(TransitionReason::kRestored, std::nullopt);
      }
      return;
    case CircuitState::kOpen: {
      // A clock that was set back must not keep it open longer than configured.
      const int64_t wait =
          std::clamp<int64_t>(image.wait_ns, 0, config_.max_wait_duration_in_open_state_ns);
      const int64_t now = clock_.unix_ns();
      opened_unix_ns_ = std::clamp<int64_t>(image.opened_unix_ns, 0, std::max<int64_t>(now, 0));
      const int64_t left = std::max<int64_t>(wait - (now - opened_unix_ns_), 0);
      wait_ns_ = wait;
      open_until_ns_.store(clock_.monotonic_ns() + left, kRelaxed);
      MoveLocked(CircuitState::kOpen, TransitionReason::kRestored, std::nullopt, left);
      return;
    }
    case CircuitState::kHalfOpen:
      // A probe that killed its process has failed.
      if (image.consecutive_failures > 0) {
        return OpenLocked(TransitionReason::kRestored, std::nullopt);
      }
      [[fallthrough]];
    case CircuitState::kForcedOpen:
    case CircuitState::kDisabled:
    case CircuitState::kMetricsOnly:
      MoveLocked(image.state, TransitionReason::kRestored, std::nullopt, 0);
      return;
  }
}

// --- Admission

CircuitBreaker::Permit CircuitBreaker::Acquire() {
  const uint64_t word = word_.load(std::memory_order_acquire);
  Permit permit;
  permit.state_ = StateOf(word);
  if (Passes(permit.state_)) {
    permit.breaker_ = this;
    permit.generation_ = GenerationOf(word);
    permit.admitted_ = true;
    return permit;
  }
  not_permitted_.fetch_add(1, kRelaxed);
  if (permit.state_ == CircuitState::kOpen) {
    permit.probe_due_ = clock_.monotonic_ns() >= open_until_ns_.load(kRelaxed);
  } else if (permit.state_ == CircuitState::kHalfOpen) {
    permit.probe_due_ =
        probes_admitted_.load(kRelaxed) < config_.permitted_number_of_calls_in_half_open_state;
  }
  return permit;
}

CircuitBreaker::Permit CircuitBreaker::AcquireProbe() {
  Permit permit;
  {
    const std::lock_guard lock(mutex_);
    if (state() == CircuitState::kOpen && clock_.monotonic_ns() >= open_until_ns_.load(kRelaxed)) {
      MoveLocked(CircuitState::kHalfOpen, TransitionReason::kWaitElapsed, std::nullopt, 0);
    }
    permit.state_ = state();
    const int64_t admitted = probes_admitted_.load(kRelaxed);
    if (permit.state_ == CircuitState::kHalfOpen &&
        admitted < config_.permitted_number_of_calls_in_half_open_state) {
      probes_admitted_.store(admitted + 1, kRelaxed);
      permit.breaker_ = this;
      permit.generation_ = GenerationOf(word_.load(kRelaxed));
      permit.admitted_ = true;
    }
  }
  Deliver();
  return permit;
}

// --- Reports

void CircuitBreaker::Report(const Permit& permit, Outcome outcome, FailureKind kind,
                            int64_t duration_ns) {
  if (outcome == Outcome::kIgnored) ignored_.fetch_add(1, kRelaxed);
  if (permit.state_ == CircuitState::kDisabled) return;
  CallMarks marks;
  marks.failed = outcome == Outcome::kFailure;
  marks.slow = duration_ns >= slow_ns_.load(kRelaxed);
  marks.over_sla = config_.latency_sla_p99_ns > 0 && duration_ns > config_.latency_sla_p99_ns;
  const bool probe = permit.state_ == CircuitState::kHalfOpen;
  if (!probe) {
    if (outcome == Outcome::kIgnored) return;
    // The common case: this success could not change anything. It counts as if it came before any
    // report that clears the flag meanwhile.
    if (!marks.any() && all_clean_.load(std::memory_order_acquire) &&
        GenerationOf(word_.load(kRelaxed)) == permit.generation_) {
      return;
    }
  }
  bool tell;
  {
    const std::lock_guard lock(mutex_);
    if (GenerationOf(word_.load(kRelaxed)) != permit.generation_) {
      late_.fetch_add(1, kRelaxed);
      return;
    }
    const auto failure = marks.failed ? std::optional(kind) : std::nullopt;
    if (!probe) {
      CountLocked(marks, failure, clock_.monotonic_ns());
    } else if (outcome == Outcome::kIgnored) {
      probes_admitted_.fetch_sub(1, kRelaxed);
    } else if (marks.any()) {
      OpenLocked(TransitionReason::kProbeFailed, failure);
    } else if (++probes_passed_ == config_.permitted_number_of_calls_in_half_open_state) {
      consecutive_opens_ = 0;
      MoveLocked(CircuitState::kClosed, TransitionReason::kProbesPassed, std::nullopt, 0);
    }
    tell = image_changed_ || !events_.empty();
  }
  if (tell) Deliver();
}

void CircuitBreaker::CountLocked(CallMarks marks, std::optional<FailureKind> failure,
                                 int64_t now_ns) {
  window_.Add(marks, now_ns);
  if (marks.failed) {
    ++consecutive_failures_;
    image_changed_ = true;
  } else if (consecutive_failures_ > 0) {
    consecutive_failures_ = 0;
    image_changed_ = true;
  }
  if (state() == CircuitState::kClosed) {
    if (const auto reason = BrokenRuleLocked()) return OpenLocked(*reason, failure);
  }
  all_clean_.store(window_.full_and_clean() && consecutive_failures_ == 0,
                   std::memory_order_release);
}

std::optional<TransitionReason> CircuitBreaker::BrokenRuleLocked() const {
  if (config_.consecutive_failures > 0 && consecutive_failures_ >= config_.consecutive_failures) {
    return TransitionReason::kConsecutiveFailures;
  }
  const WindowTotals& totals = window_.totals();
  const int64_t minimum = config_.minimum_number_of_calls;
  const auto failure_rate = Rate(totals.failed, totals.calls, minimum);
  if (config_.failure_rate_threshold > 0 && failure_rate &&
      *failure_rate >= config_.failure_rate_threshold) {
    return TransitionReason::kFailureRate;
  }
  const auto slow_rate = Rate(totals.slow, totals.calls, minimum);
  if (config_.slow_call_rate_threshold > 0 && slow_rate &&
      *slow_rate >= config_.slow_call_rate_threshold) {
    return TransitionReason::kSlowCallRate;
  }
  if (config_.latency_sla_p99_ns > 0) {
    constexpr int64_t enough = 100;
    const int64_t window = config_.sliding_window_type == WindowType::kCount
                               ? std::min(config_.sliding_window_size, enough)
                               : enough;
    // The nearest-rank p99 exceeds the limit when more calls do than there are above that rank.
    const int64_t above_rank = totals.calls - (totals.calls * 99 + 99) / 100;
    if (totals.calls >= std::max(minimum, window) && totals.over_sla > above_rank) {
      return TransitionReason::kLatencySla;
    }
  }
  return std::nullopt;
}

void CircuitBreaker::JudgeMemory(int64_t bytes) {
  if (config_.memory_limit_bytes <= 0 || bytes <= config_.memory_limit_bytes) return;
  {
    const std::lock_guard lock(mutex_);
    const CircuitState now = state();
    if (now != CircuitState::kClosed && now != CircuitState::kHalfOpen) return;
    OpenLocked(TransitionReason::kMemoryLimit, FailureKind::kMemoryPressure);
  }
  Deliver();
}

void CircuitBreaker::Trip(FailureKind kind) {
  {
    const std::lock_guard lock(mutex_);
    const CircuitState now = state();
    if (now != CircuitState::kClosed && now != CircuitState::kHalfOpen) return;
    OpenLocked(TransitionReason::kVerdict, kind);
  }
  Deliver();
}

void CircuitBreaker::SetBaseline(int64_t p50_ns) {
  if (config_.slow_call_duration_threshold_ns) return;
  const double slow = static_cast<double>(p50_ns) * config_.slow_call_baseline_factor;
  slow_ns_.store(p50_ns <= 0 || slow >= 9e18 ? INT64_MAX : static_cast<int64_t>(slow), kRelaxed);
}

// --- Transitions

int64_t CircuitBreaker::NextWaitLocked() {
  const auto longest = static_cast<double>(config_.max_wait_duration_in_open_state_ns);
  auto wait = static_cast<double>(config_.wait_duration_in_open_state_ns);
  for (int64_t i = 1; i < consecutive_opens_ && wait < longest; ++i) {
    wait *= config_.wait_backoff_multiplier;
    if (config_.wait_backoff_multiplier == 1) break;
  }
  wait = std::min(wait, longest);
  if (config_.wait_jitter > 0) {
    double uniform;
    if (options_.uniform) {
      uniform = options_.uniform();
    } else {
      Random random(jitter_state_);
      jitter_state_ = random.NextBits();
      uniform = static_cast<double>(jitter_state_ >> 11) * 0x1p-53;
    }
    wait *= 1 + config_.wait_jitter * (2 * uniform - 1);
  }
  return static_cast<int64_t>(std::llround(std::min(wait, longest)));
}

void CircuitBreaker::OpenLocked(TransitionReason reason, std::optional<FailureKind> failure) {
  ++consecutive_opens_;
  wait_ns_ = NextWaitLocked();
  opened_unix_ns_ = clock_.unix_ns();
  open_until_ns_.store(clock_.monotonic_ns() + wait_ns_, kRelaxed);
  MoveLocked(CircuitState::kOpen, reason, failure, wait_ns_);
}

void CircuitBreaker::MoveLocked(CircuitState to, TransitionReason reason,
                                std::optional<FailureKind> failure, int64_t wait_ns) {
  const uint64_t word = word_.load(kRelaxed);
  // A state starts with empty counts.
  all_clean_.store(false, kRelaxed);
  window_.Clear();
  consecutive_failures_ = 0;
  probes_admitted_.store(0, kRelaxed);
  probes_passed_ = 0;
  word_.store((GenerationOf(word) + 1) << 3 | static_cast<uint64_t>(to), std::memory_order_release);
  image_changed_ = true;
  BreakerEvent event;
  event.from = StateOf(word);
  event.to = to;
  event.reason = reason;
  event.failure = failure;
  event.time_unix_ns = clock_.unix_ns();
  event.wait_ns = wait_ns;
  event.transition = GenerationOf(word) + 1;
  if (options_.on_transition) events_.push_back(event);
}

void CircuitBreaker::Administer(CircuitState to) {
  {
    const std::lock_guard lock(mutex_);
    if (state() == to) return;
    consecutive_opens_ = 0;
    MoveLocked(to, TransitionReason::kAdministrative, std::nullopt, 0);
  }
  Deliver();
}

void CircuitBreaker::Reset() {
  {
    const std::lock_guard lock(mutex_);
    consecutive_opens_ = 0;
    if (state() != CircuitState::kClosed) {
      MoveLocked(CircuitState::kClosed, TransitionReason::kAdministrative, std::nullopt, 0);
    } else {
      all_clean_.store(false, kRelaxed);
      window_.Clear();
      consecutive_failures_ = 0;
      image_changed_ = true;
    }
  }
  Deliver();
}

// The first thread that finds events and no thread delivering them delivers them all; so events
// keep their order, and a listener may call the breaker.
void CircuitBreaker::Deliver() {
  std::unique_lock lock(mutex_);
  if (delivering_) return;
  delivering_ = true;
  while (!events_.empty() || image_changed_) {
    std::optional<BreakerEvent> event;
    if (!events_.empty()) {
      event = events_.front();
      events_.pop_front();
    }
    std::optional<BreakerImage> image;
    if (std::exchange(image_changed_, false) && options_.on_image) image = ImageLocked();
    lock.unlock();
    if (event) options_.on_transition(*event);
    if (image) options_.on_image(*image);
    lock.lock();
  }
  delivering_ = false;
}

// --- Reading

std::optional<int64_t> CircuitBreaker::probe_due_in_ns() const {
  const std::lock_guard lock(mutex_);
  if (state() == CircuitState::kOpen) {
    return std::max<int64_t>(open_until_ns_.load(kRelaxed) - clock_.monotonic_ns(), 0);
  }
  if (state() == CircuitState::kHalfOpen &&
      probes_admitted_.load(kRelaxed) < config_.permitted_number_of_calls_in_half_open_state) {
    return 0;
  }
  return std::nullopt;
}

BreakerGauges CircuitBreaker::Gauges() {
  const std::lock_guard lock(mutex_);
  const int64_t now_ns = clock_.monotonic_ns();
  window_.Expire(now_ns);
  const WindowTotals& totals = window_.totals();
  BreakerGauges gauges;
  gauges.state = state();
  gauges.failure_rate = Rate(totals.failed, totals.calls, config_.minimum_number_of_calls);
  gauges.slow_call_rate = Rate(totals.slow, totals.calls, config_.minimum_number_of_calls);
  gauges.buffered_calls = totals.calls;
  gauges.failed_calls = totals.failed;
  gauges.slow_calls = totals.slow;
  gauges.over_sla_calls = totals.over_sla;
  gauges.consecutive_failures = consecutive_failures_;
  gauges.consecutive_opens = consecutive_opens_;
  gauges.probes_admitted = probes_admitted_.load(kRelaxed);
  gauges.not_permitted_calls = not_permitted_.load(kRelaxed);
  gauges.ignored_calls = ignored_.load(kRelaxed);
  gauges.late_reports = late_.load(kRelaxed);
  gauges.transitions = GenerationOf(word_.load(kRelaxed));
  if (gauges.state == CircuitState::kOpen) {
    gauges.probe_due_in_ns = std::max<int64_t>(open_until_ns_.load(kRelaxed) - now_ns, 0);
  }
  return gauges;
}

BreakerImage CircuitBreaker::ImageLocked() const {
  BreakerImage image;
  image.state = state();
  image.consecutive_failures = consecutive_failures_;
  image.consecutive_opens = consecutive_opens_;
  if (image.state == CircuitState::kOpen) {
    image.opened_unix_ns = opened_unix_ns_;
    image.wait_ns = wait_ns_;
  }
  return image;
}

BreakerImage CircuitBreaker::Image() const {
  const std::lock_guard lock(mutex_);
  return ImageLocked();
}

}  // namespace anemone::runtime
