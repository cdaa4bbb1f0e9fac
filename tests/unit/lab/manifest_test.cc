#include "lab/manifest.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/tree_hash.h"
#include "support/scratch.h"

namespace anemone::lab {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class ManifestTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_ / name; }
  std::string Write(const std::string& text) const {
    std::ofstream(Path("m.json")) << text;
    return Path("m.json");
  }

  test::ScratchFolder folder_;
};

OutputParity Output(const std::string& name, const std::vector<float>& reference,
                    const std::vector<float>& variant) {
  ParityMeter meter;
  const ir::Shape shape{1, static_cast<int64_t>(reference.size())};
  EXPECT_TRUE(
      meter.Add({DType::kFp32, shape, reference.data()}, {DType::kFp32, shape, variant.data()})
          .ok());
  OutputParity output{name, meter.Result(), kFp16Limits, {}};
  output.judged = Judge(output.parity, output.limits);
  return output;
}

Manifest Sample() {
  Manifest manifest;
  manifest.model = "resnet50";
  manifest.precision = "fp16";
  manifest.weights_source = "seeded";
  manifest.package_sha256 = "ab";
  manifest.outputs.push_back(Output("logits", {-4, 6}, {-4, 6.5f}));
  manifest.outputs.push_back(Output("probabilities", {0.25f, 0.75f}, {0.255f, 0.745f}));
  return manifest;
}

TEST_F(ManifestTest, TheNineKeysStandFlatAndReadBack) {
  ASSERT_TRUE(WriteManifest(Sample(), Path("m.json")).ok());
  const Json json = Json::parse(std::ifstream(Path("m.json")));
  EXPECT_EQ(json["schema"], "anemone.manifest");
  EXPECT_EQ(json["backend"], "mlprogram");
  // Values that were not measured or estimated are null, never 0.
  EXPECT_TRUE(json["ane_op_coverage_pct"].is_null());
  EXPECT_TRUE(json["expected_speedup_m1"].is_null());
  EXPECT_EQ(json["sources"]["expected_speedup_m1"]["source"], "unknown");
  // The flat deltas are those of the distribution, absolute.
  EXPECT_NEAR(json["accuracy_delta_l_inf"].get<double>(), 0.005, 1e-6);
  EXPECT_EQ(json["sources"]["accuracy_delta_l_inf"]["output"], "probabilities");
  EXPECT_EQ(json["sources"]["accuracy_delta_l_inf"]["source"], "measured");
  // Logits miss (0.05 of their range), so the variant does.
  EXPECT_FALSE(json["passed"].get<bool>());

  const auto keys = ReadManifest(Path("m.json"));
  ASSERT_TRUE(keys.ok()) << keys.error().ToString();
  EXPECT_EQ(keys->model, "resnet50");
  EXPECT_EQ(keys->precision, "fp16");
  EXPECT_FALSE(keys->expected_speedup_m2.has_value());
  EXPECT_NEAR(*keys->accuracy_delta_l_inf, 0.005, 1e-6);
  EXPECT_EQ(keys->package_sha256, "ab");
}

TEST_F(ManifestTest, EstimatesCarryTheirInterval) {
  Manifest manifest = Sample();
  manifest.expected_speedup_m1 = Estimate{2.8, 2.1, 3.6};
  const Json json = Json::parse(ToJson(manifest));
  EXPECT_EQ(json["expected_speedup_m1"], 2.8);
  EXPECT_EQ(json["sources"]["expected_speedup_m1"]["source"], "estimated");
  EXPECT_EQ(json["sources"]["expected_speedup_m1"]["low"], 2.1);
}

TEST_F(ManifestTest, WhatIsNotFiniteIsNullAndFails) {
  Manifest manifest = Sample();
  manifest.outputs = {
      Output("probabilities", {0.25f, 0.75f}, {0.25f, std::numeric_limits<float>::quiet_NaN()})};
  const Json json = Json::parse(ToJson(manifest));
  EXPECT_TRUE(json["accuracy_delta_l_inf"].is_null());
  EXPECT_EQ(json["parity"][0]["non_finite"], 1);
  EXPECT_FALSE(json["passed"].get<bool>());
}

TEST_F(ManifestTest, HostileFilesGiveAnErrorThatNamesFileAndRule) {
  ASSERT_TRUE(WriteManifest(Sample(), Path("good.json")).ok());
  Json good = Json::parse(std::ifstream(Path("good.json")));
  const auto with = [&](const char* key, const Json& value) {
    Json changed = good;
    changed[key] = value;
    return changed.dump();
  };
  const auto without = [&](const char* key) {
    Json changed = good;
    changed.erase(key);
    return changed.dump();
  };
  const std::string text = good.dump();
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "not a JSON object"},
      {"[]", "not a JSON object"},
      {text.substr(0, text.size() / 2), "not a JSON object"},
      {with("schema", "somebody.else"), "schema"},
      {with("schema_version", 99), "schema version 99"},
      {with("schema_version", "1"), "schema_version"},
      {without("model"), "'model' is missing"},
      {with("model", 7), "'model' must be a string"},
      {without("accuracy_delta_rmse"), "'accuracy_delta_rmse' is missing"},
      {with("accuracy_delta_rmse", "small"), "must be a number or null"},
  };
  for (const auto& [contents, words] : cases) {
    const auto keys = ReadManifest(Write(contents));
    ASSERT_FALSE(keys.ok()) << contents;
    EXPECT_NE(keys.error().message().find(words), std::string::npos) << keys.error().ToString();
    EXPECT_NE(keys.error().place().find("m.json"), std::string::npos) << keys.error().ToString();
    EXPECT_EQ(ExitCode(keys.error().code()), 3);
  }
}

TEST_F(ManifestTest, DeepNestingAndDamageNeverCrash) {
  EXPECT_FALSE(ReadManifest(Write(std::string(200000, '['))).ok());
  const std::string text = ToJson(Sample());
  uint64_t state = 1;
  for (int round = 0; round < 500; ++round) {
    std::string damaged = text;
    for (int i = 0; i < 3; ++i) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      damaged[(state >> 33) % damaged.size()] = static_cast<char>(state >> 56);
    }
    (void)ReadManifest(Write(damaged));
  }
}

TEST_F(ManifestTest, OfAMissingFile) {
  const auto keys = ReadManifest(Path("nothing.json"));
  ASSERT_FALSE(keys.ok());
  EXPECT_EQ(keys.error().code(), ErrorCode::kNotFound);
}

TEST_F(ManifestTest, PackageHashDependsOnNamesAndContents) {
  const auto make = [&](const std::string& name, const std::string& file,
                        const std::string& contents) {
    fs::create_directories(folder_.path() / name / "Data");
    std::ofstream(folder_.path() / name / "Data" / file) << contents;
    const auto facts = HashTree(Path(name));
    EXPECT_TRUE(facts.ok());
    EXPECT_EQ(facts->size_bytes, static_cast<int64_t>(contents.size()));
    return facts->sha256;
  };
  const std::string first = make("a", "x", "one");
  EXPECT_EQ(first.size(), 64u);
  EXPECT_EQ(make("b", "x", "one"), first);
  EXPECT_NE(make("c", "y", "one"), first);
  EXPECT_NE(make("d", "x", "two"), first);
}

}  // namespace
}  // namespace anemone::lab
