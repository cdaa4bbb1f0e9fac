#include "runtime/run_record_io.h"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <random>
#include <thread>

#include "support/scratch.h"

namespace anemone::runtime {
namespace {

RunHeader Header() {
  RunHeader header;
  header.time_unix_ns = 1'700'000'000'000'000'000;
  header.tool_version = "0.1.0";
  header.machine.os = "macos";
  header.machine.os_build = "24B83";
  header.machine.architecture = "arm64";
  header.machine.chip = "Apple M1 \"Pro\"\n";
  header.machine.thermal_state = "nominal";
  header.machine.cores = 8;
  header.model = "fastvit_t8.mlpackage";
  header.model_hash = std::string(64, 'a');
  header.threads = 4;
  header.backend = "coreml";
  header.compute_units = "all";
  return header;
}

std::vector<RunCall> Calls() {
  RunCall good;
  good.duration_ns = 1'000'000;
  good.backend = "coreml";
  good.planned = ComputeUnit::kAne;
  good.circuit_state = CircuitState::kClosed;
  RunCall fallen = good;
  fallen.start_ns = 5'000'000;
  fallen.duration_ns = 3'000'000;
  fallen.backend = "cpu";
  fallen.planned = fallen.observed = ComputeUnit::kCpu;
  fallen.attempts = 2;
  fallen.fallback_reason = FallbackReason::kTimeout;
  RunCall bad = good;
  bad.ok = false;
  bad.failure = FailureKind::kCrash;
  bad.circuit_state.reset();
  std::vector<RunCall> calls = {good, fallen, bad, good};
  for (size_t i = 0; i < calls.size(); ++i) calls[i].index = static_cast<int64_t>(i);
  return calls;
}

class RunRecordTest : public ::testing::Test {
 protected:
  std::string Write(const RunHeader& header, const std::vector<RunCall>& calls, bool finish = true,
                    const TelemetrySnapshot* telemetry = nullptr) {
    auto writer = RunRecordWriter::Create(path_, header);
    EXPECT_TRUE(writer.ok()) << writer.error().ToString();
    for (const RunCall& call : calls) EXPECT_TRUE((*writer)->Append(call).ok());
    if (finish) {
      EXPECT_TRUE((*writer)->Finish(telemetry, 2).ok());
    }
    return test::ReadText(path_);
  }
  static std::string ErrorOf(const std::string& text) {
    const auto record = ParseRunRecord(text, "run.jsonl");
    if (record.ok()) return "read";
    EXPECT_EQ(record.error().code(), ErrorCode::kInvalidInput);
    return record.error().ToString();
  }

