// The gate end to end: live runs on the executor and on a scripted external backend, the proof of
// the fallback, certified sessions.
#include "gate/live.h"

#include "gate/check_files.h"

#include "base/tree_hash.h"
#include "exec/synthetic_inputs.h"
#include "gate/fallback_proof.h"
#include "gate/report.h"
#include "lab/manifest.h"
#include "live_test_util.h"
#include "runtime/session.h"
#include "unit/runtime/fake_backend.h"

namespace anemone::gate {
namespace {

using runtime::fakes::FakeBackend;
using runtime::fakes::Fault;

using fixtures::CheckOf;
using fixtures::Judged;
using fixtures::Live;
using fixtures::ReluModel;
using fixtures::Set;

class GateLive : public ::testing::Test {
 protected:
  GateLive() { std::filesystem::create_directories(scratch_.path()); }
  LiveOptions Options(const exec::Backend* backend = nullptr) {
    LiveOptions options;
    options.directory = scratch_.path().string();
    options.threads = 1;
    options.tool_version = "test";
    options.subject_backend = backend;
    return options;
  }
  Evidence Run(const Policy& policy, const LiveModel& model,
               const exec::Backend* backend = nullptr) {
    auto evidence = RunLive(policy, model, Options(backend));
    EXPECT_TRUE(evidence.ok()) << (evidence.ok() ? "" : evidence.error().ToString());
    return evidence.ok() ? std::move(*evidence) : Evidence{};
  }
  test::ScratchFolder scratch_;
};

TEST_F(GateLive, TheCpuPolicyPassesHere) {
  Policy policy = *ReadPolicy("gates/ci-cpu.json");
  policy.run.min_duration_s = 0;
  policy.run.warmup_s = 0;
  Set(policy, "memory", {{"max_growth_bytes_per_call", 1e9}});
  const ModelReport report = MakeReport(policy, Run(policy, Live()));
  for (const CheckResult& check : report.checks) EXPECT_VERDICT(check, kPass);
  EXPECT_EQ(report.exit_code, 0);
  EXPECT_EQ(report.evidence.precision, "fp32");
  // Its record is a file that the gate reads to the same verdict.
  auto file = ReadRecordFile(scratch_ / "subject.run.jsonl");
  ASSERT_TRUE(file.ok()) << file.error().ToString();
  auto groups = GroupRecords({*file});
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_VERDICT(Judged("inferences", policy, groups[0]), kPass);
  EXPECT_VERDICT(Judged("telemetry", policy, groups[0]), kPass);
}

#ifndef __APPLE__
TEST_F(GateLive, GateCWithoutCoreMlIsNotMeasured) {
  const Policy policy = fixtures::QuickWithoutPlan();
  const ModelReport report = MakeReport(policy, Run(policy, Live()));
  EXPECT_EQ(report.verdict, Verdict::kNotMeasured);
  EXPECT_EQ(report.exit_code, 4);
  EXPECT_VERDICT(CheckOf(report, "parity"), kPass);
  EXPECT_VERDICT(CheckOf(report, "telemetry"), kPass);
  EXPECT_VERDICT(CheckOf(report, "compile"), kNotMeasured);
  EXPECT_FALSE(report.evidence.unavailable.empty());
  // Everything that can fail here does.
  LiveModel wrong = Live();
  wrong.reference = ReluModel("sigmoid(x = x)");
  const ModelReport failed = MakeReport(policy, Run(policy, wrong));
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_VERDICT(CheckOf(failed, "parity"), kFail);
  EXPECT_EQ(failed.diagnoses.at(0).failure, FailureClass::kAccuracy);
  EXPECT_FALSE(failed.diagnoses.at(0).operators.empty());
}
#endif

// The external backend stands for Core ML: the records say "fake".
Policy ForFake() {
  Policy policy = fixtures::QuickWithoutPlan();
  policy.subject_backend = "fake";
  return policy;
}

TEST_F(GateLive, AnExternalBackendThatBehavesPasses) {
  const FakeBackend fake(nullptr);
  LiveModel live = Live();
  live.planned_units = {{{"y", ComputeUnit::kAne}}};
  Policy policy = ForFake();
  Set(policy, "dispatch", {{"required", true}});
  const ModelReport report = MakeReport(policy, Run(policy, live, &fake));
  EXPECT_EQ(report.verdict, Verdict::kPass) << fixtures::TextOf(policy, report);
  EXPECT_VERDICT(CheckOf(report, "backend_parity"), kPass);
  EXPECT_VERDICT(CheckOf(report, "dispatch"), kPass);
  EXPECT_NE(CheckOf(report, "latency").verdict, Verdict::kNotMeasured);
  EXPECT_EQ(report.evidence.records.size(), 2u);
}

TEST_F(GateLive, AnExternalBackendThatFailsACallFails) {
  const FakeBackend fake(
      [](ComputeUnits, int64_t call) { return call == 400 ? Fault::kRuntimeError : Fault::kNone; });
  const Policy policy = ForFake();
  const ModelReport report = MakeReport(policy, Run(policy, Live(), &fake));
  EXPECT_EQ(report.exit_code, 1);
  // The session still answered: the fallback shows.
  EXPECT_VERDICT(CheckOf(report, "inferences"), kPass);
  EXPECT_VERDICT(CheckOf(report, "fallbacks"), kFail);
  EXPECT_VERDICT(CheckOf(report, "telemetry"), kPass);
}

TEST_F(GateLive, AnExternalBackendThatDoesNotLoadFails) {
  const FakeBackend fake(
      [](ComputeUnits, int64_t call) { return call < 0 ? Fault::kRuntimeError : Fault::kNone; });
  const Policy policy = ForFake();
  const ModelReport report = MakeReport(policy, Run(policy, Live(), &fake));
  EXPECT_EQ(report.exit_code, 1);
  EXPECT_VERDICT(CheckOf(report, "compile"), kFail);
  EXPECT_VERDICT(CheckOf(report, "inferences"), kNotMeasured);
  EXPECT_EQ(report.diagnoses.at(0).failure, FailureClass::kDispatch);
}

TEST_F(GateLive, AnExternalBackendThatIsWrongFailsParity) {
  // Right when the self-test asks, wrong afterwards.
  const FakeBackend fake([](ComputeUnits, int64_t call) {
    return call >= 1 && call < 40 ? Fault::kWrong : Fault::kNone;
  });
  const Policy policy = ForFake();
  const ModelReport report = MakeReport(policy, Run(policy, Live(), &fake));
  EXPECT_VERDICT(CheckOf(report, "backend_parity"), kFail);
  EXPECT_EQ(report.verdict, Verdict::kFail);
}

TEST_F(GateLive, EveryInjectedFaultIsSurvivedAndLogged) {
  const auto proof =
      ProveFallback(ReluModel(), "relu", std::string(64, 'c'), scratch_.path().string(), 1);
  ASSERT_TRUE(proof.ok()) << proof.error().ToString();
  EXPECT_EQ(proof->faults.size(), 5u);
  for (const InjectedFault& fault : proof->faults) {
    EXPECT_TRUE(fault.passed) << fault.name << ": " << fault.observed << "; expected "
                              << fault.expected;
  }
  ASSERT_EQ(proof->logs.size(), 2u);
  for (const LogEvidence& log : proof->logs) {
    EXPECT_EQ(log.problem, "");
    EXPECT_GT(log.lines, 10);
  }
  // Broken logs are found.
  test::WriteText(scratch_ / "bad.jsonl", "{\"schema\":\"anemone.event\"}\n");
  EXPECT_NE(CheckEventLog(scratch_ / "bad.jsonl").problem.find("bad.jsonl:1"), std::string::npos);
  test::WriteText(scratch_ / "torn.jsonl", "{\"schema\"");
  EXPECT_FALSE(CheckEventLog(scratch_ / "torn.jsonl").problem.empty());
  EXPECT_FALSE(CheckEventLog(scratch_ / "none.jsonl").problem.empty());
}

TEST_F(GateLive, RuntimeReadyPassesHere) {
  Policy policy = *ReadPolicy("gates/runtime-ready.json");
  policy.run.warmup_s = 0;
  policy.run.min_duration_s = 0;
  const ModelReport report = MakeReport(policy, Run(policy, Live()));
  for (const CheckResult& check : report.checks) EXPECT_VERDICT(check, kPass);
}

TEST_F(GateLive, FilesAreLookedAt) {
  const std::string package = scratch_ / "relu_fp16.mlpackage";
  test::WriteText(package + "/Manifest.json", "{}");
  std::vector<std::string> keys = FilesPolicy().manifest_keys;
  EXPECT_EQ(LookAtFiles(package, keys).problem, "there is no manifest");
  lab::Manifest manifest;
  manifest.model = "relu";
  manifest.precision = "fp16";
  manifest.package_sha256 = HashTree(package)->sha256;
  lab::OutputParity output;
  output.output = "y";
  output.judged.passed = true;
  manifest.outputs.push_back(output);
  const std::string path = scratch_ / "relu_fp16.manifest.json";
  ASSERT_TRUE(lab::WriteManifest(manifest, path).ok());
  FilesEvidence files = LookAtFiles(package + "/", keys);
  EXPECT_EQ(files.problem, "");
  EXPECT_EQ(files.unknown, std::vector<std::string>{});
  EXPECT_EQ(files.verified, true);
  keys.emplace_back("expected_speedup_m1");  // null: unknown
  keys.emplace_back("no_such_key");
  EXPECT_EQ(LookAtFiles(package, keys).problem, "the manifest has no key 'no_such_key'");
  keys.pop_back();
  EXPECT_EQ(LookAtFiles(package, keys).unknown, std::vector<std::string>{"expected_speedup_m1"});
  test::WriteText(package + "/more", "changed since");
  EXPECT_NE(LookAtFiles(package, keys).problem.find("another package"), std::string::npos);
  test::WriteText(path, "{}");
  EXPECT_FALSE(LookAtFiles(package, keys).problem.empty());
}

TEST_F(GateLive, ACertifiedModelIsNoExperiment) {
  const FakeBackend fake(nullptr);
  Policy policy = ForFake();
  ModelReport report = MakeReport(policy, Run(policy, Live(), &fake));
  ASSERT_EQ(report.verdict, Verdict::kPass) << fixtures::TextOf(policy, report);
  const std::string folder = scratch_ / "certificates";
  runtime::SessionOptions options;
  options.backends = {&fake, &exec::ReferenceBackend()};
  options.model_hash = std::string(64, 'c');
  options.certificate_dir = folder;
  const auto experimental = [&] {
    const auto model = ReluModel();
    const auto session = runtime::Session::Open(model, options);
    EXPECT_TRUE(session.ok());
    auto inputs = exec::SyntheticInputs(*model, (*session)->function(), 0, 0);
    runtime::CallReport call;
    EXPECT_TRUE((*session)->Predict(*inputs, nullptr, &call).ok());
    EXPECT_EQ(call.backend, "fake");
    return call.experimental;
  };
  EXPECT_TRUE(experimental());
  // A certificate for this very build.
  ASSERT_TRUE(WriteCertificate(folder, policy, report, 1, "test").ok());
  EXPECT_FALSE(experimental());
  options.model_hash = std::string(64, 'd');
  EXPECT_TRUE(experimental());
}

}  // namespace
}  // namespace anemone::gate
