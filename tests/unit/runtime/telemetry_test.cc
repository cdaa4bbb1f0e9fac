#include "runtime/telemetry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

namespace anemone::runtime {
namespace {

class Collect : public EventSink {
 public:
  void Emit(const Event& event) override {
    const std::lock_guard lock(mutex_);
    events.push_back(event);
  }
  std::vector<Event> events;

 private:
  std::mutex mutex_;
};

TEST(TelemetryTypesTest, NamesReadBack) {
  for (size_t i = 0; i < kFailureKindCount; ++i) {
    const auto kind = static_cast<FailureKind>(i);
    EXPECT_EQ(FailureKindFromName(FailureKindName(kind)), kind);
    EXPECT_EQ(FallbackReasonName(FallbackReasonOf(kind)), FailureKindName(kind));
  }
  for (size_t i = 0; i < kFallbackReasonCount; ++i) {
    const auto reason = static_cast<FallbackReason>(i);
    EXPECT_EQ(FallbackReasonFromName(FallbackReasonName(reason)), reason);
  }
  for (size_t i = 0; i < kCircuitStateCount; ++i) {
    const auto state = static_cast<CircuitState>(i);
    EXPECT_EQ(CircuitStateFromName(CircuitStateName(state)), state);
  }
  EXPECT_FALSE(FailureKindFromName("none"));
  EXPECT_FALSE(FailureKindFromName("circuit_open"));
  EXPECT_FALSE(FailureKindFromName(""));
  EXPECT_EQ(FailureKindName(FailureKind::kNonFinite), "non_finite");
}

TEST(TelemetryTest, CountsEachThingOnceAndAddsUp) {
  Telemetry telemetry({.model = "m", .backend = "coreml", .units = "all"});
  telemetry.record_compile(5'000'000, true);
  telemetry.record_compile(7'000'000, false);
  telemetry.record_load(1'000'000, false, FailureKind::kTimeout);
  telemetry.record_load(1'000'000, true);
  telemetry.record_first_inference(900'000, true, ComputeUnit::kAne);
  for (int i = 1; i <= 100; ++i) telemetry.record_inference(i * 1000, true, ComputeUnit::kAne);
  telemetry.record_inference(5, true, ComputeUnit::kCpu, ComputeUnit::kCpu);
  telemetry.record_inference(1'000'000'000, false, ComputeUnit::kGpu, ComputeUnit::kUnknown,
                             FailureKind::kNonFinite);
  telemetry.record_fallback(FallbackReason::kNonFinite, "coreml", "cpu");
  telemetry.record_memory(300);
  telemetry.record_memory(200);

  const TelemetrySnapshot now = telemetry.Snapshot();
  EXPECT_TRUE(CheckConsistent(now).ok());
  EXPECT_EQ(now.compile.succeeded, 1u);
  EXPECT_EQ(now.compile.failed, 1u);
  EXPECT_EQ(now.load.failures[static_cast<size_t>(FailureKind::kTimeout)], 1u);
  EXPECT_EQ(now.first_inference.succeeded, 1u);
  EXPECT_EQ(now.inference.succeeded, 101u);
  EXPECT_EQ(now.inference.failed, 1u);
  EXPECT_EQ(now.inference.failed_ns, 1'000'000'000);
  EXPECT_EQ(now.inference.latency.max_ns(), 100'000) << "a failure's time is not a latency";
  EXPECT_EQ(now.failures(FailureKind::kNonFinite), 1u);
  EXPECT_EQ(now.failures(FailureKind::kCompileError), 1u);
  EXPECT_EQ(now.total_failures(), 3u);
  EXPECT_EQ(now.total_fallbacks(), 1u);
  EXPECT_EQ(now.memory_high_water_bytes, 300);
  // A plan is never counted as an observation.
  EXPECT_EQ(now.planned(ComputeUnit::kAne), 100u);
  EXPECT_EQ(now.observed(ComputeUnit::kAne), 0u);
  EXPECT_EQ(now.observed(ComputeUnit::kUnknown), 101u);
  EXPECT_EQ(now.observed(ComputeUnit::kCpu), 1u);
  // A second snapshot still has everything.
  EXPECT_EQ(telemetry.Snapshot().inference.succeeded, 101u);

  TelemetrySnapshot both = now;
  both.Merge(now);
  EXPECT_EQ(both.inference.succeeded, 202u);
  EXPECT_TRUE(CheckConsistent(both).ok());
}

TEST(TelemetryTest, UnknownIsNullNotZero) {
  EXPECT_FALSE(Telemetry().Snapshot().memory_high_water_bytes.has_value());
  Telemetry process({.process_memory = true});
  const auto peak = process.Snapshot().memory_high_water_bytes;
  ASSERT_TRUE(peak.has_value());
  EXPECT_GT(*peak, 1 << 20);
  process.record_memory(int64_t{1} << 50);
  EXPECT_EQ(process.Snapshot().memory_high_water_bytes, int64_t{1} << 50);
}

TEST(TelemetryTest, EachInconsistencyIsNamed) {
  Telemetry telemetry;
  telemetry.record_inference(10, true);
  telemetry.record_load(10, true);
  const TelemetrySnapshot good = telemetry.Snapshot();
  const auto broken = [&](auto change) {
    TelemetrySnapshot bad = good;
    change(bad);
    return CheckConsistent(bad).ToString();
  };
  EXPECT_NE(broken([](auto& s) { ++s.inference.succeeded; }).find("inference: 1 latencies"),
            std::string::npos);
  EXPECT_NE(broken([](auto& s) { ++s.load.failed; }).find("load: failures by kind"),
            std::string::npos);
  EXPECT_NE(broken([](auto& s) { ++s.inferences_by_unit[1][2]; }).find("by unit add up to 2"),
            std::string::npos);
  EXPECT_NE(broken([](auto& s) { ++s.fallbacks[0]; }).find("without a reason"), std::string::npos);
}

// Every snapshot that is taken while others record is one consistent cut, and nothing is lost.
TEST(TelemetryTest, SnapshotsAddUpWhileEightThreadsRecord) {
  Telemetry telemetry;
  constexpr int threads = 8;
  constexpr int records = 20'000;
  std::atomic<int> running{threads};
  std::vector<std::thread> writers;
  for (int t = 0; t < threads; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; i < records; ++i) {
        const auto planned = static_cast<ComputeUnit>((t + i) % 5);
        telemetry.record_inference(i, i % 7 != 0, planned, ComputeUnit::kUnknown,
                                   static_cast<FailureKind>(i % 10));
      }
      --running;
    });
  }
  uint64_t last = 0;
  int snapshots = 0;
  while (running > 0) {
    const TelemetrySnapshot now = telemetry.Snapshot();
    ASSERT_TRUE(CheckConsistent(now).ok()) << CheckConsistent(now).ToString();
    ASSERT_GE(now.inference.total(), last);
    last = now.inference.total();
    ++snapshots;
  }
  for (std::thread& writer : writers) writer.join();
  const TelemetrySnapshot end = telemetry.Snapshot();
  EXPECT_EQ(end.inference.total(), uint64_t{threads} * records);
  EXPECT_EQ(end.inference.failed, uint64_t{threads} * ((records + 6) / 7));
  EXPECT_TRUE(CheckConsistent(end).ok());
  EXPECT_GT(snapshots, 0);
}

// More threads than stripes, in waves: numbers are reused, stripes are shared.
TEST(TelemetryTest, NothingIsLostWithManyShortThreads) {
  Telemetry telemetry;
  for (int wave = 0; wave < 10; ++wave) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 40; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) telemetry.record_inference(1000, true, ComputeUnit::kGpu);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(telemetry.Snapshot().planned(ComputeUnit::kGpu), 20'000u);
}

TEST(TelemetryTest, ThreadNumbersAreReused) {
  const size_t mine = ThreadNumber();  // taken before theirs
  size_t first = 0;
  size_t second = 0;
  std::thread([&] { first = ThreadNumber(); }).join();
  std::thread([&] { second = ThreadNumber(); }).join();
  EXPECT_EQ(first, second);
  EXPECT_NE(first, mine);
}

TEST(TelemetryTest, AdvisesTheCpuAfterFailures) {
  Telemetry telemetry;
  EXPECT_FALSE(telemetry.should_fallback_to_cpu());
  const auto record = [&](bool success, ComputeUnit unit = ComputeUnit::kAne) {
    telemetry.record_inference(1, success, unit);
  };
  record(false);
  record(false);
  EXPECT_FALSE(telemetry.should_fallback_to_cpu());
  record(true);
  record(false);
  record(false);
  EXPECT_FALSE(telemetry.should_fallback_to_cpu()) << "not three in a row";
  record(false);
  EXPECT_TRUE(telemetry.should_fallback_to_cpu());
  for (int i = 0; i < 40; ++i) record(false, ComputeUnit::kCpu);
  record(true);
  EXPECT_FALSE(telemetry.should_fallback_to_cpu()) << "the CPU's own failures do not count";
  for (int i = 0; i < 30; ++i) record(i % 2 == 0);
  EXPECT_TRUE(telemetry.should_fallback_to_cpu()) << "10 of the last 20 failed";
  for (int i = 0; i < 70; ++i) record(true);
  EXPECT_FALSE(telemetry.should_fallback_to_cpu());
  telemetry.record_compile(1, false);
  EXPECT_TRUE(telemetry.should_fallback_to_cpu());
  telemetry.record_compile(1, true);
  EXPECT_FALSE(telemetry.should_fallback_to_cpu());
  telemetry.record_load(1, false);
  EXPECT_TRUE(telemetry.should_fallback_to_cpu());
}

TEST(TelemetryTest, EventsCarryLabelsTimesAndReasons) {
  ManualClock clock;
  auto sink = std::make_shared<Collect>();
  Telemetry telemetry({.model = "hash", .backend = "coreml", .units = "all", .clock = &clock});
  telemetry.AddSink(sink);
  telemetry.record_compile(40, true);
  clock.Advance(std::chrono::seconds(2));
  telemetry.record_inference(1, true);  // counted, but no event
  telemetry.record_fallback(FallbackReason::kCircuitOpen, "coreml", "cpu");
  telemetry.record_fallback(FallbackReason::kNone, "coreml", "cpu");
  ASSERT_EQ(sink->events.size(), 3u);
  EXPECT_EQ(sink->events[0].type, EventType::kCompile);
  EXPECT_EQ(sink->events[0].model, "hash");
  EXPECT_EQ(sink->events[0].duration_ns, 40);
  EXPECT_EQ(sink->events[0].start_ns, 1'000'000'000 - 40);
  EXPECT_EQ(sink->events[1].time_unix_ns - sink->events[0].time_unix_ns, 2'000'000'000);
  EXPECT_EQ(sink->events[1].to_backend, "cpu");
  EXPECT_EQ(sink->events[1].reason, FallbackReason::kCircuitOpen);
  EXPECT_EQ(sink->events[2].reason, FallbackReason::kUnknown) << "no fallback without a reason";
}

TEST(TelemetryTest, InferencesAreToldWhenAskedFor) {
  auto sink = std::make_shared<Collect>();
  Telemetry telemetry({.inference_events = true});
  telemetry.AddSink(sink);
  telemetry.record_inference(10, false, ComputeUnit::kAne, ComputeUnit::kUnknown,
                             FailureKind::kCrash);
  ASSERT_EQ(sink->events.size(), 1u);
  EXPECT_EQ(sink->events[0].failure, FailureKind::kCrash);
  EXPECT_FALSE(sink->events[0].success);
}

TEST(TelemetryTest, MemoryIsToldInSteps) {
  auto sink = std::make_shared<Collect>();
  Telemetry telemetry;
  telemetry.AddSink(sink);
  for (int64_t bytes = 1 << 20; bytes <= 2 << 20; bytes += 4096) telemetry.record_memory(bytes);
  EXPECT_LE(sink->events.size(), 7u);
  EXPECT_GE(sink->events.size(), 4u);
  EXPECT_EQ(telemetry.Snapshot().memory_high_water_bytes, 2 << 20);
}

TEST(TelemetryTest, PeakResidentMemoryIsPlausible) {
  const auto bytes = PeakResidentBytes();
  ASSERT_TRUE(bytes.has_value());
  EXPECT_GT(*bytes, 1 << 20);
  EXPECT_LT(*bytes, int64_t{1} << 40);
}

}  // namespace
}  // namespace anemone::runtime
