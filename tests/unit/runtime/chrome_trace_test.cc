#include "runtime/chrome_trace.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "runtime/signpost.h"
#include "runtime/telemetry.h"
#include "support/scratch.h"

namespace anemone::runtime {
namespace {

using Json = nlohmann::json;

TEST(ChromeTraceTest, IsValidJsonWithExactTimes) {
  ChromeTrace trace;
  trace.Slice("conv \"1\"\n\xff", "operator", 5'000'000'123, 1'001, 2, {{"kernel", "conv_nhwc"}});
  Event event;
  event.type = EventType::kInference;
  event.start_ns = 5'000'000'000;
  event.duration_ns = 2'500;
  event.planned = ComputeUnit::kAne;
  trace.Emit(event);
  event.type = EventType::kCircuit;
  event.to = CircuitState::kOpen;
  event.text = "failure_rate";
  trace.Emit(event);
  event.type = EventType::kMemory;
  event.memory_bytes = 42;
  trace.Emit(event);

  const Json json = Json::parse(trace.ToJson());
  EXPECT_EQ(json["displayTimeUnit"], "ns");
  std::vector<Json> entries;
  size_t metadata = 0;
  for (const Json& entry : json["traceEvents"]) {
    // What each viewer requires.
    ASSERT_TRUE(entry["ph"].is_string());
    ASSERT_TRUE(entry["pid"].is_number_integer());
    ASSERT_TRUE(entry["name"].is_string());
    if (entry["ph"] == "M") {
      ++metadata;
      continue;
    }
    ASSERT_TRUE(entry["ts"].is_number());
    ASSERT_TRUE(entry["tid"].is_number_integer());
    entries.push_back(entry);
  }
  EXPECT_EQ(metadata, 3u) << "the process and two threads";
  ASSERT_EQ(entries.size(), 4u);
  EXPECT_EQ(entries[0]["ph"], "X");
  EXPECT_EQ(entries[0]["ts"], 0.123);
  EXPECT_EQ(entries[0]["dur"], 1.001);
  EXPECT_EQ(entries[0]["args"]["kernel"], "conv_nhwc");
  EXPECT_EQ(entries[1]["ph"], "X");
  EXPECT_EQ(entries[1]["ts"], 0.0);
  EXPECT_EQ(entries[1]["dur"], 2.5);
  EXPECT_EQ(entries[1]["args"]["planned_unit"], "ane");
  EXPECT_EQ(entries[1]["args"]["observed_unit"], "unknown");
  EXPECT_EQ(entries[2]["ph"], "i");
  EXPECT_EQ(entries[2]["name"], "circuit open");
  EXPECT_EQ(entries[3]["ph"], "C");
  EXPECT_EQ(entries[3]["args"]["high_water_bytes"], 42);
}

TEST(ChromeTraceTest, AnEmptyTraceIsValidToo) {
  EXPECT_EQ(Json::parse(ChromeTrace().ToJson())["traceEvents"].size(), 1u);
}

TEST(ChromeTraceTest, DropsBeyondItsLimitAndSaysSo) {
  ChromeTrace trace(10);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) trace.Slice("op", "operator", i, 1, 0);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(trace.dropped(), 30u);
  EXPECT_EQ(Json::parse(trace.ToJson())["otherData"]["dropped_events"], 30);
}

TEST(ChromeTraceTest, WritesAFileFromATelemetry) {
  test::ScratchFolder scratch;
  auto trace = std::make_shared<ChromeTrace>();
  Telemetry telemetry({.backend = "cpu", .inference_events = true});
  telemetry.AddSink(trace);
  telemetry.AddSink(std::make_shared<SignpostSink>());
  telemetry.record_load(1000, true);
  {
    const SignpostInterval interval(SignpostInterval::Kind::kInference, "cpu");
  }
  telemetry.record_inference(500, true, ComputeUnit::kCpu, ComputeUnit::kCpu);
  const std::string path = scratch / "trace.json";
  ASSERT_TRUE(trace->Write(path).ok());
  const Json json = Json::parse(test::ReadText(path));
  EXPECT_EQ(json["traceEvents"].size(), 4u);
  EXPECT_FALSE(trace->Write(scratch / "no/trace.json").ok());
#ifndef __APPLE__
  EXPECT_FALSE(SignpostsAvailable());
#endif
}

}  // namespace
}  // namespace anemone::runtime
