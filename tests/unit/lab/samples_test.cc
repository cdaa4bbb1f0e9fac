#include "lab/samples.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/npy.h"
#include "lab_fixture.h"
#include "support/scratch.h"
#include "test_paths.h"

namespace anemone::lab {
namespace {

namespace fs = std::filesystem;
using test::ScratchFolder;

constexpr const char* kImages =
    "func main<ios16>(tensor<fp32, [1, 3, 6, 6]> image) { y = relu(x = image); } -> (y);";

std::string Picture() {
  for (const auto& entry :
       fs::directory_iterator(std::string(anemone::test::kSourceDir) + "/tests/fixtures/media")) {
    if (entry.path().extension() == ".png") return entry.path().string();
  }
  return "";
}

class SamplesTest : public ::testing::Test {
 protected:
  SamplesTest() : model_(test::ParseModel(kImages)) {}
  const ir::Function& function() const { return *model_->program.main(); }
  Error Refused(const std::string& folder) const {
    const auto samples = Samples::Folder(function(), folder, {}, 0);
    EXPECT_FALSE(samples.ok());
    return samples.ok() ? Internal("none") : samples.error();
  }
  void WriteArray(const std::string& name, std::vector<int64_t> shape) const {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    const auto bytes =
        EncodeNpy({DType::kFp32, std::move(shape),
                   Bytes::FromVector(std::vector<float>(static_cast<size_t>(count), 0.5F))});
    ASSERT_TRUE(bytes.ok());
    test::WriteText(folder_ / name, {reinterpret_cast<const char*>(bytes->data()), bytes->size()});
  }
  ScratchFolder folder_;
  std::shared_ptr<const ir::Model> model_;
};

TEST_F(SamplesTest, SeededOnesAreAFunctionOfTheSeed) {
  const auto a = Samples::Synthetic(*model_, function(), 3, 1);
  const auto b = Samples::Synthetic(*model_, function(), 3, 1);
  const auto c = Samples::Synthetic(*model_, function(), 3, 2);
  ASSERT_TRUE(a.ok() && b.ok() && c.ok());
  EXPECT_EQ(a->sha256(), b->sha256());
  EXPECT_NE(a->sha256(), c->sha256());
  EXPECT_EQ(a->count(), 3);
  EXPECT_EQ(a->Subset(2).count(), 2);
  EXPECT_NE(a->Subset(2).sha256(), a->sha256());
  EXPECT_EQ(a->Subset(9).sha256(), a->sha256());
}

TEST_F(SamplesTest, WhatIsSetAsideIsNotJudged) {
  const auto all = Samples::Synthetic(*model_, function(), 10, 1);
  ASSERT_TRUE(all.ok());
  Samples judged = *all;
  const Samples aside = judged.SetAside(4);
  EXPECT_EQ(aside.names(), (std::vector<std::string>{"seed 1 sample 2", "seed 1 sample 6"}));
  EXPECT_EQ(judged.count(), 8);
  for (const std::string& name : aside.names())
    EXPECT_EQ(std::ranges::count(judged.names(), name), 0) << name;
  EXPECT_EQ(aside.at(1).at("image").As<float>()[7], all->at(6).at("image").As<float>()[7]);
  EXPECT_EQ(judged.at(2).at("image").As<float>()[7], all->at(3).at("image").As<float>()[7]);
  EXPECT_NE(judged.sha256(), all->sha256());
  EXPECT_NE(judged.description().find("8 of 10"), std::string::npos) << judged.description();
}

TEST_F(SamplesTest, LabelsStayWithTheirPictures) {
  std::vector<LabeledImage> images;
  for (int64_t i = 0; i < 6; ++i) {
    const std::string name = std::string(1, static_cast<char>('a' + i)) + ".png";
    fs::copy_file(Picture(), folder_ / name);
    images.push_back({name, 10 + i});
  }
  auto judged = Samples::Labeled(function(), folder_.path().string(), images, {}, 0);
  ASSERT_TRUE(judged.ok()) << judged.error().ToString();
  const Samples aside = judged->SetAside(3);
  EXPECT_EQ(aside.labels(), (std::vector<int64_t>{11, 14}));
  EXPECT_EQ(aside.names(), (std::vector<std::string>{"b.png", "e.png"}));
  EXPECT_EQ(judged->labels(), (std::vector<int64_t>{10, 12, 13, 15}));
}

TEST_F(SamplesTest, PicturesAndLabels) {
  fs::copy_file(Picture(), folder_ / "a.png");
  fs::copy_file(Picture(), folder_ / "b.PNG");
  test::WriteText(folder_ / "notes.txt", "not a picture");
  const auto folder = Samples::Folder(function(), folder_.path().string(), {}, 0);
  ASSERT_TRUE(folder.ok()) << folder.error().ToString();
  EXPECT_EQ(folder->count(), 2);
  EXPECT_TRUE(folder->labels().empty());
  EXPECT_EQ(folder->at(0).at("image").shape(), (ir::Shape{1, 3, 6, 6}));
  const auto labeled =
      Samples::Labeled(function(), folder_.path().string(), {{"b.PNG", 4}, {"a.png", 2}}, {}, 1);
  ASSERT_TRUE(labeled.ok()) << labeled.error().ToString();
  EXPECT_EQ(labeled->labels(), (std::vector<int64_t>{4}));
  const auto other = Samples::Labeled(function(), folder_.path().string(), {{"b.PNG", 5}}, {}, 1);
  ASSERT_TRUE(other.ok());
  EXPECT_NE(labeled->sha256(), other->sha256());
}

TEST_F(SamplesTest, AnEmptyFolderOrNone) {
  EXPECT_EQ(Refused(folder_.path().string()).code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(Refused(folder_ / "none").code(), ErrorCode::kNotFound);
}

TEST_F(SamplesTest, EveryCorruptPictureIsNamed) {
  fs::copy_file(Picture(), folder_ / "good.png");
  test::WriteText(folder_ / "bad.jpg", "\xff\xd8\xff not really");
  test::WriteText(folder_ / "cut.png", test::ReadText(Picture()).substr(0, 40));
  const Error error = Refused(folder_.path().string());
  EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
  EXPECT_NE(error.ToString().find("2 of 3"), std::string::npos) << error.ToString();
  EXPECT_NE(error.ToString().find("bad.jpg"), std::string::npos) << error.ToString();
  EXPECT_NE(error.ToString().find("cut.png"), std::string::npos) << error.ToString();
}

TEST_F(SamplesTest, ArraysOfTheInputsShapeOnly) {
  WriteArray("a.npy", {1, 3, 6, 6});
  const auto good = Samples::Folder(function(), folder_.path().string(), {}, 0);
  ASSERT_TRUE(good.ok()) << good.error().ToString();
  EXPECT_EQ(good->at(0).at("image").As<float>()[0], 0.5F);
  WriteArray("b.npy", {1, 3, 6, 7});
  const Error error = Refused(folder_.path().string());
  EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
  EXPECT_NE(error.ToString().find("[1, 3, 6, 7]"), std::string::npos) << error.ToString();
  EXPECT_NE(error.ToString().find("b.npy"), std::string::npos) << error.ToString();
  fs::copy_file(Picture(), folder_ / "c.png");
  EXPECT_NE(Refused(folder_.path().string()).message().find("1 images and 2 .npy"),
            std::string::npos);
}

TEST_F(SamplesTest, ModelsThatFilesCannotFeed) {
  const auto two = test::ParseModel(
      "func main<ios16>(tensor<fp32, [2]> a, tensor<fp32, [2]> b) { y = add(x = a, y = b); } -> "
      "(y);");
  fs::copy_file(Picture(), folder_ / "a.png");
  const auto samples = Samples::Folder(*two->program.main(), folder_.path().string(), {}, 0);
  ASSERT_FALSE(samples.ok());
  EXPECT_EQ(samples.error().code(), ErrorCode::kUsage);
}

}  // namespace
}  // namespace anemone::lab
