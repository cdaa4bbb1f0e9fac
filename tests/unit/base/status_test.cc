#include "base/status.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <set>
#include <string>

namespace anemone {
namespace {

Result<int> ParseDigit(char c) {
  if (c < '0' || c > '9') return InvalidInput("'{}' is not a digit", c).Advise("use 0 to 9");
  return c - '0';
}

Status Check(char c, int limit) {
  ANEMONE_ASSIGN(const int digit, ParseDigit(c));
  if (digit > limit) return Unsupported("{} exceeds the limit of {}", digit, limit).At("Check");
  return {};
}

Result<int> Sum(const std::string& text) {
  int sum = 0;
  for (const char c : text) {
    ANEMONE_TRY(Check(c, 8));
    int digit = 0;
    ANEMONE_ASSIGN(digit, ParseDigit(c));
    sum += digit;
  }
  return sum;
}

TEST(ErrorTest, PlacesNestFromTheOutside) {
  const Error error = InvalidInput("bad").At("op conv_1").At("model.onnx");
  EXPECT_EQ(error.place(), "model.onnx: op conv_1");
  EXPECT_EQ(error.ToString(), "model.onnx: op conv_1: bad");
}

TEST(ErrorTest, LastAdviceWins) {
  const Error error = Usage("bad flag").Advise("first").Advise("second");
  EXPECT_EQ(error.advice(), "second");
  EXPECT_EQ(error.ToString(), "bad flag (second)");
}

TEST(ErrorTest, MessageIsFormatted) {
  EXPECT_EQ(IoError("{} of {:#x} bytes", 3, 255).message(), "3 of 0xff bytes");
}

TEST(ErrorTest, EachMakerHasItsCode) {
  EXPECT_EQ(Mismatch("x").code(), ErrorCode::kMismatch);
  EXPECT_EQ(Usage("x").code(), ErrorCode::kUsage);
  EXPECT_EQ(InvalidInput("x").code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(Unsupported("x").code(), ErrorCode::kUnsupported);
  EXPECT_EQ(NotFound("x").code(), ErrorCode::kNotFound);
  EXPECT_EQ(IoError("x").code(), ErrorCode::kIo);
  EXPECT_EQ(Unavailable("x").code(), ErrorCode::kUnavailable);
  EXPECT_EQ(Cancelled("x").code(), ErrorCode::kCancelled);
  EXPECT_EQ(Internal("x").code(), ErrorCode::kInternal);
}

// The exit codes are a promise to scripts (the table of exit codes in the command's help).
TEST(ErrorTest, ExitCodes) {
  EXPECT_EQ(ExitCode(ErrorCode::kMismatch), 1);
  EXPECT_EQ(ExitCode(ErrorCode::kUsage), 2);
  EXPECT_EQ(ExitCode(ErrorCode::kInvalidInput), 3);
  EXPECT_EQ(ExitCode(ErrorCode::kUnsupported), 3);
  EXPECT_EQ(ExitCode(ErrorCode::kNotFound), 3);
  EXPECT_EQ(ExitCode(ErrorCode::kIo), 3);
  EXPECT_EQ(ExitCode(ErrorCode::kUnavailable), 4);
  EXPECT_EQ(ExitCode(ErrorCode::kBackendCrashed), 5);
  EXPECT_EQ(ExitCode(ErrorCode::kTimeout), 6);
  EXPECT_EQ(ExitCode(ErrorCode::kUnitNotObtained), 7);
  EXPECT_EQ(ExitCode(ErrorCode::kInconclusive), 8);
  EXPECT_EQ(ExitCode(ErrorCode::kCancelled), 70);
  EXPECT_EQ(ExitCode(ErrorCode::kInternal), 70);
}

TEST(ErrorTest, CodeNamesAreDistinct) {
  constexpr std::array kAll{
      ErrorCode::kMismatch,        ErrorCode::kUsage,          ErrorCode::kInvalidInput,
      ErrorCode::kUnsupported,     ErrorCode::kNotFound,       ErrorCode::kIo,
      ErrorCode::kUnavailable,     ErrorCode::kBackendCrashed, ErrorCode::kTimeout,
      ErrorCode::kUnitNotObtained, ErrorCode::kInconclusive,   ErrorCode::kCancelled,
      ErrorCode::kInternal};
  std::set<std::string_view> names;
  for (const ErrorCode code : kAll) names.insert(ErrorCodeName(code));
  EXPECT_EQ(names.size(), kAll.size());
  EXPECT_TRUE(names.contains("invalid_input"));
}

TEST(StatusTest, DefaultIsOk) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.ToString(), "OK");
  EXPECT_TRUE(Status().At("anywhere").ok());
}

TEST(StatusTest, CopiesAreIndependent) {
  Status first = NotFound("no file");
  const Status second = first;
  first = Status();
  EXPECT_TRUE(first.ok());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().message(), "no file");
  first = second;
  first = *&first;
  EXPECT_EQ(first.ToString(), "no file");
}

TEST(StatusTest, AtAddsAPlace) {
  const Status status = Status(IoError("disk full")).At("weight.bin");
  EXPECT_EQ(status.ToString(), "weight.bin: disk full");
}

TEST(ResultTest, HoldsAValue) {
  const Result<int> digit = ParseDigit('7');
  ASSERT_TRUE(digit.ok());
  EXPECT_EQ(*digit, 7);
  EXPECT_TRUE(digit.status().ok());
}

TEST(ResultTest, HoldsAnError) {
  const Result<int> digit = ParseDigit('x').At("line 1");
  ASSERT_FALSE(digit.ok());
  EXPECT_EQ(digit.error().ToString(), "line 1: 'x' is not a digit (use 0 to 9)");
  EXPECT_EQ(digit.status().error().code(), ErrorCode::kInvalidInput);
}

TEST(ResultTest, CarriesTypesThatOnlyMove) {
  auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(5); };
  auto use = [&]() -> Result<int> {
    ANEMONE_ASSIGN(std::unique_ptr<int> pointer, make());
    return *pointer + 1;
  };
  const Result<int> result = use();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(*result, 6);
  EXPECT_EQ(Result<std::string>("abc")->size(), 3u);
}

TEST(ResultTest, MacrosPassErrorsOn) {
  EXPECT_EQ(*Sum("1234"), 10);
  const Result<int> not_digit = Sum("12x");
  ASSERT_FALSE(not_digit.ok());
  EXPECT_EQ(not_digit.error().code(), ErrorCode::kInvalidInput);
  const Result<int> too_large = Sum("19");
  ASSERT_FALSE(too_large.ok());
  EXPECT_EQ(too_large.error().ToString(), "Check: 9 exceeds the limit of 8");
}

}  // namespace
}  // namespace anemone
