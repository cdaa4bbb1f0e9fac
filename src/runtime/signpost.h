// Signposts: intervals and events that Instruments shows beside Apple's own (macOS: os_signpost in
// the subsystem "anemone", category "PointsOfInterest"). Elsewhere every call does nothing.
//
// Thread rules: any thread at once. When no one records, each call costs one load.
#pragma once

#include <cstdint>

#include "runtime/telemetry_event.h"

namespace anemone::runtime {

// Whether this build has signposts at all.
bool SignpostsAvailable();

// An interval from construction to destruction, on one thread; `detail` is copied.
class SignpostInterval {
 public:
  enum class Kind : uint8_t { kCompile, kLoad, kInference };
  explicit SignpostInterval(Kind kind, const char* detail = "");
  SignpostInterval(const SignpostInterval&) = delete;
  SignpostInterval& operator=(const SignpostInterval&) = delete;
  ~SignpostInterval();

 private:
  Kind kind_;
  uint64_t id_ = 0;
};

// Each event as a point: fallbacks, transitions of a breaker, notes.
class SignpostSink : public EventSink {
 public:
  void Emit(const Event& event) override;
};

}  // namespace anemone::runtime
