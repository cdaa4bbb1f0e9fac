#include "format/manifest.h"

#include <gtest/gtest.h>

#include "format/package_layout.h"
#include "support/mutations.h"
#include "support/scratch.h"

namespace anemone::format {
namespace {

namespace fs = std::filesystem;
using test::ScratchFolder;

// As written by coremltools.
constexpr std::string_view kGood = R"({
    "fileFormatVersion": "1.0.0",
    "itemInfoEntries": {
        "5f15aadd-2f4e-4414-826f-af8d81b958c7": {
            "author": "com.apple.CoreML",
            "description": "CoreML Model Weights",
            "name": "weights",
            "path": "com.apple.CoreML/weights"
        },
        "bd92b6ea-f2af-4aa8-8ef3-5b23bca6f66c": {
            "author": "com.apple.CoreML",
            "description": "CoreML Model Specification",
            "name": "model.mlmodel",
            "path": "com.apple.CoreML/model.mlmodel"
        }
    },
    "rootModelIdentifier": "bd92b6ea-f2af-4aa8-8ef3-5b23bca6f66c"
}
)";

std::string Replace(std::string_view from, std::string_view to) {
  std::string text(kGood);
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

void ExpectRefused(std::string_view text, std::string_view rule) {
  const auto manifest = ParseManifest(text);
  ASSERT_FALSE(manifest.ok()) << text;
  EXPECT_EQ(manifest.error().code(), ErrorCode::kInvalidInput);
  const std::string message = manifest.error().ToString();
  EXPECT_NE(message.find(rule), std::string::npos) << message;
}

TEST(ManifestTest, ReadsAndPrintsTheSameText) {
  const auto manifest = ParseManifest(kGood);
  ASSERT_TRUE(manifest.ok()) << manifest.error().ToString();
  ASSERT_EQ(manifest->items.size(), 2u);
  EXPECT_EQ(manifest->root()->path, "com.apple.CoreML/model.mlmodel");
  EXPECT_EQ(manifest->items[0].description, "CoreML Model Weights");
  EXPECT_EQ(PrintManifest(*manifest), kGood);
}

TEST(ManifestTest, BrokenRules) {
  ExpectRefused("", "must be JSON");
  ExpectRefused(kGood.substr(0, 200), "must be JSON");
  ExpectRefused("[]", "must be a JSON object");
  ExpectRefused(Replace("1.0.0", "2.0.0"), "fileFormatVersion '2.0.0' is not known");
  ExpectRefused(Replace("\"fileFormatVersion\"", "\"version\""), "'fileFormatVersion' is missing");
  ExpectRefused(Replace("\"1.0.0\"", "1"), "must hold a string");
  ExpectRefused(Replace("itemInfoEntries", "items"), "'itemInfoEntries' must hold an object");
  ExpectRefused(Replace("\"name\": \"weights\",", ""), "'name' is missing");
  ExpectRefused(Replace("\"rootModelIdentifier\": \"b", "\"rootModelIdentifier\": \"c"),
                "is not among the items");
  ExpectRefused(Replace("5f15aadd-2f4e-4414-826f-af8d81b958c7", ""), "the identifier is empty");
  ExpectRefused(
      Replace("5f15aadd-2f4e-4414-826f-af8d81b958c7", "bd92b6ea-f2af-4aa8-8ef3-5b23bca6f66c"),
      "occurs twice");
  std::string deep = "{\"a\":";
  for (int i = 0; i < 100000; ++i) deep += "[";
  ExpectRefused(deep, "nests deeper than 16 levels");
}

TEST(ManifestTest, PathsThatClimbOut) {
  for (const std::string_view path :
       {"../model.mlmodel", "com.apple.CoreML/../../x", "/etc/passwd", "", "a//b", "./a", "a/",
        "..", "a\\\\..\\\\b", "a\\u0000b", "a\\nb"}) {
    ExpectRefused(Replace("com.apple.CoreML/model.mlmodel", path), "stay inside the package");
  }
  EXPECT_TRUE(IsSafeRelativePath("com.apple.CoreML/model.mlmodel"));
  EXPECT_TRUE(IsSafeRelativePath("a..b/...c"));
}

TEST(ManifestTest, NoMutationCrashes) {
  int accepted = 0;
  test::ForEachMutation(std::as_bytes(std::span(kGood.data(), kGood.size())), {},
                        [&](const std::vector<std::byte>& bad) {
                          const std::string text(reinterpret_cast<const char*>(bad.data()),
                                                 bad.size());
                          const auto manifest = ParseManifest(text);
                          if (!manifest.ok()) return;
                          ++accepted;
                          EXPECT_TRUE(IsSafeRelativePath(manifest->root()->path)) << text;
                        });
  EXPECT_GT(accepted, 0) << "a changed letter of a description is not an error";
}

class PackageLayoutTest : public ::testing::Test {
 protected:
  void SetUp() override {
    test::WriteText(package_ / "Manifest.json", kGood);
    test::WriteText(package_ / "Data/com.apple.CoreML/model.mlmodel", "model");
    test::WriteText(package_ / "Data/com.apple.CoreML/weights/weight.bin", "weights");
    test::WriteText(scratch_.path() / "secret", "secret");
  }
  void ExpectCode(const Result<std::string>& result, ErrorCode code, std::string_view text) {
    ASSERT_FALSE(result.ok()) << *result;
    EXPECT_EQ(result.error().code(), code);
    EXPECT_NE(result.error().ToString().find(text), std::string::npos) << result.error().ToString();
  }
  ScratchFolder scratch_;
  fs::path package_ = scratch_.path() / "m.mlpackage";
  fs::path folder_ = package_ / "Data/com.apple.CoreML";
};

TEST_F(PackageLayoutTest, FindsTheModelAndTheWeights) {
  const auto model = FindModelFile(package_);
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  EXPECT_EQ(*model, folder_ / "model.mlmodel");
  EXPECT_EQ(*FindModelFile(package_.string() + "/"), folder_ / "model.mlmodel");
  for (const std::string_view reference :
       {"@model_path/weights/weight.bin", "weights/weight.bin"}) {
    const auto weights = ResolveModelPath(folder_, reference);
    ASSERT_TRUE(weights.ok()) << weights.error().ToString();
    EXPECT_EQ(*weights, folder_ / "weights/weight.bin");
  }
}

TEST_F(PackageLayoutTest, MissingParts) {
  ExpectCode(FindModelFile(scratch_ / "absent"), ErrorCode::kNotFound, "absent");
  ExpectCode(FindModelFile(scratch_ / "secret"), ErrorCode::kInvalidInput, "must be a directory");
  ExpectCode(FindModelFile(scratch_.path()), ErrorCode::kInvalidInput, "must hold a Manifest.json");
  ExpectCode(ResolveModelPath(folder_, "@model_path/weights/1.bin"), ErrorCode::kNotFound, "1.bin");
  fs::remove(folder_ / "model.mlmodel");
  ExpectCode(FindModelFile(package_), ErrorCode::kNotFound, "model.mlmodel");
}

TEST_F(PackageLayoutTest, ReferencesThatClimbOut) {
  for (const std::string_view reference :
       {"@model_path/../../../secret", "/etc/passwd", "@model_path//etc/passwd", "@model_path/",
        "../com.apple.CoreML/weights/weight.bin"}) {
    ExpectCode(ResolveModelPath(folder_, reference), ErrorCode::kInvalidInput,
               "stay inside the package");
  }
}

TEST_F(PackageLayoutTest, SymbolicLinksThatLeadOut) {
  fs::create_symlink(scratch_.path() / "secret", folder_ / "weights/link.bin");
  ExpectCode(ResolveModelPath(folder_, "@model_path/weights/link.bin"), ErrorCode::kInvalidInput,
             "symbolic link");
  fs::create_directory_symlink(scratch_.path(), folder_ / "out");
  ExpectCode(ResolveModelPath(folder_, "@model_path/out/secret"), ErrorCode::kInvalidInput,
             "symbolic link");
  fs::create_symlink(folder_ / "weights/weight.bin", folder_ / "weights/same.bin");
  EXPECT_TRUE(ResolveModelPath(folder_, "@model_path/weights/same.bin").ok()) << "inside is fine";
  fs::remove(folder_ / "model.mlmodel");
  fs::create_symlink(scratch_.path() / "secret", folder_ / "model.mlmodel");
  ExpectCode(FindModelFile(package_), ErrorCode::kInvalidInput, "symbolic link");
}

TEST_F(PackageLayoutTest, OnlyPackagesAreReplaced) {
  EXPECT_TRUE(CheckReplaceable(package_).ok());
  EXPECT_TRUE(CheckReplaceable(scratch_ / "absent").ok());
  fs::create_directory(scratch_.path() / "empty");
  EXPECT_TRUE(CheckReplaceable(scratch_ / "empty").ok());
  for (const std::string& path : {scratch_.path().string(), scratch_ / "secret"}) {
    const Status status = CheckReplaceable(path);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code(), ErrorCode::kUsage);
  }
}

}  // namespace
}  // namespace anemone::format
