#include "base/parse_double.h"

#include <gtest/gtest.h>

#include <clocale>

namespace anemone {
namespace {

TEST(ParseDouble, ReadsDecimalNumbers) {
  EXPECT_EQ(ParseDouble("0"), 0.0);
  EXPECT_EQ(ParseDouble("-1.5e3"), -1500.0);
  EXPECT_EQ(ParseDouble(".5"), 0.5);
  EXPECT_EQ(ParseDouble("2."), 2.0);
  EXPECT_EQ(ParseDouble("1E-2"), 0.01);
  EXPECT_EQ(ParseDouble("0.1"), 0.1);
  EXPECT_EQ(ParseDouble("1e-310"), 1e-310);  // subnormal
  EXPECT_EQ(ParseDouble("1.7976931348623157e308"), 1.7976931348623157e308);
}

TEST(ParseDouble, RefusesEverythingElse) {
  for (const char* text : {"", " 1", "1 ", "+1", "-", ".", "e5", "1e", "1x", "0x10", "inf", "-inf",
                           "nan", "1e999", "1,5", "--1", "1.2.3"}) {
    EXPECT_EQ(ParseDouble(text), std::nullopt) << text;
  }
  EXPECT_EQ(ParseDouble(std::string_view("1\0", 2)), std::nullopt);
}

// Where the locale writes a comma, a point is still a point.
TEST(ParseDouble, DoesNotDependOnTheLocale) {
  const char* found = nullptr;
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"}) {
    if (found == nullptr) found = std::setlocale(LC_NUMERIC, name);
  }
  EXPECT_EQ(ParseDouble("1.5"), 1.5);
  std::setlocale(LC_NUMERIC, "C");
  if (found == nullptr) GTEST_SKIP() << "no locale with a comma is installed here";
}

}  // namespace
}  // namespace anemone
