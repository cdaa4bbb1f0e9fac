// Options at the public C++ interface: what is out of range is refused, and what once was the
// command's alone reaches everybody.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "anemone/session.h"
#include "base/npy.h"
#include "support/scratch.h"

namespace anemone {
namespace {

using testing::HasSubstr;

class Options : public testing::Test {
 protected:
  void SetUp() override {
    path_ = scratch_ / "linear.mil";
    std::ofstream(path_) << "func main<ios17>(tensor<fp32, [1, 64]> x) {\n"
                            "  y = linear(x = x, weight = tensor<fp32, [64, 64]>(seed 7));\n"
                            "} -> (y);\n";
  }
  Model Loaded() const {
    auto model = Model::Load(path_);
    EXPECT_TRUE(model) << model.failure().ToString();
    return *model;
  }

  test::ScratchFolder scratch_;
  std::string path_;
};

TEST_F(Options, OutOfRangeIsAUsageErrorThatNamesEveryField) {
  const auto loaded = Model::Load(path_, {.backend = "tpu", .threads = -1});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.failure().code, "usage");
  EXPECT_THAT(loaded.failure().message, HasSubstr("'backend' is 'tpu'"));
  EXPECT_THAT(loaded.failure().message, HasSubstr("'threads' is -1: it must be 0 to 1024"));

  const Model model = Loaded();
  const auto converted =
      model.Convert({.minimum_deployment_target = "iOS3", .compute_precision = "float8"});
  ASSERT_FALSE(converted);
  EXPECT_EQ(converted.failure().exit_code, 2);
  EXPECT_THAT(converted.failure().message, HasSubstr("'minimum_deployment_target' is 'iOS3'"));
  EXPECT_THAT(converted.failure().message, HasSubstr("choose float32 or float16"));

  const auto compressed = model.Compress({.mode = "linear",
                                          .group_size = 0,
                                          .preprocess = {.deviation = {1, 0, 1}},
                                          .percentile = 50});
  ASSERT_FALSE(compressed);
  EXPECT_EQ(compressed.failure().code, "usage");
  EXPECT_THAT(compressed.failure().message,
              HasSubstr("'mode' is 'linear': choose linear_symmetric, linear_asymmetric"));
  EXPECT_THAT(compressed.failure().message, HasSubstr("'group_size' is 0: it must be 1 or more"));
  EXPECT_THAT(compressed.failure().message, HasSubstr("'std' is 0"));
  EXPECT_THAT(compressed.failure().message, HasSubstr("'percentile' is 50"));

  const auto session =
      Session::Open(model, {.compute_units = "none", .max_concurrent_calls = 2000});
  ASSERT_FALSE(session);
  EXPECT_EQ(session.failure().code, "usage");
  EXPECT_THAT(session.failure().message, HasSubstr("'compute_units' is 'none'"));
  EXPECT_THAT(session.failure().message, HasSubstr("'max_concurrent_calls' is 2000"));
}

TEST_F(Options, HalfPrecisionMayBeOfTheStorageAlone) {
  const Model model = Loaded();
  const auto stored = model.Compress({.dtype = "float16", .storage_only = true});
  ASSERT_TRUE(stored) << stored.failure().ToString();
  // The weights are widened again before they are used; computed in half precision, the input is
  // narrowed too.
  EXPECT_THAT(stored->Text(), HasSubstr("fp16, [64, 64]"));
  EXPECT_THAT(stored->Text(), testing::Not(HasSubstr("fp16, [1, 64]")));
  const auto computed = model.Compress({.dtype = "float16"});
  ASSERT_TRUE(computed) << computed.failure().ToString();
  EXPECT_THAT(computed->Text(), HasSubstr("fp16, [1, 64]"));
}

TEST_F(Options, CompressTakesTheModelToAnotherTargetFirst) {
  const Model model = Loaded();
  EXPECT_THAT(model.Text(), HasSubstr("<ios17>"));
  const auto small = model.Compress({.dtype = "int4", .minimum_deployment_target = "macOS15"});
  ASSERT_TRUE(small) << small.failure().ToString();
  EXPECT_THAT(small->Text(), HasSubstr("<ios18>"));
  EXPECT_THAT(small->Text(), HasSubstr("constexpr_blockwise_shift_scale"));
}

// With activations of 8 bits the few weights of a first convolution have them too, and nothing else that is small.
TEST_F(Options, ActivationsTakeSmallWeightsUnlessAThresholdIsGiven) {
  std::ofstream(path_) << "func main<ios17>(tensor<fp32, [1, 3, 6, 6]> x) {\n"
                          "  a = conv(x = x, weight = tensor<fp32, [8, 3, 3, 3]>(seed 7));\n"
                          "  y = mul(x = a, y = tensor<fp32, [1, 8, 4, 4]>(seed 8));\n"
                          "} -> (y);\n";
  const std::string folder = scratch_ / "samples";
  std::filesystem::create_directory(folder);
  const auto file = EncodeNpy(
      {DType::kFp32, {1, 3, 6, 6}, Bytes::FromVector(std::vector<float>(3 * 6 * 6, 0.5f))});
  ASSERT_TRUE(file.ok());
  std::ofstream(folder + "/0.npy", std::ios::binary)
      .write(reinterpret_cast<const char*>(file->data()), std::ssize(*file));
  const auto weights_of = [&](std::optional<int64_t> threshold) {
    const auto small = Loaded().Compress(
        {.mode = "activations", .weight_threshold = threshold, .calibration = folder});
    EXPECT_TRUE(small) << small.failure().ToString();
    const std::string text = small->Text();
    size_t count = 0;
    for (size_t at = text.find("constexpr_"); at != std::string::npos;
         at = text.find("constexpr_", at + 1)) {
      ++count;
    }
    return count;
  };
  EXPECT_EQ(weights_of(std::nullopt), 1u);
  EXPECT_EQ(weights_of(2048), 0u);
  EXPECT_EQ(weights_of(500), 0u);
  EXPECT_EQ(weights_of(0), 2u);
}

TEST_F(Options, JsonObjectsBecomeStructs) {
  const auto options = ParseOptions<CompressOptions>(
      R"({"mode": "activations", "observer": "percentile", "percentile": 99.5, "crop": 0,
          "mean": [0, 0, 0], "std": [1, 1, 1]})");
  ASSERT_TRUE(options) << options.failure().ToString();
  EXPECT_EQ(options->observer, "percentile");
  EXPECT_EQ(options->percentile, 99.5);
  EXPECT_EQ(options->preprocess.crop, 0);
  EXPECT_EQ(options->preprocess.deviation, (std::array<float, 3>{1, 1, 1}));
  EXPECT_EQ(options->nbits, 0);
  const auto wrong = ParseOptions<ConvertOptions>(R"({"compute_precison": "float16"})");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.failure().ToString(), HasSubstr("'compute_precision'"));
}

TEST_F(Options, ABreakerMayStandInAFile) {
  const Model model = Loaded();
  const std::string file = scratch_ / "breaker.json";
  std::ofstream(file) << R"({"consecutive_failures": 5})";
  EXPECT_TRUE(Session::Open(model, {.breaker = file}));
  EXPECT_TRUE(Session::Open(model, {.breaker = R"( {"consecutive_failures": 5})"}));
  std::ofstream(file) << R"({"consecutive_failures": -5})";
  for (const std::string& text : {file, scratch_ / "absent.json", std::string("{}x")})
    EXPECT_FALSE(Session::Open(model, {.breaker = text})) << text;
}

}  // namespace
}  // namespace anemone
