// Policies: the four in gates/, and every way in which one can be wrong.
#include "gate/policy.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

#include "gate/check_dispatch.h"
#include "gate/checks.h"
#include "gate_test_util.h"

namespace anemone::gate {
namespace {

using fixtures::LimitsIn;

std::string With(const std::string& more) {
  return R"({"schema": "anemone.gate_policy", "schema_version": 1, "name": "p", )" + more + "}";
}

std::string ErrorOf(const std::string& text) {
  const auto policy = ParsePolicy(text, "p.json");
  if (policy.ok()) return "read";
  EXPECT_EQ(policy.error().code(), ErrorCode::kUsage);
  return policy.error().ToString();
}

TEST(GatePolicy, TheFilesOfTheProjectAreRead) {
  const auto gate_c = ReadPolicy("gates/gate-c.json");
  ASSERT_TRUE(gate_c.ok()) << gate_c.error().ToString();
  EXPECT_EQ(gate_c->subject_backend, "coreml");
  EXPECT_EQ(gate_c->run.inferences, 1000);
  const Json latency = LimitsIn(*gate_c, "latency");
  EXPECT_EQ(latency["max_ratio"], 0.7);
  EXPECT_EQ(latency["conservative_speedup"], 1.5);
  const Json parity = LimitsIn(*gate_c, "parity");
  EXPECT_EQ(parity["limits"]["fp16"]["l_inf"], 1e-2);
  EXPECT_EQ(parity["limits"]["int8"]["rmse"], 5e-3);
  for (const char* key : {"dispatch", "memory", "fallbacks"}) {
    EXPECT_TRUE(gate_c->checks.Has(key)) << key;
  }
  EXPECT_TRUE(Needs(*gate_c, Need::kRuns) && Needs(*gate_c, Need::kBaseline));
  EXPECT_EQ(gate_c->sha256.size(), 64u);
  for (const char* name : {"ci-cpu", "models-ready", "runtime-ready"}) {
    const auto policy = ReadPolicy(std::string("gates/") + name + ".json");
    ASSERT_TRUE(policy.ok()) << policy.error().ToString();
    EXPECT_EQ(policy->name, name);
    EXPECT_FALSE(policy->checks.Has("latency"));
  }
}

TEST(GatePolicy, EveryMistakeNamesFileKeyAndRule) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "p.json: a policy must be JSON"},
      {"[]", "p.json: a policy must be a JSON object, but is []"},
      {R"({"schema": "x", "schema_version": 1, "name": "p", "checks": {"compile": {}}})",
       "p.json: schema: must be \"anemone.gate_policy\", but is \"x\""},
      {R"({"schema": "anemone.gate_policy", "schema_version": 2, "name": "", "checks": {"logs": {}}})",
       "p.json: schema_version: must be 1, but is 2"},
      {R"({"schema": "anemone.gate_policy", "schema_version": 1, "checks": {"logs": {}}})",
       "p.json: name: must be given"},
      {With(R"("checks": {"logs": {}}, "description": 1)"),
       "p.json: description: must be text, but is 1"},
      {With(R"("description": "no checks")"), "p.json: checks: must be given"},
      {With(R"("checks": {})"), "p.json: checks: must name at least one check"},
      {With(R"("checks": [])"), "p.json: checks: must be an object"},
      {With(R"("checks": {"latency_p99": {}})"),
       "p.json: checks.latency_p99: is not a key here; did you mean 'latency'?"},
      {With(R"("checks": {"memory": {"max_growth": 1}})"),
       "p.json: checks.memory.max_growth: is not a key here; did you mean "
       "'max_growth_bytes_per_call'?"},
      {With(R"("checks": {"memory": {"required": "yes"}})"),
       "p.json: checks.memory.required: must be true or false, but is \"yes\""},
      {With(R"("checks": {"memory": 5})"), "p.json: checks.memory: must be an object"},
      {With(R"("checks": {"inferences": {"min_count": 0}})"),
       "p.json: checks.inferences.min_count: must be an integer from 1 to"},
      {With(R"("checks": {"inferences": {"min_count": 1e3}})"),
       "p.json: checks.inferences.min_count: must be an integer"},
      {With(R"("checks": {"inferences": {"max_crashes": 18446744073709551615}})"),
       "p.json: checks.inferences.max_crashes: must be an integer"},
      {With(R"("checks": {"dispatch": {"unit": "npu"}})"), "p.json: checks.dispatch.unit: must be"},
      {With(R"("checks": {"dispatch": {"min_share_pct": 101}})"),
       "p.json: checks.dispatch.min_share_pct: must be a number from 0 to 100"},
      {With(R"("checks": {"latency": {}})"),
       "p.json: baseline: must be given, as the check 'latency'"},
      {With(R"("baseline": {"backend": "cpu"}, "checks": {"latency": {"percentile": 100}})"),
       "p.json: checks.latency.percentile: must be a number from 0.1 to 99.99"},
      {With(R"("baseline": {}, "checks": {"latency": {}})"),
       "p.json: baseline.backend: must be given"},
      {With(R"("checks": {"parity": {"limits": {"fp8": {}}}})"),
       "p.json: checks.parity.limits.fp8: is not a key here; the keys are fp16, fp32, int8"},
      {With(R"("checks": {"parity": {"limits": {"fp16": {"l_inf": -1}}}})"),
       "p.json: checks.parity.limits.fp16.l_inf: must be a number"},
      {With(
           R"("subject": {"backend": "coreml", "compute_units": "everything"}, "checks": {"compile": {}})"),
       "p.json: subject.compute_units: must be all,"},
      {With(R"("run": {"min_duration_s": 9, "max_duration_s": 1}, "checks": {"compile": {}})"),
       "p.json: run.max_duration_s: must not be below"},
      {With(R"("percentiles": [0], "checks": {"compile": {}})"), "p.json: percentiles: must be"},
      {With(R"("percentiles": [], "checks": {"compile": {}})"), "p.json: percentiles: must be"},
      {With(R"("devices": "M1", "checks": {"compile": {}})"),
       "p.json: devices: must be a list of texts"},
      {With(R"("limit": 1, "checks": {"compile": {}})"),
       "p.json: limit: is not a key here; the keys are schema,"},
      {With(R"("checks": {"compile": {}, "compile": {"required": false}})"),
       "p.json: checks.compile: must be given once"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(ErrorOf(text).substr(0, expected.size()), expected) << text;
  }
  EXPECT_EQ(ReadPolicy("gates/none.json").error().code(), ErrorCode::kNotFound);
}

