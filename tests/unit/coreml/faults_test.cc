// Each way in which Core ML fails becomes one typed error, and nothing outlives the call.
#include <atomic>
#include <cmath>
#include <thread>

#include "coreml_test_util.h"
#include "exec/failure.h"

namespace anemone::coreml {
namespace {

using exec::FailureKind;

struct FaultCase {
  const char* script;
  FailureKind kind;
  const char* says;
};

TEST_F(CoreMlTest, FailuresOfLoadingAreTyped) {
  const ModelPtr model = test::ParseModel(kSmallNet);
  for (const FaultCase& c : {
           FaultCase{"compile=error", FailureKind::kCompileError, "com.apple.CoreML 0: injected"},
           FaultCase{"compile=error:3", FailureKind::kCompileError,
                     "because of NSPOSIXErrorDomain 5"},
           FaultCase{"compile=throw", FailureKind::kCompileError,
                     "threw DoubleException: injected"},
           FaultCase{"compile=nil", FailureKind::kCompileError, "gave no reason"},
           FaultCase{"compile=memory", FailureKind::kMemoryPressure, "unable to allocate memory"},
           FaultCase{"load=error:3", FailureKind::kLoadError, "com.apple.CoreML 3"},
           FaultCase{"load=throw", FailureKind::kLoadError, "threw"},
           FaultCase{"load=nil", FailureKind::kLoadError, "gave no reason"},
           FaultCase{"load=memory", FailureKind::kMemoryPressure, "memory"},
       }) {
    Script(c.script);
    auto executable = LoadIt(model);
    ExpectFailure(executable, c.kind, c.says);
    EXPECT_EQ(CoreMLDoubleLiveObjects(), live_before_) << c.script;
  }
}

TEST_F(CoreMlTest, FailuresOfPredictionsAreTyped) {
  const Subject net = SubjectOf(test::ParseModel(kHalfNet));
  ASSERT_NE(net.executable, nullptr);
  ASSERT_TRUE(net.Run().ok());
  const int64_t live = CoreMLDoubleLiveObjects();
  for (const FaultCase& c : {
           FaultCase{"predict=error", FailureKind::kRuntimeError, "injected: predicting failed"},
           FaultCase{"predict=error:1", FailureKind::kSchemaMismatch, "com.apple.CoreML 1"},
           FaultCase{"predict=memory", FailureKind::kMemoryPressure, "memory"},
           FaultCase{"predict=throw", FailureKind::kRuntimeError, "threw DoubleException"},
           FaultCase{"predict=nil", FailureKind::kRuntimeError, "gave no reason"},
           FaultCase{"predict=shape", FailureKind::kSchemaMismatch, "is declared"},
           FaultCase{"predict=dtype", FailureKind::kSchemaMismatch, "int32"},
           FaultCase{"predict=missing", FailureKind::kSchemaMismatch, "no output 'z'"},
       }) {
    Script(c.script);
    ExpectFailure(net.Run(), c.kind, c.says);
    // The executable is as good as before.
    Script("");
    net.ExpectRight();
    EXPECT_LE(CoreMLDoubleLiveObjects(), live + 4) << c.script;
  }
}

TEST_F(CoreMlTest, WrongValuesAreDeliveredForTheRuntimeToJudge) {
  const Subject net = SubjectOf(test::ParseModel(kHalfNet));
  ASSERT_NE(net.executable, nullptr);
  Script("predict@1=nan;predict@2=inf;predict@3=wrong");
  for (int call = 0; call < 3; ++call) {
    auto outputs = net.Run();
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    const float got = outputs->at("y").As<float>()[0], right = net.want.at("y").As<float>()[0];
    EXPECT_EQ(std::isnan(got), call == 0);
    EXPECT_EQ(std::isinf(got), call == 1);
    EXPECT_NE(got, right);
  }
}

TEST_F(CoreMlTest, TenThousandPredictionsLeaveNothingBehind) {
  const Subject net = SubjectOf(test::ParseModel(kHalfNet));
  ASSERT_NE(net.executable, nullptr);
  ASSERT_TRUE(net.Run().ok());
  const int64_t live = CoreMLDoubleLiveObjects();
  // Failures of every kind among them, as pools must be drained on those paths too.
  Script(
      "seed=3;predict@2%=error;predict@2%=throw;predict@2%=shape;predict@2%=missing;"
      "predict@2%=nil;predict@5%=copy");
  int64_t failed = 0;
  for (int call = 0; call < 10000; ++call) {
    auto outputs = net.Run();
    if (!outputs.ok()) {
      ++failed;
    } else if (call % 1000 == 0) {
      ExpectSame(*outputs, net.want);
    }
    ASSERT_LE(CoreMLDoubleLiveObjects(), live + 4) << call;
  }
  EXPECT_EQ(failed, 10000 - CoreMLDoubleFaults(kFaultOk) - CoreMLDoubleFaults(kFaultCopy));
  EXPECT_GT(failed, 700);
  Script("");
  ASSERT_TRUE(net.Run().ok());
  EXPECT_LE(CoreMLDoubleLiveObjects(), live + 4);
}

TEST_F(CoreMlTest, TheLeakCounterSeesALeak) {
  Subject net = SubjectOf(test::ParseModel(kSmallNet));
  ASSERT_NE(net.executable, nullptr);
  Script("predict=leak:3");
  for (int call = 0; call < 10; ++call) ASSERT_TRUE(net.Run().ok());
  net.executable.reset();
  EXPECT_EQ(CoreMLDoubleLiveObjects(), live_before_ + 30);
  live_before_ += 30;
}

TEST_F(CoreMlTest, ThreadsWithExecutablesOfTheirOwnDoNotMix) {
  const ModelPtr model = test::ParseModel(kSmallNet);
  Script(
      "seed=11;predict@3%=error;predict@3%=throw;predict@3%=nil;predict@3%=dtype;"
      "predict@5%=copy");
  std::vector<std::thread> threads;
  std::atomic<int> right{0}, typed{0}, bad{0};
  for (uint64_t id = 0; id < 8; ++id) {
    threads.emplace_back([&, id] {
      const Subject net = SubjectOf(model, id);
      if (net.executable == nullptr) {
        ++bad;
        return;
      }
      for (int call = 0; call < 500; ++call) {
        auto outputs = net.Run();
        if (!outputs.ok()) {
          typed += exec::FailureKindOf(outputs.error()).has_value() ? 1 : 0;
          continue;
        }
        const exec::Tensor &got = outputs->at("y"), &wanted = net.want.at("y");
        const bool same = std::memcmp(got.As<char>(), wanted.As<char>(), wanted.size_bytes()) == 0;
        ++(same ? right : bad);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(bad, 0);
  EXPECT_EQ(right + typed, 8 * 500);
  EXPECT_GT(typed, 200);
}

TEST_F(CoreMlTest, ScriptsThatMakeNoSenseAreRefused) {
  char error[160];
  for (const char* script : {"predict", "predict=", "predict=explode", "run=ok", "predict@=ok",
                             "predict@x=ok", "predict=slow:x", "seed=", "predict@3-=ok"}) {
    EXPECT_FALSE(CoreMLDoubleSetScript(script, error, sizeof error)) << script;
  }
}

}  // namespace
}  // namespace anemone::coreml
