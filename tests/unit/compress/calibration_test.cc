// Compression that needs inputs: observers, quantized activations, rounding and palettes by inputs,
// bias correction; and equalization, which needs none.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "compress/apply.h"
#include "compress/equalize.h"
#include "compress/gptq.h"
#include "compress/linear_quantization.h"
#include "compress/moments.h"
#include "compress/palettization.h"
#include "exec/interpreter.h"
#include "exec/reference_backend.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "support/mil_program.h"

namespace anemone::compress {
namespace {

// Samples from a fixed seed; channel c is c + 1 times as large as the first. Correlated: the
// channels of a position are correlated, as in real networks.
class Samples final : public CalibrationData {
 public:
  Samples(ir::Shape shape, int64_t count, bool correlated = false)
      : shape_(std::move(shape)), count_(count), correlated_(correlated) {}
  int64_t count() const override { return count_; }
  Result<std::map<std::string, exec::Tensor>> Sample(int64_t index) const override {
    ANEMONE_ASSIGN(exec::Tensor tensor, exec::Tensor::Allocate(DType::kFp32, shape_));
    Random random(static_cast<uint64_t>(index) + 100);
    random.FillNormal({tensor.As<float>(), static_cast<size_t>(tensor.count())}, 0.3f, 1.0f);
    const int64_t inner = tensor.count() / shape_[1];
    std::vector<float> common(static_cast<size_t>(inner), 0.0f);
    if (correlated_) random.FillNormal(common, 0.0f, 3.0f);
    for (int64_t i = 0; i < tensor.count(); ++i) {
      float& value = tensor.As<float>()[i];
      const int64_t channel = i / inner;
      value =
          (value + common[static_cast<size_t>(i % inner)]) * static_cast<float>(channel + 1) / 4;
    }
    std::map<std::string, exec::Tensor> sample;
    sample["x"] = std::move(tensor);
    return sample;
  }

