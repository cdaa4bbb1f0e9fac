#include "runtime/telemetry_clock.h"

#include "base/clock.h"

namespace anemone::runtime {
namespace {

class SystemClock final : public Clock {
 public:
  int64_t monotonic_ns() const override { return NowNs(); }
  int64_t unix_ns() const override { return UnixNowNs(); }
};

}  // namespace

const Clock& Clock::System() {
  static const SystemClock clock;
  return clock;
}

}  // namespace anemone::runtime
