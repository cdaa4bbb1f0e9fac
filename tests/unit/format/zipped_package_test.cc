// Zipped packages: read as the folder is, and refused by name when they are not what they seem.
#include "format/zipped_package.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "format/package.h"
#include "ir/text.h"
#include "support/scratch.h"
#include "support/zip_writer.h"
#include "test_paths.h"

namespace anemone::format {
namespace {

namespace fs = std::filesystem;
using test::ScratchFolder;
using test::Zip;
using test::ZipSource;

const fs::path kPackage =
    fs::path(test::kSourceDir) / "tests/fixtures/packages/convolution_spec7.mlpackage";

// The package's files below `root`.
std::vector<ZipSource> Sources(const std::string& root, bool deflate) {
  std::vector<ZipSource> sources;
  for (const auto& entry : fs::recursive_directory_iterator(kPackage)) {
    if (!entry.is_regular_file()) continue;
    const std::string name = entry.path().lexically_relative(kPackage).string();
    sources.push_back(
        {.name = root + name, .data = test::ReadText(entry.path()), .deflate = deflate});
  }
  return sources;
}

class ZippedPackageTest : public ::testing::Test {
 protected:
  std::string Write(const std::vector<ZipSource>& sources) {
    const std::string path = scratch_ / "model.mlpackage.zip";
    test::WriteText(path, Zip(sources));
    return path;
  }
  void ExpectRefused(const std::vector<ZipSource>& sources, std::string_view rule) {
    const auto model = ReadModel(Write(sources));
    ASSERT_FALSE(model.ok()) << rule;
    const std::string text = model.error().ToString();
    EXPECT_NE(text.find(rule), std::string::npos) << text;
    EXPECT_NE(text.find("model.mlpackage.zip"), std::string::npos) << text;
  }
  ScratchFolder scratch_;
};

TEST_F(ZippedPackageTest, IsReadAsTheFolderIs) {
  const auto folder = ReadModel(kPackage.string());
  ASSERT_TRUE(folder.ok()) << folder.error().ToString();
  for (const bool deflate : {false, true}) {
    for (const std::string root : {"", "net.mlpackage/", "mail/net.mlpackage/"}) {
      std::vector<ZipSource> sources = Sources(root, deflate);
      sources.push_back({.name = "__MACOSX/" + root + "._Manifest.json", .data = "x"});
      sources.push_back({.name = root + ".DS_Store", .data = "x"});
      sources.insert(sources.begin(), {.name = root + "Data/", .data = ""});
      const auto zipped = ReadModel(Write(sources));
      ASSERT_TRUE(zipped.ok()) << zipped.error().ToString();
      EXPECT_EQ(zipped->functions, folder->functions);
      EXPECT_EQ(ir::PrintText(zipped->program), ir::PrintText(folder->program));
    }
  }
}

TEST_F(ZippedPackageTest, OtherArchives) {
  ExpectRefused({{.name = "notes.txt", .data = "x"}}, "holds no .mlpackage");
  std::vector<ZipSource> two = Sources("a.mlpackage/", true);
  for (const ZipSource& source : Sources("b.mlpackage/", true)) two.push_back(source);
  ExpectRefused(two, "holds 2 packages: 'a.mlpackage/', 'b.mlpackage/'");
  std::vector<ZipSource> cut = Sources("a.mlpackage/", true);
  std::erase_if(cut, [](const ZipSource& source) { return source.name.ends_with("weight.bin"); });
  ExpectRefused(cut, "a.mlpackage/Data/com.apple.CoreML/weights/weight.bin: the archive has no");
  cut = Sources("a.mlpackage/", true);
  std::erase_if(cut, [](const ZipSource& source) { return source.name.ends_with(".mlmodel"); });
  ExpectRefused(cut, "lacks the model file");
}

TEST_F(ZippedPackageTest, HostileEntries) {
  const auto with = [](ZipSource extra) {
    std::vector<ZipSource> sources = Sources("a.mlpackage/", true);
    sources.push_back(std::move(extra));
    return sources;
  };
  for (const char* name :
       {"../out", "/etc/passwd", "a.mlpackage/../../out", "a\\..\\out", "a//b"}) {
    ExpectRefused(with({.name = name, .data = "x"}), "must be relative and stay inside");
  }
  ExpectRefused(with({.name = "a.mlpackage/link", .data = "/etc/passwd", .unix_mode = 0120777}),
                "symbolic link");
  ExpectRefused(with({.name = "a.mlpackage/Manifest.json", .data = "{}"}), "appears twice");
  std::vector<ZipSource> many;
  for (int i = 0; i < 10'001; ++i) many.push_back({.name = std::to_string(i), .data = ""});
  ExpectRefused(many, "10001 entries; the limit is 10000");
}

// 80 MB of zeros in 80 kB.
TEST_F(ZippedPackageTest, Bombs) {
  std::vector<ZipSource> sources = Sources("a.mlpackage/", true);
  sources.push_back({.name = "a.mlpackage/Data/zeros",
                     .data = std::string(size_t{80} << 20, '\0'),
                     .deflate = true});
  ExpectRefused(sources, "unpacks to more than 67108864 bytes");
}

}  // namespace
}  // namespace anemone::format
