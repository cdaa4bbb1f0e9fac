#include "runtime/signpost.h"

#ifdef __APPLE__
#include <os/log.h>
#include <os/signpost.h>

#include <string>
#endif

namespace anemone::runtime {

#ifdef __APPLE__

namespace {

os_log_t Log() {
  static os_log_t log = os_log_create("anemone", OS_LOG_CATEGORY_POINTS_OF_INTEREST);
  return log;
}

}  // namespace

bool SignpostsAvailable() { return true; }

// The names must be literals, so the switches are needed.
SignpostInterval::SignpostInterval(Kind kind, const char* detail) : kind_(kind) {
  if (!os_signpost_enabled(Log())) return;
  id_ = os_signpost_id_generate(Log());
  switch (kind_) {
    case Kind::kCompile:
      os_signpost_interval_begin(Log(), id_, "compile", "%{public}s", detail);
      break;
    case Kind::kLoad:
      os_signpost_interval_begin(Log(), id_, "load", "%{public}s", detail);
      break;
    case Kind::kInference:
      os_signpost_interval_begin(Log(), id_, "inference", "%{public}s", detail);
      break;
  }
}

SignpostInterval::~SignpostInterval() {
  if (id_ == 0) return;
  switch (kind_) {
    case Kind::kCompile:
      os_signpost_interval_end(Log(), id_, "compile");
      break;
    case Kind::kLoad:
      os_signpost_interval_end(Log(), id_, "load");
      break;
    case Kind::kInference:
      os_signpost_interval_end(Log(), id_, "inference");
      break;
  }
}

void SignpostSink::Emit(const Event& event) {
  if (!os_signpost_enabled(Log())) return;
  const std::string name(EventTypeName(event.type));
  os_signpost_event_emit(Log(), OS_SIGNPOST_ID_EXCLUSIVE, "event",
                         "%{public}s %{public}s %{public}s", name.c_str(), event.backend.c_str(),
                         event.text.c_str());
}

#else

bool SignpostsAvailable() { return false; }
SignpostInterval::SignpostInterval(Kind kind, const char* /*detail*/) : kind_(kind) {}
SignpostInterval::~SignpostInterval() { (void)kind_, (void)id_; }
void SignpostSink::Emit(const Event& /*event*/) {}

#endif

}  // namespace anemone::runtime