TEST(GatePolicy, AllMistakesAreToldAtOnce) {
  EXPECT_EQ(ErrorOf("{}"),
            "p.json: there are 4 problems:\n"
            "  p.json:schema: must be given\n"
            "  p.json:schema_version: must be given\n"
            "  p.json:name: must be given\n"
            "  p.json:checks: must be given");
  EXPECT_EQ(
      ErrorOf(With(R"("checks": {"latency": {"max_ratio": "low", "percentil": 99},
                             "dispatch": {"unit": "npu"}, "memory": {"min_calls": 1, "min_calls": 2}},
                             "run": {"block": 0}, "devices": [1])")),
      "p.json: there are 7 problems:\n"
      "  p.json:checks.memory.min_calls: must be given once\n"
      "  p.json:devices: must be a list of texts, but is [1]\n"
      "  p.json:run.block: must be an integer from 1 to 100000, but is 0\n"
      "  p.json:checks.dispatch.unit: must be \"ane\" or \"gpu\", but is \"npu\"\n"
      "  p.json:checks.latency.max_ratio: must be a number from 1e-06 to 1e+06, but is \"low\"\n"
      "  p.json:checks.latency.percentil: is not a key here; did you mean 'percentile'?\n"
      "  p.json:baseline: must be given, as the check 'latency' compares with it");
}

TEST(GatePolicy, IsWrittenAsItIsRead) {
  for (const char* name : {"gate-c", "ci-cpu", "models-ready", "runtime-ready"}) {
    const auto policy = ReadPolicy(std::string("gates/") + name + ".json");
    ASSERT_TRUE(policy.ok()) << policy.error().ToString();
    const auto again = ParsePolicy(PolicyJson(*policy).Dump(), "p.json");
    ASSERT_TRUE(again.ok()) << again.error().ToString();
    EXPECT_EQ(PolicyJson(*again).Dump(), PolicyJson(*policy).Dump());
  }
}

