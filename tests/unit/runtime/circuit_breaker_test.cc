#include "runtime/circuit_breaker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace anemone::runtime {
namespace {

using std::chrono::seconds;

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1'000'000'000;

class CircuitBreakerTest : public ::testing::Test {
 protected:
  void Make(const BreakerConfig& config, std::optional<BreakerImage> restored = std::nullopt) {
    ASSERT_TRUE(Validate(config).ok()) << Validate(config).ToString();
    BreakerOptions options;
    options.clock = &clock_;
    options.uniform = [this] { return uniform_; };
    options.on_transition = [this](const BreakerEvent& event) { events_.push_back(event); };
    options.on_image = [this](const BreakerImage& image) { images_.push_back(image); };
    options.restored = restored;
    breaker_ = std::make_unique<CircuitBreaker>(config, std::move(options));
  }
  void Fail(int times, FailureKind kind = FailureKind::kRuntimeError) {
    for (int i = 0; i < times; ++i) {
      auto permit = breaker_->Acquire();
      ASSERT_TRUE(permit);
      permit.Failure(kind, kMs);
    }
  }
  void Succeed(int times, int64_t ns = kMs) {
    for (int i = 0; i < times; ++i) {
      auto permit = breaker_->Acquire();
      ASSERT_TRUE(permit);
      permit.Success(ns);
    }
  }
  bool Probe(bool success) {
    auto permit = breaker_->AcquireProbe();
    if (!permit) return false;
    if (success) {
      permit.Success(kMs);
    } else {
      permit.Failure(FailureKind::kTimeout, kMs);
    }
    return true;
  }

  ManualClock clock_;
  double uniform_ = 0.5;  // no jitter either way
  std::vector<BreakerEvent> events_;
  std::vector<BreakerImage> images_;
  std::unique_ptr<CircuitBreaker> breaker_;
};

TEST_F(CircuitBreakerTest, OpensWaitsProbesAndCloses) {
  Make({});
  Fail(2);
  EXPECT_EQ(breaker_->state(), CircuitState::kClosed);
  Fail(1);
  EXPECT_EQ(breaker_->state(), CircuitState::kOpen);
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].reason, TransitionReason::kConsecutiveFailures);
  EXPECT_EQ(events_[0].failure, FailureKind::kRuntimeError);
  EXPECT_EQ(events_[0].wait_ns, 30 * kSecond);

  auto refused = breaker_->Acquire();
  EXPECT_FALSE(refused);
  EXPECT_EQ(refused.state(), CircuitState::kOpen);
  EXPECT_FALSE(refused.probe_due());
  EXPECT_FALSE(Probe(true)) << "the wait is not over";
  EXPECT_EQ(breaker_->probe_due_in_ns(), 30 * kSecond);

  clock_.Advance(seconds(30));
  EXPECT_TRUE(breaker_->Acquire().probe_due());
  EXPECT_EQ(breaker_->state(), CircuitState::kOpen) << "a request does not move it";
  EXPECT_TRUE(Probe(true));
  EXPECT_EQ(breaker_->state(), CircuitState::kHalfOpen);
  EXPECT_FALSE(breaker_->Acquire()) << "requests are not probes";
  EXPECT_TRUE(Probe(true));
  EXPECT_TRUE(Probe(true));
  EXPECT_EQ(breaker_->state(), CircuitState::kClosed);
  EXPECT_FALSE(Probe(true)) << "nothing to probe";
  ASSERT_EQ(events_.size(), 3u);
  EXPECT_EQ(events_[2].reason, TransitionReason::kProbesPassed);
  EXPECT_EQ(breaker_->Gauges().not_permitted_calls, 3u);
}

TEST_F(CircuitBreakerTest, FailedProbesWaitLongerUpToTheMaximum) {
  Make({});
  Fail(3);
  std::vector<int64_t> waits = {events_.back().wait_ns};
  for (int i = 0; i < 7; ++i) {
    clock_.Advance(std::chrono::nanoseconds(waits.back()));
    ASSERT_TRUE(Probe(false));
    EXPECT_EQ(events_.back().reason, TransitionReason::kProbeFailed);
    waits.push_back(events_.back().wait_ns);
  }
  const std::vector<int64_t> expected = {30, 60, 120, 240, 480, 600, 600, 600};
  for (size_t i = 0; i < waits.size(); ++i) EXPECT_EQ(waits[i], expected[i] * kSecond);
  // Closing resets the run of openings.
  clock_.Advance(seconds(600));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Probe(true));
  Fail(3);
  EXPECT_EQ(events_.back().wait_ns, 30 * kSecond);
}

