// Random walks: the breaker and the reference state machine take the same steps and must agree on
// every answer, counter and transition.
#include "unit/runtime/breaker_model.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <random>
#include <string>

namespace anemone::runtime {
namespace {

using fakes::BreakerModel;

constexpr int64_t kMillisecond = 1'000'000;
constexpr int kEpisodes = 8000;
constexpr int kStepsPerEpisode = 1250;  // 10 million steps in all

class Walk {
 public:
  explicit Walk(uint64_t seed)
      : engine_(seed), config_(RandomConfig()), model_(config_, Uniform(seed)) {
    BreakerOptions options;
    options.clock = &clock_;
    options.uniform = Uniform(seed);
    options.on_transition = [this](const BreakerEvent& event) { events_.push_back(event); };
    breaker_ = std::make_unique<CircuitBreaker>(config_, std::move(options));
    model_.now_ns = clock_.monotonic_ns();
    // A few characters of workload: mostly fine, failing, slow, mixed.
    failure_chance_ = Chance() < 0.5 ? Chance() * 0.1 : Chance();
    slow_chance_ = Chance() < 0.7 ? 0 : Chance();
    long_advances_ = Chance() < 0.5;
  }

  void Run(int steps) {
    for (int step = 0; step < steps && !::testing::Test::HasFatalFailure(); ++step) {
      Step();
      Compare(step);
    }
  }

  uint64_t transitions() const { return model_.transitions.size(); }
  const std::vector<BreakerModel::Transition>& history() const { return model_.transitions; }

 private:
  struct Pair {
    CircuitBreaker::Permit permit;
    BreakerModel::Ticket ticket;
  };

  static std::function<double()> Uniform(uint64_t seed) {
    return [engine = std::mt19937_64(seed ^ 0xabcdef)]() mutable {
      return static_cast<double>(engine() >> 11) * 0x1p-53;
    };
  }
  double Chance() { return std::uniform_real_distribution<double>(0, 1)(engine_); }
  int64_t Pick(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine_);
  }
  template <typename T>
  T OneOf(std::initializer_list<T> values) {
    return values.begin()[Pick(0, static_cast<int64_t>(values.size()) - 1)];
  }

