#include "runtime/telemetry_json.h"

#include "base/json.h"

namespace anemone::runtime {
namespace {

Json FailuresJson(const std::array<uint64_t, kFailureKindCount>& failures) {
  Json json = Json::Object();
  for (size_t i = 0; i < kFailureKindCount; ++i) {
    json[std::string(FailureKindName(static_cast<FailureKind>(i)))] = failures[i];
  }
  return json;
}

Json PhaseJson(const PhaseCounts& counts) {
  Json json;
  json["succeeded"] = counts.succeeded;
  json["failed"] = counts.failed;
  json["failures"] = FailuresJson(counts.failures);
  json["failed_ns"] = counts.failed_ns;
  Json latency;
  const LatencyHistogram& histogram = counts.latency;
  const bool any = histogram.count() != 0;
  latency["min_ns"] = any ? Json(histogram.min_ns()) : Json();
  for (const auto& [name, percentile] :
       {std::pair("p50_ns", 50.0), std::pair("p90_ns", 90.0), std::pair("p95_ns", 95.0),
        std::pair("p99_ns", 99.0), std::pair("p999_ns", 99.9)}) {
    latency[name] = any ? Json(histogram.Percentile(percentile)) : Json();
  }
  latency["max_ns"] = any ? Json(histogram.max_ns()) : Json();
  json["latency"] = std::move(latency);
  return json;
}

}  // namespace

std::string TelemetryJson(const TelemetrySnapshot& snapshot, const TelemetryOptions& labels) {
  Json json;
  json["schema"] = "anemone.telemetry";
  json["schema_version"] = 1;
  json["time_unix_ns"] = snapshot.time_unix_ns;
  json["model"] = labels.model.empty() ? Json() : Json(labels.model);
  json["backend"] = labels.backend;
  json["compute_units"] = labels.units;
  json["compile"] = PhaseJson(snapshot.compile);
  json["load"] = PhaseJson(snapshot.load);
  json["first_inference"] = PhaseJson(snapshot.first_inference);
  json["inference"] = PhaseJson(snapshot.inference);
  for (const bool planned : {true, false}) {
    Json units = Json::Object();
    for (size_t i = 0; i < kComputeUnitCount; ++i) {
      const auto unit = static_cast<ComputeUnit>(i);
      units[std::string(ComputeUnitName(unit))] =
          planned ? snapshot.planned(unit) : snapshot.observed(unit);
    }
    json[planned ? "inferences_planned" : "inferences_observed"] = std::move(units);
  }
  Json fallbacks = Json::Object();
  for (size_t i = 1; i < kFallbackReasonCount; ++i) {
    fallbacks[std::string(FallbackReasonName(static_cast<FallbackReason>(i)))] =
        snapshot.fallbacks[i];
  }
  json["fallbacks"] = std::move(fallbacks);
  json["memory_high_water_bytes"] =
      snapshot.memory_high_water_bytes ? Json(*snapshot.memory_high_water_bytes) : Json();
  json["events_dropped"] = snapshot.events_dropped;
  return json.Dump({.indent = 2});
}

}  // namespace anemone::runtime