TEST_F(CircuitBreakerTest, JitterIsAShareOfTheWaitAndNeverBeyondTheMaximum) {
  BreakerConfig config;
  config.wait_backoff_multiplier = 1000;
  uniform_ = 0;
  Make(config);
  Fail(3);
  EXPECT_EQ(events_.back().wait_ns, 27 * kSecond);
  uniform_ = 0.75;
  Make(config);
  Fail(3);
  EXPECT_EQ(events_.back().wait_ns, 31 * kSecond + 500 * kMs);
  clock_.Advance(seconds(40));
  ASSERT_TRUE(Probe(false));
  EXPECT_EQ(events_.back().wait_ns, 600 * kSecond);
}

TEST_F(CircuitBreakerTest, SeededJitterRepeats) {
  const auto wait = [](uint64_t seed) {
    BreakerConfig config;
    config.wait_jitter_seed = seed;
    CircuitBreaker breaker(config);
    breaker.Trip(FailureKind::kCrash);
    return breaker.Image().wait_ns;
  };
  EXPECT_EQ(wait(1), wait(1));
  EXPECT_NE(wait(1), wait(2));
  EXPECT_GE(wait(3), 27 * kSecond);
  EXPECT_LE(wait(3), 33 * kSecond);
}

TEST_F(CircuitBreakerTest, FailureRateNeedsTheMinimumOfCalls) {
  Make({});
  for (int i = 0; i < 4; ++i) {
    Succeed(1);
    Fail(1);
  }
  Succeed(1);
  EXPECT_FALSE(breaker_->Gauges().failure_rate.has_value());
  EXPECT_EQ(breaker_->state(), CircuitState::kClosed);
  Fail(1);  // 5 of 10
  EXPECT_EQ(breaker_->state(), CircuitState::kOpen);
  EXPECT_EQ(events_.back().reason, TransitionReason::kFailureRate);
}

TEST_F(CircuitBreakerTest, TheWindowSlidesByCount) {
  BreakerConfig config;
  config.sliding_window_size = 10;
  config.failure_rate_threshold = 30;
  Make(config);
  Fail(2);
  Succeed(10);  // both failures are out
  EXPECT_EQ(breaker_->Gauges().failed_calls, 0);
  Fail(2);
  EXPECT_EQ(breaker_->Gauges().failure_rate, 20.0);
  Succeed(1);
  Fail(1);
  EXPECT_EQ(events_.back().reason, TransitionReason::kFailureRate);
}

TEST_F(CircuitBreakerTest, TheWindowSlidesByTime) {
  BreakerConfig config;
  config.sliding_window_type = WindowType::kTime;
  config.sliding_window_size = 5;
  config.minimum_number_of_calls = 4;
  config.consecutive_failures = 0;
  Make(config);
  Succeed(2);
  clock_.Advance(seconds(2));
  Fail(1);
  EXPECT_EQ(breaker_->Gauges().buffered_calls, 3);
  clock_.Advance(seconds(3));
  EXPECT_EQ(breaker_->Gauges().buffered_calls, 1) << "the first second is out";
  clock_.Advance(seconds(1000));
  EXPECT_EQ(breaker_->Gauges().buffered_calls, 0);
  Fail(3);
  EXPECT_EQ(breaker_->state(), CircuitState::kClosed);
  Fail(1);
  EXPECT_EQ(breaker_->state(), CircuitState::kOpen);
}