  test::ScratchFolder scratch_;
  std::string path_ = scratch_ / "run.jsonl";
};

TEST_F(RunRecordTest, ReadsBackWhatWasWritten) {
  RunHeader header = Header();
  header.planned_units.emplace();
  header.planned_units->emplace_back("conv_1", ComputeUnit::kAne);
  header.planned_units->emplace_back("softmax \xff", ComputeUnit::kUnknown);
  Telemetry telemetry;
  telemetry.record_compile(7'000'000, true);
  telemetry.record_inference(1, true);
  telemetry.record_memory(12345);
  const TelemetrySnapshot snapshot = telemetry.Snapshot();
  Write(header, Calls(), true, &snapshot);

  const auto record = ReadRunRecord(path_);
  ASSERT_TRUE(record.ok()) << record.error().ToString();
  header.planned_units->back().first = "softmax \xef\xbf\xbd";  // not UTF-8: replaced
  EXPECT_EQ(record->header, header);
  EXPECT_EQ(record->calls, Calls());
  EXPECT_FALSE(record->torn);
  ASSERT_TRUE(record->summary);
  EXPECT_EQ(record->summary->calls, 4);
  EXPECT_EQ(record->summary->ok, 3);
  EXPECT_EQ(record->summary->failures[static_cast<size_t>(FailureKind::kCrash)], 1);
  EXPECT_EQ(record->summary->fallbacks[static_cast<size_t>(FallbackReason::kTimeout)], 1);
  EXPECT_EQ(record->summary->observed[static_cast<size_t>(ComputeUnit::kAne)], 0);
  EXPECT_EQ(record->summary->latency->max_ns, 3'000'000);
  EXPECT_EQ(record->summary->compile.succeeded, 1);
  EXPECT_EQ(record->summary->memory_high_water_bytes, 12345);
  EXPECT_EQ(record->summary->circuit_transitions, 2);
}

// The fixture is what the Python tests hold against the published schema.
TEST_F(RunRecordTest, LinesAreThoseOfTheFixture) {
  RunHeader header = Header();
  header.planned_units.emplace();
  header.planned_units->emplace_back("conv_1", ComputeUnit::kAne);
  const std::string text = Write(header, Calls());
  const std::string fixture = "tests/fixtures/runtime/run.jsonl";
  if (std::getenv("ANEMONE_UPDATE_FIXTURES") != nullptr) test::WriteText(fixture, text);
  EXPECT_EQ(text, test::ReadText(fixture));
}

TEST_F(RunRecordTest, UnknownIsNull) {
  const std::string text = Write(Header(), {});
  EXPECT_NE(text.find(R"("planned_units":null)"), std::string::npos);
  EXPECT_NE(text.find(R"("power_mode":null)"), std::string::npos);
  EXPECT_NE(text.find(R"("latency":null)"), std::string::npos);
  EXPECT_NE(text.find(R"("memory_high_water_bytes":null)"), std::string::npos);
  const auto record = ParseRunRecord(text, "f");
  ASSERT_TRUE(record.ok()) << record.error().ToString();
  EXPECT_FALSE(record->summary->latency);
  EXPECT_FALSE(record->header.planned_units);
}

TEST_F(RunRecordTest, CreateReplacesAnOlderRecord) {
  Write(Header(), Calls());
  const std::string text = Write(Header(), {});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_EQ(
      RunRecordWriter::Create(scratch_ / "no" + std::string("/run.jsonl"), Header()).error().code(),
      ErrorCode::kIo);
}

TEST_F(RunRecordTest, NothingFollowsTheEnd) {
  auto writer = RunRecordWriter::Create(path_, Header());
  ASSERT_TRUE((*writer)->Finish(nullptr).ok());
  EXPECT_FALSE((*writer)->Append({}).ok());
  EXPECT_FALSE((*writer)->Finish(nullptr).ok());
}

TEST_F(RunRecordTest, AnyPrefixIsRefusedOrReadAsThatManyCalls) {
  const std::string text = Write(Header(), Calls());
  const size_t header_end = text.find('\n') + 1;
  for (size_t size = 0; size < text.size(); ++size) {
    const auto record = ParseRunRecord(std::string_view(text).substr(0, size), "f");
    ASSERT_EQ(record.ok(), size >= header_end) << size;
    if (!record.ok()) continue;
    const auto lines = std::count(text.begin(), text.begin() + static_cast<int64_t>(size), '\n');
    EXPECT_EQ(static_cast<int64_t>(record->calls.size()), lines - 1);
    EXPECT_EQ(record->torn, text[size - 1] != '\n');
    EXPECT_FALSE(record->summary);
  }
}

TEST_F(RunRecordTest, EverythingElseIsRefusedWithLineAndRule) {
  const std::string text = Write(Header(), Calls());
  const auto with = [&](std::string_view from, std::string_view to, int which = 0) {
    std::string changed = text;
    size_t at = changed.find(from);
    for (int i = 0; i < which; ++i) at = changed.find(from, at + 1);
    EXPECT_NE(at, std::string::npos) << from;
    changed.replace(at, from.size(), to);
    return ErrorOf(changed);
  };
  struct Case {
    std::string got;
    std::string expected;
  };
  const std::vector<Case> cases = {
      {ErrorOf(""), "run.jsonl:1: the first line must be a header"},
      {ErrorOf("{}\n"), "run.jsonl:1: the first line must be a header"},
      {ErrorOf("\n"), "run.jsonl:1: each line must be JSON"},
      {ErrorOf(std::string(1000, '[') + "\n"), "run.jsonl:1: each line must be JSON"},
      {with("anemone.run", "anemone.ran"), "run.jsonl:1: the first line must be a header"},
      {with("\"schema_version\":1", "\"schema_version\":2"), "'schema_version' must be 1"},
      {with("\"os\":\"macos\"", "\"os\":7"), "run.jsonl:1: machine.os: must be text, but is 7"},
      {with("nominal", "warm"), "machine.thermal_state: must be \"nominal\", \"fair\""},
      {with("\"cores\":8,", ""), "machine.cores: must be given"},
      {with("\"clients\":1", "\"clients\":0"), "clients: must be an integer of at least 1"},
      {with("aaaa", "AAAA"), "model_hash: must be 64 lower-case hexadecimal digits"},
      {with("\"planned_units\":null", "\"planned_units\":{\"a\":\"tpu\"}"),
       "planned_units.a: must be a unit's name, but is \"tpu\""},
      {with("\"threads\":4", "\"threads\":4,\"extra\":1"), "extra: is not a key here"},
      {with("\"threads\":4", "\"threads\":4,\"threads\":4"), "threads: must be given once"},
      {with("\"index\":1", "\"index\":2"),
       "run.jsonl:3: 'index' must count the calls: 1 is expected"},
      {with("\"duration_ns\":1000000", "\"duration_ns\":-1"),
       "run.jsonl:2: duration_ns: must be an integer of at least 0, but is -1"},
      {with("\"duration_ns\":1000000", "\"duration_ns\":1e6"), "must be an integer"},
      {with("\"duration_ns\":1000000", "\"duration_ns\":18446744073709551615"),
       "must be an integer"},
      {with("\"ok\":true", "\"ok\":1"), "ok: must be true or false"},
      {with("\"ok\":false", "\"ok\":true"), "run.jsonl:4: 'failure' must be given exactly when"},
      {with("\"planned_unit\":\"ane\"", "\"planned_unit\":\"npu\""), "planned_unit: must be one"},
      {with("\"attempts\":2", "\"attempts\":0"), "run.jsonl:3: attempts: must be an integer"},
      {with("\"circuit_state\":\"closed\"", "\"circuit_state\":\"ajar\""), "circuit_state: must"},
      {with("\"type\":\"call\"", "\"type\":\"cell\""), "'type' must be \"call\", \"memory\""},
      {with("\"calls\":4", "\"calls\":5"),
       "run.jsonl:6: 'calls' must agree with the lines above: 4 is expected, but it is 5"},
      {with("\"crash\":1", "\"crash\":0"), "'failures.crash' must agree"},
      {with("\"timeout\":1", "\"timeout\":0"), "'fallbacks.timeout' must agree"},
      {with("\"observed_units\":{\"unknown\":3,\"cpu\":1,\"gpu\":0,\"ane\":0",
            "\"observed_units\":{\"unknown\":0,\"cpu\":1,\"gpu\":0,\"ane\":3"),
       "'observed_units.unknown' must agree"},
      {with("\"p50_ns\":100", "\"p50_ns\":120"), "'latency.p50_ns' must be within 1 %"},
      {with("\"max_ns\":3000000", "\"max_ns\":3000001"), "'latency.max_ns' must agree"},
      {with("\"succeeded\":0", "\"succeeded\":1"), "compile.p50_ns: must be given exactly when"},
      {ErrorOf(text + "{}\n"), "run.jsonl:7: nothing may follow the summary"},
      {ErrorOf(text + "{"), "run.jsonl:7: nothing may follow the summary"},
      {with("}\n{\"type\":\"call\",\"index\":1", "}\n\n{\"type\":\"call\",\"index\":1"),
       "run.jsonl:3: each line must be JSON"},
      {with("\"index\":1,", "\"index\":1,\"x\":\"" + std::string(70'000, 'x') + "\","),
       "a line must not exceed 65536 bytes"},
  };
  for (const Case& c : cases) {
    EXPECT_NE(c.got.find(c.expected), std::string::npos) << c.got << "\n  for " << c.expected;
  }
}

TEST_F(RunRecordTest, HostileBytesAreRefusedOrReadNeverWorse) {
  const std::string text = Write(Header(), Calls());
  std::mt19937_64 engine(7);
  int read = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string changed = text;
    const auto flips = 1 + engine() % 3;
    for (uint64_t f = 0; f < flips; ++f) {
      changed[engine() % changed.size()] = static_cast<char>(engine());
    }
    const auto record = ParseRunRecord(changed, "f");
    read += record.ok() ? 1 : 0;
    if (!record.ok()) {
      EXPECT_EQ(record.error().place().rfind("f:", 0), 0u);
    }
  }
  EXPECT_LT(read, 2500) << "most bytes matter";
}

TEST_F(RunRecordTest, CallsFromManyThreadsAreNumberedInOrder) {
  auto writer = RunRecordWriter::Create(path_, Header());
  ASSERT_TRUE(writer.ok());
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 250; ++i) {
        RunCall call;
        call.backend = "cpu";
        call.duration_ns = 1000 * t + i;
        EXPECT_TRUE((*writer)->Append(call).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE((*writer)->Finish(nullptr).ok());
  const auto record = ReadRunRecord(path_);
  ASSERT_TRUE(record.ok()) << record.error().ToString();
  EXPECT_EQ(record->calls.size(), 2000u);
}

// A process that is killed while it writes leaves whole lines and at most one torn one.
TEST_F(RunRecordTest, KillNineLeavesAReadableRecord) {
  for (int round = 0; round < 10; ++round) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto writer = RunRecordWriter::Create(path_, Header());
      RunCall call;
      call.backend = "coreml";
      while (writer.ok() && (*writer)->Append(call).ok()) {
      }
      _exit(1);
    }
    // A busy machine may start the child late: what counts is the time since its first calls.
    std::error_code error;
    const auto written = [&] {
      const auto size = std::filesystem::file_size(path_, error);
      return error ? 0 : size;
    };
    for (int i = 0; i < 10000 && written() < 2000; ++i) usleep(1000);
    usleep(500 + round * 1500);
    ASSERT_EQ(kill(child, SIGKILL), 0);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    const auto record = ReadRunRecord(path_);
    ASSERT_TRUE(record.ok()) << record.error().ToString();
    EXPECT_FALSE(record->summary);
    EXPECT_GT(record->calls.size(), 0u);
    std::filesystem::remove(path_, error);
  }
}

TEST(DescribeMachineTest, KnowsTheSystemAndGuessesNothing) {
  const RunMachine machine = DescribeMachine();
  EXPECT_FALSE(machine.os.empty());
  EXPECT_FALSE(machine.architecture.empty());
  EXPECT_GT(machine.cores.value_or(0), 0);
#ifdef __linux__
  EXPECT_EQ(machine.os, "linux");
  EXPECT_FALSE(machine.thermal_state.has_value());
  EXPECT_FALSE(machine.power_mode.has_value());
  EXPECT_FALSE(machine.qos.has_value());
#endif
}

TEST_F(RunRecordTest, MemoryAndParityLinesComeBack) {
  auto writer = RunRecordWriter::Create(path_, Header());
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->AppendMemory({10, 0, 4096}).ok());
  ASSERT_TRUE((*writer)->Append(Calls()[0]).ok());
  ASSERT_TRUE((*writer)->AppendMemory({20, 99, 8192}).ok());  // 99 is corrected
  const RunParity parity{"y \"1\"", "real", "cpu", "fp16", 3, 0, 1.25e-3, 1e-4, true};
  ASSERT_TRUE((*writer)->AppendParity(parity).ok());
  RunParity broken = parity;
  broken.l_inf = std::numeric_limits<double>::infinity();
  ASSERT_TRUE((*writer)->AppendParity(broken).ok());
  ASSERT_TRUE((*writer)->Finish(nullptr).ok());
  const auto record = ReadRunRecord(path_);
  ASSERT_TRUE(record.ok()) << record.error().ToString();
  EXPECT_EQ(record->memory, (std::vector<RunMemory>{{10, 0, 4096}, {20, 1, 8192}}));
  ASSERT_EQ(record->parity.size(), 2u);
  EXPECT_EQ(record->parity[0], parity);
  EXPECT_EQ(record->parity[1].l_inf, std::nullopt);
  EXPECT_FALSE((*writer)->AppendMemory({}).ok());

  const std::string text = test::ReadText(path_);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string copy = text;
    return copy.replace(copy.find(from), from.size(), to);
  };
  EXPECT_NE(ErrorOf(with("\"calls\":1", "\"calls\":2")).find("run.jsonl:4: 'calls' must count"),
            std::string::npos);
  EXPECT_NE(ErrorOf(with("\"real\"", "\"unreal\"")).find("inputs: must be"), std::string::npos);
  EXPECT_NE(ErrorOf(with("0.00125", "-1")).find("l_inf: must be a number of at least 0"),
            std::string::npos);
}

}  // namespace
}  // namespace anemone::runtime
