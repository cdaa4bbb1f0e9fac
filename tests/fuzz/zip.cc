// A zip archive: its entries, and the package in it.
#include <filesystem>

#include "base/zip_reader.h"
#include "format/model_file.h"
#include "format/zipped_package.h"
#include "fuzz/target.h"
#include "support/scratch.h"
#include "support/zip_writer.h"
#include "test_paths.h"

namespace anemone::fuzz {

std::vector<std::string> Seeds() {
  namespace fs = std::filesystem;
  const fs::path package =
      fs::path(test::kSourceDir) / "tests/fixtures/packages/convolution_spec7.mlpackage";
  std::vector<std::string> seeds;
  for (const bool deflate : {false, true}) {
    for (const bool zip64 : {false, true}) {
      std::vector<test::ZipSource> sources;
      for (const auto& entry : fs::recursive_directory_iterator(package)) {
        if (!entry.is_regular_file()) continue;
        const std::string name = entry.path().lexically_relative(package).string();
        sources.push_back({.name = "m.mlpackage/" + name,
                           .data = test::ReadText(entry.path()),
                           .deflate = deflate,
                           .zip64 = zip64});
      }
      seeds.push_back(test::Zip(sources));
    }
  }
  return seeds;
}

void Try(std::span<const std::byte> bytes) {
  const Bytes archive = Copied(bytes);
  (void)ReadZip(archive, {.entries = 1000, .inflated_bytes = 1 << 24}).ok();
  const auto package = format::ZippedPackage::Open(archive);
  if (package.ok()) (void)format::ModelFile::Parse((*package)->model(), "model", "").ok();
}

}  // namespace anemone::fuzz