  BreakerConfig RandomConfig() {
    BreakerConfig c;
    c.sliding_window_type = OneOf({WindowType::kCount, WindowType::kTime});
    c.sliding_window_size = OneOf<int64_t>({1, 2, 3, 5, 8, 20, 100, 130});
    c.minimum_number_of_calls = Pick(1, std::min<int64_t>(c.sliding_window_size, 12));
    c.failure_rate_threshold = OneOf({0.0, 10.0, 33.3, 50.0, 100.0});
    c.slow_call_rate_threshold = OneOf({0.0, 20.0, 80.0, 100.0});
    c.consecutive_failures = OneOf<int64_t>({0, 1, 2, 3, 7});
    if (Chance() < 0.5) c.slow_call_duration_threshold_ns = Pick(1, 50) * kMillisecond;
    c.latency_sla_p99_ns = OneOf<int64_t>({0, 0, 20 * kMillisecond, 45 * kMillisecond});
    c.memory_limit_bytes = OneOf<int64_t>({0, 1000});
    c.wait_duration_in_open_state_ns = OneOf<int64_t>({0, 1, 700, 30'000}) * kMillisecond;
    c.wait_backoff_multiplier = OneOf({1.0, 1.5, 2.0, 10.0});
    c.max_wait_duration_in_open_state_ns =
        c.wait_duration_in_open_state_ns * OneOf<int64_t>({1, 3, 20});
    c.wait_jitter = OneOf({0.0, 0.1, 1.0});
    c.permitted_number_of_calls_in_half_open_state = OneOf<int64_t>({1, 2, 3, 10});
    c.record_nonfinite_as_failure = Chance() < 0.5;
    c.record_parity_drift_as_failure = Chance() < 0.5;
    if (Chance() < 0.1) {
      c.initial_state =
          OneOf({CircuitState::kDisabled, CircuitState::kMetricsOnly, CircuitState::kForcedOpen});
    }
    EXPECT_TRUE(Validate(c).ok()) << Validate(c).ToString();
    return c;
  }

  void Step() {
    const double dice = Chance();
    if (dice < 0.40) {
      Ask(false);
    } else if (dice < 0.48) {
      Ask(true);
    } else if (dice < 0.90) {
      if (!pairs_.empty()) Answer();
    } else if (dice < 0.97) {
      Advance();
    } else if (dice < 0.98) {
      const int64_t bytes = Pick(0, 1100);
      breaker_->JudgeMemory(bytes);
      model_.Memory(bytes);
    } else if (dice < 0.984) {
      const int64_t p50 = Pick(-1, 5) * kMillisecond;
      breaker_->SetBaseline(p50);
      model_.Baseline(p50);
    } else if (dice < 0.987) {
      breaker_->Trip(FailureKind::kParityDrift);
      model_.Trip();
    } else if (dice < 0.99) {
      Command();
    }
  }

  void Ask(bool probe) {
    auto permit = probe ? breaker_->AcquireProbe() : breaker_->Acquire();
    const auto ticket = probe ? model_.AcquireProbe() : model_.Acquire();
    ASSERT_EQ(static_cast<bool>(permit), ticket.has_value());
    ASSERT_EQ(permit.state(), model_.state);
    if (!ticket) {
      if (!probe) {
        ASSERT_EQ(permit.probe_due(), model_.ProbeDue());
      }
      return;
    }
    pairs_.push_back({std::move(permit), *ticket});
    // Few at once, so that most reports are timely, but some are late.
    if (pairs_.size() > 12) Answer();
  }

  void Answer() {
    const auto index = static_cast<size_t>(Pick(0, static_cast<int64_t>(pairs_.size()) - 1));
    Pair pair = std::move(pairs_[index]);
    pairs_.erase(pairs_.begin() + static_cast<std::ptrdiff_t>(index));
    const int64_t ns = Chance() < slow_chance_ ? Pick(0, 60) * kMillisecond : Pick(0, 2'000'000);
    const double dice = Chance();
    if (dice < 0.03) {
      pair.permit.Ignore();
      model_.Ignore(pair.ticket);
    } else if (dice < 0.05) {
      {
        const auto dropped = std::move(pair.permit);
      }
      model_.Ignore(pair.ticket);
    } else if (Chance() < failure_chance_) {
      const auto kind = static_cast<FailureKind>(Pick(0, 9));
      pair.permit.Failure(kind, ns);
      model_.Failure(pair.ticket, kind, ns);
    } else {
      pair.permit.Success(ns);
      model_.Success(pair.ticket, ns);
    }
    if (Chance() < 0.1) pair.permit.Failure(FailureKind::kCrash, 0);  // a second report is void
  }

  void Advance() {
    const auto by = long_advances_ ? Pick(0, 40'000) * kMillisecond : Pick(0, 900) * kMillisecond;
    clock_.Advance(std::chrono::nanoseconds(by));
    model_.now_ns = clock_.monotonic_ns();
  }

  void Command() {
    switch (Pick(0, 5)) {
      case 0:
        breaker_->ForceOpen();
        return model_.Administer(CircuitState::kForcedOpen);
      case 1:
        breaker_->Disable();
        return model_.Administer(CircuitState::kDisabled);
      case 2:
        breaker_->MetricsOnly();
        return model_.Administer(CircuitState::kMetricsOnly);
      default:
        breaker_->Reset();
        return model_.Reset();
    }
  }

  void Compare(int step) {
    ASSERT_EQ(breaker_->state(), model_.state) << "step " << step;
    const BreakerGauges gauges = breaker_->Gauges();
    const WindowTotals window =
        model_.state == CircuitState::kHalfOpen ? WindowTotals{} : model_.Window();
    ASSERT_EQ(gauges.buffered_calls, window.calls) << "step " << step;
    ASSERT_EQ(gauges.failed_calls, window.failed) << "step " << step;
    ASSERT_EQ(gauges.slow_calls, window.slow) << "step " << step;
    ASSERT_EQ(gauges.over_sla_calls, window.over_sla) << "step " << step;
    if (model_.state != CircuitState::kHalfOpen) {
      ASSERT_EQ(gauges.consecutive_failures, model_.ConsecutiveFailures()) << "step " << step;
    }
    ASSERT_EQ(gauges.consecutive_opens, model_.consecutive_opens) << "step " << step;
    ASSERT_EQ(gauges.probes_admitted, model_.admitted) << "step " << step;
    ASSERT_EQ(gauges.not_permitted_calls, model_.refused) << "step " << step;
    ASSERT_EQ(gauges.ignored_calls, model_.ignored) << "step " << step;
    ASSERT_EQ(gauges.late_reports, model_.late) << "step " << step;
    ASSERT_EQ(events_.size(), model_.transitions.size()) << "step " << step;
    if (events_.empty() || events_.size() == compared_) return;
    for (; compared_ < events_.size(); ++compared_) {
      const BreakerEvent& event = events_[compared_];
      const auto& expected = model_.transitions[compared_];
      ASSERT_EQ(event.from, expected.from) << "step " << step;
      ASSERT_EQ(event.to, expected.to) << "step " << step;
      ASSERT_EQ(event.reason, expected.reason)
          << TransitionReasonName(event.reason) << " for " << TransitionReasonName(expected.reason)
          << " at step " << step;
      // pow() and repeated products round apart in the last places.
      ASSERT_NEAR(static_cast<double>(event.wait_ns), static_cast<double>(expected.wait_ns),
                  1e-9 * static_cast<double>(expected.wait_ns) + 1)
          << "step " << step;
      ASSERT_EQ(event.transition, compared_ + 1) << "step " << step;
    }
  }

  std::mt19937_64 engine_;
  BreakerConfig config_;
  ManualClock clock_;
  BreakerModel model_;
  std::vector<BreakerEvent> events_;
  size_t compared_ = 0;
  std::unique_ptr<CircuitBreaker> breaker_;
  std::vector<Pair> pairs_;  // destroyed before breaker_
  double failure_chance_ = 0;
  double slow_chance_ = 0;
  bool long_advances_ = false;
};

TEST(BreakerModelTest, MillionsOfRandomStepsAgreeWithTheReference) {
  std::array<uint64_t, kTransitionReasonCount> reasons{};
  uint64_t transitions = 0;
  for (uint64_t seed = 1; seed <= kEpisodes; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Walk walk(seed);
    walk.Run(kStepsPerEpisode);
    if (HasFatalFailure()) return;
    transitions += walk.transitions();
    for (const auto& transition : walk.history()) {
      ++reasons[static_cast<size_t>(transition.reason)];
    }
  }
  // The walk must have visited every state, often.
  EXPECT_GT(transitions, 200'000u);
  RecordProperty("transitions", std::to_string(transitions));
  for (size_t i = 0; i < kTransitionReasonCount; ++i) {
    if (static_cast<TransitionReason>(i) == TransitionReason::kRestored) continue;
    EXPECT_GT(reasons[i], 500u) << TransitionReasonName(static_cast<TransitionReason>(i));
  }
}

}  // namespace
}  // namespace anemone::runtime
