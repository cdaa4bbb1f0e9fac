// From a failed check to its cause and what to try.
#include <fmt/core.h>

#include <algorithm>

#include "gate/report.h"

namespace anemone::gate {
namespace {

std::string Quoted(const std::string& drift) {
  const size_t begin = drift.find('\'');
  const size_t end = begin == std::string::npos ? begin : drift.find('\'', begin + 1);
  return end == std::string::npos ? drift : drift.substr(begin + 1, end - begin - 1);
}

void Accuracy(const Evidence& evidence, Diagnosis& diagnosis) {
  diagnosis.operators = evidence.drifting_operators;
  if (evidence.precision == "int8") {
    // The weights lost precision, which float32 arithmetic cannot restore.
    diagnosis.advice.emplace_back(
        "quantize in smaller groups, or leave the layers named above alone: anemone compress "
        "--granularity per_block, or a --config that names them");
  } else if (!evidence.drifting_operators.empty()) {
    diagnosis.advice.push_back(
        fmt::format("keep the first of them in float32: anemone convert --compute-precision "
                    "float16 --keep-float32 '{}'",
                    Quoted(evidence.drifting_operators.front())));
  }
  diagnosis.advice.emplace_back("anemone compare REFERENCE MODEL --per-op lists every operator");
}

void Dispatch(const Evidence& evidence, Diagnosis& diagnosis) {
  for (const RecordFile& file : evidence.records) {
    if (!file.record.header.planned_units) continue;
    std::string off;
    int64_t count = 0;
    for (const auto& [name, unit] : *file.record.header.planned_units) {
      if (unit == ComputeUnit::kAne || unit == ComputeUnit::kUnknown) continue;
      if (++count <= 5) off += (off.empty() ? "" : ", ") + name;
    }
    if (count > 0) {
      diagnosis.operators.push_back(fmt::format(
          "planned elsewhere: {}{}", off, count > 5 ? fmt::format(" and {} more", count - 5) : ""));
    }
  }
  for (const std::string& blocker : evidence.blocking_operators) {
    diagnosis.operators.push_back("by the placement rules (estimated): " + blocker);
  }
  if (!evidence.compile_error.empty()) {
    diagnosis.operators.push_back(evidence.compile_error);
    diagnosis.advice.emplace_back(
        "load it with fewer units to see which one refuses: --compute-units cpu_and_gpu, cpu_only");
  }
  diagnosis.advice.emplace_back(
      "anemone inspect MODEL --placement says why each operator goes where it goes");
  diagnosis.advice.emplace_back("try --compute-units cpu_and_ne, and a target of iOS18");
}

void Crash(const Evidence& evidence, Diagnosis& diagnosis) {
  if (evidence.ended) diagnosis.operators.push_back(evidence.ended->ToString());
  for (const RecordFile& file : evidence.records) {
    for (const runtime::RunCall& call : file.record.calls) {
      if (call.ok) continue;
      diagnosis.operators.push_back(fmt::format(
          "{}: call {} on {}: {}", file.path, call.index, call.backend,
          call.failure ? runtime::FailureKindName(*call.failure) : std::string_view("unknown")));
      break;
    }
    if (!file.record.summary && file.broken.empty()) {
      diagnosis.operators.push_back(fmt::format("{}: ends after {} calls without a summary",
                                                file.path, file.record.calls.size()));
    }
  }
  diagnosis.advice.emplace_back(
      "run with --compute-units cpu_and_gpu to keep off the Neural Engine");
  diagnosis.advice.emplace_back("look for the system's crash report of that moment");
}

void Latency(const Evidence& evidence, Diagnosis& diagnosis) {
  for (const std::string& blocker : evidence.blocking_operators) {
    diagnosis.operators.push_back("may split the graph (estimated): " + blocker);
  }
  diagnosis.advice.emplace_back(
      "anemone inspect MODEL --placement shows where the graph changes units; each change costs");
  diagnosis.advice.emplace_back("measure again with longer runs, and other --compute-units");
}

}  // namespace

std::vector<Diagnosis> Diagnose(const Evidence& evidence, const std::vector<CheckResult>& checks) {
  std::vector<Diagnosis> diagnoses;
  for (const CheckResult& check : checks) {
    if (check.verdict != Verdict::kFail) continue;
    const bool known =
        std::any_of(diagnoses.begin(), diagnoses.end(),
                    [&](const Diagnosis& diagnosis) { return diagnosis.failure == check.failure; });
    if (known) continue;
    Diagnosis& diagnosis = diagnoses.emplace_back();
    diagnosis.failure = check.failure;
    switch (check.failure) {
      case FailureClass::kAccuracy:
        Accuracy(evidence, diagnosis);
        break;
      case FailureClass::kDispatch:
        Dispatch(evidence, diagnosis);
        break;
      case FailureClass::kCrash:
        Crash(evidence, diagnosis);
        break;
      case FailureClass::kLatency:
        Latency(evidence, diagnosis);
        break;
      case FailureClass::kNone:
      case FailureClass::kOther:
        diagnosis.failure = FailureClass::kOther;
        diagnosis.operators.push_back(check.title + ": " + check.value);
        break;
    }
  }
  return diagnoses;
}

}  // namespace anemone::gate
