// The first load in a child process: the child is this test binary, started again with the double
// told to crash, hang and so on. Whatever it does, the parent gets a typed verdict.
#include "runtime/first_load.h"

#include <sys/wait.h>

#include <cerrno>

#include "coreml_test_util.h"
#include "runtime/compiled_cache.h"

namespace anemone::coreml {
namespace {

using exec::FailureKind;
using runtime::FirstLoadOptions;
using runtime::FirstLoadVerdict;

class FirstLoadTest : public CoreMlTest {
 protected:
  void SetUp() override {
    CoreMlTest::SetUp();
    options_.helper = {"/proc/self/exe"};
    options_.verdict_dir = scratch_ / "verdicts";
    options_.timeout = std::chrono::seconds(60);
    load_.package_path = Fixture("convolution_spec6");
    load_.cache_dir = scratch_ / "cache";
    model_ = ReadFixture("convolution_spec6");
    ASSERT_NE(model_, nullptr);
  }
  // The child's double gets the script through the environment.
  FirstLoadVerdict Try(const char* script) {
    ::setenv("ANEMONE_COREML_DOUBLE", script, 1);
    auto verdict = runtime::TryFirstLoad(CoreMlBackend(), *model_, load_, options_);
    ::unsetenv("ANEMONE_COREML_DOUBLE");
    EXPECT_TRUE(verdict.ok()) << verdict.status().ToString();
    return verdict.ok() ? *verdict : FirstLoadVerdict();
  }
  void Forget() { std::filesystem::remove_all(options_.verdict_dir); }

