#include "exec/failure.h"

#include <gtest/gtest.h>

namespace anemone::exec {
namespace {

TEST(Failure, EveryKindSurvivesAnErrorAndItsPlaces) {
  for (const FailureKind kind : kFailureKinds) {
    EXPECT_EQ(FailureKindFromName(FailureKindName(kind)), kind);
    const Error error = Failure(kind, "com.apple.CoreML 3: it: did not").At("op conv").At("model");
    EXPECT_EQ(FailureKindOf(error), kind) << error.ToString();
  }
}

TEST(Failure, TheCallersMistakesAreNone) {
  EXPECT_EQ(FailureKindOf(Usage("input 'x' is not given")), std::nullopt);
  EXPECT_EQ(FailureKindOf(InvalidInput("bad")), std::nullopt);
  EXPECT_EQ(FailureKindOf(Cancelled("stop")), std::nullopt);
}

TEST(Failure, ErrorsWithoutAKindAreJudgedByTheirCode) {
  EXPECT_EQ(FailureKindOf(Error(ErrorCode::kTimeout, "late: by 3 s")), FailureKind::kTimeout);
  EXPECT_EQ(FailureKindOf(Error(ErrorCode::kBackendCrashed, "signal 9")), FailureKind::kCrash);
  EXPECT_EQ(FailureKindOf(Internal("a: b")), FailureKind::kRuntimeError);
}

TEST(Failure, UnknownNamesAreNoKind) {
  EXPECT_EQ(FailureKindFromName("Timeout"), std::nullopt);
  EXPECT_EQ(FailureKindFromName(""), std::nullopt);
}

}  // namespace
}  // namespace anemone::exec