TEST_F(CircuitBreakerTest, SlowCallsAgainstTheBaseline) {
  Make({});
  Succeed(20, kSecond);
  EXPECT_EQ(breaker_->Gauges().slow_calls, 0) << "without a baseline nothing is slow";
  breaker_->SetBaseline(2 * kMs);
  Succeed(100, 19 * kMs);
  EXPECT_EQ(breaker_->Gauges().slow_calls, 0);
  for (int i = 0; i < 100 && breaker_->state() == CircuitState::kClosed; ++i) Succeed(1, 20 * kMs);
  EXPECT_EQ(events_.back().reason, TransitionReason::kSlowCallRate);
}

TEST_F(CircuitBreakerTest, LatencySlaIsJudgedOnTheP99OfEnoughCalls) {
  BreakerConfig config;
  config.latency_sla_p99_ns = 10 * kMs;
  Make(config);
  Succeed(50);
  Succeed(1, 11 * kMs);
  Succeed(48);
  Succeed(1);  // 100 calls, one above: the p99 is the second worst
  EXPECT_EQ(breaker_->state(), CircuitState::kClosed);
  Succeed(1, 11 * kMs);
  EXPECT_EQ(breaker_->state(), CircuitState::kOpen);
  EXPECT_EQ(events_.back().reason, TransitionReason::kLatencySla);
}

TEST_F(CircuitBreakerTest, MemoryAboveTheLimitOpens) {
  BreakerConfig config;
  config.memory_limit_bytes = 1000;
  Make(config);
  breaker_->JudgeMemory(1000);
  EXPECT_EQ(breaker_->state(), CircuitState::kClosed);
  breaker_->JudgeMemory(1001);
  EXPECT_EQ(events_.back().reason, TransitionReason::kMemoryLimit);
  EXPECT_EQ(events_.back().failure, FailureKind::kMemoryPressure);
  breaker_->JudgeMemory(5000);
  EXPECT_EQ(events_.size(), 1u);
}

TEST_F(CircuitBreakerTest, CallersMistakesNeverCount) {
  Make({});
  Fail(2);
  for (int i = 0; i < 200; ++i) breaker_->Acquire().Ignore();
  for (int i = 0; i < 10; ++i) (void)breaker_->Acquire();  // dropped
  EXPECT_EQ(breaker_->Gauges().buffered_calls, 2);
  EXPECT_EQ(breaker_->Gauges().ignored_calls, 210u);
  Fail(1);
  EXPECT_EQ(breaker_->state(), CircuitState::kOpen) << "nor do they break a row";
}

TEST_F(CircuitBreakerTest, AnIgnoredProbeGivesItsPlaceBack) {
  Make({});
  breaker_->Trip(FailureKind::kParityDrift);
  EXPECT_EQ(events_.back().reason, TransitionReason::kVerdict);
  clock_.Advance(seconds(30));
  std::vector<CircuitBreaker::Permit> probes;
  for (int i = 0; i < 3; ++i) {
    probes.push_back(breaker_->AcquireProbe());
    ASSERT_TRUE(probes.back());
  }
  EXPECT_FALSE(breaker_->AcquireProbe());
  EXPECT_EQ(breaker_->probe_due_in_ns(), std::nullopt);
  probes.pop_back();
  EXPECT_EQ(breaker_->probe_due_in_ns(), 0);
  auto again = breaker_->AcquireProbe();
  ASSERT_TRUE(again);
  for (auto& probe : probes) probe.Success(kMs);
  EXPECT_EQ(breaker_->state(), CircuitState::kHalfOpen);
  again.Success(kMs);
  EXPECT_EQ(breaker_->state(), CircuitState::kClosed);
}

TEST_F(CircuitBreakerTest, LateReportsDoNotDecide) {
  Make({});
  auto early = breaker_->Acquire();
  auto early_too = breaker_->Acquire();
  Fail(3);
  clock_.Advance(seconds(30));
  auto probe = breaker_->AcquireProbe();
  early.Failure(FailureKind::kCrash, kMs);
  EXPECT_EQ(breaker_->state(), CircuitState::kHalfOpen);
  probe.Success(kMs);
  ASSERT_TRUE(Probe(true));
  ASSERT_TRUE(Probe(true));
  early_too.Failure(FailureKind::kCrash, kMs);
  EXPECT_EQ(breaker_->Gauges().failed_calls, 0);
  EXPECT_EQ(breaker_->Gauges().late_reports, 2u);
}

