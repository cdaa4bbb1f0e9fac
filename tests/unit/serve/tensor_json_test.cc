// Tensors in JSON: what is read as a tensor, what is refused, and that numbers survive both ways.
#include "serve/tensor_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>

namespace anemone::serve {
namespace {

bool AnyMember(const std::vector<std::string>& path) { return path.size() == 1; }

TEST(TensorJsonTest, ListsAreTensorsAndTheRestIsNot) {
  const auto read = ReadTensorDocument(
      R"({"inputs": [{"data": [[1, 2.5, true], [-3, 4e2, false]],
      "name": "x", "shape": [2, 3]}, {"data": 7}], "id": "a"})",
      [](const std::vector<std::string>& path) { return path.size() == 3 && path[2] == "data"; });
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  ASSERT_EQ(read->lists.size(), 2u);
  EXPECT_EQ(read->lists[0].values, (std::vector<double>{1, 2.5, 1, -3, 400, 0}));
  EXPECT_EQ(read->lists[0].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(read->lists[1].values, std::vector<double>{7});
  EXPECT_TRUE(read->lists[1].shape.empty());
  EXPECT_EQ(read->json["inputs"][0]["shape"][1].integer(), 3);
  EXPECT_EQ(read->json["inputs"][1]["data"].integer(), 1);  // the second list
  EXPECT_EQ(read->json["id"].text(), "a");
}

TEST(TensorJsonTest, ShapesOfEmptyLists) {
  const auto shape = [](const char* text) {
    const auto read = ReadTensorDocument(text, AnyMember);
    return read.ok() ? read->lists[0].shape : std::vector<int64_t>{-1};
  };
  EXPECT_EQ(shape(R"({"x": []})"), (std::vector<int64_t>{0}));
  EXPECT_EQ(shape(R"({"x": [[], []]})"), (std::vector<int64_t>{2, 0}));
  EXPECT_EQ(shape(R"({"x": [[[1]], [[2]]]})"), (std::vector<int64_t>{2, 1, 1}));
}

TEST(TensorJsonTest, WhatIsNoTensorIsRefused) {
  for (const char* text : {
           R"({"x": [1, [2]]})",      R"({"x": [[1], 2]})",
           R"({"x": [[], 1]})",       R"({"x": [[], [[1]]]})",
           R"({"x": [[[1]], [2]]})",  R"({"x": [[1, 2], [3]]})",
           R"({"x": [[1], [2, 3]]})", R"({"x": ["1"]})",
           R"({"x": [null]})",        R"({"x": [{}]})",
           R"({"x": null})",          R"({"x": {}})",
           R"({"x": "1"})",           R"({"x": [1e999]})",
           R"({"x": [1], "x": [1]})", R"({"x": [NaN]})",
           R"({"x": [1,]})",          R"({"x": [1]} 2)",
           "{\"x\": [\"\xff\"]}",     "",
       }) {
    EXPECT_FALSE(ReadTensorDocument(text, AnyMember).ok()) << text;
  }
  const std::string deep = "{\"x\": " + std::string(100'000, '[');
  EXPECT_FALSE(ReadTensorDocument(deep, AnyMember).ok());
  std::string many = "[0";
  for (int i = 0; i < 20'000; ++i) many += ",0";
  EXPECT_FALSE(ReadTensorDocument(many + "]", AnyMember).ok());
}

TEST(TensorJsonTest, EveryFloatReadsBackTheSame) {
  std::mt19937 random(1);
  exec::Tensor tensor = *exec::Tensor::Allocate(DType::kFp32, {5000});
  for (int i = 0; i < 5000; ++i) {
    const auto bits = static_cast<uint32_t>(random());
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    tensor.As<float>()[i] = std::isfinite(value) ? value : -0.0F;
  }
  std::string text = R"({"x":)";
  ASSERT_TRUE(AppendValues(tensor, text).ok());
  const auto read = ReadTensorDocument(text + "}", AnyMember);
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  for (int i = 0; i < 5000; ++i) {
    const auto value = static_cast<float>(read->lists[0].values[static_cast<size_t>(i)]);
    ASSERT_EQ(value, tensor.As<float>()[i]);
  }
}

TEST(TensorJsonTest, WhatJsonCannotExpressIsNotWritten) {
  exec::Tensor tensor = *exec::Tensor::Allocate(DType::kFp32, {2});
  tensor.As<float>()[0] = 1;
  for (const float value : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    tensor.As<float>()[1] = value;
    std::string text;
    const Status status = AppendValues(tensor, text);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code(), ErrorCode::kUnsupported);
  }
}

TEST(TensorJsonTest, IntegersAndBooleans) {
  exec::Tensor flags = *exec::Tensor::Allocate(DType::kBool, {2});
  flags.As<uint8_t>()[0] = 1;
  flags.As<uint8_t>()[1] = 0;
  exec::Tensor numbers = *exec::Tensor::Allocate(DType::kInt32, {2});
  numbers.As<int32_t>()[0] = std::numeric_limits<int32_t>::min();
  numbers.As<int32_t>()[1] = 7;
  std::string text;
  ASSERT_TRUE(AppendValues(flags, text).ok());
  ASSERT_TRUE(AppendValues(numbers, text).ok());
  EXPECT_EQ(text, "[true,false][-2147483648,7]");
}

}  // namespace
}  // namespace anemone::serve
