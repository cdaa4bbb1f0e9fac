// The strict reader of objects: everything that is wrong, at once, each with its place.
#include "base/json_reader.h"

#include <gtest/gtest.h>

#include "base/nearest_names.h"

namespace anemone {
namespace {

struct Settings {
  std::string name;
  bool fast = false;
  int64_t count = 3;
  uint64_t seed = 0;
  int threads = 0;
  double ratio = 0.5;
  std::optional<double> limit;
  std::vector<std::string> tags;
  size_t mode = 0;
  double inner_max = 1;
};
constexpr std::string_view kModes[] = {"linear", "kmeans", "unique"};

Status Read(JsonDocument document, Settings* settings, const std::string& file = "s.json") {
  {
    JsonObject top = document.root();
    top.Require("name", &settings->name);
    top.Get("fast", &settings->fast);
    top.Get("count", &settings->count, 1, 10);
    top.Get("seed", &settings->seed);
    top.Get("threads", &settings->threads, 0, 64);
    top.Get("ratio", &settings->ratio, 0, 1);
    top.Get("limit", &settings->limit, 0.0);
    top.Get("tags", &settings->tags);
    top.Choose("mode", kModes, &settings->mode);
    JsonObject inner = top.Object("inner");
    inner.Get("max", &settings->inner_max);
  }
  return document.status(ErrorCode::kUsage, file);
}

std::string SettingsError(std::string_view text, const JsonReading& reading = {}) {
  Settings settings;
  const Status status = Read(JsonDocument(text, "a setting", reading), &settings);
  if (status.ok()) return "";
  EXPECT_EQ(status.error().code(), ErrorCode::kUsage);
  return status.ToString();
}

TEST(JsonReader, TakesWhatIsRightAndKeepsTheRest) {
  Settings settings;
  const Status status =
      Read(JsonDocument(R"({"name": "n", "fast": true, "count": 10, "seed": 18446744073709551615,
                       "limit": null, "tags": ["a", "b"], "mode": "unique", "inner": {"max": 2}})",
                        "a setting"),
           &settings);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(settings.name, "n");
  EXPECT_TRUE(settings.fast);
  EXPECT_EQ(settings.count, 10);
  EXPECT_EQ(settings.seed, UINT64_MAX);
  EXPECT_EQ(settings.ratio, 0.5);
  EXPECT_FALSE(settings.limit.has_value());
  EXPECT_EQ(settings.tags, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(settings.mode, 2U);
  EXPECT_EQ(settings.inner_max, 2);
}

TEST(JsonReader, OneMistakeStandsAtItsPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({})", "s.json: name: must be given"},
      {R"({"name": 1})", "s.json: name: must be text, but is 1"},
      {R"({"name": null})", "s.json: name: must be text, but is null"},
      {R"({"name": "", "fast": 1})", "s.json: fast: must be true or false, but is 1"},
      {R"({"name": "", "count": 11})", "s.json: count: must be an integer from 1 to 10, but is 11"},
      {R"({"name": "", "count": 2.0})",
       "s.json: count: must be an integer from 1 to 10, but is 2.0"},
      {R"({"name": "", "count": "2"})",
       "s.json: count: must be an integer from 1 to 10, but is \"2\""},
      {R"({"name": "", "count": 18446744073709551615})",
       "s.json: count: must be an integer from 1 to 10, but is 18446744073709551615"},
      {R"({"name": "", "count": 1e300})",
       "s.json: count: must be an integer from 1 to 10, but is 1e+300"},
      {R"({"name": "", "seed": -1})",
       "s.json: seed: must be an integer from 0 to 18446744073709551615, but is -1"},
      {R"({"name": "", "ratio": 1.5})", "s.json: ratio: must be a number from 0 to 1, but is 1.5"},
      {R"({"name": "", "limit": -1})", "s.json: limit: must be a number of at least 0, but is -1"},
      {R"({"name": "", "tags": ["a", 1]})",
       "s.json: tags: must be a list of texts, but is [\"a\",1]"},
      {R"({"name": "", "mode": "kmean"})",
       "s.json: mode: must be \"linear\", \"kmeans\" or \"unique\", but is \"kmean\""},
      {R"({"name": "", "inner": []})", "s.json: inner: must be an object, but is []"},
      {R"({"name": "", "inner": {"max": "x"}})",
       "s.json: inner.max: must be a number, but is \"x\""},
      {R"({"name": "", "inner": {"mx": 1}})",
       "s.json: inner.mx: is not a key here; did you mean 'max'?"},
      {R"({"name": "", "color": 1})",
       "s.json: color: is not a key here; the keys are name, fast, count, seed, threads, ratio, "
       "limit, tags, mode, inner"},
      {R"({"name": "", "inner": {"max": 1, "max": 2}})", "s.json: inner.max: must be given once"},
      {"[1]", "s.json: a setting must be a JSON object, but is [1]"},
      {"{\"\x1b[2J\": 1, \"name\": \"\"}", "s.json: a setting must be JSON: parse error"},
      {R"({"name": "", "\u001b[2J": 1})", "s.json: \\u001b[2J: is not a key here; the keys are"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(SettingsError(text).substr(0, std::string_view(expected).size()), expected) << text;
  }
}

TEST(JsonReader, AllMistakesAreTold) {
  EXPECT_EQ(
      SettingsError(R"({"count": 0, "inner": {"max": [], "min": 1}, "count": 0, "fst": true})"),
      "s.json: there are 6 problems:\n"
      "  s.json:count: must be given once\n"
      "  s.json:name: must be given\n"
      "  s.json:count: must be an integer from 1 to 10, but is 0\n"
      "  s.json:inner.max: must be a number, but is []\n"
      "  s.json:inner.min: is not a key here; the keys are max\n"
      "  s.json:fst: is not a key here; did you mean 'fast'?");
  Settings settings;
  const Status nowhere = Read(JsonDocument(R"({"count": 0})", "it"), &settings, "");
  EXPECT_EQ(nowhere.ToString(),
            "there are 2 problems:\n  name: must be given\n"
            "  count: must be an integer from 1 to 10, but is 0");
}

TEST(JsonReader, EveryKeyMayBeRequired) {
  JsonDocument document(R"({"count": null, "inner": {}})", "it", {.all_required = true});
  std::optional<double> count;
  double max = 0;
  std::string name;
  {
    JsonObject top = document.root();
    top.Get("count", &count);
    top.Get("name", &name);
    JsonObject inner = top.Object("inner");
    inner.Get("max", &max);
    JsonObject other = top.Object("other");
    other.Get("max", &max);
  }
  EXPECT_EQ(document.status(ErrorCode::kInvalidInput).ToString(),
            "there are 3 problems:\n  name: must be given\n  inner.max: must be given\n"
            "  other: must be given");
}

TEST(JsonReader, LooseValuesAreThoseThatCoremltoolsReads) {
  const JsonReading loose{.loose_values = true};
  EXPECT_EQ(SettingsError(R"({"name": "", "count": "8", "ratio": "0.5", "mode": "KMEANS"})", loose),
            "");
  EXPECT_EQ(SettingsError(R"({"name": "", "count": 8.0})", loose), "");
  for (const char* wrong : {"\"8x\"", "\"\"", "\"nan\"", "8.5", "\"1e300\"", "null", "true"}) {
    EXPECT_NE(SettingsError(fmt::format(R"({{"name": "", "count": {}}})", wrong), loose), "")
        << wrong;
  }
}

TEST(JsonReader, AHostileDocumentCostsLittle) {
  std::string text = "{\"name\": \"\"";
  for (int i = 0; i < 200'000; ++i) text += fmt::format(", \"k{}\": {}", i, i);
  const std::string error = SettingsError(text + "}");
  EXPECT_EQ(error.substr(0, 33), "s.json: there are 200000 problems");
  EXPECT_EQ(error.substr(error.size() - 11), "\n  and more");
  EXPECT_LT(error.size(), 20'000U);
  EXPECT_NE(SettingsError(std::string(500'000, '{')), "");
  const std::string long_value(1 << 20, 'x');
  EXPECT_LT(SettingsError("{\"name\": \"\", \"count\": \"" + long_value + "\"}").size(), 200U);
}

TEST(NearestNames, SlipsAreFoundAndOtherWordsAreNot) {
  constexpr std::string_view kNames[] = {"resnet50", "resnet18", "mobilenetv3_small", "vit_b_16"};
  EXPECT_EQ(NearestNames("resnet5O", kNames), (std::vector<std::string>{"resnet50", "resnet18"}));
  EXPECT_EQ(NearestNames("mobilenetv3", kNames), std::vector<std::string>{"mobilenetv3_small"});
  EXPECT_EQ(NearestNames("ViT_b16", kNames), std::vector<std::string>{"vit_b_16"});
  EXPECT_TRUE(NearestNames("bert", kNames).empty());
  EXPECT_TRUE(NearestNames("", kNames).empty());
  EXPECT_TRUE(NearestNames(std::string(100'000, 'r'), kNames).empty());
  EXPECT_EQ(SuggestNames("resent50", kNames, "models"), "did you mean 'resnet50'?");
  EXPECT_EQ(SuggestNames("x", {}, "models"), "");
}

}  // namespace
}  // namespace anemone
