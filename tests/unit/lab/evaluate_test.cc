#include "lab/evaluate.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "exec/reference_backend.h"
#include "ir/text.h"
#include "support/scratch.h"
#include "test_paths.h"

namespace anemone::lab {
namespace {

namespace fs = std::filesystem;

class EvaluateTest : public ::testing::Test {
 protected:
  std::string WriteLabels(const std::string& text) const {
    test::WriteText(scratch_ / "labels.csv", text);
    return scratch_ / "labels.csv";
  }
  test::ScratchFolder scratch_;
};

TEST_F(EvaluateTest, LabelsInAnyColumnOrderWithQuotes) {
  const auto images = ReadLabels(WriteLabels(
      "class_index,class_name,file\r\n7,\"a, \"\"b\"\"\",\"x,y.png\"\r\n\r\n3,c,z.jpg"));
  ASSERT_TRUE(images.ok()) << images.error().ToString();
  ASSERT_EQ(images->size(), 2u);
  EXPECT_EQ((*images)[0].file, "x,y.png");
  EXPECT_EQ((*images)[0].label, 7);
  EXPECT_EQ((*images)[1].file, "z.jpg");
  EXPECT_EQ((*images)[1].label, 3);
}

TEST_F(EvaluateTest, BadLabelsAreRefusedWithTheLine) {
  const auto expect = [&](const std::string& text, const std::string& words) {
    const auto images = ReadLabels(WriteLabels(text));
    ASSERT_FALSE(images.ok()) << text;
    EXPECT_NE(images.error().ToString().find(words), std::string::npos)
        << images.error().ToString();
    EXPECT_EQ(images.error().code(), ErrorCode::kInvalidInput);
  };
  expect("", "lists no images");
  expect("file,label\na.png,1\n", "class_index");
  expect("file,class_index\na.png\n", "line 2 has 1 columns");
  expect("file,class_index\na.png,dog\n", "'dog' is not a class index");
  expect("file,class_index\na.png,-1\n", "'-1' is not a class index");
}

// A "classifier" whose scores are the channel means: which color a picture has most of.
TEST_F(EvaluateTest, CountsTopOneTopFiveAndAgreement) {
  auto program = ir::ParseText(R"(
    func main<ios15>(tensor<fp32, [1, 3, 4, 4]> image) {
      m = reduce_mean(x = image, axes = [2, 3], keep_dims = false);
    } -> (m);)");
  ASSERT_TRUE(program.ok()) << program.error().ToString();
  auto model = ir::MakeModel(std::move(program).value());
  ASSERT_TRUE(model.ok());
  const auto shared = std::make_shared<const ir::Model>(std::move(model).value());
  auto executable = exec::ReferenceBackend().Load(shared, {});
  ASSERT_TRUE(executable.ok());

  const std::string folder = std::string(anemone::test::kSourceDir) + "/tests/fixtures/media";
  std::string picture;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".png" &&
        (picture.empty() || entry.path().filename() < picture)) {
      picture = entry.path().filename();
    }
  }
  ASSERT_FALSE(picture.empty());
  int64_t calls = 0;
  EvaluateOptions options;
  options.progress = [&](int64_t, int64_t total) {
    ++calls;
    EXPECT_EQ(total, 3);
  };
  const auto evaluation = Evaluate(**executable, executable->get(), *shared->program.main(), folder,
                                   {{picture, 0}, {picture, 1}, {picture, 2}}, options);
  ASSERT_TRUE(evaluation.ok()) << evaluation.error().ToString();
  // One picture under each of the three labels: exactly one is right, all are among the best five.
  EXPECT_EQ(evaluation->images, 3);
  EXPECT_EQ(evaluation->top1, 1);
  EXPECT_EQ(evaluation->top5, 3);
  EXPECT_EQ(evaluation->agree_with_reference, 3);
  EXPECT_EQ(calls, 3);

  options.limit = 1;
  options.progress = {};
  const auto limited = Evaluate(**executable, nullptr, *shared->program.main(), folder,
                                {{picture, 0}, {picture, 1}}, options);
  ASSERT_TRUE(limited.ok());
  EXPECT_EQ(limited->images, 1);
  EXPECT_FALSE(limited->has_reference);
  EXPECT_EQ(limited->rows[0].reference, -1);

  const auto missing =
      Evaluate(**executable, nullptr, *shared->program.main(), folder, {{"no.png", 0}}, options);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace anemone::lab
