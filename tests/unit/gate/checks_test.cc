// For each check: evidence that passes, that fails, that is inconclusive, and that lacks the data.
#include "gate/checks.h"

#include "gate_test_util.h"

namespace anemone::gate {
namespace {

using fixtures::EvidenceOf;
using fixtures::GateC;
using fixtures::Judged;
using fixtures::MakePair;
using fixtures::OnlyBaseline;
using fixtures::Pair;
using fixtures::Set;
using fixtures::Summarize;
using runtime::FailureKind;
using runtime::FallbackReason;

void Break(runtime::RunRecord& record, size_t index, FailureKind kind) {
  record.calls[index].ok = false;
  record.calls[index].failure = kind;
  Summarize(record);
}

std::string Joined(const CheckResult& result) { return fixtures::Show(result); }

TEST(GateChecks, CompilePass) {
  const CheckResult result = Judged("compile", GateC(), EvidenceOf(MakePair()));
  EXPECT_VERDICT(result, kPass);
  EXPECT_EQ(result.value, "1 load, 0 errors");
}

TEST(GateChecks, CompileFail) {
  Pair pair = MakePair();
  pair.subject.summary->load = {1, 2, 1'000'000};
  EXPECT_VERDICT(Judged("compile", GateC(), EvidenceOf(pair)), kFail);
  Evidence live = OnlyBaseline(MakePair());
  live.compile_error = "compile_error: com.apple.CoreML 3";
  const CheckResult result = Judged("compile", GateC(), live);
  EXPECT_VERDICT(result, kFail);
  EXPECT_EQ(result.failure, FailureClass::kDispatch);
}

TEST(GateChecks, CompileInconclusiveAndNotMeasured) {
  Pair pair = MakePair();
  pair.subject.summary.reset();
  EXPECT_VERDICT(Judged("compile", GateC(), EvidenceOf(pair)), kInconclusive);
  const CheckResult result = Judged("compile", GateC(), OnlyBaseline(MakePair()));
  EXPECT_VERDICT(result, kNotMeasured);
  EXPECT_NE(Joined(result).find("Core ML needs macOS"), std::string::npos);
}

TEST(GateChecks, InferencesPass) {
  EXPECT_VERDICT(Judged("inferences", GateC(), EvidenceOf(MakePair())), kPass);
}

TEST(GateChecks, InferencesFail) {
  Pair pair = MakePair();
  Break(pair.subject, 500, FailureKind::kCrash);
  CheckResult result = Judged("inferences", GateC(), EvidenceOf(pair));
  EXPECT_VERDICT(result, kFail);
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_EQ(result.failure, FailureClass::kCrash);
  EXPECT_NE(Joined(result).find("1 crash"), std::string::npos);

  pair = MakePair();
  Break(pair.subject, 1, FailureKind::kTimeout);
  result = Judged("inferences", GateC(), EvidenceOf(pair));
  EXPECT_VERDICT(result, kFail);
  EXPECT_EQ(result.exit_code, 6);

  // A process that was killed leaves no summary.
  pair = MakePair();
  pair.subject.summary.reset();
  result = Judged("inferences", GateC(), EvidenceOf(pair));
  EXPECT_VERDICT(result, kFail);
  EXPECT_EQ(result.exit_code, 5);

  // The baseline alone can fail it too.
  pair = MakePair();
  Break(pair.baseline, 3, FailureKind::kRuntimeError);
  result = Judged("inferences", GateC(), OnlyBaseline(pair));
  EXPECT_VERDICT(result, kFail);
  EXPECT_EQ(result.exit_code, 0);
}

TEST(GateChecks, InferencesInconclusiveAndNotMeasured) {
  EXPECT_VERDICT(Judged("inferences", GateC(), EvidenceOf(MakePair({.calls = 999}))),
                 kInconclusive);
  const CheckResult result = Judged("inferences", GateC(), OnlyBaseline(MakePair()));
  EXPECT_VERDICT(result, kNotMeasured);
  EXPECT_EQ(result.value, "cpu: 1000 inferences, 0 crashes, 0 failures");
}

TEST(GateChecks, DispatchPass) {
  const CheckResult result = Judged("dispatch", GateC(), EvidenceOf(MakePair()));
  EXPECT_VERDICT(result, kPass);
  EXPECT_EQ(result.value, "2 of 3 operators planned on ane (66.7 %)");
  EXPECT_NE(Joined(result).find("ane_usage_count / infer_count = 1000 / 1000 (planned)"),
            std::string::npos);
  EXPECT_NE(Joined(result).find("observed: nothing"), std::string::npos);
}

TEST(GateChecks, DispatchPassOfCallsWithoutAPlanOfOperators) {
  Pair pair = MakePair();
  pair.subject.header.planned_units.reset();
  for (size_t i = 0; i < 10; ++i) pair.subject.calls[i].observed = ComputeUnit::kAne;
  const CheckResult result = Judged("dispatch", GateC(), EvidenceOf(pair));
  EXPECT_VERDICT(result, kPass);
  EXPECT_NE(Joined(result).find("observed on ane: 10 of 1000"), std::string::npos);
}

TEST(GateChecks, DispatchFail) {
  Pair pair = MakePair();
  for (auto& [name, unit] : *pair.subject.header.planned_units) unit = ComputeUnit::kCpu;
  CheckResult result = Judged("dispatch", GateC(), EvidenceOf(pair));
  EXPECT_VERDICT(result, kFail);
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(result.failure, FailureClass::kDispatch);
  // Planned, but every call was seen on the CPU.
  pair = MakePair();
  for (auto& call : pair.subject.calls) call.observed = ComputeUnit::kCpu;
  EXPECT_VERDICT(Judged("dispatch", GateC(), EvidenceOf(pair)), kFail);
  // A higher floor.
  Policy policy = GateC();
  Set(policy, "dispatch", {{"min_share_pct", 70}});
  EXPECT_VERDICT(Judged("dispatch", policy, EvidenceOf(MakePair())), kFail);
}

TEST(GateChecks, DispatchInconclusiveAndNotMeasured) {
  Pair pair = MakePair();
  for (auto& [name, unit] : *pair.subject.header.planned_units) unit = ComputeUnit::kUnknown;
  EXPECT_VERDICT(Judged("dispatch", GateC(), EvidenceOf(pair)), kInconclusive);
  pair.subject.header.planned_units.reset();
  for (auto& call : pair.subject.calls) call.planned = ComputeUnit::kUnknown;
  EXPECT_VERDICT(Judged("dispatch", GateC(), EvidenceOf(pair)), kNotMeasured);
  EXPECT_VERDICT(Judged("dispatch", GateC(), OnlyBaseline(MakePair())), kNotMeasured);
}

TEST(GateChecks, LatencyPass) {
  const CheckResult result = Judged("latency", GateC(), EvidenceOf(MakePair()));
  EXPECT_VERDICT(result, kPass);
  EXPECT_NE(Joined(result).find("A B B A"), std::string::npos);
  EXPECT_NE(Joined(result).find("at least 1.5"), std::string::npos);
}

TEST(GateChecks, LatencyFail) {
  const CheckResult result =
      Judged("latency", GateC(), EvidenceOf(MakePair({.subject_ms = 9.5, .baseline_ms = 10})));
  EXPECT_VERDICT(result, kFail);
  EXPECT_EQ(result.failure, FailureClass::kLatency);
}

TEST(GateChecks, LatencyInconclusive) {
  // Straddles.
  CheckResult result =
      Judged("latency", GateC(),
             EvidenceOf(MakePair({.subject_ms = 7, .baseline_ms = 10, .spread = 0.1})));
  EXPECT_VERDICT(result, kInconclusive);
  EXPECT_NE(Joined(result).find("straddles"), std::string::npos);
  // Too few for p99.
  result = Judged("latency", GateC(), EvidenceOf(MakePair({.calls = 661})));
  EXPECT_VERDICT(result, kInconclusive);
  EXPECT_NE(Joined(result).find("needs at least 662"), std::string::npos);
  // One after the other.
  Pair pair = MakePair();
  pair.baseline.header.time_unix_ns += 3'600'000'000'000;
  result = Judged("latency", GateC(), EvidenceOf(pair));
  EXPECT_VERDICT(result, kInconclusive);
  Policy lenient = GateC();
  Set(lenient, "latency", {{"require_interleaved", false}});
  EXPECT_VERDICT(Judged("latency", lenient, EvidenceOf(pair)), kPass);
  // Throttled, or saving power.
  pair = MakePair();
  pair.subject.header.machine.thermal_state = "serious";
  EXPECT_VERDICT(Judged("latency", GateC(), EvidenceOf(pair)), kInconclusive);
  pair = MakePair();
  pair.baseline.header.machine.power_mode = "low_power";
  EXPECT_VERDICT(Judged("latency", GateC(), EvidenceOf(pair)), kInconclusive);
}

TEST(GateChecks, LatencyConservative) {
  // 1 / 0.68 = 1.47: enough for the ratio, not for the conservative gate.
  const fixtures::PairOptions options{.subject_ms = 6.8, .spread = 0.001};
  EXPECT_VERDICT(Judged("latency", GateC(), EvidenceOf(MakePair(options))), kPass);
  Policy strict = GateC();
  Set(strict, "latency", {{"require_conservative", true}});
  EXPECT_VERDICT(Judged("latency", strict, EvidenceOf(MakePair(options))), kFail);
}

TEST(GateChecks, LatencyNotMeasured) {
  EXPECT_VERDICT(Judged("latency", GateC(), OnlyBaseline(MakePair())), kNotMeasured);
  Evidence evidence = EvidenceOf(MakePair());
  evidence.records.pop_back();
  EXPECT_VERDICT(Judged("latency", GateC(), evidence), kNotMeasured);
  Policy other = GateC();
  other.devices = {"Apple M4"};
  const CheckResult result = Judged("latency", other, EvidenceOf(MakePair()));
  EXPECT_VERDICT(result, kNotMeasured);
  EXPECT_NE(Joined(result).find("not about 'Apple M2'"), std::string::npos);
}

TEST(GateChecks, Parity) {
  Evidence evidence = EvidenceOf(MakePair());
  EXPECT_VERDICT(Judged("parity", GateC(), evidence), kPass);

  Evidence bad = evidence;
  bad.parity[0].l_inf = 1.1e-2;
  const CheckResult failed = Judged("parity", GateC(), bad);
  EXPECT_VERDICT(failed, kFail);
  EXPECT_EQ(failed.failure, FailureClass::kAccuracy);
  bad.precision = "int8";  // has wider limits
  EXPECT_VERDICT(Judged("parity", GateC(), bad), kPass);
  bad = evidence;
  bad.parity[0].non_finite = 1;
  EXPECT_VERDICT(Judged("parity", GateC(), bad), kFail);
  bad = evidence;
  bad.parity[0].rmse.reset();  // was infinite
  EXPECT_VERDICT(Judged("parity", GateC(), bad), kFail);

  Evidence few = evidence;
  few.parity[0].samples = 1;
  EXPECT_VERDICT(Judged("parity", GateC(), few), kInconclusive);
  few.parity[0].inputs = "real";
  EXPECT_VERDICT(Judged("parity", GateC(), few), kPass);
  Policy real = GateC();
  Set(real, "parity", {{"real_inputs", true}});
  EXPECT_VERDICT(Judged("parity", real, evidence), kInconclusive);
  Evidence unknown = evidence;
  unknown.precision = "";
  EXPECT_VERDICT(Judged("parity", GateC(), unknown), kInconclusive);

  Evidence none = evidence;
  none.parity.clear();
  none.parity_problem = "there is no reference";
  EXPECT_VERDICT(Judged("parity", GateC(), none), kNotMeasured);
}

TEST(GateChecks, BackendParity) {
  Pair pair = MakePair();
  EXPECT_VERDICT(Judged("backend_parity", GateC(), EvidenceOf(pair)), kPass);
  pair.subject.parity[0].rmse = 2e-3;
  EXPECT_VERDICT(Judged("backend_parity", GateC(), EvidenceOf(pair)), kFail);
  pair.subject.parity[0].rmse = 1e-4;
  pair.subject.parity[0].samples = 2;
  EXPECT_VERDICT(Judged("backend_parity", GateC(), EvidenceOf(pair)), kInconclusive);
  pair.subject.parity.clear();
  EXPECT_VERDICT(Judged("backend_parity", GateC(), EvidenceOf(pair)), kNotMeasured);
  EXPECT_VERDICT(Judged("backend_parity", GateC(), OnlyBaseline(MakePair())), kNotMeasured);
}

TEST(GateChecks, TelemetryPass) {
  EXPECT_VERDICT(Judged("telemetry", GateC(), EvidenceOf(MakePair())), kPass);
  EXPECT_VERDICT(Judged("telemetry", GateC(), OnlyBaseline(MakePair())), kPass);
}

TEST(GateChecks, TelemetryFail) {
  // Telemetry lost a call.
  Pair pair = MakePair();
  pair.subject.summary->inference.succeeded = 998;  // and one first inference
  CheckResult result = Judged("telemetry", GateC(), EvidenceOf(pair));
  EXPECT_VERDICT(result, kFail);
  EXPECT_NE(Joined(result).find("telemetry counted 999 successes, the lines 1000"),
            std::string::npos);
  pair = MakePair();
  pair.subject.summary->events_dropped = 1;
  EXPECT_VERDICT(Judged("telemetry", GateC(), EvidenceOf(pair)), kFail);
  // Time runs backwards.
  pair = MakePair();
  pair.subject.calls[10].start_ns = pair.subject.calls[9].start_ns;
  EXPECT_VERDICT(Judged("telemetry", GateC(), EvidenceOf(pair)), kFail);
  // A hole of a minute and more.
  pair = MakePair();
  for (size_t i = 500; i < 1000; ++i) pair.subject.calls[i].start_ns += 61'000'000'000;
  EXPECT_VERDICT(Judged("telemetry", GateC(), EvidenceOf(pair)), kFail);
}

TEST(GateChecks, TelemetryFailsOnARecordThatContradictsItself) {
  const test::ScratchFolder scratch;
  const Pair pair = MakePair({.calls = 50});
  std::string text = RunHeaderLine(pair.subject.header) + "\n";
  for (const auto& call : pair.subject.calls) text += RunCallLine(call) + "\n";
  runtime::RunSummary summary = *pair.subject.summary;
  summary.calls = 51;
  test::WriteText(scratch / "bad.jsonl", text + RunSummaryLine(summary) + "\n");
  const auto file = ReadRecordFile(scratch / "bad.jsonl");
  ASSERT_TRUE(file.ok()) << file.error().ToString();
  std::vector<Evidence> groups = GroupRecords({*file});
  ASSERT_EQ(groups.size(), 1u);
  const CheckResult result = Judged("telemetry", GateC(), groups[0]);
  EXPECT_VERDICT(result, kFail);
  EXPECT_NE(Joined(result).find("bad.jsonl:52"), std::string::npos);
  // Its calls do not count.
  EXPECT_VERDICT(Judged("inferences", GateC(), groups[0]), kNotMeasured);
  // A file that is not a run record is an error, not evidence.
  test::WriteText(scratch / "other.jsonl", "{\"schema\":\"anemone.lab\"}\n");
  EXPECT_EQ(ReadRecordFile(scratch / "other.jsonl").error().code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(ReadRecordFile(scratch / "none.jsonl").error().code(), ErrorCode::kNotFound);
  test::WriteText(scratch / "empty.jsonl", "");
  EXPECT_EQ(ReadRecordFile(scratch / "empty.jsonl").error().code(), ErrorCode::kInvalidInput);
}

TEST(GateChecks, TelemetryInconclusiveAndNotMeasured) {
  Pair pair = MakePair();
  pair.subject.summary.reset();
  EXPECT_VERDICT(Judged("telemetry", GateC(), EvidenceOf(pair)), kInconclusive);
  EXPECT_VERDICT(Judged("telemetry", GateC(), Evidence{}), kNotMeasured);
}

TEST(GateChecks, Memory) {
  EXPECT_VERDICT(Judged("memory", GateC(), EvidenceOf(MakePair())), kPass);
  const CheckResult leak =
      Judged("memory", GateC(), EvidenceOf(MakePair({.growth_bytes_per_call = 4096})));
  EXPECT_VERDICT(leak, kFail);
  EXPECT_EQ(leak.value, "4096 bytes for each call (4096 to 4096)");
  EXPECT_VERDICT(Judged("memory", GateC(), EvidenceOf(MakePair({.calls = 100}))), kInconclusive);
  // Too noisy to tell.
  Pair noisy = MakePair();
  for (size_t i = 0; i < noisy.subject.memory.size(); ++i) {
    noisy.subject.memory[i].resident_bytes += (i * 7919 % 13) * 1'000'000;
  }
  EXPECT_VERDICT(Judged("memory", GateC(), EvidenceOf(noisy)), kInconclusive);
  Pair none = MakePair();
  none.subject.memory.clear();
  EXPECT_VERDICT(Judged("memory", GateC(), EvidenceOf(none)), kNotMeasured);
  EXPECT_VERDICT(Judged("memory", GateC(), OnlyBaseline(MakePair())), kNotMeasured);
}

TEST(GateChecks, Fallbacks) {
  EXPECT_VERDICT(Judged("fallbacks", GateC(), EvidenceOf(MakePair())), kPass);
  Pair pair = MakePair();
  pair.subject.calls[7].fallback_reason = FallbackReason::kTimeout;
  Summarize(pair.subject);
  const CheckResult result = Judged("fallbacks", GateC(), EvidenceOf(pair));
  EXPECT_VERDICT(result, kFail);
  EXPECT_NE(Joined(result).find("1 timeout"), std::string::npos);
  Policy lenient = GateC();
  Set(lenient, "fallbacks", {{"max_count", 1}});
  EXPECT_VERDICT(Judged("fallbacks", lenient, EvidenceOf(pair)), kPass);
  pair = MakePair();
  pair.subject.summary.reset();
  EXPECT_VERDICT(Judged("fallbacks", GateC(), EvidenceOf(pair)), kInconclusive);
  EXPECT_VERDICT(Judged("fallbacks", GateC(), OnlyBaseline(MakePair())), kNotMeasured);
}

TEST(GateChecks, Files) {
  Policy policy;
  Set(policy, "files", Json::Object());
  Evidence evidence;
  EXPECT_VERDICT(Judged("files", policy, evidence), kNotMeasured);
  evidence.files = FilesEvidence{"net.manifest.json", "", {}, true};
  EXPECT_VERDICT(Judged("files", policy, evidence), kPass);
  evidence.files->unknown = {"expected_speedup_m1"};
  EXPECT_VERDICT(Judged("files", policy, evidence), kInconclusive);
  evidence.files->verified = false;
  EXPECT_VERDICT(Judged("files", policy, evidence), kFail);
  evidence.files = FilesEvidence{"net.manifest.json", "there is no manifest", {}, {}};
  EXPECT_VERDICT(Judged("files", policy, evidence), kFail);
}

TEST(GateChecks, FallbackProofAndLogs) {
  Policy policy;
  Set(policy, "fallback_proof", Json::Object());
  Set(policy, "logs", Json::Object());
  Evidence evidence;
  EXPECT_VERDICT(Judged("fallback_proof", policy, evidence), kNotMeasured);
  EXPECT_VERDICT(Judged("logs", policy, evidence), kNotMeasured);
  evidence.faults = {{"runtime error", "answered by cpu", "answered by cpu", true}};
  EXPECT_VERDICT(Judged("fallback_proof", policy, evidence), kPass);
  evidence.faults.push_back({"hang", "answered by cpu", "", false, false});  // never reached
  EXPECT_VERDICT(Judged("fallback_proof", policy, evidence), kInconclusive);
  evidence.faults.push_back({"NaN", "answered by cpu", "NaN came through", false});
  EXPECT_VERDICT(Judged("fallback_proof", policy, evidence), kFail);
  evidence.logs = {{"telemetry.jsonl", 0, ""}};
  EXPECT_VERDICT(Judged("logs", policy, evidence), kInconclusive);
  evidence.logs[0].lines = 3;
  EXPECT_VERDICT(Judged("logs", policy, evidence), kPass);
  evidence.logs[0].problem = "telemetry.jsonl:2: is no JSON";
  EXPECT_VERDICT(Judged("logs", policy, evidence), kFail);
}

TEST(GateVerdict, OverallAndExitCodes) {
  const auto checks = [](std::vector<Verdict> verdicts) {
    std::vector<CheckResult> made;
    for (const Verdict verdict : verdicts) made.emplace_back().verdict = verdict;
    return made;
  };
  using V = Verdict;
  EXPECT_EQ(ExitCodeOf(checks({V::kPass, V::kPass})), 0);
  EXPECT_EQ(ExitCodeOf(checks({V::kPass, V::kNotMeasured})), 4);
  EXPECT_EQ(ExitCodeOf(checks({V::kInconclusive, V::kNotMeasured})), 8);
  EXPECT_EQ(ExitCodeOf(checks({V::kInconclusive, V::kFail, V::kNotMeasured})), 1);
  EXPECT_EQ(ExitCodeOf(checks({})), 4);
  auto crash = checks({V::kFail, V::kPass});
  crash[0].exit_code = 5;
  EXPECT_EQ(ExitCodeOf(crash), 5);
  crash[1].verdict = V::kFail;
  EXPECT_EQ(ExitCodeOf(crash), 1);
  crash[1].required = false;  // shown, but does not decide
  EXPECT_EQ(ExitCodeOf(crash), 5);
  EXPECT_EQ(WorseExitCode(0, 4), 4);
  EXPECT_EQ(WorseExitCode(4, 8), 8);
  EXPECT_EQ(WorseExitCode(8, 1), 1);
  EXPECT_EQ(WorseExitCode(1, 0), 1);
}

TEST(GateDecide, GateCOnARecordedMac) {
  const std::vector<CheckResult> checks = Decide(GateC(), EvidenceOf(MakePair()));
  EXPECT_EQ(checks.size(), 9u);
  for (const CheckResult& check : checks) EXPECT_VERDICT(check, kPass);
  EXPECT_EQ(ExitCodeOf(checks), 0);
}

TEST(GateDecide, GateCWithoutAMacIsNotMeasured) {
  const std::vector<CheckResult> checks = Decide(GateC(), OnlyBaseline(MakePair()));
  EXPECT_EQ(Overall(checks), Verdict::kNotMeasured);
  EXPECT_EQ(ExitCodeOf(checks), 4);
}

TEST(GateEvidence, RecordsAreGroupedByModelAndDevice) {
  std::vector<RecordFile> files;
  for (const char* chip : {"Apple M1", "Apple M2"}) {
    for (const char hash : {'a', 'b'}) {
      Pair pair = MakePair({.calls = 10});
      for (auto* record : {&pair.subject, &pair.baseline}) {
        record->header.machine.chip = chip;
        record->header.model_hash = std::string(64, hash);
        files.push_back(fixtures::File(*record, "r.jsonl"));
      }
    }
  }
  const auto groups = GroupRecords(std::move(files));
  ASSERT_EQ(groups.size(), 4u);
  for (const Evidence& group : groups) EXPECT_EQ(group.records.size(), 2u);
  EXPECT_EQ(groups[0].device->label(), "Apple M1, macos 15.1 (24B83)");
}

}  // namespace
}  // namespace anemone::gate