  test::ScratchFolder scratch_;
  FirstLoadOptions options_;
  exec::LoadOptions load_;
  ModelPtr model_;
};

TEST_F(FirstLoadTest, AGoodModelPassesOnceAndIsRemembered) {
  const FirstLoadVerdict first = Try("");
  EXPECT_TRUE(first.passed) << first.message << first.errors;
  EXPECT_TRUE(first.self_tested);
  EXPECT_FALSE(first.remembered);
  EXPECT_GT(first.load_ns.value_or(0), 0);
  EXPECT_GT(first.first_inference_ns.value_or(0), 0);
  EXPECT_GT(first.peak_rss_bytes.value_or(0), 0);
  // The second time no child is started: this one would crash.
  const FirstLoadVerdict second = Try("load=crash");
  EXPECT_TRUE(second.passed);
  EXPECT_TRUE(second.remembered);
  EXPECT_EQ(second.load_ns, first.load_ns);
  // The child compiled into the cache that the caller uses.
  Script("compile=error");
  EXPECT_TRUE(LoadIt(model_, load_).ok());
}

struct FirstLoadCase {
  const char* script;
  FailureKind kind;
  int signal;
  const char* phase;
};

TEST_F(FirstLoadTest, WhatTheChildSuffersIsTypedAndTheParentLives) {
  for (const FirstLoadCase& c : {
           FirstLoadCase{"compile=crash:9", FailureKind::kCrash, 9, "load"},
           FirstLoadCase{"load=crash:11", FailureKind::kCrash, 11, "load"},
           FirstLoadCase{"load=crash:6", FailureKind::kCrash, 6, "load"},
           FirstLoadCase{"predict=crash:9", FailureKind::kCrash, 9, "predict"},
           FirstLoadCase{"predict=nan", FailureKind::kNonFinite, 0, "predict"},
           FirstLoadCase{"predict=inf", FailureKind::kNonFinite, 0, "predict"},
           FirstLoadCase{"predict=wrong", FailureKind::kParityDrift, 0, "predict"},
           FirstLoadCase{"predict=shape", FailureKind::kSchemaMismatch, 0, "predict"},
           FirstLoadCase{"predict=missing", FailureKind::kSchemaMismatch, 0, "predict"},
           FirstLoadCase{"predict=throw", FailureKind::kRuntimeError, 0, "predict"},
           FirstLoadCase{"predict=memory", FailureKind::kMemoryPressure, 0, "predict"},
           FirstLoadCase{"compile=error", FailureKind::kCompileError, 0, "load"},
           FirstLoadCase{"load=error", FailureKind::kLoadError, 0, "load"},
           FirstLoadCase{"load=throw", FailureKind::kLoadError, 0, "load"},
       }) {
    Forget();
    std::filesystem::remove_all(load_.cache_dir);
    const FirstLoadVerdict verdict = Try(c.script);
    EXPECT_FALSE(verdict.passed) << c.script;
    EXPECT_EQ(verdict.failure, c.kind) << c.script << ": " << verdict.message;
    EXPECT_EQ(verdict.signal, c.signal) << c.script;
    EXPECT_EQ(verdict.phase, c.phase) << c.script;
    EXPECT_EQ(exec::FailureKindOf(verdict.status().error()), c.kind) << c.script;
    // It is remembered with all its details.
    const FirstLoadVerdict again = Try("");
    EXPECT_TRUE(again.remembered) << c.script;
    EXPECT_EQ(again.failure, verdict.failure);
    EXPECT_EQ(again.message, verdict.message);
    EXPECT_EQ(again.signal, verdict.signal);
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);  // no zombies
  EXPECT_EQ(errno, ECHILD);
}

TEST_F(FirstLoadTest, APlanThatEndsTheChildIsNotAskedForAgain) {
  for (const char* script : {"plan=crash:6", "plan=hang"}) {
    Forget();
    options_.timeout = std::chrono::seconds(4);
    const FirstLoadVerdict verdict = Try(script);
    EXPECT_TRUE(verdict.passed) << script << ": " << verdict.message;  // the model itself is good
    EXPECT_TRUE(verdict.self_tested);
    EXPECT_EQ(verdict.planned, false) << script;
    EXPECT_EQ(Try("").planned, false) << script;  // it is remembered
  }
  Forget();
  EXPECT_EQ(Try("").planned, true);
  Forget();
  EXPECT_EQ(Try("plan=error").planned, true);  // an error does no harm
}

TEST_F(FirstLoadTest, AHangEndsAtTheDeadline) {
  options_.timeout = std::chrono::milliseconds(700);
  for (const char* script : {"load=hang", "predict=hang", "compile=hang"}) {
    Forget();
    std::filesystem::remove_all(load_.cache_dir);
    const auto start = std::chrono::steady_clock::now();
    const FirstLoadVerdict verdict = Try(script);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
    EXPECT_EQ(verdict.failure, FailureKind::kTimeout) << script << ": " << verdict.message;
    EXPECT_EQ(verdict.signal, 0);
  }
}

TEST_F(FirstLoadTest, ACrashWhileCompilingDoesNotPoisonTheCache) {
  EXPECT_EQ(Try("compile=crash").failure, FailureKind::kCrash);
  Forget();
  const FirstLoadVerdict verdict = Try("");
  EXPECT_TRUE(verdict.passed) << verdict.message;
  auto executable = LoadIt(model_, load_);
  ASSERT_TRUE(executable.ok()) << executable.status().ToString();
  const Tensors inputs = RandomInputs(model_, 1);
  ExpectSame(executable.value()->Run(inputs, nullptr, nullptr).value(), RunOnCpu(model_, inputs));
}

TEST_F(FirstLoadTest, OldFailuresAreTriedAgain) {
  EXPECT_EQ(Try("load=crash").failure, FailureKind::kCrash);
  options_.retry_after = std::chrono::seconds(0);
  EXPECT_TRUE(Try("").passed);
}

TEST_F(FirstLoadTest, VerdictsDependOnAllThatMatters) {
  const auto key = [&](const exec::LoadOptions& load, const std::string& content = "c") {
    return runtime::FirstLoadKey(CoreMlBackend(), content, load).value();
  };
  exec::LoadOptions units = load_, function = load_, hints = load_;
  units.compute_units = ComputeUnits::kCpuOnly;
  function.function = "f";
  hints.hints.fast_prediction = true;
  EXPECT_EQ(key(load_), key(load_));
  for (const exec::LoadOptions& other : {units, function, hints}) EXPECT_NE(key(load_), key(other));
  EXPECT_NE(key(load_), key(load_, "d"));
}

TEST_F(FirstLoadTest, ADamagedVerdictIsNoVerdict) {
  EXPECT_TRUE(Try("").passed);
  for (const auto& file : std::filesystem::directory_iterator(options_.verdict_dir)) {
    if (file.path().extension() == ".json") test::WriteText(file.path(), R"({"passed": true})");
  }
  EXPECT_EQ(Try("load=crash").failure, FailureKind::kCrash);
}

TEST_F(FirstLoadTest, AModelInMemoryIsWrittenForTheChild) {
  model_ = test::ParseModel(kHalfNet);
  load_.package_path.clear();
  EXPECT_TRUE(Try("").passed);
  EXPECT_TRUE(Try("load=crash").remembered);
  // A model of open shapes is run on those that it declares as its default.
  model_ =
      test::ParseModel("func main<ios17>(tensor<fp32, [?, 3]> x) { y = relu(x = x); } -> (y);");
  const FirstLoadVerdict dynamic = Try("");
  EXPECT_TRUE(dynamic.passed) << dynamic.message;
  EXPECT_TRUE(dynamic.self_tested);
}

TEST_F(FirstLoadTest, WithoutAHelperNothingIsClaimed) {
  options_.helper = {"/no/such/helper"};
  auto verdict = runtime::TryFirstLoad(CoreMlBackend(), *model_, load_, options_);
  ASSERT_FALSE(verdict.ok());
  EXPECT_EQ(verdict.error().code(), ErrorCode::kNotFound);
  // A program that is not a helper fails without a phase: nothing is known.
  options_.helper = {"/bin/false"};
  EXPECT_EQ(Try("").failure, FailureKind::kUnknown);
}

TEST_F(FirstLoadTest, TemporaryFoldersDoNotOutliveTheChild) {
  const test::ScratchFolder temporary;
  ::setenv("TMPDIR", temporary.path().c_str(), 1);
  for (const char* script : {"", "compile=crash", "load=crash", "predict=crash"}) {
    Forget();
    std::filesystem::remove_all(load_.cache_dir);
    Try(script);
    EXPECT_EQ(temporary.entries(), 0U) << script;
  }
  ::unsetenv("TMPDIR");
}

}  // namespace
}  // namespace anemone::coreml
