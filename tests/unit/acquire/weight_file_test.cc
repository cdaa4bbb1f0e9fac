// Weight files of every kind, told by their content. The PyTorch files were written by PyTorch
// (tests/oracle/make_torch_fixtures.py says how) and hold the same tensors in its two forms.
#include "acquire/weight_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "acquire/torch_file.h"
#include "base/mapped_file.h"
#include "base/npy.h"
#include "support/mutations.h"
#include "support/scratch.h"

namespace anemone::acquire {
namespace {

using testing::HasSubstr;

constexpr char kFolder[] = "tests/fixtures/weights/";

std::vector<float> Floats(const NamedTensor* tensor) {
  if (tensor == nullptr) return {};
  const auto view = tensor->data.As<float>();
  return {view.begin(), view.end()};
}

class TorchForms : public testing::TestWithParam<const char*> {};

// {"conv.weight": [2, 3] of 0 ... 5, "conv.bias": half [2], "turned": conv.weight transposed,
//  "tail": a view of its last two, "counter": int64 scalar, "mask": bool [3], "empty": [0, 4],
//  "parameter": a Parameter}, an OrderedDict with _metadata.
TEST_P(TorchForms, TensorsOfAStateDict) {
  const auto file = WeightFile::Open(std::string(kFolder) + GetParam());
  ASSERT_TRUE(file.ok()) << file.error().ToString();
  EXPECT_EQ(file->format(), "pytorch");
  ASSERT_EQ(file->tensors().size(), 8u);
  EXPECT_EQ(Floats(file->Find("conv.weight")), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(Floats(file->Find("turned")), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(file->Find("turned")->shape, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(Floats(file->Find("tail")), (std::vector<float>{4, 5}));
  EXPECT_EQ(Floats(file->Find("parameter")), (std::vector<float>{7}));
  EXPECT_EQ(file->Find("conv.bias")->dtype, DType::kFp16);
  EXPECT_EQ(HalfToFloat(file->Find("conv.bias")->data.As<uint16_t>()[1]), -2.5f);
  EXPECT_EQ(file->Find("counter")->data.As<int64_t>()[0], 1234567890123);
  EXPECT_TRUE(file->Find("counter")->shape.empty());
  EXPECT_EQ(file->Find("mask")->dtype, DType::kBool);
  EXPECT_EQ(file->Find("empty")->shape, (std::vector<int64_t>{0, 4}));
  EXPECT_EQ(file->Find("absent"), nullptr);
}

TEST_P(TorchForms, MutationsEndInAValueOrAnError) {
  const auto bytes = MapFile(std::string(kFolder) + GetParam());
  ASSERT_TRUE(bytes.ok());
  size_t refused = 0;
  test::ForEachMutation({bytes->data(), bytes->size()}, {300, 2000, 2000},
                        [&](std::vector<std::byte> bad) {
                          refused += ParseTorchFile(Bytes::FromVector(std::move(bad))).ok() ? 0 : 1;
                        });
  EXPECT_GT(refused, 1000u);
}

INSTANTIATE_TEST_SUITE_P(WeightFile, TorchForms,
                         testing::Values("zip.pth", "legacy.pth", "protocol4.pth"),
                         [](const auto& test) {
                           const std::string name = test.param;
                           return name.substr(0, name.find('.'));
                         });

TEST(WeightFileTest, CheckpointsAndTheirOptimizers) {
  // {"epoch": 3, "best": 0.5, "model": {...}, "optimizer": {"state": {0: {"m": ...}}, ...}}
  const auto file = WeightFile::Open(std::string(kFolder) + "checkpoint.pth");
  ASSERT_TRUE(file.ok()) << file.error().ToString();
  ASSERT_EQ(file->tensors().size(), 1u);
  EXPECT_EQ(file->tensors()[0].name, "layer.weight");
}

TEST(WeightFileTest, WhatIsNoStateDictIsRefusedByName) {
  const auto error = [](const char* name) {
    const auto file = WeightFile::Open(std::string(kFolder) + name);
    return file.ok() ? "OK" : file.error().ToString();
  };
  // A whole nn.Module; a file whose pickle calls os.system; TorchScript.
  EXPECT_THAT(error("module.pth"),
              HasSubstr("the global 'torch.nn.modules.linear.Linear' at offset"));
  EXPECT_THAT(error("hostile.pth"), HasSubstr("'posix.system' at offset"));
  EXPECT_THAT(error("script.pt"), HasSubstr("TorchScript"));
  for (const char* name : {"module.pth", "hostile.pth", "script.pt"}) {
    EXPECT_THAT(error(name), HasSubstr("state_dict")) << name;
  }
}

TEST(WeightFileTest, Npz) {
  const auto file = WeightFile::Open("tests/fixtures/golden/zoo.npz");
  ASSERT_TRUE(file.ok()) << file.error().ToString();
  EXPECT_EQ(file->format(), "npz");
  EXPECT_NE(file->Find("resnet50/logits"), nullptr);
}

TEST(WeightFileTest, SafeTensorsWhoseLengthLooksLikeAPickle) {
  const test::ScratchFolder folder;
  for (const size_t length : {size_t{0x80}, size_t{0x0280}, size_t{0x4B50}}) {
    std::string header = "{}";
    header.resize(length, ' ');
    std::string file(8, '\0');
    for (size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(length >> (8 * i));
    test::WriteText(folder / "a.safetensors", file + header);
    const auto opened = WeightFile::Open(folder / "a.safetensors");
    ASSERT_TRUE(opened.ok()) << opened.error().ToString();
    EXPECT_EQ(opened->format(), "safetensors");
  }
}

TEST(WeightFileTest, OtherThings) {
  const test::ScratchFolder folder;
  const auto error = [&](std::string_view text) {
    test::WriteText(folder / "x", text);
    const auto file = WeightFile::Open(folder / "x");
    return file.ok() ? "OK" : file.error().ToString();
  };
  EXPECT_THAT(error("\x89HDF\r\n\x1a\n"), HasSubstr("HDF5"));
  EXPECT_THAT(error("PK\x03\x04zip"), HasSubstr("zip"));
  EXPECT_THAT(error("\x80\x02}q\x01."), HasSubstr("not a file of torch.save"));
  EXPECT_THAT(error("hello"), HasSubstr("header length"));
  EXPECT_THAT(error(""), HasSubstr("too few"));
}

}  // namespace
}  // namespace anemone::acquire
