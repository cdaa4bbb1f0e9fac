// The scheduler: joined calls, the end of the queue, deadlines, what happens when a call fails.
#include "serve/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "../runtime/fake_backend.h"
#include "base/clock.h"
#include "cpu/cpu_backend.h"
#include "ir/text.h"
#include "serve/fault_injection.h"
#include "serve/rows.h"

namespace anemone::serve {
namespace {

using runtime::fakes::FakeBackend;
using runtime::fakes::Fault;

constexpr int64_t kSecond = 1'000'000'000;

std::shared_ptr<const ir::Model> Model(const std::string& body) {
  auto model = std::make_shared<ir::Model>();
  auto program =
      ir::ParseText("func main<ios15>(tensor<fp32, [?, 3]> x) {\n" + body + "\n} -> (y);\n");
  EXPECT_TRUE(program.ok()) << program.error().ToString();
  model->program = std::move(*program);
  ir::ArrayFeature array;
  array.shape = {1, 3};
  array.shape_range = {{1, 16}, {3, 3}};
  ir::FunctionDescription main;
  main.name = "main";
  main.inputs.push_back({.name = "x", .type = array});
  model->functions.push_back(main);
  return model;
}

std::shared_ptr<const ir::Model> Relu() { return Model("  y = relu(x = x);"); }

Tensors Input(float first, int64_t rows = 1) {
  exec::Tensor x = *exec::Tensor::Allocate(DType::kFp32, {rows, 3});
  for (int64_t i = 0; i < 3 * rows; ++i) x.As<float>()[i] = first + static_cast<float>(i % 3) - 1;
  return {{"x", x}};
}

void ExpectRight(const Result<Answer>& answer, float first, int64_t rows = 1) {
  ASSERT_TRUE(answer.ok()) << answer.error().ToString();
  const exec::Tensor& y = answer->outputs.at("y");
  ASSERT_EQ(y.shape(), (exec::Shape{rows, 3}));
  for (int64_t i = 0; i < 3 * rows; ++i)
    ASSERT_EQ(y.As<float>()[i], std::max(0.0F, first + static_cast<float>(i % 3) - 1));
}

std::shared_ptr<runtime::Session> Open(std::shared_ptr<const ir::Model> model,
                                       std::vector<const exec::Backend*> backends = {},
                                       bool fallback = true) {
  runtime::SessionOptions options;
  options.backends = std::move(backends);
  options.load.threads = 1;
  options.fallback = fallback;
  options.load.compute_units = ComputeUnits::kCpuOnly;
  auto session = runtime::Session::Open(std::move(model), std::move(options));
  EXPECT_TRUE(session.ok()) << session.error().ToString();
  return session.ok() ? *session : nullptr;
}

// So many callers at once, with one to three rows each.
void AskAtOnce(Scheduler& scheduler, int callers) {
  std::vector<std::thread> threads;
  for (int i = 0; i < callers; ++i) {
    threads.emplace_back([&scheduler, i] {
      const int64_t rows = 1 + i % 3;
      const auto first = static_cast<float>(i) * 0.25F - 2;
      ExpectRight(scheduler.Predict(Input(first, rows), NowNs() + 20 * kSecond), first, rows);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(SchedulerTest, JoinedCallsAnswerEachWithItsOwnRows) {
  const auto session = Open(Relu());
  Scheduler scheduler(*session, {.workers = 2, .max_batch = 8, .max_delay_ns = kSecond / 20});
  AskAtOnce(scheduler, 48);
  const SchedulerCounts counts = scheduler.counts();
  EXPECT_LT(counts.calls, 48u);
  EXPECT_GT(counts.joined, 1u);
  EXPECT_EQ(counts.waiting, 0);
  EXPECT_EQ(counts.refused + counts.late, 0u);
}

TEST(SchedulerTest, NothingIsJoinedUnlessAskedFor) {
  const auto session = Open(Relu());
  Scheduler scheduler(*session, {.workers = 2});
  AskAtOnce(scheduler, 20);
  EXPECT_EQ(scheduler.counts().calls, 20u);
  EXPECT_EQ(scheduler.counts().joined, 0u);
}

TEST(SchedulerTest, ARequestOfMoreRowsThanABatchRunsAlone) {
  const auto session = Open(Relu());
  Scheduler scheduler(*session, {.workers = 1, .max_batch = 4, .max_delay_ns = kSecond / 1000});
  const auto answer = scheduler.Predict(Input(1, 9), NowNs() + 5 * kSecond);
  ExpectRight(answer, 1, 9);
  EXPECT_EQ(answer->batch, 9);
}

TEST(SchedulerTest, AJoinedCallThatFailsIsRepeatedForEachAlone) {
  // The backend fails every call of more than one row; each alone is answered.
  FakeBackend fake({});
  std::atomic<int64_t> calls{0};
  fake.SetScript([&](ComputeUnits, int64_t call) {
    if (call < 0) return Fault::kNone;
    return calls.fetch_add(1) == 1 ? Fault::kRuntimeError : Fault::kNone;  // 0 is the warm-up
  });
  const auto session = Open(Relu(), {&fake}, false);
  Scheduler scheduler(*session, {.workers = 1, .max_batch = 4, .max_delay_ns = kSecond / 10});
  auto first = std::async([&] { return scheduler.Predict(Input(1), NowNs() + 5 * kSecond); });
  auto second = std::async([&] { return scheduler.Predict(Input(2), NowNs() + 5 * kSecond); });
  ExpectRight(first.get(), 1);
  ExpectRight(second.get(), 2);
}

TEST(SchedulerTest, DeadlinesAndTheEndOfTheQueue) {
  FakeBackend fake({});
  const auto session = Open(Relu(), {&fake}, false);
  fake.SetScript([](ComputeUnits, int64_t call) { return call < 0 ? Fault::kNone : Fault::kHang; });
  {
    Scheduler scheduler(*session, {.workers = 1, .max_queue = 2});
    std::vector<std::future<Result<Answer>>> late;
    for (int i = 0; i < 3; ++i) {
      late.push_back(std::async(
          std::launch::async, [&] { return scheduler.Predict(Input(1), NowNs() + 3 * kSecond); }));
      // The first runs, the others wait.
      while (scheduler.counts().running + scheduler.counts().waiting < i + 1)
        std::this_thread::yield();
      while (scheduler.counts().running < 1) std::this_thread::yield();
    }
    const auto refused = scheduler.Predict(Input(1), NowNs() + 3 * kSecond);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
    for (auto& one : late) {
      const auto answer = one.get();
      ASSERT_FALSE(answer.ok());
      EXPECT_EQ(answer.error().code(), ErrorCode::kTimeout);
    }
    EXPECT_EQ(scheduler.counts().late, 3u);
    fake.SetScript({});
    fake.Release();
    ExpectRight(scheduler.Predict(Input(3), NowNs() + 5 * kSecond), 3);
  }
}

TEST(SchedulerTest, OnlyIndependentRowsMayBeJoined) {
  const auto independent = Relu();
  EXPECT_TRUE(CheckJoinable(*independent, *Open(independent), 8).ok());
  const auto mixed = Model("  y = softmax(x = x, axis = 0);");
  const Status refused = CheckJoinable(*mixed, *Open(mixed), 8);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message().find("depends on the other rows"), std::string::npos)
      << refused.ToString();
  const auto summed = Model("  y = reduce_sum(x = x, axes = [0], keep_dims = true);");
  EXPECT_FALSE(CheckJoinable(*summed, *Open(summed), 8).ok());
}

TEST(SchedulerTest, RowsJoinAndPartAgain) {
  const Tensors a = Input(1, 2);
  const Tensors b = Input(5, 3);
  const Tensors* const parts[] = {&a, &b};
  ASSERT_TRUE(FitTogether(a, b));
  const auto joined = JoinRows(parts);
  ASSERT_TRUE(joined.ok());
  EXPECT_EQ(RowsOf(*joined), 5);
  const auto taken = TakeRows(*joined, 2, 3);
  ASSERT_TRUE(taken.ok());
  const float* const values = b.at("x").As<float>();
  EXPECT_TRUE(std::equal(values, values + 9, taken->at("x").As<float>()));
  Tensors other{{"z", a.at("x")}};
  EXPECT_FALSE(FitTogether(a, other));
}

TEST(FaultInjectionTest, FailsAsOftenAsItIsTold) {
  FaultInjection faults(cpu::CpuBackend());
  const auto session = Open(Relu(), {&faults, &cpu::CpuBackend()});
  runtime::CallReport report;
  ASSERT_TRUE(session->Predict(Input(1), nullptr, &report).ok());
  EXPECT_EQ(report.backend, "fault_injection");
  faults.Fail(1);
  ASSERT_TRUE(session->Predict(Input(1), nullptr, &report).ok());
  EXPECT_EQ(report.backend, "cpu");
  EXPECT_EQ(report.fallback_reason, runtime::FallbackReason::kRuntimeError);
  EXPECT_EQ(faults.pending(), 0);
  ASSERT_TRUE(session->Predict(Input(1), nullptr, &report).ok());
  EXPECT_EQ(report.backend, "fault_injection");
}

}  // namespace
}  // namespace anemone::serve
