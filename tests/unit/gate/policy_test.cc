// Policies: the four in gates/, and every way in which one can be wrong.
#include "gate/policy.h"

#include <gtest/gtest.h>

namespace anemone::gate {
namespace {

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
  EXPECT_EQ(gate_c->latency->max_ratio, 0.7);
  EXPECT_EQ(gate_c->latency->conservative_speedup, 1.5);
  EXPECT_EQ(gate_c->parity->limits.at("fp16").linf, 1e-2);
  EXPECT_EQ(gate_c->parity->limits.at("int8").rmse, 5e-3);
  EXPECT_TRUE(gate_c->dispatch && gate_c->memory && gate_c->fallbacks && gate_c->needs_runs());
  EXPECT_EQ(gate_c->sha256.size(), 64u);
  for (const char* name : {"ci-cpu", "models-ready", "runtime-ready"}) {
    const auto policy = ReadPolicy(std::string("gates/") + name + ".json");
    ASSERT_TRUE(policy.ok()) << policy.error().ToString();
    EXPECT_EQ(policy->name, name);
    EXPECT_FALSE(policy->latency.has_value());
  }
}

TEST(GatePolicy, EveryMistakeNamesFileKeyAndRule) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "p.json: a policy must be JSON"},
      {"[]", "p.json: a policy must be a JSON object"},
      {"{}", "p.json: schema: must be given"},
      {R"({"schema": "x"})", "p.json: schema: must be \"anemone.gate_policy\", but is \"x\""},
      {R"({"schema": "anemone.gate_policy", "schema_version": 2})",
       "p.json: schema_version: must be 1"},
      {R"({"schema": "anemone.gate_policy", "schema_version": 1})", "p.json: name: must be given"},
      {With(R"("description": 1)"), "p.json: description: must be text, but is 1"},
      {With(R"("description": "no checks")"), "p.json: checks: must be given"},
      {With(R"("checks": {})"), "p.json: checks: must name at least one check"},
      {With(R"("checks": [])"), "p.json: checks: must be an object"},
      {With(R"("checks": {"latency_p99": {}})"), "p.json: checks.latency_p99: is no key here"},
      {With(R"("checks": {"memory": {"max_growth": 1}})"),
       "p.json: checks.memory.max_growth: is no key here"},
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
       "p.json: checks.parity.limits.fp8: is no key here"},
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
      {With(R"("limit": 1, "checks": {"compile": {}})"), "p.json: limit: is no key here"},
      {With(R"("checks": {"compile": {}, "compile": {"required": false}})"),
       "p.json: compile: must be given once"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(ErrorOf(text).substr(0, expected.size()), expected) << text;
  }
  EXPECT_EQ(ReadPolicy("gates/none.json").error().code(), ErrorCode::kNotFound);
}

TEST(GatePolicy, NestingWithoutEndIsRefused) {
  EXPECT_NE(ErrorOf(With("\"checks\": " + std::string(100'000, '['))), "read");
  EXPECT_NE(ErrorOf(std::string((size_t{1} << 20) + 1, ' ')), "read");
}

TEST(GatePolicy, DefaultsHoldForWhatIsLeftOut) {
  const auto policy = ParsePolicy(With(R"("checks": {"memory": {}})"), "p.json");
  ASSERT_TRUE(policy.ok()) << policy.error().ToString();
  EXPECT_TRUE(policy->memory->required);
  EXPECT_EQ(policy->memory->max_growth_bytes_per_call, 1024);
  EXPECT_FALSE(policy->latency.has_value());
}

}  // namespace
}  // namespace anemone::gate
