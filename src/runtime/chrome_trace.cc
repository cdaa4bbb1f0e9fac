#include "runtime/chrome_trace.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/atomic_file.h"
#include "runtime/json_lines_text.h"

namespace anemone::runtime {
namespace {

// Nanoseconds as microseconds, exactly.
std::string Microseconds(int64_t ns) { return fmt::format("{}.{:03}", ns / 1000, ns % 1000); }

std::string Object(const std::vector<std::pair<std::string, std::string>>& values) {
  std::string out = "{";
  for (const auto& [name, value] : values) {
    if (out.size() > 1) out += ",";
    out += JsonString(name) + ":" + JsonString(value);
  }
  return out + "}";
}

}  // namespace

void ChromeTrace::Add(Entry entry) {
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= max_events_) {
    ++dropped_;
    return;
  }
  entries_.push_back(std::move(entry));
}

void ChromeTrace::Emit(const Event& e) {
  Entry entry{'i', std::string(EventTypeName(e.type)), "runtime", e.start_ns, 0, e.thread, ""};
  std::vector<std::pair<std::string, std::string>> shown = {{"backend", e.backend}};
  switch (e.type) {
    case EventType::kCompile:
    case EventType::kLoad:
    case EventType::kFirstInference:
    case EventType::kInference:
      entry.phase = 'X';
      entry.duration_ns = e.duration_ns;
      shown.emplace_back("planned_unit", ComputeUnitName(e.planned));
      shown.emplace_back("observed_unit", ComputeUnitName(e.observed));
      if (e.failure) shown.emplace_back("failure", FailureKindName(*e.failure));
      break;
    case EventType::kFallback:
      shown.emplace_back("to_backend", e.to_backend);
      shown.emplace_back("reason", FallbackReasonName(e.reason));
      break;
    case EventType::kCircuit:
      entry.name = fmt::format("circuit {}", CircuitStateName(e.to));
      shown.emplace_back("from", CircuitStateName(e.from));
      shown.emplace_back("rule", e.text);
      break;
    case EventType::kMemory:
      entry.phase = 'C';
      entry.arguments = fmt::format(R"({{"high_water_bytes":{}}})", e.memory_bytes);
      break;
    case EventType::kNote:
      shown.emplace_back("text", e.text);
      break;
  }
  if (entry.arguments.empty()) entry.arguments = Object(shown);
  Add(std::move(entry));
}

uint64_t ChromeTrace::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

void ChromeTrace::Slice(std::string_view name, std::string_view category, int64_t start_ns,
                        int64_t duration_ns, uint64_t thread,
                        const std::vector<std::pair<std::string, std::string>>& arguments) {
  Add({'X', std::string(name), std::string(category), start_ns, std::max<int64_t>(duration_ns, 0),
       thread, Object(arguments)});
}

std::string ChromeTrace::ToJson() const {
  const std::lock_guard lock(mutex_);
  int64_t origin = entries_.empty() ? 0 : entries_.front().start_ns;
  std::set<uint64_t> threads;
  for (const Entry& entry : entries_) {
    origin = std::min(origin, entry.start_ns);
    threads.insert(entry.thread);
  }
  std::string out =
      fmt::format(R"({{"displayTimeUnit":"ns","otherData":{{"dropped_events":{}}},"traceEvents":[)"
                  "\n"
                  R"({{"ph":"M","pid":1,"name":"process_name","args":{{"name":"anemone"}}}})",
                  dropped_);
  for (const uint64_t thread : threads) {
    out += fmt::format(
        ",\n"
        R"({{"ph":"M","pid":1,"tid":{0},"name":"thread_name","args":{{"name":"thread {0}"}}}})",
        thread);
  }
  for (const Entry& entry : entries_) {
    out += fmt::format(
        ",\n"
        R"({{"ph":"{}","pid":1,"tid":{},"name":{},"cat":{},"ts":{})",
        entry.phase, entry.thread, JsonString(entry.name), JsonString(entry.category),
        Microseconds(entry.start_ns - origin));
    if (entry.phase == 'X') out += fmt::format(R"(,"dur":{})", Microseconds(entry.duration_ns));
    if (entry.phase == 'i') out += R"(,"s":"p")";
    out += fmt::format(R"(,"args":{}}})", entry.arguments);
  }
  return out + "\n]}\n";
}

Status ChromeTrace::Write(const std::string& path) const { return WriteAtomically(path, ToJson()); }

}  // namespace anemone::runtime
