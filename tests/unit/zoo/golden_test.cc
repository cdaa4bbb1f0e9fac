// Logits of the seeded models against those that PyTorch gave for the same weights
// (tools/oracle/zoo_check.py --golden).
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/npy.h"
#include "exec/backend.h"
#include "runtime/backends.h"
#include "zoo/zoo.h"

namespace anemone::zoo {
namespace {

// The picture that the oracle used.
std::vector<float> Pattern(int64_t size) {
  std::vector<float> values;
  values.reserve(size_t(3 * size * size));
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t y = 0; y < size; ++y) {
      for (int64_t x = 0; x < size; ++x) {
        values.push_back(float((31 * c + 7 * y + 13 * x + x * y % 61) % 256) / 127.5f - 1.0f);
      }
    }
  }
  return values;
}

class Golden : public testing::TestWithParam<const char*> {};

TEST_P(Golden, LogitsEqualPyTorchs) {
  const std::string name = GetParam();
  const auto arrays = ReadNpz("tests/fixtures/golden/zoo.npz");
  ASSERT_TRUE(arrays.ok()) << arrays.error().ToString();
  const std::map<std::string, NpyArray> golden(arrays->begin(), arrays->end());
  const auto expected = golden.at(name + "/logits").data.As<float>();
  const auto range = golden.at(name + "/range").data.As<float>();
  const int32_t best = golden.at(name + "/best").data.As<int32_t>()[0];

  auto model = Build(name, WeightSource::Seeded(0));
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  const auto backend = runtime::FindBackend("auto");
  ASSERT_TRUE(backend.ok());
  const auto executable =
      (*backend)->Load(std::make_shared<const ir::Model>(*std::move(model)), {});
  ASSERT_TRUE(executable.ok()) << executable.error().ToString();
  const int64_t size = FindEntry(name)->preprocessing.size;
  const std::vector<float> pixels = Pattern(size);
  const auto image = exec::Tensor::Copy({DType::kFp32, {1, 3, size, size}, pixels.data()});
  ASSERT_TRUE(image.ok());
  const auto outputs = (*executable)->Run({{"image", *image}}, nullptr, nullptr);
  ASSERT_TRUE(outputs.ok()) << outputs.error().ToString();

  const float* logits = outputs->at("logits").As<float>();
  const float tolerance = 1e-4f * (range[1] - range[0]);
  ASSERT_EQ(expected.size(), 20u);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(logits[i], expected[i], tolerance) << i;
  EXPECT_NEAR(*std::max_element(logits, logits + 1000), range[1], tolerance);
  EXPECT_NEAR(*std::min_element(logits, logits + 1000), range[0], tolerance);
  EXPECT_EQ(std::max_element(logits, logits + 1000) - logits, best);
  // Neither flat nor saturated, so a comparison of variants is meaningful.
  EXPECT_GT(range[1] - range[0], 4.0f);
  const float* probabilities = outputs->at("probabilities").As<float>();
  EXPECT_LT(*std::max_element(probabilities, probabilities + 1000), 0.999f);
}

INSTANTIATE_TEST_SUITE_P(Zoo, Golden,
                         testing::Values("fastvit_t8", "fastvit_t12", "fastvit_s12",
                                         "mobilenetv3_small", "mobilenetv3_large", "resnet18",
                                         "resnet50", "mobilenetv2", "efficientnet_b0",
                                         "efficientnet_b1", "efficientnet_lite0",
                                         "efficientnet_lite1", "efficientnet_lite2"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace anemone::zoo
