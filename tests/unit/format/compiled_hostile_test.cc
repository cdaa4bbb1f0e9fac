// Compiled models that are damaged: refused or read, never a crash or memory out of proportion.
#include <gtest/gtest.h>

#include <filesystem>

#include "format/compiled_data.h"
#include "format/compiled_reader.h"
#include "format/compiled_writer.h"
#include "format/mil_text.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "support/mutations.h"
#include "support/scratch.h"
#include "test_paths.h"

namespace anemone::format {
namespace {

namespace fs = std::filesystem;

std::string FolderOf(std::string_view name) {
  return (fs::path(test::kSourceDir) / "tests/fixtures/packages" /
          (std::string(name) + ".mlpackage") / "Data/com.apple.CoreML")
      .string();
}

CompiledModel CompiledFixture(std::string_view name) {
  const auto file = ModelFile::Open(FolderOf(name) + "/model.mlmodel");
  EXPECT_TRUE(file.ok()) << file.error().ToString();
  auto compiled = CompileModel(*file, {.class_name = "m"});
  EXPECT_TRUE(compiled.ok()) << compiled.error().ToString();
  return std::move(compiled).value();
}

std::span<const std::byte> TextBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string_view TextOf(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(CompiledHostileTest, NoMutationCrashes) {
  int read = 0;
  int refused = 0;
  const auto count = [&](const Result<ModelFile>& file) {
    const auto model = file.ok() ? DecodeProgramModel(*file) : Result<ir::Model>(file.error());
    if (!model.ok()) {
      ++refused;
      EXPECT_FALSE(model.error().message().empty());
      return;
    }
    ++read;
    if (ir::Verify(model->program).ok()) (void)ir::PrintText(model->program);
  };
  for (const char* name : {"palettized_spec7", "convolution_spec9", "multi_function"}) {
    const CompiledModel good = CompiledFixture(name);
    const std::string folder = FolderOf(name);
    const test::MutationOptions options{.truncations = 60, .bit_flips = 400, .overwrites = 200};
    test::ForEachMutation(TextBytes(good.program), options, [&](std::vector<std::byte> bad) {
      count(AssembleCompiled(TextOf(bad), good.data, folder));
    });
    test::ForEachMutation(TextBytes(good.data), options, [&](std::vector<std::byte> bad) {
      count(AssembleCompiled(good.program, TextOf(bad), folder));
    });
  }
  EXPECT_GT(refused, 1500);
  EXPECT_GT(read, 300);
}

TEST(CompiledHostileTest, BlobsOutsideTheWeightFile) {
  const CompiledModel good = CompiledFixture("convolution_spec6");
  const std::string folder = FolderOf("convolution_spec6");
  const size_t at = good.program.find("(64)");
  ASSERT_NE(at, std::string::npos);
  for (const char* offset : {"(0)", "(65)", "(99999936)", "(18446744073709551552)"}) {
    SCOPED_TRACE(offset);
    std::string program = good.program;
    program.replace(at, 4, offset);
    const auto file = AssembleCompiled(program, good.data, folder);
    ASSERT_TRUE(file.ok()) << file.error().ToString();
    EXPECT_EQ(DecodeProgramModel(*file).error().code(), ErrorCode::kInvalidInput);
  }
  std::string program = good.program;
  const std::string_view path = "@model_path/weights/weight.bin";
  program.replace(program.find(path), path.size(), "@model_path/../../../secret");
  const auto file = AssembleCompiled(program, good.data, folder);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(DecodeProgramModel(*file).error().code(), ErrorCode::kInvalidInput);
}

TEST(CompiledHostileTest, CoreMlDataThatClaimsMore) {
  const CompiledModel good = CompiledFixture("array_range");
  // The length of the description, of the variant, and of the whole file.
  for (const size_t at : {size_t{0x4B}, size_t{0x1C}}) {
    std::string data = good.data;
    data.replace(at, 8, 8, '\xFF');
    const auto parsed = ParseCompiledData(data);
    ASSERT_FALSE(parsed.ok());
    EXPECT_NE(parsed.error().message().find("are left in the file"), std::string::npos);
  }
  for (size_t size = 0; size < 0x53; ++size) {
    EXPECT_EQ(ParseCompiledData(good.data.substr(0, size)).error().code(),
              ErrorCode::kInvalidInput);
  }
}

// A few bytes of text must not ask for what a type claims.
TEST(CompiledHostileTest, TypesOfAnySize) {
  for (const char* type : {"tensor<fp32, [4294967295, 4294967295]>", "tensor<uint1, [34359738368]>",
                           "list<tensor<fp64, [9000000000000000000]>, 9000000000000000000>"}) {
    const std::string text = std::string("program(1.0) { func main<ios15>(") + type + " x) { " +
                             type + " c = const()[val = " + type + "([])]; } -> (c); }";
    EXPECT_EQ(ParseMilText(text).error().code(), ErrorCode::kInvalidInput) << type;
  }
}

}  // namespace
}  // namespace anemone::format
