// A policy's settings for one check: whether it is required, and the check's own limits. A check's
// limits name themselves once, in Visit; the reader of policies, their writer and the table of
// docs/gate.md all come from that. Thread rules: values.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/json_reader.h"
#include "lab/parity.h"

namespace anemone::gate {

// Limits of parity for "fp32", "fp16" and "int8".
using LimitsByPrecision = std::map<std::string, lab::ParityLimits>;
// No limit of parity may be above.
inline constexpr double kLargestError = 1e30;

// Visits each limit with its key, its value and its range.
class LimitVisitor {
 public:
  virtual ~LimitVisitor() = default;
  virtual void Flag(std::string_view key, bool& value) = 0;
  virtual void Count(std::string_view key, int64_t& value, int64_t low, int64_t high) = 0;
  virtual void Number(std::string_view key, double& value, double low, double high) = 0;
  virtual void Choice(std::string_view key, std::string& value,
                      std::span<const std::string_view> choices) = 0;
  virtual void Texts(std::string_view key, std::vector<std::string>& value) = 0;
  virtual void ByPrecision(std::string_view key, LimitsByPrecision& value) = 0;
};

// The policy of one check; by itself that of a check without limits.
struct CheckPolicy {
  virtual ~CheckPolicy() = default;
  virtual std::unique_ptr<CheckPolicy> Clone() const {
    return std::make_unique<CheckPolicy>(*this);
  }
  virtual void Visit(LimitVisitor&) {}

  bool required = true;  // false: it is made and shown, but does not decide
};

// What a policy says of a check with limits: `struct MemoryPolicy : LimitsOf<MemoryPolicy>`.
template <typename Limits>
// NOLINTNEXTLINE(bugprone-crtp-constructor-accessibility): derived structs are aggregates
struct LimitsOf : CheckPolicy {
  std::unique_ptr<CheckPolicy> Clone() const override {
    return std::make_unique<Limits>(static_cast<const Limits&>(*this));
  }
};

// The checks that a policy names. A value.
class CheckPolicies {
 public:
  CheckPolicies() = default;
  CheckPolicies(const CheckPolicies& other) { *this = other; }
  CheckPolicies(CheckPolicies&&) = default;
  CheckPolicies& operator=(const CheckPolicies& other);
  CheckPolicies& operator=(CheckPolicies&&) = default;

  // Null when the policy does not name the check.
  const CheckPolicy* Find(std::string_view key) const;
  CheckPolicy* Find(std::string_view key);
  bool Has(std::string_view key) const { return Find(key) != nullptr; }
  // The limits of a check; the defaults when the policy does not name it.
  template <typename Limits>
  Limits Of(std::string_view key) const {
    const auto* found = dynamic_cast<const Limits*>(Find(key));
    return found != nullptr ? *found : Limits();
  }
  void Set(std::string_view key, std::unique_ptr<CheckPolicy> policy);
  void Erase(std::string_view key);

 private:
  std::map<std::string, std::unique_ptr<CheckPolicy>, std::less<>> by_key_;
};

// For anything with Visit(LimitVisitor&), such as a check's limits or RunPolicy.
using Visitable = std::function<void(LimitVisitor&)>;
void ReadLimits(JsonObject& object, const Visitable& limits);
Json WriteLimits(const Visitable& limits);
// "`min_count` 1000, `max_crashes` 0": the keys with their values, for docs/gate.md.
std::string DescribeLimits(const Visitable& limits);

// `required` and the limits, out of an object of a policy file, and back.
void ReadCheckPolicy(JsonObject& object, CheckPolicy& policy);
Json WriteCheckPolicy(const CheckPolicy& policy);

}  // namespace anemone::gate
