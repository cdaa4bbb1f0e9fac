// JSON values: what is read, what is written, byte for byte, and what hostile texts do.
#include "base/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace anemone {
namespace {

Json Parsed(std::string_view text) {
  auto json = ParseJson(text);
  EXPECT_TRUE(json.ok()) << json.status().ToString();
  return json.ok() ? std::move(json).value() : Json();
}

std::string JsonError(std::string_view text) {
  const auto json = ParseJson(text);
  if (json.ok()) return "";
  EXPECT_EQ(json.error().code(), ErrorCode::kInvalidInput);
  return json.error().ToString();
}

TEST(Json, BracesAreAnObjectInTheirOrder) {
  Json json{{"z", 1}, {"a", {{"deep", nullptr}}}, {"list", Json::Array({1, 2.5, "x", true})}};
  json["more"] = std::vector<std::string>{"p", "q"};
  json["z"] = -1;
  json["empty"] = Json::Object();
  json["none"] = Json::Array();
  EXPECT_EQ(json.Dump(), R"({"z":-1,"a":{"deep":null},"list":[1,2.5,"x",true],"more":["p","q"],)"
                         R"("empty":{},"none":[]})");
  EXPECT_EQ(json.Dump({.sort_keys = true}),
            R"({"a":{"deep":null},"empty":{},"list":[1,2.5,"x",true],"more":["p","q"],)"
            R"("none":[],"z":-1})");
  EXPECT_EQ(Json({{"a", {{"b", Json::Array({1, 2})}}}, {"c", Json::Object()}}).Dump({.indent = 2}),
            "{\n  \"a\": {\n    \"b\": [\n      1,\n      2\n    ]\n  },\n  \"c\": {}\n}");
}

TEST(Json, WritesNumbersAsShortAsTheyReadBack) {
  const std::pair<double, const char*> cases[] = {
      {0.1, "0.1"},
      {1.0, "1.0"},
      {-0.0, "-0.0"},
      {1e-4, "0.0001"},
      {1e-5, "1e-05"},
      {1e15, "1e+15"},
      {123456789.5, "123456789.5"},
      {5e-324, "5e-324"},
      {1.7976931348623157e308, "1.7976931348623157e+308"},
      {NAN, "null"},
      {INFINITY, "null"}};
  for (const auto& [value, text] : cases) EXPECT_EQ(Json(value).Dump(), text);
  EXPECT_EQ(Json(INT64_MIN).Dump(), "-9223372036854775808");
  EXPECT_EQ(Json(UINT64_MAX).Dump(), "18446744073709551615");
  EXPECT_EQ(Json(static_cast<double>(0.1F)).Dump(), "0.10000000149011612");
}

TEST(Json, WritesTextThatIsAlwaysUtf8) {
  EXPECT_EQ(JsonText("a\"\\\n\x01\x7f\xc3\xa9"), "\"a\\\"\\\\\\n\\u0001\x7f\xc3\xa9\"");
  EXPECT_EQ(Json("\xc3\xa9\xf0\x9f\x98\x80").Dump({.ascii = true}), R"("\u00e9\ud83d\ude00")");
  EXPECT_EQ(JsonText("a\xff z"), "\"a\xef\xbf\xbd z\"");
  EXPECT_EQ(ToUtf8("\xc3"), "\xef\xbf\xbd");
  EXPECT_EQ(ToUtf8("fine\n"), "fine\n");
  EXPECT_TRUE(IsUtf8("\xc3\xa9"));
  for (const char* bad : {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_FALSE(IsUtf8(bad));
    EXPECT_NE(JsonError("\"" + std::string(bad) + "\""), "");
  }
}

TEST(Json, ReadingWhatIsNotThereNeverFails) {
  const Json json = Parsed(R"({"a": 1.5, "b": [true], "c": "x", "n": -3, "u": 7})");
  EXPECT_EQ(json["a"].number(), 1.5);
  EXPECT_EQ(json["a"].integer(), 0);
  EXPECT_EQ(json["n"].number(), -3);
  EXPECT_EQ(json["n"].unsigned_integer(), 0U);
  EXPECT_TRUE(json["u"].is_unsigned() && !json["n"].is_unsigned() && json["n"].is_integer());
  EXPECT_TRUE(json["b"][size_t{0}].boolean());
  EXPECT_TRUE(json["b"][size_t{9}].is_null());
  EXPECT_EQ(json["c"]["deeper"]["still"].text(), "");
  EXPECT_EQ(json.Find("d"), nullptr);
  EXPECT_EQ(json["c"].size(), 0U);
  EXPECT_EQ(json.size(), 5U);
  EXPECT_EQ(json.begin(), json.end());  // elements are an array's
  int count = 0;
  for (const auto& [key, value] : json.items()) count += key == "b" ? value.back().boolean() : 0;
  EXPECT_EQ(count, 1);
}

TEST(Json, ComparesByValue) {
  EXPECT_EQ(Parsed(R"({"a": 1, "b": [2]})"), Parsed(R"({"b": [2.0], "a": 1})"));
  EXPECT_NE(Parsed(R"({"a": 1})"), Parsed(R"({"a": 1, "b": 1})"));
  EXPECT_NE(Parsed(R"({"a": 1})"), Parsed(R"({"b": 1})"));
  EXPECT_EQ(Json("x"), "x");
  EXPECT_NE(Json("1"), 1);
  EXPECT_NE(Json(false), nullptr);
  EXPECT_NE(Json(UINT64_MAX), INT64_MAX);
  EXPECT_EQ(Json(UINT64_MAX), UINT64_MAX);
}

TEST(Json, ManyMembersAreFoundByTheirIndex) {
  Json json;
  for (int i = 0; i < 5000; ++i) json[std::to_string((i * 7919) % 5000)] = i;
  EXPECT_EQ(json.size(), 5000U);
  const Json copy = Parsed(json.Dump());
  EXPECT_EQ(copy, json);
  EXPECT_EQ(copy.items()[1].key, "2919");
  for (int i = 0; i < 5000; ++i) {
    EXPECT_EQ(copy[std::to_string((i * 7919) % 5000)].integer(), i);
  }
  EXPECT_EQ(copy.Find("5000"), nullptr);
  json["17"] = "again";
  EXPECT_EQ(json.size(), 5000U);
  EXPECT_EQ(json["17"], "again");
}

TEST(Json, TheLastOfRepeatedKeysCountsAndIsTold) {
  std::vector<std::string> repeated;
  const auto json = ParseJson(R"({"a": 1, "b": {"c": [{"d": 1, "e": 0, "d": 2, "d": 3}]}, "a": 2})",
                              {.repeated = &repeated});
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(json->Dump(), R"({"a":2,"b":{"c":[{"d":3,"e":0}]}})");
  EXPECT_EQ(repeated, (std::vector<std::string>{"b.c[0].d", "b.c[0].d", "a"}));
  std::string many = "{";
  for (int i = 0; i < 100; ++i) many += "\"k" + std::to_string(i % 40) + "\": 1, ";
  repeated.clear();
  ASSERT_TRUE(ParseJson(many + "\"z\": 2}", {.repeated = &repeated}).ok());
  EXPECT_EQ(repeated.size(), 60U);
}

TEST(Json, RefusesWhatIsNotJson) {
  for (const char* text :
       {"",        " ",           "{",         "[",    "[1,]",    "{\"a\":}", "{\"a\" 1}",
        "{a: 1}",  "'a'",         "01",        "1.",   ".5",      "+1",       "0x10",
        "NaN",     "Infinity",    "-Infinity", "nan",  "tru",     "nul",      "\"a",
        "\"\\x\"", "\"\\ud800\"", "\"\n\"",    "1 2",  "{} {}",   "[] x",     "{}\"",
        "// c\n1", "1e999",       "-1e999",    "\x00", "\xef\xbb"}) {
    EXPECT_NE(JsonError(text), "") << text;
  }
  EXPECT_NE(JsonError(std::string_view("1\0", 2)), "");
  EXPECT_NE(JsonError("{\n\"a\": x}").find("line 2"), std::string::npos);
}

TEST(Json, NumbersBeyondTheirTypesKeepTheirSize) {
  EXPECT_EQ(Parsed("9223372036854775807").integer(), INT64_MAX);
  EXPECT_EQ(Parsed("9223372036854775808").unsigned_integer(), uint64_t{1} << 63);
  EXPECT_EQ(Parsed("9223372036854775808").integer(), INT64_MAX);
  EXPECT_FALSE(Parsed("18446744073709551616").is_integer());
  EXPECT_EQ(Parsed("18446744073709551616").number(), 18446744073709551616.0);
  EXPECT_FALSE(Parsed("-9223372036854775809").is_integer());
  EXPECT_EQ(Parsed("1e-999").number(), 0);
}

TEST(Json, NestingAndLengthTakeNoStack) {
  const std::string deep(1'000'000, '[');
  EXPECT_NE(JsonError(deep).find("nests deeper"), std::string::npos);
  const std::string level(kMaxJsonDepth, '[');
  EXPECT_EQ(JsonError(level + std::string(kMaxJsonDepth, ']')), "");
  EXPECT_NE(JsonError("[" + level + std::string(kMaxJsonDepth, ']') + "]"), "");
  std::string objects;
  for (int i = 0; i < 200'000; ++i) objects += "{\"a\":";
  EXPECT_NE(JsonError(objects), "");
  EXPECT_FALSE(ParseJson("[[1]]", {.max_depth = 1}).ok());
  EXPECT_TRUE(ParseJson("[1]", {.max_depth = 1}).ok());
  EXPECT_EQ(Parsed("\"" + std::string(1 << 20, 'x') + "\"").text().size(), size_t{1} << 20);
}

// No text may crash the reader: every prefix, and every byte changed, of one that holds all kinds.
TEST(Json, BrokenTextsAreReadOrRefused) {
  const std::string text =
      "{\"a\": [1, -2.5e3, \"\\u00e9\\n\xc3\xa9\", true, false, null, {}], \"b\": {\"a\": "
      "18446744073709551615}}";
  ASSERT_EQ(JsonError(text), "");
  for (size_t i = 0; i < text.size(); ++i) {
    EXPECT_FALSE(ParseJson(text.substr(0, i)).ok());
    for (const char c : {'\0', '"', '\\', '{', ']', ',', '\xff', '9', 'e', '-'}) {
      std::string changed = text;
      changed[i] = c;
      const auto json = ParseJson(changed);
      if (json.ok()) {
        EXPECT_EQ(ParseJson(json->Dump())->Dump(), json->Dump());
      }
    }
  }
}

}  // namespace
}  // namespace anemone
