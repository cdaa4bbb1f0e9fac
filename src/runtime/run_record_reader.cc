#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <vector>

#include "runtime/run_record_io.h"

namespace anemone::runtime {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxHeaderBytes = size_t{64} << 20;  // planned units of every operator
constexpr size_t kMaxLineBytes = size_t{64} << 10;

// Parses a JSON object; keys must not repeat, at any depth.
Result<Json> ParseObject(std::string_view line) {
  std::vector<std::set<std::string, std::less<>>> open;
  std::string twice;
  const auto on_event = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) {
      open.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      open.pop_back();
    } else if (event == Json::parse_event_t::key) {
      auto name = parsed.get<std::string>();
      if (!open.back().insert(name).second && twice.empty()) twice = std::move(name);
    }
    return true;
  };
  Json document;
  try {
    document = Json::parse(line, on_event);
  } catch (const Json::exception& error) {
    return InvalidInput("each line must be JSON: {}", error.what());
  }
  if (!document.is_object()) {
    return InvalidInput("each line must be an object, but is {}", document.type_name());
  }
  if (!twice.empty()) return InvalidInput("'{}' must be given once", twice);
  return document;
}

// Takes the fields of an object one by one and keeps the first broken rule. Readers continue with
// harmless values and check status() at the end.
class Fields {
 public:
  Fields(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
    if (!object.is_object()) Fail("must be an object");
  }

  const Json* Find(std::string_view key) {
    taken_.push_back(key);
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(std::string(key));
    if (found != object_.end()) return &*found;
    Fail(fmt::format("'{}{}' is missing", path_, key));
    return nullptr;
  }

  std::string Text(std::string_view key) {
    const Json* value = Find(key);
    if (value == nullptr) return {};
    if (value->is_string()) return value->get<std::string>();
    Broken(key, "must be text", *value);
    return {};
  }
  std::optional<std::string> TextOrNull(std::string_view key,
                                        std::initializer_list<std::string_view> allowed = {}) {
    const Json* value = Find(key);
    if (value == nullptr || value->is_null()) return std::nullopt;
    if (value->is_string()) {
      auto text = value->get<std::string>();
      if (allowed.size() == 0 || std::find(allowed.begin(), allowed.end(), text) != allowed.end()) {
        return text;
      }
    }
    std::string rule = "must be text or null";
    if (allowed.size() > 0) {
      rule = "must be null";
      for (const std::string_view name : allowed) rule += fmt::format(" or \"{}\"", name);
    }
    Broken(key, rule, *value);
    return std::nullopt;
  }
  int64_t Integer(std::string_view key, int64_t low = 0) {
    const Json* value = Find(key);
    return value == nullptr ? low : IntegerOf(key, *value, low);
  }
  std::optional<int64_t> IntegerOrNull(std::string_view key) {
    const Json* value = Find(key);
    if (value == nullptr || value->is_null()) return std::nullopt;
    return IntegerOf(key, *value, 0);
  }
  std::optional<double> NumberOrNull(std::string_view key) {
    const Json* value = Find(key);
    if (value == nullptr || value->is_null()) return std::nullopt;
    if (value->is_number() && value->get<double>() >= 0) return value->get<double>();
    Broken(key, "must be a number of at least 0, or null", *value);
    return std::nullopt;
  }
  bool Bool(std::string_view key) {
    const Json* value = Find(key);
    if (value == nullptr) return false;
    if (!value->is_boolean()) Broken(key, "must be true or false", *value);
    return value->is_boolean() && value->get<bool>();
  }
  template <typename Enum>
  Enum Name(std::string_view key, std::optional<Enum> (*parse)(std::string_view)) {
    const Json* value = Find(key);
    if (value == nullptr) return Enum{};
    if (value->is_string()) {
      if (const auto parsed = parse(value->get_ref<const std::string&>())) return *parsed;
    }
    Broken(key, "must be one of its names (docs/telemetry.md)", *value);
    return Enum{};
  }
  template <typename Enum>
  std::optional<Enum> NameOrNull(std::string_view key,
                                 std::optional<Enum> (*parse)(std::string_view)) {
    const Json* value = Find(key);
    if (value == nullptr || value->is_null()) return std::nullopt;
    taken_.pop_back();
    return Name(key, parse);
  }
  // {"name": count} with every name from `first` on.
  template <typename Enum, size_t kSize>
  void Counts(std::string_view key, std::string_view (*name)(Enum), size_t first,
              std::array<int64_t, kSize>& counts) {
    const Json* value = Find(key);
    if (value == nullptr) return;
    Fields inner(*value, fmt::format("{}{}.", path_, key));
    for (size_t i = first; i < kSize; ++i) counts[i] = inner.Integer(name(static_cast<Enum>(i)));
    Absorb(inner.status());
  }

