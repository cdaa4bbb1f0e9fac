#include "runtime/circuit_breaker_config.h"

#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <utility>

#include "base/json_reader.h"
#include "base/parse_double.h"

namespace anemone::runtime {
namespace {

struct Unit {
  std::string_view name;
  int64_t ns;
};
// Longer names come first where one ends with another.
constexpr std::array<Unit, 6> kUnits = {{{"ns", 1},
                                         {"us", 1'000},
                                         {"ms", 1'000'000},
                                         {"min", 60'000'000'000},
                                         {"s", 1'000'000'000},
                                         {"h", 3'600'000'000'000}}};
constexpr int64_t kLongestNs = 366 * 24 * 3'600'000'000'000LL;  // a year
constexpr int64_t kLargestWindow = 1'000'000;

Error Broken(std::string_view key, std::string_view rule, std::string_view value) {
  return Usage("'{}' {}, but is {}", key, rule, value);
}

// How one key is read and written. `set` returns the rule that the value breaks, or empty.
struct Key {
  std::string_view name;
  std::function<std::string(BreakerConfig&, const Json&)> set;
  std::function<Json(const BreakerConfig&)> get;
};

Key Integer(std::string_view name, int64_t BreakerConfig::* member) {
  return {name,
          [member](BreakerConfig& config, const Json& value) -> std::string {
            if (!value.is_integer()) return "must be an integer";
            if (value.is_unsigned() && value.unsigned_integer() > INT64_MAX) {
              return "must fit 63 bits";
            }
            config.*member = value.integer();
            return {};
          },
          [member](const BreakerConfig& config) { return Json(config.*member); }};
}

Key NumberKey(std::string_view name, double BreakerConfig::* member) {
  return {name,
          [member](BreakerConfig& config, const Json& value) -> std::string {
            if (!value.is_number()) return "must be a number";
            config.*member = value.number();
            return {};
          },
          [member](const BreakerConfig& config) { return Json(config.*member); }};
}

Key Bool(std::string_view name, bool BreakerConfig::* member) {
  return {name,
          [member](BreakerConfig& config, const Json& value) -> std::string {
            if (!value.is_boolean()) return "must be true or false";
            config.*member = value.boolean();
            return {};
          },
          [member](const BreakerConfig& config) { return Json(config.*member); }};
}

constexpr std::string_view kDurationRule =
    "must be a duration with a unit, such as \"250ms\", \"30s\" or \"10min\"";

Key Duration(std::string_view name, int64_t BreakerConfig::* member) {
  return {name,
          [member](BreakerConfig& config, const Json& value) -> std::string {
            if (value.is_null()) {
              config.*member = 0;
              return {};
            }
            if (!value.is_text()) return std::string(kDurationRule);
            const auto parsed = ParseDurationNs(value.text());
            if (!parsed.ok()) return std::string(kDurationRule);
            config.*member = *parsed;
            return {};
          },
          [member](const BreakerConfig& config) { return Json(DurationText(config.*member)); }};
}

std::string SetSlowThreshold(BreakerConfig& config, const Json& value) {
  constexpr std::string_view rule =
      "must be a duration such as \"250ms\", or a multiple of the baseline p50 such as \"10x\"";
  if (!value.is_text()) return std::string(rule);
  const auto& text = value.text();
  if (text.ends_with('x')) {
    const auto factor = ParseDouble(std::string_view(text).substr(0, text.size() - 1));
    if (!factor) return std::string(rule);
    config.slow_call_baseline_factor = *factor;
    config.slow_call_duration_threshold_ns.reset();
    return {};
  }
  const auto parsed = ParseDurationNs(text);
  if (!parsed.ok()) return std::string(rule);
  config.slow_call_duration_threshold_ns = *parsed;
  return {};
}

Json GetSlowThreshold(const BreakerConfig& config) {
  if (config.slow_call_duration_threshold_ns) {
    return DurationText(*config.slow_call_duration_threshold_ns);
  }
  return fmt::format("{}x", config.slow_call_baseline_factor);
}

std::string SetWindowType(BreakerConfig& config, const Json& value) {
  if (value == "count") {
    config.sliding_window_type = WindowType::kCount;
  } else if (value == "time") {
    config.sliding_window_type = WindowType::kTime;
  } else {
    return "must be \"count\" or \"time\"";
  }
  return {};
}

std::string SetInitialState(BreakerConfig& config, const Json& value) {
  const auto state = value.is_text() ? CircuitStateFromName(value.text()) : std::nullopt;
  if (!state || *state == CircuitState::kOpen || *state == CircuitState::kHalfOpen) {
    return "must be \"closed\", \"disabled\", \"metrics_only\" or \"forced_open\"";
  }
  config.initial_state = *state;
  return {};
}

const std::vector<Key>& Keys() {
  using C = BreakerConfig;
  static const std::vector<Key> keys = {
      {"sliding_window_type", SetWindowType,
       [](const C& c) {
         return Json(c.sliding_window_type == WindowType::kCount ? "count" : "time");
       }},
      Integer("sliding_window_size", &C::sliding_window_size),
      Integer("minimum_number_of_calls", &C::minimum_number_of_calls),
      NumberKey("failure_rate_threshold", &C::failure_rate_threshold),
      NumberKey("slow_call_rate_threshold", &C::slow_call_rate_threshold),
      Integer("consecutive_failures", &C::consecutive_failures),
      {"slow_call_duration_threshold", SetSlowThreshold, GetSlowThreshold},
      Duration("latency_sla_p99", &C::latency_sla_p99_ns),
      Integer("memory_limit_bytes", &C::memory_limit_bytes),
      Duration("wait_duration_in_open_state", &C::wait_duration_in_open_state_ns),
      NumberKey("wait_backoff_multiplier", &C::wait_backoff_multiplier),
      Duration("max_wait_duration_in_open_state", &C::max_wait_duration_in_open_state_ns),
      NumberKey("wait_jitter", &C::wait_jitter),
      {"wait_jitter_seed",
       [](C& c, const Json& value) -> std::string {
         if (!value.is_unsigned()) return "must be an integer of at least 0";
         c.wait_jitter_seed = value.unsigned_integer();
         return {};
       },
       [](const C& c) { return Json(c.wait_jitter_seed); }},
      Integer("permitted_number_of_calls_in_half_open_state",
              &C::permitted_number_of_calls_in_half_open_state),
      Bool("record_nonfinite_as_failure", &C::record_nonfinite_as_failure),
      Bool("record_parity_drift_as_failure", &C::record_parity_drift_as_failure),
      Duration("load_timeout", &C::load_timeout_ns),
      Duration("predict_timeout", &C::predict_timeout_ns),
      {"initial_state", SetInitialState,
       [](const C& c) { return Json(CircuitStateName(c.initial_state)); }},
  };
  return keys;
}

Status InRange(std::string_view key, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return {};
  return Broken(key, fmt::format("must be from {} to {}", low, high), fmt::format("{}", value));
}

Status InRange(std::string_view key, double value, double low, double high) {
  if (value >= low && value <= high) return {};  // not NaN
  return Broken(key, fmt::format("must be from {} to {}", low, high), fmt::format("{}", value));
}

Status DurationInRange(std::string_view key, int64_t value, int64_t low) {
  if (value >= low && value <= kLongestNs) return {};
  return Broken(key, fmt::format("must be from {} to 366 days", DurationText(low)),
                DurationText(value));
}

}  // namespace

Result<int64_t> ParseDurationNs(std::string_view text) {
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.name)) continue;
    const std::string_view digits = text.substr(0, text.size() - unit.name.size());
    const char* const begin = digits.data();
    const char* const end = begin + digits.size();
    int64_t whole = 0;
    if (const auto [rest, error] = std::from_chars(begin, end, whole);
        error == std::errc() && rest == end && whole >= 0) {
      if (whole > kLongestNs / unit.ns) break;
      return whole * unit.ns;
    }
    const auto value = ParseDouble(digits);
    if (!value || !(*value >= 0)) break;
    if (*value * static_cast<double>(unit.ns) > static_cast<double>(kLongestNs)) break;
    return std::llround(*value * static_cast<double>(unit.ns));
  }
  return Usage("'{}' is not a duration", text)
      .Advise(
          "write a number and a unit: 250ms, 30s, 1.5min (ns, us, ms, s, min, h), at most 366 "
          "days");
}

std::string DurationText(int64_t duration_ns) {
  if (duration_ns == 0) return "0s";
  const Unit* best = kUnits.data();
  for (const Unit& unit : kUnits) {
    if (duration_ns % unit.ns == 0 && unit.ns > best->ns) best = &unit;
  }
  return fmt::format("{}{}", duration_ns / best->ns, best->name);
}

Status Validate(const BreakerConfig& c) {
  ANEMONE_TRY(InRange("sliding_window_size", c.sliding_window_size, 1, kLargestWindow));
  ANEMONE_TRY(InRange("minimum_number_of_calls", c.minimum_number_of_calls, 1, kLargestWindow));
  if (c.sliding_window_type == WindowType::kCount &&
      c.minimum_number_of_calls > c.sliding_window_size) {
    return Broken("minimum_number_of_calls",
                  fmt::format("must not exceed 'sliding_window_size' ({}): rates would never be "
                              "judged",
                              c.sliding_window_size),
                  fmt::format("{}", c.minimum_number_of_calls));
  }
  ANEMONE_TRY(InRange("failure_rate_threshold", c.failure_rate_threshold, 0.0, 100.0));
  ANEMONE_TRY(InRange("slow_call_rate_threshold", c.slow_call_rate_threshold, 0.0, 100.0));
  ANEMONE_TRY(InRange("consecutive_failures", c.consecutive_failures, int64_t{0}, INT64_MAX));
  if (c.slow_call_duration_threshold_ns) {
    ANEMONE_TRY(
        DurationInRange("slow_call_duration_threshold", *c.slow_call_duration_threshold_ns, 1));
  }
  ANEMONE_TRY(InRange("slow_call_duration_threshold", c.slow_call_baseline_factor, 1.0, 1e6));
  ANEMONE_TRY(DurationInRange("latency_sla_p99", c.latency_sla_p99_ns, 0));
  ANEMONE_TRY(InRange("memory_limit_bytes", c.memory_limit_bytes, int64_t{0}, INT64_MAX));
  ANEMONE_TRY(DurationInRange("wait_duration_in_open_state", c.wait_duration_in_open_state_ns, 0));
  ANEMONE_TRY(InRange("wait_backoff_multiplier", c.wait_backoff_multiplier, 1.0, 1000.0));
  ANEMONE_TRY(
      DurationInRange("max_wait_duration_in_open_state", c.max_wait_duration_in_open_state_ns, 0));
  if (c.max_wait_duration_in_open_state_ns < c.wait_duration_in_open_state_ns) {
    return Broken("max_wait_duration_in_open_state",
                  fmt::format("must not be below 'wait_duration_in_open_state' ({})",
                              DurationText(c.wait_duration_in_open_state_ns)),
                  DurationText(c.max_wait_duration_in_open_state_ns));
  }
  ANEMONE_TRY(InRange("wait_jitter", c.wait_jitter, 0.0, 1.0));
  ANEMONE_TRY(InRange("permitted_number_of_calls_in_half_open_state",
                      c.permitted_number_of_calls_in_half_open_state, int64_t{1}, kLargestWindow));
  ANEMONE_TRY(DurationInRange("load_timeout", c.load_timeout_ns, 0));
  ANEMONE_TRY(DurationInRange("predict_timeout", c.predict_timeout_ns, 0));
  if (c.initial_state == CircuitState::kOpen || c.initial_state == CircuitState::kHalfOpen) {
    return Broken("initial_state", "must be closed, disabled, metrics_only or forced_open",
                  CircuitStateName(c.initial_state));
  }
  return {};
}

Result<BreakerConfig> ParseBreakerConfig(std::string_view json, std::string_view place) {
  JsonDocument document(json, "a circuit breaker's configuration");
  BreakerConfig config;
  {
    JsonObject top = document.root();
    for (const Key& key : Keys()) {
      const Json* value = top.Find(key.name);
      if (value == nullptr) continue;
      const std::string rule = key.set(config, *value);
      if (!rule.empty()) top.Fail(key.name, rule, *value);
    }
  }
  ANEMONE_TRY(document.status(ErrorCode::kUsage, std::string(place)));
  ANEMONE_TRY(Validate(config).At(place));
  return config;
}

std::string BreakerConfigToJson(const BreakerConfig& config) {
  Json document;
  for (const Key& key : Keys()) document[key.name] = key.get(config);
  return document.Dump({.indent = 2}) + "\n";
}

}  // namespace anemone::runtime