 private:
  ir::Shape shape_;
  int64_t count_;
  bool correlated_;
};

Calibration CalibrationOf(const CalibrationData& data) {
  Calibration calibration;
  calibration.data = &data;
  calibration.load = [](std::shared_ptr<const ir::Model> model) {
    return exec::ReferenceBackend().Load(std::move(model), {});
  };
  return calibration;
}

std::vector<float> Predict(const ir::Program& program, const Samples& samples, int64_t index) {
  const auto outputs = exec::Interpret(*program.functions[0], *samples.Sample(index));
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  if (!outputs.ok()) return {};
  return {(*outputs)[0].As<float>(), (*outputs)[0].As<float>() + (*outputs)[0].count()};
}

double MeanSquare(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return sum / static_cast<double>(a.size());
}

TEST(ActivationObserver, RangesOfEachKind) {
  ActivationObserver seen(true);
  std::vector<float> values(20'000);
  Random(1).FillNormal(values, 0.0f, 1.0f);
  seen.Add(std::span<const float>(values).subspan(0, 5));
  values.back() = 100.0f;  // an outlier for which the histogram must widen
  seen.Add(std::span<const float>(values).subspan(5));
  seen.Add(std::vector<float>{std::numeric_limits<float>::quiet_NaN()});
  EXPECT_EQ(seen.count(), 20'000);
  EXPECT_EQ(seen.not_finite(), 1);
  const auto range = [&](Observer observer) {
    return seen.Range(observer, 99.9, LinearMode::kSymmetric);
  };
  EXPECT_EQ(range(Observer::kMinMax).high, 100);
  EXPECT_LT(range(Observer::kMinMax).low, -3);
  EXPECT_LT(range(Observer::kPercentile).high, 4);
  EXPECT_GT(range(Observer::kPercentile).high, 2.5);
  EXPECT_LT(range(Observer::kMse).high, 99);
  EXPECT_GT(range(Observer::kMse).high, 2.5);
  EXPECT_LT(range(Observer::kEntropy).high, 20);
  EXPECT_GT(range(Observer::kEntropy).high, 1.5);

  // In two halves, merged: the same.
  ActivationObserver a(true);
  ActivationObserver b(true);
  a.Add(std::span<const float>(values).subspan(0, 12'000));
  b.Add(std::span<const float>(values).subspan(12'000));
  a.Merge(b);
  EXPECT_NEAR(a.Range(Observer::kMse, 99.9, LinearMode::kSymmetric).high,
              range(Observer::kMse).high, 3);
}

constexpr const char* kNetwork = R"(
    func main<ios18>(tensor<fp32, [1, 8, 6, 6]> x) {
      a = conv(x = x, weight = tensor<fp32, [16, 8, 3, 3]>(seed 1), bias = tensor<fp32, [16]>(seed 2),
               pad_type = "same");
      b = relu(x = a);
      c = conv(x = b, weight = tensor<fp32, [16, 1, 3, 3]>(seed 3), groups = 16, pad_type = "same");
      d = relu(x = c);
      e = conv(x = d, weight = tensor<fp32, [16, 16, 1, 1]>(seed 4));
      f = add(x = e, y = b);
      g = silu(x = f);
      h = concat(values = (g, b), axis = 1);
      p = max_pool(x = h, kernel_sizes = [2, 2], strides = [2, 2], pad_type = "valid");
      r = reshape(x = p, shape = [1, 288]);
      y = linear(x = r, weight = tensor<fp32, [10, 288]>(seed 5));
    } -> (y);)";

TEST(Activations, PairsWhereCoreMLWantsThem) {
  const Samples samples({1, 8, 6, 6}, 4);
  const Calibration calibration = CalibrationOf(samples);
  for (const Observer observer :
       {Observer::kMinMax, Observer::kPercentile, Observer::kMse, Observer::kEntropy}) {
    for (const LinearMode mode : {LinearMode::kSymmetric, LinearMode::kAsymmetric}) {
      auto model = ir::MakeModel(test::ParseProgram(kNetwork));
      ASSERT_TRUE(model.ok()) << model.status().ToString();
      const std::vector<float> before = Predict(model->program, samples, 0);
      Configuration configuration;
      configuration.activations = ActivationStep();
      configuration.activations->observer = observer;
      configuration.activations->global_config->mode = mode;
      WeightStep step;
      step.global_config = LinearConfig{.weight_threshold = 0};
      configuration.weights = {step};
      ApplyOptions options;
      options.calibration = &calibration;
      const auto report = Apply(*model, configuration, options);
      ASSERT_TRUE(report.ok()) << report.status().ToString();
      ASSERT_TRUE(ir::Verify(model->program).ok()) << ir::Verify(model->program).ToString();
      // x, b (behind relu, not behind conv), d, e, f, h, p, r: one pair each, y is the output.
      EXPECT_EQ(test::CountOps(model->program, "quantize"), 8);
      EXPECT_EQ(test::CountOps(model->program, "dequantize"), 8);
      ir::ForEachOperation(*model->program.functions[0]->block, [&](const ir::Operation& op) {
        // Convolution and activation stay together.
        if (op.type() == "relu") {
          EXPECT_EQ(op.Input("x")->producer->type(), "conv");
        }
        if (op.type() == "conv" || op.type() == "add" || op.type() == "linear") {
          EXPECT_EQ(op.Input("x")->producer->type(), "dequantize") << op.name();
        }
        if (op.type() == "quantize") {
          EXPECT_EQ(op.Input("zero_point") != nullptr, mode == LinearMode::kAsymmetric);
        }
      });
      // The concat's parts that are 8 bits have its scale.
      std::map<std::string, double> scales;
      ir::ForEachOperation(*model->program.functions[0]->block, [&](const ir::Operation& op) {
        if (op.type() == "quantize")
          scales[op.Input("input")->name] = *op.Input("scale")->literal->AsDouble();
      });
      EXPECT_EQ(scales.at("b"), scales.at("h"));
      EXPECT_NE(scales.at("b"), scales.at("x"));
      const std::vector<float> after = Predict(model->program, samples, 0);
      double power = 0;
      for (const float value : before) power += double{value} * value / 10;
      // Entropy clips more than these few samples justify.
      EXPECT_LT(MeanSquare(before, after), (observer == Observer::kEntropy ? 0.5 : 0.05) * power);
      EXPECT_GT(MeanSquare(before, after), 0);
    }
  }
}

TEST(Activations, Refusals) {
  std::string old = kNetwork;
  old.replace(old.find("ios18"), 5, "ios16");
  auto model = ir::MakeModel(test::ParseProgram(old));
  ASSERT_TRUE(model.ok());
  Configuration configuration;
  configuration.activations = ActivationStep();
  EXPECT_EQ(Apply(*model, configuration).error().code(), ErrorCode::kUsage);  // no inputs
  const Samples none({1, 8, 6, 6}, 0);
  const Samples wrong({1, 8, 6, 5}, 1);
  const Samples right({1, 8, 6, 6}, 1);
  Calibration calibration = CalibrationOf(right);
  ApplyOptions options;
  options.calibration = &calibration;
  const auto refused = Apply(*model, configuration, options);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message().find("ios17"), std::string::npos);
  auto newer = ir::MakeModel(test::ParseProgram(kNetwork));
  calibration.data = &none;
  EXPECT_EQ(Apply(*newer, configuration, options).error().code(), ErrorCode::kUsage);
  calibration.data = &wrong;
  EXPECT_FALSE(Apply(*newer, configuration, options).ok());
  calibration.data = &right;
  options.cancelled = [] { return true; };
  EXPECT_EQ(Apply(*newer, configuration, options).error().code(), ErrorCode::kCancelled);
}

// The error of the network's output over some samples, with weights compressed by `step`.
double LossOf(const OpConfig& config, bool correct_bias, const std::string& network,
              const ir::Shape& shape, bool correlated) {
  const Samples samples(shape, 24, correlated);
  const Calibration calibration = CalibrationOf(samples);
  auto model = ir::MakeModel(test::ParseProgram(network));
  EXPECT_TRUE(model.ok());
  const ir::Program original = ir::Clone(model->program);
  Configuration configuration;
  configuration.correct_bias = correct_bias;
  WeightStep step;
  step.global_config = config;
  configuration.weights = {step};
  ApplyOptions options;
  options.calibration = &calibration;
  const auto report = Apply(*model, configuration, options);
  EXPECT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_TRUE(ir::Verify(model->program).ok());
  double loss = 0;
  for (int64_t i = 0; i < 8; ++i)
    loss += MeanSquare(Predict(original, samples, i), Predict(model->program, samples, i));
  return loss;
}

TEST(WeightsByInputs, LoseLessThanNearest) {
  const std::string conv = R"(
    func main<ios18>(tensor<fp32, [1, 8, 6, 6]> x) {
      y = conv(x = x, weight = tensor<fp32, [12, 8, 3, 3]>(seed 1), pad_type = "same");
    } -> (y);)";
  const std::string grouped = R"(
    func main<ios18>(tensor<fp32, [1, 8, 6, 6]> x) {
      y = conv(x = x, weight = tensor<fp32, [12, 4, 3, 3]>(seed 1), groups = 2, strides = [2, 2],
               pad_type = "custom", pad = [1, 1, 1, 1]);
    } -> (y);)";
  const std::string linear = R"(
    func main<ios18>(tensor<fp32, [16, 32]> x) {
      y = linear(x = x, weight = tensor<fp32, [24, 32]>(seed 1));
    } -> (y);)";
  const std::pair<std::string, ir::Shape> networks[] = {
      {conv, {1, 8, 6, 6}}, {grouped, {1, 8, 6, 6}}, {linear, {16, 32}}};
  double nearest_loss = 0;
  double corrected_loss = 0;
  double plain_loss = 0;
  double sensitive_loss = 0;
  for (const auto& [network, shape] : networks) {
    SCOPED_TRACE(network);
    LinearConfig quantize{.dtype = DType::kInt4, .weight_threshold = 0};
    const double nearest = LossOf(quantize, false, network, shape, true);
    quantize.rounding = Rounding::kGptq;
    EXPECT_LT(LossOf(quantize, false, network, shape, true), nearest * 0.8);
    quantize.rounding = Rounding::kAdaRound;
    EXPECT_LT(LossOf(quantize, false, network, shape, true), nearest * 0.8);
    quantize.rounding = Rounding::kNearest;
    nearest_loss += LossOf(quantize, false, network, shape, false);
    corrected_loss += LossOf(quantize, true, network, shape, false);
    PaletteConfig palette{.nbits = 2, .weight_threshold = 0};
    plain_loss += LossOf(palette, false, network, shape, false);
    palette.sensitivity = true;
    sensitive_loss += LossOf(palette, false, network, shape, false);
  }
  EXPECT_LT(corrected_loss, nearest_loss);
  EXPECT_LT(sensitive_loss, plain_loss);
}

TEST(EqualizeLayers, SameResultsAlikeRanges) {
  ir::Program program = test::ParseProgram(R"(
    func main<ios16>(tensor<fp32, [1, 4, 5, 5]> x) {
      s = const()[val = tensor<fp32, [6, 4, 1, 1]>(seed 1)];
      a = conv(x = x, weight = s, bias = tensor<fp32, [6]>(seed 2));
      b = relu(x = a);
      c = conv(x = b, weight = tensor<fp32, [6, 1, 3, 3]>(seed 3), groups = 6);
      y = conv(x = c, weight = tensor<fp32, [3, 6, 1, 1]>(seed 4));
    } -> (y);)");
  // One channel a hundred times the others.
  ir::ForEachOperation(*program.functions[0]->block, [&](ir::Operation& op) {
    if (!op.is_const() || op.output()->name != "s") return;
    std::vector<float> values = *op.output()->literal->AsFloats();
    for (size_t i = 0; i < 4; ++i) values[i] *= 100;
    op.output()->literal = std::make_shared<ir::Literal>(ir::Literal::Fp32s(values, {6, 4, 1, 1}));
  });
  const Samples samples({1, 4, 5, 5}, 1);
  const std::vector<float> before = Predict(program, samples, 0);
  const auto spread = [&](size_t conv) {
    std::vector<float> weights;
    size_t at = 0;
    ir::ForEachOperation(*program.functions[0]->block, [&](const ir::Operation& op) {
      if (op.type() == "conv" && at++ == conv) weights = *op.Input("weight")->literal->AsFloats();
    });
    std::vector<float> ranges;
    for (size_t o = 0; o < 6; ++o) {
      float most = 0;
      for (size_t i = 0; i < weights.size() / 6; ++i)
        most = std::max(most, std::abs(weights[o * weights.size() / 6 + i]));
      ranges.push_back(most);
    }
    return *std::ranges::max_element(ranges) / *std::ranges::min_element(ranges);
  };
  const float uneven = spread(0);
  const auto pairs = EqualizeLayers(*program.functions[0]);
  ASSERT_TRUE(pairs.ok()) << pairs.status().ToString();
  EXPECT_EQ(*pairs, 2);
  ASSERT_TRUE(ir::Verify(program).ok()) << ir::Verify(program).ToString();
  EXPECT_LT(spread(0), uneven / 5);
  const std::vector<float> after = Predict(program, samples, 0);
  for (size_t i = 0; i < before.size(); ++i)
    EXPECT_NEAR(after[i], before[i], 1e-4 * std::abs(before[i]) + 1e-4);
}

}  // namespace
}  // namespace anemone::compress