  void Broken(std::string_view key, std::string_view rule, const Json& value) {
    std::string shown = value.dump(-1, ' ', true, Json::error_handler_t::replace);
    if (shown.size() > 60) shown = shown.substr(0, 60) + "...";
    Fail(fmt::format("'{}{}' {}, but is {}", path_, key, rule, shown));
  }
  void Fail(std::string rule) {
    if (error_.empty()) error_ = std::move(rule);
  }
  void Absorb(Status status) {
    if (!status.ok()) Fail(status.error().message());
  }
  const std::string& path() const { return path_; }

  // OK when every field was present and valid, and there is no other.
  Status status() {
    if (error_.empty() && object_.size() > taken_.size()) {
      for (const auto& [key, value] : object_.items()) {
        if (std::find(taken_.begin(), taken_.end(), key) == taken_.end()) {
          error_ = fmt::format("'{}{}' is not a key of this schema", path_, key);
        }
      }
    }
    if (!error_.empty()) return InvalidInput("{}", error_);
    return {};
  }

 private:
  int64_t IntegerOf(std::string_view key, const Json& value, int64_t low) {
    if (value.is_number_integer() &&
        !(value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX)) {
      const auto number = value.get<int64_t>();
      if (number >= low) return number;
    }
    Broken(key, fmt::format("must be an integer of at least {}", low), value);
    return low;
  }

  const Json& object_;
  std::string path_;
  std::string error_;
  std::vector<std::string_view> taken_;  // keys, all literals
};

RunMachine ReadMachine(const Json& object, Fields& parent) {
  Fields f(object, "machine.");
  RunMachine m;
  m.os = f.Text("os");
  m.os_version = f.TextOrNull("os_version");
  m.os_build = f.TextOrNull("os_build");
  m.architecture = f.Text("architecture");
  m.hardware_model = f.TextOrNull("hardware_model");
  m.chip = f.TextOrNull("chip");
  m.cores = f.IntegerOrNull("cores");
  m.memory_bytes = f.IntegerOrNull("memory_bytes");
  m.thermal_state = f.TextOrNull("thermal_state", {"nominal", "fair", "serious", "critical"});
  m.power_mode = f.TextOrNull("power_mode", {"normal", "low_power"});
  m.qos = f.TextOrNull("qos",
                       {"user_interactive", "user_initiated", "default", "utility", "background"});
  parent.Absorb(f.status());
  return m;
}

