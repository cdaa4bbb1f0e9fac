// The fault campaign: a session over the double, many calls from many threads while Core ML fails
// in every way that does not end the process. Each call gets its right answer, from whichever
// backend, and nothing is left behind. `./dev soak` repeats it for longer (ANEMONE_CAMPAIGN_CALLS).
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "coreml_test_util.h"
#include "runtime/process_memory.h"
#include "runtime/session.h"

namespace anemone::coreml {
namespace {

constexpr int kThreads = 8;

int64_t Calls() {
  const char* asked = std::getenv("ANEMONE_CAMPAIGN_CALLS");
  return (asked != nullptr ? std::atoll(asked) : 100'000) / kThreads * kThreads;
}

struct Tally {
  std::atomic<int64_t> right{0}, wrong{0}, errors{0}, by_coreml{0}, by_cpu{0}, fallbacks{0};
};

// `calls` predictions from each thread, each with its own inputs and answers.
void Drive(runtime::Session& session, const ModelPtr& model, int64_t calls, Tally* tally) {
  std::vector<std::thread> threads;
  for (uint64_t id = 0; id < kThreads; ++id) {
    threads.emplace_back([&, id] {
      const Tensors inputs = RandomInputs(model, id);
      const Tensors want = RunOnCpu(model, inputs);
      for (int64_t call = 0; call < calls; ++call) {
        runtime::CallReport report;
        const auto outputs = session.Predict(inputs, nullptr, &report);
        if (!outputs.ok()) {
          ++tally->errors;
          continue;
        }
        bool same = outputs->size() == want.size();
        for (const auto& [name, tensor] : want) {
          const auto found = outputs->find(name);
          same = same && found != outputs->end() && found->second.shape() == tensor.shape() &&
                 std::memcmp(found->second.As<char>(), tensor.As<char>(), tensor.size_bytes()) == 0;
        }
        ++(same ? tally->right : tally->wrong);
        ++(report.backend == "coreml" ? tally->by_coreml : tally->by_cpu);
        tally->fallbacks += report.fallback_reason != runtime::FallbackReason::kNone ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// A probe in progress when a session ends is not waited for; it ends soon after. TearDown then
// checks what was left behind.
void AwaitLive(int64_t want) {
  for (int i = 0; i < 500 && CoreMLDoubleLiveObjects() > want; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

runtime::SessionOptions Options() {
  runtime::SessionOptions options;
  options.backends = {&CoreMlBackend(), &cpu::CpuBackend()};
  options.load.threads = 1;
  options.max_lanes = kThreads;
  // Circuits open and close many times a second.
  options.breaker.wait_duration_in_open_state_ns = 2'000'000;
  options.breaker.max_wait_duration_in_open_state_ns = 20'000'000;
  options.breaker.slow_call_rate_threshold = 0;  // a busy machine is not a fault of the double
  return options;
}

constexpr const char* kEveryFault =
    "seed=42;load@20%=error;load@5%=throw;load@5%=memory;compile@10%=error;"
    "predict@1%=error;predict@1%=throw;predict@1%=nil;predict@1%=nan;predict@1%=inf;"
    "predict@1%=shape;predict@1%=dtype;predict@1%=missing;predict@1%=memory;"
    "predict@1%=copy;predict@1%=wrap;predict@0.02%=slow:2";

class CampaignTest : public CoreMlTest {
 protected:
  // Opens a session without faults, then drives it under `script`: each call must be
  // answered correctly.
  void Run(const runtime::SessionOptions& options, const std::string& script, int64_t calls) {
    const ModelPtr model = test::ParseModel(kHalfNet);
    auto session = runtime::Session::Open(model, options);
    ASSERT_TRUE(session.ok()) << session.status().ToString();
    session_ = *session;
    Script(script.c_str());
    Drive(*session_, model, calls / kThreads, &tally_);
    EXPECT_EQ(tally_.right, calls);
    EXPECT_EQ(tally_.wrong, 0);
    EXPECT_EQ(tally_.errors, 0);
  }
  // Closes it. `lost` objects may stay behind.
  void Close(int64_t lost) {
    Script("");
    session_.reset();
    AwaitLive(live_before_ + lost);
    EXPECT_LE(CoreMLDoubleLiveObjects(), live_before_ + lost);
  }
  // Nothing trips, so that every call reaches the double.
  static runtime::SessionOptions NeverOpen() {
    runtime::SessionOptions options = Options();
    options.breaker.initial_state = runtime::CircuitState::kMetricsOnly;
    return options;
  }
  std::shared_ptr<runtime::Session> session_;
  Tally tally_;
};

TEST_F(CampaignTest, EveryCallGetsItsRightAnswer) {
  const int64_t calls = Calls();
  Run(NeverOpen(), kEveryFault, calls);
  EXPECT_GE(CoreMLDoubleCalls(kDoublePredict), calls);
  EXPECT_GT(tally_.by_coreml, calls * 9 / 10 - calls / 100);
  EXPECT_GT(tally_.fallbacks, calls / 20);
  for (const DoubleFault fault : {kFaultError, kFaultThrow, kFaultNil, kFaultNan, kFaultInf,
                                  kFaultShape, kFaultDType, kFaultMissing, kFaultMemory}) {
    EXPECT_GT(CoreMLDoubleFaults(fault), calls / 200) << fault;
  }
  Close(0);
}

TEST_F(CampaignTest, HangsAndLeaksAmongAllOthers) {
  runtime::SessionOptions options = NeverOpen();
  options.breaker.predict_timeout_ns = 1'000'000'000;
  // Three calls never return; others now and then lose an object.
  Run(options,
      "predict@4000=hang;predict@8000=hang;predict@12000=hang;predict@0.1%=leak:1;" +
          std::string(kEveryFault),
      16'000);
  EXPECT_EQ(CoreMLDoubleFaults(kFaultHang), 3);
  const auto counts = session_->telemetry().Snapshot();
  EXPECT_GE(counts.fallbacks[static_cast<size_t>(runtime::FallbackReason::kTimeout)], 3U);
  const int64_t leaked = CoreMLDoubleFaults(kFaultLeak);
  EXPECT_GT(leaked, 0);
  // A hanging call keeps its model, arrays and arguments forever; nothing else may stay.
  constexpr int64_t kOfOneCall = 16;
  Close(leaked + 3 * kOfOneCall);
  EXPECT_GE(CoreMLDoubleLiveObjects(), live_before_ + leaked);
  live_before_ = CoreMLDoubleLiveObjects();
}

TEST_F(CampaignTest, WhileCircuitsOpenAndClose) {
  Run(Options(), kEveryFault, Calls());
  EXPECT_GT(tally_.by_cpu, 0);
  Close(0);
}

TEST_F(CoreMlTest, AnImageModelPassesItsOwnQuestion) {
  // The question that a session asks first is in pixels where the model takes an image.
  const ModelPtr model = ReadFixture("convolution_spec6");
  auto session = runtime::Session::Open(model, Options());
  ASSERT_TRUE(session.ok()) << session.status().ToString();
  runtime::CallReport report;
  const Tensors inputs = RandomInputs(model, 1);
  auto outputs = (*session)->Predict(inputs, nullptr, &report);
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ(report.backend, "coreml");
  ExpectSame(*outputs, RunOnCpu(model, inputs));
  session->reset();
  AwaitLive(live_before_);
}

TEST_F(CampaignTest, MemoryStaysFlat) {
  const ModelPtr model = test::ParseModel(kHalfNet);
  auto session = runtime::Session::Open(model, Options());
  ASSERT_TRUE(session.ok()) << session.status().ToString();
  Tally tally;
  Drive(**session, model, 2'000, &tally);  // pools fill
  const int64_t live = CoreMLDoubleLiveObjects(), resident = runtime::ResidentBytes().value_or(0);
  Drive(**session, model, 12'500, &tally);
  EXPECT_LE(CoreMLDoubleLiveObjects(), live + 16);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they keep freed memory
  EXPECT_LT(runtime::ResidentBytes().value_or(0) - resident, int64_t{4} << 20);
#else
  (void)resident;
#endif
  EXPECT_EQ(tally.right, 14'500 * kThreads);
  EXPECT_EQ(tally.by_coreml, 14'500 * kThreads);
  session->reset();
  AwaitLive(live_before_);
}

TEST_F(CampaignTest, HangsAreGivenUp) {
  runtime::SessionOptions options = Options();
  options.breaker.predict_timeout_ns = 200'000'000;
  options.breaker.load_timeout_ns = 10'000'000'000;
  Run(options, "predict@20=hang;predict@300=hang;predict@2000=hang", 500 * kThreads);
  EXPECT_GE(CoreMLDoubleFaults(kFaultHang), 1);
  Script("");
  session_.reset();
  // The hanging threads keep everything that they hold; nothing else is lost.
  live_before_ = CoreMLDoubleLiveObjects();
}

}  // namespace
}  // namespace anemone::coreml
