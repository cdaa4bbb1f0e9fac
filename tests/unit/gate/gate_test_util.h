// Records for the gate's tests: two runs that alternate A B B A on one clock, as Measure writes
// them.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "base/random.h"
#include "gate/checks.h"
#include "gate/evidence.h"
#include "gate/policy.h"
#include "runtime/run_record_io.h"
#include "support/scratch.h"

namespace anemone::gate::fixtures {

inline runtime::RunHeader Header(const std::string& backend) {
  runtime::RunHeader header;
  header.time_unix_ns = 1'700'000'000'000'000'000;
  header.tool_version = "0.1.0";
  header.machine.os = "macos";
  header.machine.os_version = "15.1";
  header.machine.os_build = "24B83";
  header.machine.architecture = "arm64";
  header.machine.chip = "Apple M2";
  header.machine.thermal_state = "nominal";
  header.machine.power_mode = "normal";
  header.model = "net";
  header.model_hash = std::string(64, 'a');
  header.threads = 4;
  header.backend = backend;
  header.compute_units = backend == "cpu" ? "cpu_only" : "all";
  if (backend == "coreml") {
    header.planned_units = {{{"conv_0", ComputeUnit::kAne},
                             {"conv_1", ComputeUnit::kAne},
                             {"softmax", ComputeUnit::kCpu}}};
  }
  return header;
}

struct PairOptions {
  int64_t calls = 1000;
  double subject_ms = 5;
  double baseline_ms = 10;
  double spread = 0.02;  // of the middle
  int64_t growth_bytes_per_call = 0;
};

struct Pair {
  runtime::RunRecord subject;
  runtime::RunRecord baseline;
};

// Sets the summary as the writer does, with telemetry that counted each call once.
inline void Summarize(runtime::RunRecord& record) {
  record.summary = runtime::SummaryOf(record.calls, nullptr);
  record.summary->load = {1, 0, 1'000'000};
  record.summary->first_inference = {1, 0, 1'000'000};
  record.summary->inference = {
      record.summary->ok, record.summary->failed,
      record.summary->ok > 0 ? std::optional<int64_t>(1'000'000) : std::nullopt};
}

inline Pair MakePair(const PairOptions& options = {}) {
  Pair pair;
  pair.subject.header = Header("coreml");
  pair.baseline.header = Header("cpu");
  Random random(11);
  int64_t clock_ns = 0;
  constexpr int64_t kBlock = 25;
  const auto block = [&](runtime::RunRecord& record, double middle_ms) {
    for (int64_t i = 0; i < kBlock && static_cast<int64_t>(record.calls.size()) < options.calls;
         ++i) {
      runtime::RunCall call;
      call.index = static_cast<int64_t>(record.calls.size());
      call.start_ns = clock_ns;
      const double factor = 1 + options.spread * static_cast<double>(random.Normal());
      call.duration_ns = static_cast<int64_t>(middle_ms * 1e6 * factor);
      call.backend = record.header.backend;
      const bool cpu = call.backend == "cpu";
      call.planned = cpu ? ComputeUnit::kCpu : ComputeUnit::kAne;
      call.observed = cpu ? ComputeUnit::kCpu : ComputeUnit::kUnknown;
      clock_ns += call.duration_ns + 1000;
      record.calls.push_back(call);
    }
    const auto calls = static_cast<int64_t>(record.calls.size());
    record.memory.push_back({clock_ns, calls, 50'000'000 + calls * options.growth_bytes_per_call});
  };
  for (int round = 0; static_cast<int64_t>(pair.subject.calls.size()) < options.calls; ++round) {
    if (round % 2 == 0) block(pair.subject, options.subject_ms);
    block(pair.baseline, options.baseline_ms);
    if (round % 2 != 0) block(pair.subject, options.subject_ms);
  }
  pair.subject.parity.push_back({"y", "synthetic", "cpu", "fp16", 4, 0, 1e-3, 1e-4, false});
  Summarize(pair.subject);
  Summarize(pair.baseline);
  return pair;
}

inline RecordFile File(runtime::RunRecord record, const std::string& path) {
  return {path, std::move(record), ""};
}

inline Evidence EvidenceOf(Pair pair) {
  std::vector<RecordFile> files;
  files.push_back(File(std::move(pair.subject), "a.jsonl"));
  files.push_back(File(std::move(pair.baseline), "b.jsonl"));
  std::vector<Evidence> groups = GroupRecords(std::move(files));
  EXPECT_EQ(groups.size(), 1u);
  Evidence evidence = groups.front();
  evidence.precision = "fp16";
  evidence.parity.push_back({"y", "synthetic", "net_fp32", "fp16", 4, 0, 1e-3, 1e-4, false});
  return evidence;
}

inline Evidence OnlyBaseline(Pair pair) {
  Evidence evidence = EvidenceOf(std::move(pair));
  evidence.records.erase(evidence.records.begin());
  evidence.unavailable = "Core ML needs macOS";
  return evidence;
}

inline Policy GateC() {
  auto policy = ReadPolicy("gates/gate-c.json");
  EXPECT_TRUE(policy.ok()) << (policy.ok() ? "" : policy.error().ToString());
  return policy.ok() ? *policy : Policy{};
}

// What the check of that name makes of the evidence; the policy must name it.
inline CheckResult Judged(std::string_view key, const Policy& policy, const Evidence& evidence) {
  for (CheckResult& result : Decide(policy, evidence)) {
    if (result.name == key) return std::move(result);
  }
  ADD_FAILURE() << "the policy does not name " << key;
  return {};
}

// Sets limits of a check, which the policy names from now on.
inline void Set(Policy& policy, std::string_view key, Json limits) {
  const Status set = SetCheck(policy, key, std::move(limits));
  EXPECT_TRUE(set.ok()) << set.ToString();
}

// The limits of a check as a policy file has them; null when the policy does not name it.
inline Json LimitsIn(const Policy& policy, std::string_view key) {
  const CheckPolicy* found = policy.checks.Find(key);
  return found != nullptr ? WriteCheckPolicy(*found) : Json();
}

inline std::string Show(const CheckResult& result) {
  std::string text = std::string(VerdictName(result.verdict)) + " " + result.value;
  for (const std::string& line : result.evidence) text += "\n  " + line;
  return text;
}

}  // namespace anemone::gate::fixtures

#define EXPECT_VERDICT(result, expected) \
  EXPECT_EQ((result).verdict, Verdict::expected) << ::anemone::gate::fixtures::Show(result)