TEST(GatePolicy, ACopyHasItsOwnLimits) {
  const Policy gate_c = BuiltInGateC();
  Policy copy = gate_c;
  fixtures::Set(copy, "memory", {{"min_calls", 7}});
  EXPECT_EQ(LimitsIn(copy, "memory")["min_calls"], 7);
  EXPECT_EQ(LimitsIn(copy, "memory")["max_growth_bytes_per_call"], 1024);
  EXPECT_EQ(LimitsIn(gate_c, "memory")["min_calls"], 200);
  EXPECT_EQ(SetCheck(copy, "memory", {{"min_calls", 0}}).error().code(), ErrorCode::kUsage);
  EXPECT_EQ(SetCheck(copy, "memories").error().code(), ErrorCode::kUsage);
}

TEST(GateChecks, WhatFollowsFromTheRows) {
  const Policy without = WithoutRuns(BuiltInGateC());
  EXPECT_EQ(PolicyJson(without)["checks"].size(), 1U);
  EXPECT_TRUE(without.checks.Has("parity"));
  EXPECT_FALSE(Needs(without, Need::kRuns));
  Policy policy = BuiltInGateC();
  ASSERT_TRUE(RequireUnit("gpu", policy).ok());
  EXPECT_EQ(LimitsIn(policy, "dispatch")["unit"], "gpu");
  ASSERT_TRUE(RequireUnit("none", policy).ok());
  EXPECT_EQ(LimitsIn(policy, "dispatch")["required"], false);
  EXPECT_EQ(RequireUnit("npu", policy).error().code(), ErrorCode::kUsage);
  std::set<std::string_view> keys;
  for (const Check& check : Checks()) {
    EXPECT_TRUE(keys.insert(check.key).second) << check.key;
    EXPECT_FALSE(check.title.empty() || check.passes_when.empty() || check.needs.empty())
        << check.key;
    EXPECT_TRUE(check.defaults != nullptr && check.judge != nullptr) << check.key;
    // Without evidence, nothing is measured, let alone passed.
    Policy one;
    fixtures::Set(one, check.key, Json::Object());
    EXPECT_VERDICT(fixtures::Judged(check.key, one, Evidence{}), kNotMeasured);
  }
}

TEST(GateChecks, TheirTableIsInTheDocument) {
  std::ifstream stream("docs/gate.md", std::ios::binary);
  const std::string document{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_NE(document.find("\n" + ChecksTable() + "\n"), std::string::npos)
      << "docs/gate.md must hold this table of the checks:\n"
      << ChecksTable();
}

TEST(GatePolicy, NestingWithoutEndIsRefused) {
  EXPECT_NE(ErrorOf(With("\"checks\": " + std::string(100'000, '['))), "read");
  EXPECT_NE(ErrorOf(std::string((size_t{1} << 20) + 1, ' ')), "read");
}

TEST(GatePolicy, DefaultsHoldForWhatIsLeftOut) {
  const auto policy = ParsePolicy(With(R"("checks": {"memory": {}})"), "p.json");
  ASSERT_TRUE(policy.ok()) << policy.error().ToString();
  const Json memory = LimitsIn(*policy, "memory");
  EXPECT_EQ(memory["required"], true);
  EXPECT_EQ(memory["max_growth_bytes_per_call"], 1024);
  EXPECT_FALSE(policy->checks.Has("latency"));
}

TEST(GatePolicy, ThoseOfTheTreeAreBuiltIn) {
  for (const std::string name : {"ci-cpu", "gate-c", "models-ready", "runtime-ready"}) {
    const auto file = ReadPolicy("gates/" + name + ".json");
    const auto built_in = ReadPolicy(name);
    ASSERT_TRUE(file.ok() && built_in.ok()) << name;
    EXPECT_EQ(PolicyJson(*file).Dump(), PolicyJson(*built_in).Dump());
    EXPECT_EQ(file->sha256, built_in->sha256) << name;
  }
  const auto missing = ReadPolicy("ci-gpu");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().ToString().find("built in are ci-cpu"), std::string::npos);
}

}  // namespace
}  // namespace anemone::gate