TEST_F(CircuitBreakerTest, WantedOddAnswersAreSuccesses) {
  BreakerConfig config;
  config.record_nonfinite_as_failure = false;
  Make(config);
  Fail(50, FailureKind::kNonFinite);
  EXPECT_EQ(breaker_->state(), CircuitState::kClosed);
  EXPECT_EQ(breaker_->Gauges().failed_calls, 0);
  Fail(3, FailureKind::kParityDrift);
  EXPECT_EQ(breaker_->state(), CircuitState::kOpen);
}

TEST_F(CircuitBreakerTest, AdministrativeStates) {
  Make({});
  breaker_->MetricsOnly();
  Fail(50);
  EXPECT_EQ(breaker_->Gauges().failure_rate, 100.0);
  EXPECT_EQ(breaker_->state(), CircuitState::kMetricsOnly);
  breaker_->Trip(FailureKind::kCrash);
  EXPECT_EQ(breaker_->state(), CircuitState::kMetricsOnly);
  breaker_->Disable();
  breaker_->Disable();
  Fail(50);
  EXPECT_EQ(breaker_->Gauges().buffered_calls, 0);
  breaker_->ForceOpen();
  EXPECT_FALSE(breaker_->Acquire());
  clock_.Advance(seconds(100'000));
  EXPECT_FALSE(breaker_->Acquire().probe_due());
  EXPECT_FALSE(breaker_->AcquireProbe());
  breaker_->Reset();
  Succeed(1);
  ASSERT_EQ(events_.size(), 4u) << "one event for each transition, none for a repeated command";
  for (size_t i = 0; i < events_.size(); ++i) EXPECT_EQ(events_[i].transition, i + 1);
}

TEST_F(CircuitBreakerTest, ImagesAreToldWhenTheyChange) {
  Make({});
  Succeed(5);
  EXPECT_TRUE(images_.empty());
  Fail(1);
  ASSERT_EQ(images_.size(), 1u);
  EXPECT_EQ(images_.back().consecutive_failures, 1);
  Succeed(3);
  ASSERT_EQ(images_.size(), 2u);
  EXPECT_EQ(images_.back().consecutive_failures, 0);
  Fail(3);
  EXPECT_EQ(images_.back().state, CircuitState::kOpen);
  EXPECT_EQ(images_.back(), breaker_->Image());
}

TEST_F(CircuitBreakerTest, GoesOnFromAnImage) {
  BreakerImage image;
  image.state = CircuitState::kOpen;
  image.consecutive_opens = 3;
  image.wait_ns = 120 * kSecond;
  image.opened_unix_ns = clock_.unix_ns() - 100 * kSecond;
  Make({}, image);
  EXPECT_EQ(breaker_->state(), CircuitState::kOpen);
  EXPECT_EQ(breaker_->probe_due_in_ns(), 20 * kSecond);
  EXPECT_EQ(events_.back().reason, TransitionReason::kRestored);
  clock_.Advance(seconds(20));
  ASSERT_TRUE(Probe(false));
  EXPECT_EQ(events_.back().wait_ns, 240 * kSecond) << "the row of waits goes on";

  // Failures of earlier processes count: this is the third crash.
  image = {};
  image.consecutive_failures = 2;
  Make({}, image);
  EXPECT_EQ(breaker_->state(), CircuitState::kClosed);
  Fail(1);
  EXPECT_EQ(breaker_->state(), CircuitState::kOpen);
  image.consecutive_failures = 3;
  Make({}, image);
  EXPECT_EQ(breaker_->state(), CircuitState::kOpen);

  // A clock set back does not prolong the wait; absurd numbers are bounded.
  image = {};
  image.state = CircuitState::kOpen;
  image.wait_ns = INT64_MAX;
  image.opened_unix_ns = INT64_MAX;
  Make({}, image);
  EXPECT_EQ(breaker_->probe_due_in_ns(), 600 * kSecond);
  image.opened_unix_ns = INT64_MIN;
  Make({}, image);
  EXPECT_EQ(breaker_->probe_due_in_ns(), 0);
  // The configuration's administrative state overrides the one on disk.
  BreakerConfig disabled;
  disabled.initial_state = CircuitState::kDisabled;
  Make(disabled, image);
  EXPECT_EQ(breaker_->state(), CircuitState::kDisabled);
}

TEST_F(CircuitBreakerTest, AListenerMayCallTheBreaker) {
  std::vector<CircuitState> seen;
  std::unique_ptr<CircuitBreaker> breaker;
  BreakerOptions options;
  options.on_transition = [&](const BreakerEvent& event) {
    seen.push_back(event.to);
    if (event.to == CircuitState::kOpen) breaker->ForceOpen();
  };
  breaker = std::make_unique<CircuitBreaker>(BreakerConfig{}, std::move(options));
  breaker->Trip(FailureKind::kCrash);
  EXPECT_EQ(seen, (std::vector{CircuitState::kOpen, CircuitState::kForcedOpen}));
}

// However many probers there are, exactly N probes pass in each half_open.
TEST_F(CircuitBreakerTest, ExactlyNProbesWithManyProbers) {
  for (int round = 0; round < 200; ++round) {
    BreakerConfig config;
    config.permitted_number_of_calls_in_half_open_state = 1 + round % 7;
    config.wait_duration_in_open_state_ns = 0;
    CircuitBreaker breaker(config);
    breaker.Trip(FailureKind::kCrash);
    std::atomic<int> admitted{0};
    std::atomic<bool> go{false};
    std::vector<std::thread> probers;
    std::vector<CircuitBreaker::Permit> held[8];
    for (auto& mine : held) {
      probers.emplace_back([&] {
        while (!go) std::this_thread::yield();
        for (int i = 0; i < 5; ++i) {
          if (auto permit = breaker.AcquireProbe()) {
            ++admitted;
            mine.push_back(std::move(permit));
          }
        }
      });
    }
    go = true;
    for (std::thread& prober : probers) prober.join();
    ASSERT_EQ(admitted, config.permitted_number_of_calls_in_half_open_state);
    for (auto& mine : held) {
      for (auto& permit : mine) permit.Success(1);
    }
    ASSERT_EQ(breaker.state(), CircuitState::kClosed);
  }
}

// Eight threads of requests, two probers, an administrator: the history that listeners see is one
// chain of states without a gap, and it ends in the state of the breaker.
TEST_F(CircuitBreakerTest, TheHistoryIsOneChainUnderThreads) {
  BreakerConfig config;
  config.wait_duration_in_open_state_ns = 0;
  config.sliding_window_size = 20;
  std::vector<BreakerEvent> events;  // the listener is never called twice at once
  BreakerOptions options;
  options.on_transition = [&](const BreakerEvent& event) { events.push_back(event); };
  CircuitBreaker breaker(config, std::move(options));
  std::atomic<uint64_t> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 11; ++t) {
    threads.emplace_back([&, t] {
      uint64_t random = 88172645463325252ULL + static_cast<uint64_t>(t);
      for (int i = 0; i < 20'000; ++i) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (t == 10) {
          if (random % 64 == 0) breaker.Reset();
          if (random % 64 == 1) breaker.ForceOpen();
          if (random % 64 == 2) breaker.Trip(FailureKind::kTimeout);
          (void)breaker.Gauges();
          continue;
        }
        auto permit = t >= 8 ? breaker.AcquireProbe() : breaker.Acquire();
        if (!permit && t < 8) ++refused;
        if (random % 5 == 0) {
          permit.Failure(FailureKind::kRuntimeError, 1);
        } else if (random % 11 != 0) {
          permit.Success(1);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CircuitState state = CircuitState::kClosed;
  for (size_t i = 0; i < events.size(); ++i) {
    ASSERT_EQ(events[i].from, state);
    ASSERT_NE(events[i].to, state);
    ASSERT_EQ(events[i].transition, i + 1);
    state = events[i].to;
  }
  EXPECT_EQ(state, breaker.state());
  EXPECT_EQ(breaker.Gauges().transitions, events.size());
  EXPECT_EQ(breaker.Gauges().not_permitted_calls, refused);
  EXPECT_GT(events.size(), 20u);
}

}  // namespace
}  // namespace anemone::runtime
