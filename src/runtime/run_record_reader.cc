#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <span>
#include <system_error>
#include <vector>

#include "base/json_reader.h"
#include "runtime/run_record_io.h"

namespace anemone::runtime {
namespace {

constexpr size_t kMaxHeaderBytes = size_t{64} << 20;  // planned units of every operator
constexpr size_t kMaxLineBytes = size_t{64} << 10;

// One of the names that an enumeration has.
template <typename Enum>
void GetName(JsonObject& object, std::string_view key,
             std::optional<Enum> (*parse)(std::string_view), Enum* value) {
  const Json* json = object.Find(key);
  if (json == nullptr) return;
  const std::optional<Enum> parsed = json->is_text() ? parse(json->text()) : std::nullopt;
  if (!parsed) return object.Fail(key, "must be one of its names (docs/telemetry.md)", *json);
  *value = *parsed;
}
template <typename Enum>
void GetName(JsonObject& object, std::string_view key,
             std::optional<Enum> (*parse)(std::string_view), std::optional<Enum>* value) {
  if (!object.HasValue(key)) return;
  Enum name{};
  GetName(object, key, parse, &name);
  *value = name;
}

// Text that is null or one of `allowed`.
void GetText(JsonObject& object, std::string_view key,
             std::initializer_list<std::string_view> allowed, std::optional<std::string>* value) {
  size_t chosen = 0;
  if (!object.HasValue(key)) return;
  if (object.Choose(key, std::span(allowed.begin(), allowed.size()), &chosen))
    *value = std::string(allowed.begin()[chosen]);
}

// {"name": count} with every name from `first` on.
template <typename Enum, size_t kSize>
void GetCounts(JsonObject& object, std::string_view key, std::string_view (*name)(Enum),
               size_t first, std::array<int64_t, kSize>* counts) {
  JsonObject inner = object.Object(key);
  for (size_t i = first; i < kSize; ++i) inner.Get(name(static_cast<Enum>(i)), &(*counts)[i], 0);
}

void ReadMachine(JsonObject f, RunMachine* m) {
  f.Get("os", &m->os);
  f.Get("os_version", &m->os_version);
  f.Get("os_build", &m->os_build);
  f.Get("architecture", &m->architecture);
  f.Get("hardware_model", &m->hardware_model);
  f.Get("chip", &m->chip);
  f.Get("cores", &m->cores, 0);
  f.Get("memory_bytes", &m->memory_bytes, 0);
  GetText(f, "thermal_state", {"nominal", "fair", "serious", "critical"}, &m->thermal_state);
  GetText(f, "power_mode", {"normal", "low_power"}, &m->power_mode);
  GetText(f, "qos", {"user_interactive", "user_initiated", "default", "utility", "background"},
          &m->qos);
}

bool IsHash(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// Reads one line's object with `read(object, line)`; all that is wrong with it is told.
template <typename Line>
Status ReadLine(JsonDocument& document, const std::string& place, void (*read)(JsonObject&, Line*),
                Line* line) {
  {
    JsonObject object = document.root();
    object.Find("type");
    read(object, line);
  }
  return document.status(ErrorCode::kInvalidInput, place);
}

void GetHeader(JsonObject& f, RunHeader* h) {
  f.Find("schema");
  f.Find("schema_version");
  std::string type;
  if (f.Get("type", &type) && type != "header") {
    f.Fail("type", "of the first line must be \"header\"");
  }
  f.Get("time_unix_ns", &h->time_unix_ns, 0);
  f.Get("tool_version", &h->tool_version);
  ReadMachine(f.Object("machine"), &h->machine);
  f.Get("model", &h->model);
  if (f.Get("model_hash", &h->model_hash) && !IsHash(h->model_hash)) {
    f.Fail("model_hash", "must be 64 lower-case hexadecimal digits");
  }
  f.Get("threads", &h->threads, 0);
  f.Get("clients", &h->clients, 1);
  f.Get("backend", &h->backend);
  f.Get("compute_units", &h->compute_units);
  if (!f.HasValue("planned_units")) return;
  auto& units = h->planned_units.emplace();
  const Json* planned = f.Map("planned_units");
  if (planned == nullptr) return;
  for (const auto& [name, value] : planned->items()) {
    const auto unit = value.is_text() ? ComputeUnitFromName(value.text()) : std::nullopt;
    if (!unit) f.Fail("planned_units." + name, "must be a unit's name", value);
    units.emplace_back(name, unit.value_or(ComputeUnit::kUnknown));
  }
}

Result<RunHeader> ReadHeader(JsonDocument& document, const std::string& place) {
  const Json& object = document.json();
  // Checked first, for a helpful message.
  if (document.is_object() && object["schema"] != kRunSchema) {
    return InvalidInput("the first line must be a header with \"schema\": \"{}\"", kRunSchema)
        .Advise("a run record is written by `anemone bench --export-times`")
        .At(place);
  }
  if (document.is_object() && object["schema_version"] != kRunSchemaVersion) {
    return InvalidInput("'schema_version' must be {}", kRunSchemaVersion)
        .Advise("the record was written by another version of anemone")
        .At(place);
  }
  RunHeader h;
  ANEMONE_TRY(ReadLine(document, place, GetHeader, &h));
  return h;
}

void GetCall(JsonObject& f, RunCall* c) {
  f.Get("index", &c->index, 0);
  f.Get("start_ns", &c->start_ns, 0);
  f.Get("duration_ns", &c->duration_ns, 0);
  f.Get("ok", &c->ok);
  f.Get("backend", &c->backend);
  GetName(f, "planned_unit", ComputeUnitFromName, &c->planned);
  GetName(f, "observed_unit", ComputeUnitFromName, &c->observed);
  f.Get("attempts", &c->attempts, 1);
  GetName(f, "fallback_reason", FallbackReasonFromName, &c->fallback_reason);
  GetName(f, "circuit_state", CircuitStateFromName, &c->circuit_state);
  GetName(f, "failure", FailureKindFromName, &c->failure);
}

Result<RunCall> ReadCall(JsonDocument& document, const std::string& place, size_t index) {
  RunCall c;
  ANEMONE_TRY(ReadLine(document, place, GetCall, &c));
  if (c.index != static_cast<int64_t>(index)) {
    return InvalidInput("'index' must count the calls: {} is expected, but it is {}", index,
                        c.index)
        .At(place);
  }
  if (c.ok == c.failure.has_value()) {
    return InvalidInput("'failure' must be given exactly when 'ok' is false").At(place);
  }
  return c;
}

void GetMemory(JsonObject& f, RunMemory* m) {
  f.Get("time_ns", &m->time_ns, 0);
  f.Get("calls", &m->calls, 0);
  f.Get("resident_bytes", &m->resident_bytes, 0);
}

Result<RunMemory> ReadMemory(JsonDocument& document, const std::string& place, size_t calls) {
  RunMemory m;
  ANEMONE_TRY(ReadLine(document, place, GetMemory, &m));
  if (m.calls != static_cast<int64_t>(calls)) {
    return InvalidInput("'calls' must count the calls above: {} is expected, but it is {}", calls,
                        m.calls)
        .At(place);
  }
  return m;
}

void GetParity(JsonObject& f, RunParity* p) {
  static constexpr std::string_view kInputs[] = {"synthetic", "real"};
  size_t inputs = 0;
  f.Get("output", &p->output);
  if (f.Choose("inputs", kInputs, &inputs)) p->inputs = kInputs[inputs];
  f.Get("reference", &p->reference);
  f.Get("precision", &p->precision);
  f.Get("samples", &p->samples, 0);
  f.Get("non_finite", &p->non_finite, 0);
  f.Get("l_inf", &p->l_inf, 0.0);
  f.Get("rmse", &p->rmse, 0.0);
  f.Get("relative", &p->relative);
}

void GetPhase(JsonObject f, RunPhase* phase) {
  const bool counted = f.Get("succeeded", &phase->succeeded, 0);
  f.Get("failed", &phase->failed, 0);
  f.Get("p50_ns", &phase->p50_ns, 0);
  if (counted && f.HasValue("p50_ns") != (phase->succeeded > 0)) {
    f.Fail("p50_ns", "must be given exactly when something succeeded");
  }
}

void GetLatency(JsonObject f, RunLatency* out) {
  f.Get("min_ns", &out->min_ns, 0);
  f.Get("p50_ns", &out->p50_ns, 0);
  f.Get("p90_ns", &out->p90_ns, 0);
  f.Get("p95_ns", &out->p95_ns, 0);
  f.Get("p99_ns", &out->p99_ns, 0);
  f.Get("p999_ns", &out->p999_ns, 0);
  f.Get("max_ns", &out->max_ns, 0);
}

void GetSummary(JsonObject& f, RunSummary* s) {
  f.Get("calls", &s->calls, 0);
  f.Get("ok", &s->ok, 0);
  f.Get("failed", &s->failed, 0);
  GetCounts(f, "failures", FailureKindName, 0, &s->failures);
  GetCounts(f, "fallbacks", FallbackReasonName, 1, &s->fallbacks);
  GetCounts(f, "planned_units", ComputeUnitName, 0, &s->planned);
  GetCounts(f, "observed_units", ComputeUnitName, 0, &s->observed);
  if (f.HasValue("latency")) GetLatency(f.Object("latency"), &s->latency.emplace());
  GetPhase(f.Object("compile"), &s->compile);
  GetPhase(f.Object("load"), &s->load);
  GetPhase(f.Object("first_inference"), &s->first_inference);
  GetPhase(f.Object("inference"), &s->inference);
  f.Get("memory_high_water_bytes", &s->memory_high_water_bytes, 0);
  f.Get("circuit_transitions", &s->circuit_transitions, 0);
  f.Get("events_dropped", &s->events_dropped, 0);
}

// The nearest-rank percentile, `per_mille` of 1000, of sorted values.
int64_t Percentile(const std::vector<int64_t>& sorted, size_t per_mille) {
  const size_t rank = (sorted.size() * per_mille + 999) / 1000;
  return sorted[std::max<size_t>(rank, 1) - 1];
}

// The summary's first group must agree with the lines.
Status CheckSummary(const RunSummary& s, const std::vector<RunCall>& calls) {
  RunSummary counted;
  std::vector<int64_t> durations;
  for (const RunCall& call : calls) {
    ++counted.calls;
    if (call.ok) {
      ++counted.ok;
      durations.push_back(call.duration_ns);
    } else {
      ++counted.failed;
      ++counted.failures[static_cast<size_t>(*call.failure)];
    }
    if (call.fallback_reason != FallbackReason::kNone) {
      ++counted.fallbacks[static_cast<size_t>(call.fallback_reason)];
    }
    ++counted.planned[static_cast<size_t>(call.planned)];
    ++counted.observed[static_cast<size_t>(call.observed)];
  }
  const auto agree = [](std::string_view name, int64_t said, int64_t is) -> Status {
    if (said == is) return {};
    return InvalidInput("'{}' must agree with the lines above: {} is expected, but it is {}", name,
                        is, said);
  };
  ANEMONE_TRY(agree("calls", s.calls, counted.calls));
  ANEMONE_TRY(agree("ok", s.ok, counted.ok));
  ANEMONE_TRY(agree("failed", s.failed, counted.failed));
  for (size_t i = 0; i < kFailureKindCount; ++i) {
    ANEMONE_TRY(agree(fmt::format("failures.{}", FailureKindName(static_cast<FailureKind>(i))),
                      s.failures[i], counted.failures[i]));
  }
  for (size_t i = 0; i < kFallbackReasonCount; ++i) {
    const auto reason = FallbackReasonName(static_cast<FallbackReason>(i));
    ANEMONE_TRY(agree(fmt::format("fallbacks.{}", reason), s.fallbacks[i], counted.fallbacks[i]));
  }
  for (size_t i = 0; i < kComputeUnitCount; ++i) {
    const auto unit = ComputeUnitName(static_cast<ComputeUnit>(i));
    ANEMONE_TRY(agree(fmt::format("planned_units.{}", unit), s.planned[i], counted.planned[i]));
    ANEMONE_TRY(agree(fmt::format("observed_units.{}", unit), s.observed[i], counted.observed[i]));
  }
  if (s.latency.has_value() == durations.empty()) {
    return InvalidInput("'latency' must be given exactly when a call was ok");
  }
  if (!s.latency) return {};
  std::sort(durations.begin(), durations.end());
  const auto near = [](std::string_view name, int64_t said, int64_t is) -> Status {
    if (std::abs(static_cast<double>(said) - static_cast<double>(is)) <=
        0.01 * static_cast<double>(is)) {
      return {};
    }
    return InvalidInput(
        "'latency.{}' must be within 1 % of the lines above: {} is expected, but it is {}", name,
        is, said);
  };
  ANEMONE_TRY(agree("latency.min_ns", s.latency->min_ns, durations.front()));
  ANEMONE_TRY(near("p50_ns", s.latency->p50_ns, Percentile(durations, 500)));
  ANEMONE_TRY(near("p90_ns", s.latency->p90_ns, Percentile(durations, 900)));
  ANEMONE_TRY(near("p95_ns", s.latency->p95_ns, Percentile(durations, 950)));
  ANEMONE_TRY(near("p99_ns", s.latency->p99_ns, Percentile(durations, 990)));
  ANEMONE_TRY(near("p999_ns", s.latency->p999_ns, Percentile(durations, 999)));
  return agree("latency.max_ns", s.latency->max_ns, durations.back());
}

template <typename Line>
Status Append(Result<Line> line, std::vector<Line>& lines) {
  if (!line.ok()) return std::move(line).error();
  lines.push_back(std::move(*line));
  return {};
}

}  // namespace

Result<RunRecord> ParseRunRecord(std::string_view text, const std::string& place) {
  RunRecord record;
  size_t number = 0;
  size_t begin = 0;
  for (; begin < text.size(); ++number) {
    const auto where = [&] { return fmt::format("{}:{}", place, number + 1); };
    const size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) {
      // Written whole or not at all, except for the last line of a process that was killed.
      if (number == 0) {
        return InvalidInput("the header has no end of line").At(where());
      }
      if (record.summary) return InvalidInput("nothing may follow the summary").At(where());
      record.torn = true;
      break;
    }
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    const size_t limit = number == 0 ? kMaxHeaderBytes : kMaxLineBytes;
    if (line.size() > limit) {
      return InvalidInput("a line must not exceed {} bytes, but has {}", limit, line.size())
          .At(where());
    }
    if (record.summary) return InvalidInput("nothing may follow the summary").At(where());
    JsonDocument document(line, "each line", {.all_required = true});
    if (number == 0) {
      ANEMONE_ASSIGN(record.header, ReadHeader(document, where()));
      continue;
    }
    const Json& type = document.json()["type"];
    if (type == "call") {
      ANEMONE_TRY(Append(ReadCall(document, where(), record.calls.size()), record.calls));
    } else if (type == "memory") {
      ANEMONE_TRY(Append(ReadMemory(document, where(), record.calls.size()), record.memory));
    } else if (type == "parity") {
      RunParity parity;
      ANEMONE_TRY(ReadLine(document, where(), GetParity, &parity));
      record.parity.push_back(std::move(parity));
    } else if (type == "summary") {
      RunSummary& summary = record.summary.emplace();
      ANEMONE_TRY(ReadLine(document, where(), GetSummary, &summary));
      ANEMONE_TRY(CheckSummary(summary, record.calls).At(where()));
    } else {
      ANEMONE_TRY(document.status(ErrorCode::kInvalidInput, where()));
      return InvalidInput(
                 "'type' must be \"call\", \"memory\", \"parity\" or \"summary\", but is {}",
                 type.Dump({.ascii = true}))
          .At(where());
    }
  }
  if (number == 0) return InvalidInput("the first line must be a header").At(place + ":1");
  return record;
}

Result<RunRecord> ReadRunRecord(const std::string& path) {
  // Read, not mapped, because a record may be rewritten while it is read.
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    return NotFound("the run record does not exist").At(path);
  }
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (stream.bad()) return IoError("cannot read").At(path);
  return ParseRunRecord(text, path);
}

}  // namespace anemone::runtime
