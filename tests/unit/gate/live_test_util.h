// Live runs for the gate's tests: a small model, Gate C's checks in the time of a test.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "gate/live.h"
#include "gate/report.h"
#include "gate_test_util.h"
#include "ir/model.h"
#include "ir/text.h"

namespace anemone::gate::fixtures {

inline std::shared_ptr<const ir::Model> ReluModel(const char* op = "relu(x = x)") {
  auto program = ir::ParseText(std::string("func main<ios15>(tensor<fp32, [2, 3]> x) {\n  y = ") +
                               op + ";\n} -> (y);\n");
  auto model = ir::MakeModel(std::move(program).value());
  return std::make_shared<const ir::Model>(std::move(model).value());
}

inline LiveModel Live() {
  LiveModel live;
  live.name = "relu";
  live.hash = std::string(64, 'c');
  live.model = ReluModel();
  live.reference = live.model;
  live.reference_name = "relu_fp32";
  return live;
}

inline Policy Quick() {
  Policy policy = BuiltInGateC();
  policy.run = {.inferences = 700,
                .min_duration_s = 0,
                .max_duration_s = 60,
                .warmup_s = 0,
                .warmup_calls = 10,
                .warmup_cap_s = 0,
                .steady_tolerance = 0.5,
                .block = 25};
  Set(policy, "inferences", {{"min_count", 700}});
  // The speed of a test's double proves nothing.
  Set(policy, "latency", {{"required", false}});
  Set(policy, "memory", {{"max_growth_bytes_per_call", 1e9}});
  return policy;
}

// A backend that has no plan to show.
inline Policy QuickWithoutPlan() {
  Policy policy = Quick();
  Set(policy, "dispatch", {{"required", false}});
  return policy;
}

// The check of that name.
inline const CheckResult& CheckOf(const ModelReport& report, const std::string& name) {
  for (const CheckResult& check : report.checks) {
    if (check.name == name) return check;
  }
  static const CheckResult none;
  ADD_FAILURE() << "no check " << name;
  return none;
}

// The whole report, for a failed test.
inline std::string TextOf(const Policy& policy, const ModelReport& report) {
  return ToText({policy, "", 0, {report}});
}

}  // namespace anemone::gate::fixtures
