// Logits of the seeded models against those that PyTorch gave for the same weights
// (tools/oracle/zoo_check.py --golden).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/npy.h"
#include "exec/backend.h"
#include "exec/synthetic_inputs.h"
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

  auto built = Build(name, WeightSource::Seeded(0));
  ASSERT_TRUE(built.ok()) << built.error().ToString();
  const auto model = std::make_shared<const ir::Model>(*std::move(built));
  const auto backend = runtime::FindBackend("auto");
  ASSERT_TRUE(backend.ok());
  const auto executable = (*backend)->Load(model, {});
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
  EXPECT_GT(range[1] - range[0], 0.5f);  // not flat, on a picture that is far from noise

  // On standard-normal inputs, the logits spread as a trained network's do (1.45, models/README.md), and
  // no class is certain, so that a comparison of variants is meaningful.
  const auto noise = exec::SyntheticInputs(*model, *model->program.main(), 0, 0);
  ASSERT_TRUE(noise.ok());
  const auto answers = (*executable)->Run(*noise, nullptr, nullptr);
  ASSERT_TRUE(answers.ok()) << answers.error().ToString();
  const float* scores = answers->at("logits").As<float>();
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < 1000; ++i) {
    sum += double{scores[i]};
    squares += double{scores[i]} * double{scores[i]};
  }
  const double deviation = std::sqrt(squares / 1000 - sum / 1000 * sum / 1000);
  EXPECT_GT(deviation, 0.7);
  EXPECT_LT(deviation, 2.2);
  const float* probabilities = answers->at("probabilities").As<float>();
  const float most = *std::max_element(probabilities, probabilities + 1000);
  EXPECT_GT(most, 0.005f);  // an even guess is 0.001
  EXPECT_LT(most, 0.5f);
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
