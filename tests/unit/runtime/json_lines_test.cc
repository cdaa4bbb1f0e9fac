#include "runtime/json_lines.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>
#include <vector>

#include "runtime/telemetry.h"
#include "support/scratch.h"

namespace anemone::runtime {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class JsonLinesTest : public ::testing::Test {
 protected:
  std::unique_ptr<JsonLinesFile> Open(const JsonLinesOptions& options = {}) {
    auto file = JsonLinesFile::Open(path_, options);
    EXPECT_TRUE(file.ok()) << file.error().ToString();
    return file.ok() ? std::move(*file) : nullptr;
  }
  static std::vector<std::string> Lines(const std::string& path) {
    std::vector<std::string> lines;
    std::istringstream text(test::ReadText(path));
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

  test::ScratchFolder scratch_;
  std::string path_ = scratch_ / "telemetry.jsonl";
};

TEST_F(JsonLinesTest, AppendsAcrossOpenings) {
  ASSERT_TRUE(Open()->Append("{\"a\":1}").ok());
  auto file = Open();
  EXPECT_EQ(file->repaired_bytes(), 0u);
  ASSERT_TRUE(file->Append("{\"a\":2}").ok());
  EXPECT_EQ(test::ReadText(path_), "{\"a\":1}\n{\"a\":2}\n");
  EXPECT_FALSE(file->Append("{\n}").ok());
}

TEST_F(JsonLinesTest, ATornLastLineIsCutOff) {
  const std::string whole = "{\"a\":1}\n{\"b\":\"" + std::string(9000, 'x') + "\"}\n";
  for (const std::string& torn : {std::string("{"), std::string("{\"c\":") + std::string(4095, 'y'),
                                  std::string(20'000, '{'), std::string("\0\0\0", 3)}) {
    test::WriteText(path_, whole + torn);
    auto file = Open();
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(file->repaired_bytes(), torn.size());
    ASSERT_TRUE(file->Append("{}").ok());
    EXPECT_EQ(test::ReadText(path_), whole + "{}\n");
  }
  test::WriteText(path_, "{\"the only line");
  EXPECT_EQ(Open()->repaired_bytes(), 15u);
  EXPECT_EQ(test::ReadText(path_), "");
}

TEST_F(JsonLinesTest, AnyOtherFileIsLeftAlone) {
  const std::string text = "precious text without an end of line";
  test::WriteText(path_, text);
  auto file = JsonLinesFile::Open(path_, {});
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(test::ReadText(path_), text);

  const std::string large = "{" + std::string(3 << 20, ' ');
  test::WriteText(path_, large);
  EXPECT_FALSE(JsonLinesFile::Open(path_, {}).ok());
  EXPECT_EQ(test::ReadText(path_).size(), large.size());

  EXPECT_EQ(JsonLinesFile::Open(scratch_ / "no/such/log", {}).error().code(), ErrorCode::kIo);
  EXPECT_EQ(JsonLinesFile::Open(scratch_.path().string(), {}).error().code(), ErrorCode::kIo);
}

TEST_F(JsonLinesTest, OneProcessAtATime) {
  auto first = Open();
  const auto second = JsonLinesFile::Open(path_, {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(second.error().ToString().find("another process is writing this log"),
            std::string::npos);
  first.reset();
  EXPECT_NE(Open(), nullptr);
}

TEST_F(JsonLinesTest, RotatesBySizeAndKeepsTheNewest) {
  auto file = Open({.max_bytes = 100, .max_files = 3});
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(file->Append("{\"line\":" + std::to_string(1000 + i) + "}").ok());
  }
  // 14 bytes a line, 7 lines a file.
  std::vector<std::string> all;
  for (const char* suffix : {".3", ".2", ".1", ""}) {
    const auto lines = Lines(path_ + suffix);
    EXPECT_LE(fs::file_size(path_ + suffix), 100u);
    all.insert(all.end(), lines.begin(), lines.end());
  }
  EXPECT_FALSE(fs::exists(path_ + ".4"));
  ASSERT_EQ(all.size(), 23u);
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i], "{\"line\":" + std::to_string(1100 - all.size() + i) + "}");
  }
  // A line that is longer than a file may be is still written, whole.
  ASSERT_TRUE(file->Append("{\"x\":\"" + std::string(500, 'x') + "\"}").ok());
  ASSERT_TRUE(file->Append("{}").ok());
  EXPECT_EQ(Lines(path_), std::vector<std::string>{"{}"});
  // A gap that a killed rotation left is closed by the next ones.
  fs::remove(path_ + ".1");
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(file->Append("{\"line\":1}").ok());
  EXPECT_TRUE(fs::exists(path_ + ".1"));
}

TEST_F(JsonLinesTest, KeepsNoneWhenToldSo) {
  auto file = Open({.max_bytes = 50, .max_files = 0});
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(file->Append("{\"line\":1}").ok());
  EXPECT_LE(fs::file_size(path_), 50u);
  EXPECT_EQ(scratch_.entries(), 2u) << "the log and its lock";
}

TEST_F(JsonLinesTest, ThreadsDoNotMixTheirLines) {
  auto file = Open({.max_bytes = 20'000, .max_files = 1000});
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 300; ++i) {
        const Json line = {
            {"thread", t}, {"i", i}, {"pad", std::string(static_cast<size_t>(i), 'p')}};
        ASSERT_TRUE(file->Append(line.dump()).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<int> next(8, 0);
  std::vector<std::string> files = {path_};
  for (int n = 1; fs::exists(path_ + "." + std::to_string(n)); ++n) {
    files.insert(files.begin(), path_ + "." + std::to_string(n));
  }
  EXPECT_GT(files.size(), 10u);
  for (const std::string& name : files) {
    for (const std::string& line : Lines(name)) {
      const Json json = Json::parse(line);
      EXPECT_EQ(json["i"], next[json["thread"].get<size_t>()]++) << "in order, none lost";
    }
  }
  for (const int count : next) EXPECT_EQ(count, 300);
}

// A line that does not fit (a full disk; here a limit on file sizes) is not left there in part.
TEST_F(JsonLinesTest, ALineThatDoesNotFitIsTakenBack) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100, 100};
    setrlimit(RLIMIT_FSIZE, &limit);
    auto file = JsonLinesFile::Open(path_, {});
    bool ok = file.ok() && (*file)->Append("{\"a\":\"" + std::string(60, 'a') + "\"}").ok();
    ok = ok && !(*file)->Append("{\"b\":\"" + std::string(60, 'b') + "\"}").ok();
    ok = ok && (*file)->Append("{\"c\":3}").ok();
    _exit(ok ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(test::ReadText(path_), "{\"a\":\"" + std::string(60, 'a') + "\"}\n{\"c\":3}\n");
}

// kill -9 at random moments, rotation included: whole lines, numbered without a gap, at most one
// torn, and the next process goes on.
TEST_F(JsonLinesTest, KillNineLosesAtMostOneLineAndTheNextStartGoesOn) {
  constexpr int rounds = 25;
  const JsonLinesOptions options{.max_bytes = 30'000, .max_files = 100'000};
  int64_t written = 0;
  for (int round = 0; round < rounds; ++round) {
    int pipe_fds[2];
    ASSERT_EQ(pipe(pipe_fds), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto file = JsonLinesFile::Open(path_, options);
      if (!file.ok()) _exit(1);
      for (int64_t i = 0;; ++i) {
        const std::string line = "{\"round\":" + std::to_string(round) +
                                 ",\"i\":" + std::to_string(i) + ",\"pad\":\"" +
                                 std::string(static_cast<size_t>(i % 400), 'x') + "\"}";
        if (!(*file)->Append(line).ok()) _exit(2);
        if (i == 0 && write(pipe_fds[1], "x", 1) != 1) _exit(3);
      }
    }
    char ready = 0;
    close(pipe_fds[1]);
    ASSERT_EQ(read(pipe_fds[0], &ready, 1), 1) << "the child could not start";
    close(pipe_fds[0]);
    usleep(static_cast<useconds_t>(200 + round * 131 % 3000));
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << status;
  }
  ASSERT_NE(Open(options), nullptr);
  std::vector<std::string> files;
  for (int n = 1; n < 100'000; ++n) {
    const std::string name = path_ + "." + std::to_string(n);
    if (fs::exists(name)) {
      files.insert(files.begin(), name);
    } else if (!fs::exists(path_ + "." + std::to_string(n + 1))) {
      break;  // a gap of one is what a kill between two renames leaves
    }
  }
  if (fs::exists(path_)) files.push_back(path_);
  int64_t expected_round = 0;
  int64_t expected_i = 0;
  for (const std::string& name : files) {
    const std::string text = test::ReadText(name);
    ASSERT_TRUE(text.empty() || text.back() == '\n') << name;
    for (const std::string& line : Lines(name)) {
      const Json json = Json::parse(line, nullptr, false);
      ASSERT_FALSE(json.is_discarded()) << name << ": " << line;
      if (json["round"] != expected_round) {
        ASSERT_EQ(json["round"], ++expected_round);
        expected_i = 0;
      }
      ASSERT_EQ(json["i"], expected_i++);
      ++written;
    }
  }
  EXPECT_EQ(expected_round, rounds - 1);
  EXPECT_GT(written, rounds * 10);
}

TEST_F(JsonLinesTest, PipesAndDevicesTakeLines) {
  auto null = JsonLinesFile::Open("/dev/null", {.max_bytes = 1});
  ASSERT_TRUE(null.ok()) << null.error().ToString();
  EXPECT_TRUE((*null)->Append("{}").ok());
  EXPECT_TRUE((*null)->Append("{}").ok());
}

std::vector<Event> EachEvent() {
  std::vector<Event> events;
  for (size_t i = 0; i < kEventTypeCount; ++i) {
    Event event;
    event.type = static_cast<EventType>(i);
    event.time_unix_ns = 1'700'000'000'000'000'000 + static_cast<int64_t>(i);
    event.start_ns = 1000;
    event.thread = i;
    event.model = std::string(64, 'b');
    event.backend = "coreml";
    event.units = "all";
    event.duration_ns = 1234567;
    event.planned = ComputeUnit::kAne;
    event.to_backend = "cpu";
    event.reason = FallbackReason::kCircuitOpen;
    event.from = CircuitState::kClosed;
    event.to = CircuitState::kOpen;
    event.wait_ns = 30'000'000'000;
    event.memory_bytes = 1 << 20;
    event.text = i % 2 == 0 ? "a \"quoted\"\nline" : "failure_rate";
    events.push_back(event);
    if (i < 4) {
      event.success = false;
      event.failure = FailureKind::kTimeout;
      event.backend = event.model = "";
      events.push_back(event);
    }
  }
  return events;
}

// The fixture is what the Python tests hold against the published schema.
TEST_F(JsonLinesTest, EventLinesAreThoseOfTheFixture) {
  std::string text;
  for (const Event& event : EachEvent()) text += EventLine(event) + "\n";
  const std::string fixture = "tests/fixtures/runtime/events.jsonl";
  if (std::getenv("ANEMONE_UPDATE_FIXTURES") != nullptr) test::WriteText(fixture, text);
  EXPECT_EQ(text, test::ReadText(fixture));
}

TEST_F(JsonLinesTest, SinkWritesWhatTelemetryTells) {
  test::WriteText(path_, "{\"torn");
  auto sink = JsonLinesSink::Open(path_, {});
  ASSERT_TRUE(sink.ok()) << sink.error().ToString();
  Telemetry telemetry({.model = "m", .backend = "coreml", .units = "all"});
  telemetry.AddSink(std::move(*sink));
  telemetry.record_compile(5, false, FailureKind::kTimeout);
  telemetry.record_fallback(FallbackReason::kTimeout, "coreml", "cpu");
  const auto lines = Lines(path_);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(Json::parse(lines[0])["text"], "cut 6 bytes of a torn last line off this log");
  EXPECT_EQ(Json::parse(lines[1])["failure"], "timeout");
  EXPECT_EQ(Json::parse(lines[2])["reason"], "timeout");
  EXPECT_EQ(telemetry.Snapshot().events_dropped, 0u);
}

TEST_F(JsonLinesTest, WhatCannotBeWrittenIsCounted) {
  const int full = ::open("/dev/full", O_WRONLY);
  if (full < 0) GTEST_SKIP() << "this system has no /dev/full";
  ::close(full);
  auto sink = JsonLinesSink::Open("/dev/full", {});
  ASSERT_TRUE(sink.ok()) << sink.error().ToString();
  Telemetry telemetry;
  telemetry.AddSink(std::move(*sink));
  telemetry.record_compile(5, true);
  EXPECT_EQ(telemetry.Snapshot().events_dropped, 1u);
}

}  // namespace
}  // namespace anemone::runtime
