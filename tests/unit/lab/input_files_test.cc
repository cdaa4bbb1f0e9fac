// Lists of files; folders are tested through the command
// (python/tests/test_compress.py).
#include "lab/input_files.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/npy.h"
#include "ir/text.h"
#include "support/scratch.h"

namespace anemone::lab {
namespace {

class InputFilesTest : public ::testing::Test {
 protected:
  InputFilesTest() {
    auto program =
        ir::ParseText("func main<ios16>(tensor<fp32, [1, 2]> x) { y = relu(x = x); } -> (y);");
    EXPECT_TRUE(program.ok());
    auto model = ir::MakeModel(std::move(program).value());
    EXPECT_TRUE(model.ok());
    model_ = std::move(model).value();
    std::filesystem::create_directory(folder_ / "inputs");
  }
  void WriteArray(const std::string& name, float value) const {
    const auto bytes =
        EncodeNpy({DType::kFp32, {1, 2}, Bytes::FromVector(std::vector<float>{value, -value})});
    ASSERT_TRUE(bytes.ok());
    test::WriteText(folder_ / name, {reinterpret_cast<const char*>(bytes->data()), bytes->size()});
  }
  auto Open(const std::string& text, int64_t limit = 0) const {
    test::WriteText(folder_ / "list.txt", text);
    return InputFiles::Open(folder_ / "list.txt", model_, {}, limit);
  }
  test::ScratchFolder folder_;
  ir::Model model_;
};

TEST_F(InputFilesTest, TheFilesNamedInTheirOrder) {
  for (int i = 0; i < 4; ++i)
    WriteArray(fmt::format("inputs/{}.npy", i), static_cast<float>(i) + 0.5f);
  const auto some = Open(fmt::format("inputs/3.npy\r\n\n{}\n", folder_ / "inputs/1.npy"));
  ASSERT_TRUE(some.ok()) << some.error().ToString();
  ASSERT_EQ(some->count(), 2);
  const auto first = some->Sample(0);
  const auto second = some->Sample(1);
  ASSERT_TRUE(first.ok() && second.ok()) << first.status().ToString();
  EXPECT_EQ(first->at("x").As<float>()[0], 3.5f);
  EXPECT_EQ(second->at("x").As<float>()[0], 1.5f);
  const auto limited = Open("inputs/0.npy\ninputs/1.npy\ninputs/2.npy\ninputs/3.npy", 2);
  ASSERT_TRUE(limited.ok());
  EXPECT_EQ(limited->count(), 2);
}

TEST_F(InputFilesTest, BadListsAreRefused) {
  const auto empty = Open("\n\n");
  ASSERT_FALSE(empty.ok());
  EXPECT_EQ(empty.error().code(), ErrorCode::kInvalidInput);
  WriteArray("inputs/0.npy", 1);
  const auto strange = Open("inputs/0.npy\n/etc/passwd\n");
  ASSERT_FALSE(strange.ok());
  EXPECT_EQ(strange.error().code(), ErrorCode::kInvalidInput);
  EXPECT_NE(strange.error().message().find("line 2"), std::string::npos);
  EXPECT_FALSE(InputFiles::Open(folder_ / "none.txt", model_, {}, 0).ok());
  const auto missing = Open("inputs/9.npy");
  ASSERT_TRUE(missing.ok());
  const auto sample = missing->Sample(0);
  ASSERT_FALSE(sample.ok());
  EXPECT_NE(sample.error().ToString().find("9.npy"), std::string::npos);
}

}  // namespace
}  // namespace anemone::lab
