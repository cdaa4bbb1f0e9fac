// Measured runs: warm-up, A B B A blocks, records, failures, memory.
#include "lab/measure.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "runtime/run_record_io.h"
#include "support/scratch.h"
#include "unit/runtime/fake_backend.h"

namespace anemone::lab {
namespace {

using runtime::fakes::FakeBackend;
using runtime::fakes::Fault;

std::shared_ptr<const ir::Model> Relu() {
  auto model = std::make_shared<ir::Model>();
  model->program =
      *ir::ParseText("func main<ios15>(tensor<fp32, [2, 3]> x) {\n  y = relu(x = x);\n} -> (y);\n");
  return model;
}

Subject Cpu() {
  Subject subject{.label = "cpu",
                  .model_name = "relu",
                  .model_hash = std::string(64, 'a'),
                  .model = Relu(),
                  .session = {.backend = "cpu"}};
  subject.session.load.threads = 1;
  return subject;
}

Subject Fake(const FakeBackend& fake) {
  Subject subject = Cpu();
  subject.label = "fake";
  subject.session.backends = {&fake, &exec::ReferenceBackend()};
  return subject;
}

MeasureOptions Short() {
  MeasureOptions options;
  options.warmup_ns = 0;
  options.warmup_cap_ns = 50'000'000;
  options.calls = 100;
  options.duration_ns = 0;
  options.block = 10;
  return options;
}

TEST(Measure, WritesARecordThatTheReaderAccepts) {
  test::ScratchFolder scratch;
  Subject subject = Cpu();
  subject.record_path = scratch / "run.jsonl";
  const auto measured = Measure({subject}, Short(), "1.2.3");
  ASSERT_TRUE(measured.ok()) << measured.error().ToString();
  const Measured& one = measured->front();
  EXPECT_EQ(one.record.calls.size(), 100u);
  EXPECT_EQ(one.durations_ns().size(), 100u);
  EXPECT_GE(one.warmup_calls, 20);
  EXPECT_TRUE(one.load_ns && one.first_inference_ns);
  const auto read = runtime::ReadRunRecord(subject.record_path);
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_EQ(read->calls, one.record.calls);
  EXPECT_EQ(read->memory, one.record.memory);
  EXPECT_EQ(read->summary, one.record.summary);
  EXPECT_EQ(read->header, one.record.header);
  EXPECT_EQ(read->header.tool_version, "1.2.3");
  EXPECT_EQ(read->header.backend, "cpu");
  EXPECT_GE(read->memory.size(), 10u);
  // Warm-up calls are in telemetry, not in the record; the first inference is counted separately.
  EXPECT_EQ(read->summary->inference.succeeded, 100 + one.warmup_calls);
  EXPECT_EQ(read->summary->first_inference.succeeded, 1);
}

TEST(Measure, BlocksAlternateABBA) {
  FakeBackend fake(nullptr);
  const auto measured = Measure({Fake(fake), Cpu()}, Short(), "1");
  ASSERT_TRUE(measured.ok()) << measured.error().ToString();
  const auto& a = (*measured)[0].record;
  const auto& b = (*measured)[1].record;
  EXPECT_EQ(a.header.time_unix_ns, b.header.time_unix_ns);
  const auto a_blocks = BlocksOf(a, &b);
  const auto b_blocks = BlocksOf(b, &a);
  // A BB AA BB ... : the first and the last are single.
  ASSERT_EQ(a_blocks.size(), 6u);
  EXPECT_EQ(a_blocks[0].size(), 10u);
  EXPECT_EQ(a_blocks[1].size(), 20u);
  EXPECT_EQ(b_blocks[0].size(), 20u);
  size_t calls = 0;
  for (const auto& block : a_blocks) calls += block.size();
  EXPECT_EQ(calls, 100u);
  EXPECT_EQ(BlocksOf(a, nullptr, 25).size(), 4u);
}

TEST(Measure, FailedCallsAreLinesNotErrors) {
  int64_t bad = 0;
  FakeBackend fake([&bad](ComputeUnits, int64_t call) {
    return call >= 30 && call < 33 && ++bad > 0 ? Fault::kRuntimeError : Fault::kNone;
  });
  Subject subject = Fake(fake);
  subject.session.fallback = false;
  subject.session.self_test = false;
  MeasureOptions options = Short();
  options.warmup_cap_ns = 0;
  const auto measured = Measure({subject}, options, "1");
  ASSERT_TRUE(measured.ok()) << measured.error().ToString();
  const auto& record = (*measured)[0].record;
  EXPECT_GT(record.summary->failed, 0);
  EXPECT_GT(bad, 0);
  EXPECT_EQ(record.summary->ok + record.summary->failed, static_cast<int64_t>(record.calls.size()));
  EXPECT_LT((*measured)[0].durations_ns().size(), record.calls.size());
}

TEST(Measure, ABackendThatOnlyFailsEndsTheRun) {
  FakeBackend fake(
      [](ComputeUnits, int64_t call) { return call > 25 ? Fault::kRuntimeError : Fault::kNone; });
  Subject subject = Fake(fake);
  subject.session.fallback = false;
  subject.session.self_test = false;
  MeasureOptions options = Short();
  options.calls = 1'000'000;
  const auto measured = Measure({subject}, options, "1");
  ASSERT_TRUE(measured.ok()) << measured.error().ToString();
  EXPECT_LT((*measured)[0].record.calls.size(), 1000u);
}

TEST(Measure, CallersMistakesAreErrors) {
  EXPECT_EQ(Measure({}, Short(), "1").error().code(), ErrorCode::kUsage);
  Subject subject = Cpu();
  subject.session.backend = "warp drive";
  EXPECT_EQ(Measure({subject}, Short(), "1").error().code(), ErrorCode::kUsage);
  subject = Cpu();
  subject.record_path = "/nonexistent/run.jsonl";
  EXPECT_EQ(Measure({subject}, Short(), "1").error().code(), ErrorCode::kIo);
}

}  // namespace
}  // namespace anemone::lab
