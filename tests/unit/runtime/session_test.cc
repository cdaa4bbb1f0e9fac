// The session: routes, fallback, circuit, states, deadlines.
#include "runtime/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <new>
#include <thread>

#include "cpu/cpu_backend.h"
#include "fake_backend.h"
#include "ir/text.h"
#include "support/allocations.h"
#include "support/scratch.h"

namespace anemone::runtime {
namespace {

using fakes::FakeBackend;
using fakes::Fault;

std::shared_ptr<const ir::Model> ModelFrom(const std::string& text) {
  auto model = std::make_shared<ir::Model>();
  Result<ir::Program> program = ir::ParseText(text);
  if (!program.ok()) {
    ADD_FAILURE() << program.error().ToString();
    return nullptr;
  }
  model->program = std::move(*program);
  return model;
}

std::shared_ptr<const ir::Model> Relu() {
  static const auto model =
      ModelFrom("func main<ios15>(tensor<fp32, [2, 3]> x) {\n  y = relu(x = x);\n} -> (y);\n");
  return model;
}

Session::Tensors Input(float scale = 1) {
  exec::Tensor x = *exec::Tensor::Allocate(DType::kFp32, {2, 3});
  for (int i = 0; i < 6; ++i) x.As<float>()[i] = scale * static_cast<float>(i - 2);
  return {{"x", x}};
}

void ExpectRight(const Result<Session::Tensors>& outputs, float scale = 1) {
  ASSERT_TRUE(outputs.ok()) << outputs.error().ToString();
  const exec::Tensor& y = outputs->at("y");
  for (int i = 0; i < 6; ++i) {
    ASSERT_EQ(y.As<float>()[i], std::max(0.0f, scale * static_cast<float>(i - 2)));
  }
}

SessionOptions With(const FakeBackend& fake) {
  SessionOptions options;
  options.backends = {&fake, &cpu::CpuBackend()};
  options.load.threads = 1;
  return options;
}

std::shared_ptr<Session> Open(SessionOptions options) {
  auto session = Session::Open(Relu(), std::move(options));
  if (!session.ok()) {
    ADD_FAILURE() << session.error().ToString();
    return nullptr;
  }
  return *session;
}

TEST(SessionTest, TheCpuAnswersAndSaysSo) {
  const auto session = Open({});
  CallReport report;
  ExpectRight(session->Predict(Input(), nullptr, &report));
  EXPECT_EQ(session->state(), SessionState::kReady);
  EXPECT_EQ(report.backend, "cpu");
  EXPECT_EQ(report.observed, ComputeUnit::kCpu);
  EXPECT_EQ(report.attempts, 1);
  EXPECT_EQ(report.fallback_reason, FallbackReason::kNone);
  EXPECT_GT(report.duration_ns, 0);
  const TelemetrySnapshot counts = session->telemetry().Snapshot();
  EXPECT_EQ(counts.load.succeeded, 1u);
  EXPECT_EQ(counts.first_inference.succeeded, 1u);  // the warm-up
  EXPECT_EQ(counts.inference.succeeded, 1u);
  EXPECT_TRUE(CheckConsistent(counts).ok());
}

TEST(SessionTest, AnExternalBackendIsNeverSaidToHaveUsedAUnit) {
  const FakeBackend fake({});
  const auto session = Open(With(fake));
  CallReport report;
  ExpectRight(session->Predict(Input(), nullptr, &report));
  EXPECT_EQ(report.backend, "fake");
  EXPECT_EQ(report.observed, ComputeUnit::kUnknown);
  EXPECT_EQ(report.circuit_state, CircuitState::kClosed);
}

TEST(SessionTest, PlannedUnitsComeFromThePlanAndAreNoObservation) {
  const std::pair<std::vector<ComputeUnit>, ComputeUnit> cases[] = {
      {{}, ComputeUnit::kUnknown},
      {{ComputeUnit::kAne, ComputeUnit::kAne}, ComputeUnit::kAne},
      {{ComputeUnit::kAne, ComputeUnit::kCpu}, ComputeUnit::kMixed},
      {{ComputeUnit::kGpu}, ComputeUnit::kGpu},
      {{ComputeUnit::kAne, ComputeUnit::kUnknown}, ComputeUnit::kUnknown},
      {{ComputeUnit::kCpu, ComputeUnit::kGpu, ComputeUnit::kUnknown}, ComputeUnit::kUnknown},
  };
  for (const auto& [units, expected] : cases) {
    FakeBackend fake({});
    std::vector<exec::PlannedOperation> plan;
    for (const ComputeUnit unit : units) plan.push_back({"ios15.relu", "y", unit});
    fake.SetPlan(plan);
    const auto session = Open(With(fake));
    CallReport report;
    ExpectRight(session->Predict(Input(), nullptr, &report));
    EXPECT_EQ(report.planned, expected);
    EXPECT_EQ(report.observed, ComputeUnit::kUnknown);
    EXPECT_EQ(session->routes()[0]->plan().size(), units.size());
    const TelemetrySnapshot counts = session->telemetry().Snapshot();
    EXPECT_EQ(counts.planned(expected), 1u);
    EXPECT_EQ(counts.observed(ComputeUnit::kAne), 0u);
  }
}

TEST(SessionTest, TheSameCallDescendsToTheNextRouteOnceForEach) {
  FakeBackend fake({});
  const auto session = Open(With(fake));
  ASSERT_EQ(session->routes().size(), 4u);  // all, cpu_and_gpu, cpu_only, cpu
  const int64_t before = fake.calls();
  fake.SetScript([](ComputeUnits units, int64_t call) {
    return call >= 0 && units != ComputeUnits::kCpuOnly ? Fault::kRuntimeError : Fault::kNone;
  });
  CallReport report;
  ExpectRight(session->Predict(Input(), nullptr, &report));
  EXPECT_EQ(report.backend, "fake");
  EXPECT_EQ(report.compute_units, ComputeUnits::kCpuOnly);
  EXPECT_EQ(report.attempts, 3);
  EXPECT_EQ(report.fallback_reason, FallbackReason::kRuntimeError);
  EXPECT_GT(report.fallback_unix_ns, 0);
  EXPECT_EQ(fake.calls() - before, 3);

  fake.SetScript([](ComputeUnits, int64_t) { return Fault::kRuntimeError; });
  ExpectRight(session->Predict(Input(), nullptr, &report));
  EXPECT_EQ(report.backend, "cpu");
  EXPECT_EQ(report.attempts, 4);
  const TelemetrySnapshot counts = session->telemetry().Snapshot();
  EXPECT_EQ(counts.total_fallbacks(), 5u);
  EXPECT_TRUE(CheckConsistent(counts).ok());
}

TEST(SessionTest, WithoutFallbackTheErrorIsTheCallersAndTyped) {
  FakeBackend fake({});
  SessionOptions options = With(fake);
  options.fallback = false;
  const auto session = Open(options);
  ASSERT_EQ(session->routes().size(), 1u);
  fake.SetScript([](ComputeUnits, int64_t) { return Fault::kRuntimeError; });
  const auto outputs = session->Predict(Input());
  ASSERT_FALSE(outputs.ok());
  EXPECT_EQ(outputs.error().code(), ErrorCode::kBackendCrashed);
  EXPECT_NE(outputs.error().ToString().find("fake/all"), std::string::npos);
}

TEST(SessionTest, ACircuitOpensAndAProbeOffTheRequestPathClosesIt) {
  ManualClock clock;
  FakeBackend fake({});
  SessionOptions options = With(fake);
  options.clock = &clock;
  options.load.compute_units = ComputeUnits::kCpuOnly;  // one external route
  const auto session = Open(options);
  fake.SetScript([](ComputeUnits, int64_t) { return Fault::kRuntimeError; });
  CallReport report;
  for (int i = 0; i < 3; ++i) ExpectRight(session->Predict(Input(), nullptr, &report));
  EXPECT_EQ(report.attempts, 2);
  const int64_t calls = fake.calls();
  ExpectRight(session->Predict(Input(), nullptr, &report));
  EXPECT_EQ(report.attempts, 1);
  EXPECT_EQ(report.circuit_state, CircuitState::kOpen);
  EXPECT_EQ(report.fallback_reason, FallbackReason::kCircuitOpen);
  EXPECT_EQ(fake.calls(), calls);

  fake.SetScript({});
  clock.Advance(std::chrono::seconds(60));
  // The request that finds a probe due is not the probe.
  ExpectRight(session->Predict(Input(), nullptr, &report));
  EXPECT_EQ(report.backend, "cpu");
  const CircuitBreaker& breaker = *session->routes()[0]->breaker();
  for (int i = 0; i < 2000 && breaker.state() != CircuitState::kClosed; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ASSERT_EQ(breaker.state(), CircuitState::kClosed);
  ExpectRight(session->Predict(Input(), nullptr, &report));
  EXPECT_EQ(report.backend, "fake");
}

TEST(SessionTest, AMemoryLimitOpensTheCircuit) {
  const FakeBackend fake({});
  SessionOptions options = With(fake);
  options.load.compute_units = ComputeUnits::kCpuOnly;
  options.breaker.memory_limit_bytes = 1 << 20;  // any process has more
  const auto session = Open(options);
  const CircuitBreaker& breaker = *session->routes()[0]->breaker();
  for (int i = 0; i < 2000 && breaker.state() == CircuitState::kClosed; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(breaker.state(), CircuitState::kOpen);
  CallReport report;
  ExpectRight(session->Predict(Input(), nullptr, &report));
  EXPECT_EQ(report.backend, "cpu");
  EXPECT_GT(session->telemetry().Snapshot().memory_high_water_bytes.value_or(0), 1 << 20);
}

TEST(SessionTest, NanAndWrongShapesAreFailures) {
  for (const auto& [fault, reason] :
       {std::pair(Fault::kNan, FallbackReason::kNonFinite),
        std::pair(Fault::kWrongShape, FallbackReason::kSchemaMismatch),
        std::pair(Fault::kMemoryPressure, FallbackReason::kMemoryPressure)}) {
    FakeBackend fake({});
    const auto session = Open(With(fake));
    fake.SetScript([fault](ComputeUnits, int64_t) { return fault; });
    CallReport report;
    ExpectRight(session->Predict(Input(), nullptr, &report));
    EXPECT_EQ(report.backend, "cpu");
    EXPECT_EQ(report.fallback_reason, reason);
  }
}

TEST(SessionTest, NanOfTheCallersOwnIsNoFailure) {
  const FakeBackend fake({});
  const auto session = Open(With(fake));
  Session::Tensors inputs = Input();
  inputs.at("x").As<float>()[5] = NAN;
  CallReport report;
  const auto outputs = session->Predict(inputs, nullptr, &report);
  ASSERT_TRUE(outputs.ok());
  EXPECT_EQ(report.backend, "fake");
  EXPECT_TRUE(std::isnan(outputs->at("y").As<float>()[5]));
}

TEST(SessionTest, AWrongAnswerToTheKnownQuestionKeepsARouteFromServing) {
  FakeBackend late({});
  late.SetScript([](ComputeUnits units, int64_t call) {
    return call >= 0 && units == ComputeUnits::kAll ? Fault::kWrong : Fault::kNone;
  });
  const auto session = Open(With(late));
  EXPECT_EQ(session->state(), SessionState::kReady);
  EXPECT_EQ(session->routes()[0]->breaker()->state(), CircuitState::kOpen);
  EXPECT_NE(session->load_status().error().ToString().find("parity_drift"), std::string::npos);
  CallReport report;
  ExpectRight(session->Predict(Input(), nullptr, &report));
  EXPECT_EQ(report.compute_units, ComputeUnits::kCpuAndGpu);
  EXPECT_EQ(report.fallback_reason, FallbackReason::kCircuitOpen);
}

TEST(SessionTest, ALoadThatFailsEverywhereLeavesTheCpu) {
  const FakeBackend fake([](ComputeUnits, int64_t) { return Fault::kRuntimeError; });
  const auto session = Open(With(fake));
  EXPECT_EQ(session->state(), SessionState::kReady);
  CallReport report;
  ExpectRight(session->Predict(Input(), nullptr, &report));
  EXPECT_EQ(report.backend, "cpu");
  EXPECT_EQ(session->telemetry().Snapshot().load.failed, 3u);
}

TEST(SessionTest, ABadInputIsTheCallersAndNeverTripsTheBreaker) {
  FakeBackend fake({});
  const auto session = Open(With(fake));
  const int64_t calls = fake.calls();
  for (int i = 0; i < 20; ++i) {
    const auto outputs = session->Predict({{"z", Input().at("x")}});
    ASSERT_FALSE(outputs.ok());
    EXPECT_EQ(outputs.error().code(), ErrorCode::kUsage);
  }
  EXPECT_EQ(fake.calls(), calls);
  EXPECT_EQ(session->routes()[0]->breaker()->state(), CircuitState::kClosed);
  EXPECT_EQ(session->telemetry().Snapshot().total_failures(), 0u);
}

TEST(SessionTest, ACallThatHangsIsGivenUpAndAnswered) {
  FakeBackend fake({});
  SessionOptions options = With(fake);
  options.breaker.predict_timeout_ns = 50'000'000;
  options.max_lanes = 2;
  const auto session = Open(options);
  fake.SetScript([](ComputeUnits units, int64_t call) {
    return call >= 0 && units == ComputeUnits::kAll ? Fault::kHang : Fault::kNone;
  });
  // More often than there are lanes: a lost lane frees its place.
  CallReport report;
  for (int i = 0; i < 3; ++i) {
    ExpectRight(session->Predict(Input(), nullptr, &report));
    EXPECT_EQ(report.fallback_reason, FallbackReason::kTimeout);
    EXPECT_EQ(report.compute_units, ComputeUnits::kCpuAndGpu);
  }
  fake.Release();
}

TEST(SessionTest, ALoadThatHangsIsGivenUp) {
  FakeBackend fake([](ComputeUnits units, int64_t call) {
    return call < 0 && units == ComputeUnits::kAll ? Fault::kHang : Fault::kNone;
  });
  SessionOptions options = With(fake);
  options.breaker.load_timeout_ns = 50'000'000;
  const auto session = Open(options);
  CallReport report;
  ExpectRight(session->Predict(Input(), nullptr, &report));
  EXPECT_EQ(report.compute_units, ComputeUnits::kCpuAndGpu);
  fake.Release();
}

TEST(SessionTest, ServesFromTheCpuWhileTheOtherCompiles) {
  FakeBackend fake(
      [](ComputeUnits, int64_t call) { return call < 0 ? Fault::kHang : Fault::kNone; });
  SessionOptions options = With(fake);
  options.serve_while_compiling = true;
  const auto session = Open(options);
  CallReport report;
  ExpectRight(session->Predict(Input(), nullptr, &report));
  EXPECT_EQ(report.backend, "cpu");
  EXPECT_EQ(report.fallback_reason, FallbackReason::kNotReady);
  EXPECT_NE(session->state(), SessionState::kReady);
  fake.Release();
  ASSERT_EQ(session->WaitReady(10'000'000'000), SessionState::kReady);
  ExpectRight(session->Predict(Input(), nullptr, &report));
  EXPECT_EQ(report.backend, "fake");
}

TEST(SessionTest, EndsWhileTheOtherStillCompiles) {
  FakeBackend fake([](ComputeUnits, int64_t) { return Fault::kHang; });
  SessionOptions options = With(fake);
  options.serve_while_compiling = true;
  Open(options).reset();  // does not wait for the load's five minutes
  fake.Release();
}

TEST(SessionTest, WhatOneProcessLearnedTheNextKnows) {
  const test::ScratchFolder scratch;
  FakeBackend fake([](ComputeUnits, int64_t) { return Fault::kRuntimeError; });
  SessionOptions options = With(fake);
  options.state_dir = scratch / "state";
  options.model_hash = std::string(64, 'a');
  Open(options).reset();
  const int64_t loads = fake.loads();
  EXPECT_EQ(loads, 3);
  // The next session does not even try while the circuits are open.
  const auto session = Open(options);
  EXPECT_EQ(fake.loads(), loads);
  CallReport report;
  ExpectRight(session->Predict(Input(), nullptr, &report));
  EXPECT_EQ(report.circuit_state, CircuitState::kOpen);
}

TEST(SessionTest, MeasuresTheFastestSettingAndRemembersIt) {
  const test::ScratchFolder scratch;
  SessionOptions options;
  options.dispatch_by_measurement = true;
  options.state_dir = scratch / "state";
  options.model_hash = std::string(64, 'b');
  const auto first = Open(options);
  ASSERT_TRUE(first->dispatch());
  EXPECT_FALSE(first->dispatch()->remembered);
  EXPECT_FALSE(first->dispatch()->measured.empty());
  for (const DispatchMeasurement& row : first->dispatch()->measured) {
    EXPECT_GT(row.median_ns.value_or(0), 0) << row.label << row.error;
  }
  const auto second = Open(options);
  EXPECT_TRUE(second->dispatch()->remembered);
  EXPECT_EQ(second->dispatch()->label, first->dispatch()->label);
  ExpectRight(second->Predict(Input()));
  // A damaged file is measured again.
  for (const auto& entry : std::filesystem::directory_iterator(options.state_dir)) {
    std::ofstream(entry.path()) << "{\"schema\": \"anemone.dispatch\", \"key\": 3}";
  }
  EXPECT_FALSE(Open(options)->dispatch()->remembered);
}

TEST(SessionTest, DispatchAvoidsUnitsThatDoNotRun) {
  FakeBackend fake([](ComputeUnits units, int64_t) {
    return units == ComputeUnits::kCpuAndGpu ? Fault::kSlow : Fault::kRuntimeError;
  });
  SessionOptions options = With(fake);
  options.dispatch_by_measurement = true;
  const auto session = Open(options);
  EXPECT_EQ(session->dispatch()->label, "cpu_and_gpu");
  EXPECT_FALSE(session->dispatch()->measured[0].median_ns);
  EXPECT_NE(session->dispatch()->measured[0].error, "");
}

TEST(SessionTest, AFailedAttemptLeavesTheStateAsItWas) {
  const auto model =
      ModelFrom(R"(func main<ios18>(tensor<fp32, [1]> x, state<tensor<fp16, [1]>> s) {
  old = read_state(input = s);
  wide = cast(x = old, dtype = "fp32");
  y = add(x = wide, y = x);
  half = cast(x = y, dtype = "fp16");
  write_state(input = s, data = half);
} -> (y);
)");
  if (model == nullptr) GTEST_SKIP();
  exec::Tensor x = *exec::Tensor::Allocate(DType::kFp32, {1});
  x.As<float>()[0] = 2;
  for (const Fault fault : {Fault::kRuntimeError, Fault::kNan}) {
    for (const int64_t timeout_ns : {int64_t{0}, int64_t{10'000'000'000}}) {
      FakeBackend fake({});
      SessionOptions options = With(fake);
      options.breaker.predict_timeout_ns = timeout_ns;
      options.breaker.load_timeout_ns = timeout_ns;
      auto opened = Session::Open(model, options);
      ASSERT_TRUE(opened.ok()) << opened.error().ToString();
      fake.SetScript([fault](ComputeUnits, int64_t) { return fault; });  // the state is written
      exec::State state;
      for (int i = 1; i <= 2; ++i) {
        const auto outputs = (*opened)->Predict({{"x", x}}, &state);
        ASSERT_TRUE(outputs.ok()) << outputs.error().ToString();
        EXPECT_EQ(outputs->at("y").As<float>()[0], 2.0f * static_cast<float>(i));
      }
    }
  }
}

TEST(SessionTest, TheHeapCountSeesEveryThread) {
  const auto take = [] { ::operator delete(::operator new(100)); };
  std::atomic<bool> go = false;
  const auto take_later = [&] {
    go.wait(false);
    take();
  };
  std::thread one(take_later);
  std::thread other(take_later);
  const int64_t before = test::AllocationsSoFar();
  take();
  go = true;
  go.notify_all();
  one.join();
  other.join();
  EXPECT_EQ(test::AllocationsSoFar() - before, 3);
}

TEST(SessionTest, AHundredThousandPredictionsTakeNothingFromTheHeap) {
  const auto session = Open({});
  const float x[6] = {-2, -1, 0, 1, 2, 3};
  float y[6] = {};
  const exec::BoundInput inputs[] = {{"x", {DType::kFp32, {2, 3}, x}}};
  const exec::BoundOutput outputs[] = {{"y", {DType::kFp32, {2, 3}, y}}};
  CallReport report;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(session->PredictBound(inputs, outputs, nullptr, &report).ok());
  }
  const int64_t before = test::AllocationsSoFar();
  const std::optional<int64_t> resident = PeakResidentBytes();
  for (int i = 0; i < 100'000; ++i) {
    if (!session->PredictBound(inputs, outputs, nullptr, &report).ok()) FAIL();
  }
  EXPECT_EQ(test::AllocationsSoFar() - before, 0);
  if (resident) {
    EXPECT_LT(*PeakResidentBytes() - *resident, 1 << 20);  // flat
  }
  EXPECT_EQ(y[5], 3);
}

}  // namespace
}  // namespace anemone::runtime
