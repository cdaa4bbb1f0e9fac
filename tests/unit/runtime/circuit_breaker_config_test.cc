#include "runtime/circuit_breaker_config.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "support/scratch.h"

namespace anemone::runtime {
namespace {

TEST(BreakerConfigTest, EmptyGivesTheDefaultsAndTextReadsBack) {
  const auto parsed = ParseBreakerConfig("{}", "breaker.json");
  ASSERT_TRUE(parsed.ok()) << parsed.error().ToString();
  EXPECT_EQ(*parsed, BreakerConfig{});
  const std::string text = BreakerConfigToJson(*parsed);
  for (const char* line :
       {R"("sliding_window_type": "count")", R"("sliding_window_size": 100)",
        R"("minimum_number_of_calls": 10)", R"("failure_rate_threshold": 50.0)",
        R"("consecutive_failures": 3)", R"("slow_call_duration_threshold": "10x")",
        R"("slow_call_rate_threshold": 80.0)", R"("wait_duration_in_open_state": "30s")",
        R"("wait_backoff_multiplier": 2.0)", R"("max_wait_duration_in_open_state": "10min")",
        R"("wait_jitter": 0.1)", R"("permitted_number_of_calls_in_half_open_state": 3)",
        R"("record_nonfinite_as_failure": true)", R"("record_parity_drift_as_failure": true)"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " in " << text;
  }
  const auto again = ParseBreakerConfig(text, "again");
  ASSERT_TRUE(again.ok()) << again.error().ToString();
  EXPECT_EQ(*again, *parsed);
}

// The fixture is what the Python tests hold against the published schema.
TEST(BreakerConfigTest, DefaultsAreThoseOfTheFixture) {
  const std::string fixture = "tests/fixtures/runtime/breaker_config.json";
  const std::string text = BreakerConfigToJson({});
  if (std::getenv("ANEMONE_UPDATE_FIXTURES") != nullptr) test::WriteText(fixture, text);
  EXPECT_EQ(text, test::ReadText(fixture));
}

TEST(BreakerConfigTest, EveryKeyIsRead) {
  const auto parsed = ParseBreakerConfig(R"({
    "sliding_window_type": "time", "sliding_window_size": 60, "minimum_number_of_calls": 200,
    "failure_rate_threshold": 12.5, "slow_call_rate_threshold": 0, "consecutive_failures": 0,
    "slow_call_duration_threshold": "250ms", "latency_sla_p99": "1.5ms",
    "memory_limit_bytes": 1000000000, "wait_duration_in_open_state": "2s",
    "wait_backoff_multiplier": 1, "max_wait_duration_in_open_state": "1h", "wait_jitter": 1,
    "wait_jitter_seed": 18446744073709551615,
    "permitted_number_of_calls_in_half_open_state": 1, "record_nonfinite_as_failure": false,
    "record_parity_drift_as_failure": false, "load_timeout": "90s", "predict_timeout": null,
    "initial_state": "metrics_only"})",
                                         "f");
  ASSERT_TRUE(parsed.ok()) << parsed.error().ToString();
  BreakerConfig expected;
  expected.sliding_window_type = WindowType::kTime;
  expected.sliding_window_size = 60;
  expected.minimum_number_of_calls = 200;
  expected.failure_rate_threshold = 12.5;
  expected.slow_call_rate_threshold = 0;
  expected.consecutive_failures = 0;
  expected.slow_call_duration_threshold_ns = 250'000'000;
  expected.latency_sla_p99_ns = 1'500'000;
  expected.memory_limit_bytes = 1'000'000'000;
  expected.wait_duration_in_open_state_ns = 2'000'000'000;
  expected.wait_backoff_multiplier = 1;
  expected.max_wait_duration_in_open_state_ns = 3'600'000'000'000;
  expected.wait_jitter = 1;
  expected.wait_jitter_seed = UINT64_MAX;
  expected.permitted_number_of_calls_in_half_open_state = 1;
  expected.record_nonfinite_as_failure = false;
  expected.record_parity_drift_as_failure = false;
  expected.load_timeout_ns = 90'000'000'000;
  expected.predict_timeout_ns = 0;
  expected.initial_state = CircuitState::kMetricsOnly;
  EXPECT_EQ(*parsed, expected);
  const auto again = ParseBreakerConfig(BreakerConfigToJson(*parsed), "again");
  ASSERT_TRUE(again.ok()) << again.error().ToString();
  EXPECT_EQ(*again, expected);
}

TEST(BreakerConfigTest, ErrorsNameFileKeyAndRule) {
  struct Case {
    const char* json;
    const char* expected;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"", "must be JSON"},
           {"{", "must be JSON"},
           {"[]", "must be a JSON object, but is []"},
           {"{\"a\xff\": 1}", "must be JSON"},
           {R"({"failure_rate": 1})",
            "failure_rate: is not a key here; did you mean 'failure_rate_threshold'?"},
           {R"({"wait_jitter": 0.1, "wait_jitter": 0.2})", "wait_jitter: must be given once"},
           {R"({"sliding_window_type": "calls"})", "sliding_window_type: must be \"count\""},
           {R"({"sliding_window_size": 0})", "'sliding_window_size' must be from 1 to 1000000"},
           {R"({"sliding_window_size": 1e2})", "sliding_window_size: must be an integer"},
           {R"({"sliding_window_size": 18446744073709551615})", "must fit 63 bits"},
           {R"({"sliding_window_size": 5})",
            "'minimum_number_of_calls' must not exceed 'sliding_window_size' (5)"},
           {R"({"minimum_number_of_calls": -1})", "'minimum_number_of_calls' must be from 1"},
           {R"({"failure_rate_threshold": 101})",
            "'failure_rate_threshold' must be from 0 to 100, but is 101"},
           {R"({"failure_rate_threshold": "50"})", "must be a number, but is \"50\""},
           {R"({"failure_rate_threshold": 1e999})", "must be JSON"},
           {R"({"consecutive_failures": -1})", "'consecutive_failures' must be from 0"},
           {R"({"slow_call_duration_threshold": 250})", "must be a duration such as \"250ms\""},
           {R"({"slow_call_duration_threshold": "x"})", "multiple of the baseline"},
           {R"({"slow_call_duration_threshold": "0x"})", "must be from 1 to 1000000"},
           {R"({"slow_call_duration_threshold": "-1s"})", "must be a duration"},
           {R"({"slow_call_duration_threshold": "0s"})", "must be from 1ns"},
           {R"({"wait_duration_in_open_state": 30})", "must be a duration with a unit"},
           {R"({"wait_duration_in_open_state": "30"})", "must be a duration with a unit"},
           {R"({"wait_duration_in_open_state": "nans"})", "must be a duration with a unit"},
           {R"({"wait_duration_in_open_state": "9999999h"})", "must be a duration with a unit"},
           {R"({"wait_duration_in_open_state": "20min"})",
            "'max_wait_duration_in_open_state' must not be below 'wait_duration_in_open_state' "
            "(20min), but is 10min"},
           {R"({"wait_backoff_multiplier": 0.5})", "'wait_backoff_multiplier' must be from 1"},
           {R"({"wait_jitter": 1.5})", "'wait_jitter' must be from 0 to 1"},
           {R"({"wait_jitter_seed": -1})", "must be an integer of at least 0"},
           {R"({"permitted_number_of_calls_in_half_open_state": 0})", "must be from 1"},
           {R"({"record_nonfinite_as_failure": 1})", "must be true or false"},
           {R"({"memory_limit_bytes": -5})", "'memory_limit_bytes' must be from 0"},
           {R"({"initial_state": "open"})", "initial_state: must be"},
           {R"({"initial_state": null})", "initial_state: must be"}}) {
    const auto parsed = ParseBreakerConfig(c.json, "my/breaker.json");
    ASSERT_FALSE(parsed.ok()) << c.json;
    EXPECT_EQ(parsed.error().code(), ErrorCode::kUsage) << c.json;
    const std::string text = parsed.error().ToString();
    EXPECT_EQ(text.rfind("my/breaker.json: ", 0), 0u) << text;
    EXPECT_NE(text.find(c.expected), std::string::npos) << c.json << " gave " << text;
  }
}

TEST(BreakerConfigTest, Durations) {
  for (const auto& [text, ns] :
       std::initializer_list<std::pair<const char*, int64_t>>{{"0s", 0},
                                                              {"1ns", 1},
                                                              {"1us", 1000},
                                                              {"1.5ms", 1'500'000},
                                                              {"30s", 30'000'000'000},
                                                              {"10min", 600'000'000'000},
                                                              {"2h", 7'200'000'000'000},
                                                              {"0.25h", 900'000'000'000}}) {
    const auto parsed = ParseDurationNs(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(*parsed, ns) << text;
    EXPECT_EQ(*ParseDurationNs(DurationText(ns)), ns);
  }
  EXPECT_EQ(DurationText(600'000'000'000), "10min");
  EXPECT_EQ(DurationText(1'500'000), "1500us");
  for (const char* text : {"", "s", "ms", "-1s", "1", "1 s", "1e400s", "infs", "nan", "1S", "0x1s",
                           "99999999999999999999s"}) {
    EXPECT_FALSE(ParseDurationNs(text).ok()) << text;
  }
}

}  // namespace
}  // namespace anemone::runtime