bool IsHash(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Result<RunHeader> ReadHeader(const Json& object) {
  // Checked first, for a helpful message.
  if (object.value("schema", Json()) != kRunSchema) {
    return InvalidInput("the first line must be a header with \"schema\": \"{}\"", kRunSchema)
        .Advise("a run record is written by `anemone bench --export-times`");
  }
  if (object.value("schema_version", Json()) != kRunSchemaVersion) {
    return InvalidInput("'schema_version' must be {}", kRunSchemaVersion)
        .Advise("the record was written by another version of anemone");
  }
  Fields f(object, "");
  f.Find("schema");
  f.Find("schema_version");
  if (f.Text("type") != "header") f.Fail("'type' of the first line must be \"header\"");
  RunHeader h;
  h.time_unix_ns = f.Integer("time_unix_ns");
  h.tool_version = f.Text("tool_version");
  if (const Json* machine = f.Find("machine")) h.machine = ReadMachine(*machine, f);
  h.model = f.Text("model");
  h.model_hash = f.Text("model_hash");
  if (!IsHash(h.model_hash)) f.Fail("'model_hash' must be 64 lower-case hexadecimal digits");
  h.threads = f.Integer("threads");
  h.clients = f.Integer("clients", 1);
  h.backend = f.Text("backend");
  h.compute_units = f.Text("compute_units");
  const Json* planned = f.Find("planned_units");
  if (planned != nullptr && !planned->is_null()) {
    auto& units = h.planned_units.emplace();
    if (!planned->is_object()) f.Broken("planned_units", "must be an object or null", *planned);
    for (const auto& [name, value] : planned->items()) {
      const auto unit = value.is_string() ? ComputeUnitFromName(value.get_ref<const std::string&>())
                                          : std::nullopt;
      if (!unit) f.Broken(fmt::format("planned_units.{}", name), "must be a unit's name", value);
      units.emplace_back(name, unit.value_or(ComputeUnit::kUnknown));
    }
  }
  ANEMONE_TRY(f.status());
  return h;
}

Result<RunCall> ReadCall(const Json& object, size_t index) {
  Fields f(object, "");
  f.Find("type");
  RunCall c;
  c.index = f.Integer("index");
  c.start_ns = f.Integer("start_ns");
  c.duration_ns = f.Integer("duration_ns");
  c.ok = f.Bool("ok");
  c.backend = f.Text("backend");
  c.planned = f.Name("planned_unit", ComputeUnitFromName);
  c.observed = f.Name("observed_unit", ComputeUnitFromName);
  c.attempts = f.Integer("attempts", 1);
  c.fallback_reason = f.Name("fallback_reason", FallbackReasonFromName);
  c.circuit_state = f.NameOrNull("circuit_state", CircuitStateFromName);
  c.failure = f.NameOrNull("failure", FailureKindFromName);
  ANEMONE_TRY(f.status());
  if (c.index != static_cast<int64_t>(index)) {
    return InvalidInput("'index' must count the calls: {} is expected, but it is {}", index,
                        c.index);
  }
  if (c.ok == c.failure.has_value()) {
    return InvalidInput("'failure' must be given exactly when 'ok' is false");
  }
  return c;
}

Result<RunMemory> ReadMemory(const Json& object, size_t calls) {
  Fields f(object, "");
  f.Find("type");
  RunMemory m;
  m.time_ns = f.Integer("time_ns");
  m.calls = f.Integer("calls");
  m.resident_bytes = f.Integer("resident_bytes");
  ANEMONE_TRY(f.status());
  if (m.calls != static_cast<int64_t>(calls)) {
    return InvalidInput("'calls' must count the calls above: {} is expected, but it is {}", calls,
                        m.calls);
  }
  return m;
}

Result<RunParity> ReadParity(const Json& object) {
  Fields f(object, "");
  f.Find("type");
  RunParity p;
  p.output = f.Text("output");
  p.inputs = f.Text("inputs");
  p.reference = f.Text("reference");
  p.precision = f.Text("precision");
  p.samples = f.Integer("samples");
  p.non_finite = f.Integer("non_finite");
  p.l_inf = f.NumberOrNull("l_inf");
  p.rmse = f.NumberOrNull("rmse");
  p.relative = f.Bool("relative");
  if (p.inputs != "synthetic" && p.inputs != "real") {
    f.Fail("'inputs' must be \"synthetic\" or \"real\"");
  }
  ANEMONE_TRY(f.status());
  return p;
}

RunPhase ReadPhase(Fields& parent, std::string_view key) {
  RunPhase phase;
  const Json* value = parent.Find(key);
  if (value == nullptr) return phase;
  Fields f(*value, fmt::format("{}.", key));
  phase.succeeded = f.Integer("succeeded");
  phase.failed = f.Integer("failed");
  phase.p50_ns = f.IntegerOrNull("p50_ns");
  if (phase.p50_ns.has_value() != (phase.succeeded > 0)) {
    f.Fail(fmt::format("'{}.p50_ns' must be given exactly when something succeeded", key));
  }
  parent.Absorb(f.status());
  return phase;
}

Result<RunSummary> ReadSummary(const Json& object) {
  Fields f(object, "");
  f.Find("type");
  RunSummary s;
  s.calls = f.Integer("calls");
  s.ok = f.Integer("ok");
  s.failed = f.Integer("failed");
  f.Counts("failures", FailureKindName, 0, s.failures);
  f.Counts("fallbacks", FallbackReasonName, 1, s.fallbacks);
  f.Counts("planned_units", ComputeUnitName, 0, s.planned);
  f.Counts("observed_units", ComputeUnitName, 0, s.observed);
  const Json* latency = f.Find("latency");
  if (latency != nullptr && !latency->is_null()) {
    Fields l(*latency, "latency.");
    RunLatency& out = s.latency.emplace();
    out.min_ns = l.Integer("min_ns");
    out.p50_ns = l.Integer("p50_ns");
    out.p90_ns = l.Integer("p90_ns");
    out.p95_ns = l.Integer("p95_ns");
    out.p99_ns = l.Integer("p99_ns");
    out.p999_ns = l.Integer("p999_ns");
    out.max_ns = l.Integer("max_ns");
    f.Absorb(l.status());
  }
  s.compile = ReadPhase(f, "compile");
  s.load = ReadPhase(f, "load");
  s.first_inference = ReadPhase(f, "first_inference");
  s.inference = ReadPhase(f, "inference");
  s.memory_high_water_bytes = f.IntegerOrNull("memory_high_water_bytes");
  s.circuit_transitions = f.Integer("circuit_transitions");
  s.events_dropped = f.Integer("events_dropped");
  ANEMONE_TRY(f.status());
  return s;
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
    ANEMONE_ASSIGN(const Json object, ParseObject(line).At(where()));
    if (number == 0) {
      ANEMONE_ASSIGN(record.header, ReadHeader(object).At(where()));
      continue;
    }
    const Json type = object.value("type", Json());
    if (type == "call") {
      ANEMONE_TRY(Append(ReadCall(object, record.calls.size()), record.calls).At(where()));
    } else if (type == "memory") {
      ANEMONE_TRY(Append(ReadMemory(object, record.calls.size()), record.memory).At(where()));
    } else if (type == "parity") {
      ANEMONE_TRY(Append(ReadParity(object), record.parity).At(where()));
    } else if (type == "summary") {
      ANEMONE_ASSIGN(record.summary, ReadSummary(object).At(where()));
      ANEMONE_TRY(CheckSummary(*record.summary, record.calls).At(where()));
    } else {
      return InvalidInput(
                 "'type' must be \"call\", \"memory\", \"parity\" or \"summary\", but is {}",
                 type.dump(-1, ' ', true, Json::error_handler_t::replace))
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
