// The text of a compiled program (model.mil), with the description that belongs to it.
#include <filesystem>

#include "format/compiled_reader.h"
#include "format/compiled_writer.h"
#include "fuzz/target.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "test_paths.h"

namespace anemone::fuzz {
namespace {

constexpr const char* kPackages[] = {"convolution_spec9", "palettized_spec7",
                                     "multi_function",    "state",
                                     "array_range",       "int4_spec9"};

std::string FolderOf(std::string_view package) {
  return (std::filesystem::path(test::kSourceDir) / "tests/fixtures/packages" /
          (std::string(package) + ".mlpackage") / "Data/com.apple.CoreML")
      .string();
}

// What the package is compiled to; empty where the form is one that is not written.
format::CompiledModel Compiled(std::string_view package) {
  const auto file = format::ModelFile::Open(FolderOf(package) + "/model.mlmodel");
  if (!file.ok()) return {};
  auto compiled = format::CompileModel(*file, {.class_name = "m"});
  return compiled.ok() ? std::move(compiled).value() : format::CompiledModel{};
}

}  // namespace

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds;
  for (const char* package : kPackages) {
    if (auto compiled = Compiled(package); !compiled.program.empty()) {
      seeds.push_back(std::move(compiled.program));
    }
  }
  return seeds;
}

void Try(std::span<const std::byte> bytes) {
  static const format::CompiledModel kGood = Compiled(kPackages[0]);
  const auto file = format::AssembleCompiled(Text(bytes), kGood.data, FolderOf(kPackages[0]));
  if (!file.ok()) return;
  const auto model = format::DecodeProgramModel(*file);
  if (model.ok() && ir::Verify(model->program).ok()) (void)ir::PrintText(model->program);
}

}  // namespace anemone::fuzz
