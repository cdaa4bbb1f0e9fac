// A campaign of faults: eight threads, every kind of fault by seed, and each accepted call gets
// exactly one right result. `./dev soak` repeats it for longer (ANEMONE_CAMPAIGN_CALLS).
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "base/random.h"
#include "cpu/cpu_backend.h"
#include "fake_backend.h"
#include "ir/text.h"
#include "runtime/session.h"

namespace anemone::runtime {
namespace {

using fakes::FakeBackend;
using fakes::Fault;

int64_t CampaignCalls() {
  const char* asked = std::getenv("ANEMONE_CAMPAIGN_CALLS");
  return asked != nullptr ? std::atoll(asked) : 100'000;
}

// One fault in about a hundred calls; now and then a phase of many faults, so that circuits open
// and close.
Fault FaultAt(uint64_t seed, int64_t call) {
  Random random(seed, "call " + std::to_string(call));
  const uint64_t dice = random.NextBits() % 1000;
  const bool bad_phase = call > 0 && (call / 500) % 4 == 3;
  if (dice >= (bad_phase ? 700u : 10u)) return Fault::kNone;
  constexpr Fault kFaults[] = {Fault::kRuntimeError, Fault::kMemoryPressure, Fault::kNan,
                               Fault::kWrongShape, Fault::kSlow};
  return kFaults[dice % std::size(kFaults)];
}

TEST(SessionCampaign, EachCallGetsOneRightAnswer) {
  auto model = std::make_shared<ir::Model>();
  Result<ir::Program> program = ir::ParseText(
      "func main<ios15>(tensor<fp32, [1, 4]> x) {\n  y = square(x = x);\n} -> (y);\n");
  ASSERT_TRUE(program.ok()) << program.error().ToString();
  model->program = std::move(*program);

  const uint64_t seed = 7;
  const int64_t calls = CampaignCalls();
  FakeBackend fake({});
  SessionOptions options;
  options.backends = {&fake, &cpu::CpuBackend()};
  options.load.threads = 1;
  options.max_lanes = 8;
  options.breaker.wait_duration_in_open_state_ns = 200'000;
  options.breaker.max_wait_duration_in_open_state_ns = 400'000;
  options.breaker.predict_timeout_ns = 5'000'000'000;
  const auto opened = Session::Open(model, options);
  ASSERT_TRUE(opened.ok()) << opened.error().ToString();
  Session& session = **opened;
  fake.SetScript([](ComputeUnits, int64_t call) { return FaultAt(seed, call); });

  std::atomic<int64_t> next{0}, wrong{0}, errors{0}, refused{0}, by_cpu{0}, by_fake{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int64_t i = next.fetch_add(1); i < calls; i = next.fetch_add(1)) {
        exec::Tensor x = *exec::Tensor::Allocate(DType::kFp32, {1, 4});
        for (int k = 0; k < 4; ++k) x.As<float>()[k] = static_cast<float>((i + k) % 100);
        CallReport report;
        if (i % 997 == 0) {  // the caller's mistake
          const auto outputs = session.Predict({{"nobody", x}}, nullptr, &report);
          if (!outputs.ok() && outputs.error().code() == ErrorCode::kUsage) refused.fetch_add(1);
          continue;
        }
        const auto outputs = session.Predict({{"x", x}}, nullptr, &report);
        if (!outputs.ok()) {
          errors.fetch_add(1);
          continue;
        }
        (report.backend == "cpu" ? by_cpu : by_fake).fetch_add(1);
        for (int k = 0; k < 4; ++k) {
          const float want = x.As<float>()[k] * x.As<float>()[k];
          if (outputs->at("y").As<float>()[k] != want) wrong.fetch_add(1);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(wrong.load(), 0);
  EXPECT_EQ(errors.load(), 0);  // the last route never fails
  EXPECT_EQ(refused.load(), (calls + 996) / 997);
  EXPECT_EQ(by_cpu.load() + by_fake.load() + refused.load(), calls);
  EXPECT_GT(by_cpu.load(), 0);
  EXPECT_GT(by_fake.load(), calls / 1000);

  const TelemetrySnapshot counts = session.telemetry().Snapshot();
  const Status consistent = CheckConsistent(counts);
  EXPECT_TRUE(consistent.ok()) << consistent.error().ToString();
  // Every answer was counted once, and the warm-up as the first inference.
  EXPECT_EQ(counts.inference.succeeded, static_cast<uint64_t>(by_cpu + by_fake));
  EXPECT_EQ(counts.first_inference.succeeded, 1u);
  EXPECT_GT(counts.fallbacks[static_cast<size_t>(FallbackReason::kCircuitOpen)], 0u);
  for (const FallbackReason reason :
       {FallbackReason::kRuntimeError, FallbackReason::kNonFinite, FallbackReason::kMemoryPressure,
        FallbackReason::kSchemaMismatch}) {
    EXPECT_GT(counts.fallbacks[static_cast<size_t>(reason)], 0u) << FallbackReasonName(reason);
  }
  uint64_t transitions = 0;
  for (const auto& route : session.routes()) {
    if (route->breaker() != nullptr) transitions += route->breaker()->Gauges().transitions;
  }
  EXPECT_GT(transitions, 10u);
}

}  // namespace
}  // namespace anemone::runtime
