#include "lab/parity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lab/verify.h"

namespace anemone::lab {
namespace {

exec::ConstTensor View(const std::vector<float>& values, ir::Shape shape) {
  return {DType::kFp32, std::move(shape), values.data()};
}

Parity Compare(const std::vector<float>& reference, const std::vector<float>& variant,
               const ir::Shape& shape) {
  ParityMeter meter;
  EXPECT_TRUE(meter.Add(View(reference, shape), View(variant, shape)).ok());
  return meter.Result();
}

TEST(Parity, EqualTensorsHaveNoError) {
  const Parity parity = Compare({1, 2, 3, 4}, {1, 2, 3, 4}, {2, 2});
  EXPECT_EQ(parity.linf, 0);
  EXPECT_EQ(parity.rmse, 0);
  EXPECT_TRUE(std::isinf(parity.psnr_db));
  EXPECT_NEAR(parity.cosine, 1, 1e-12);
  EXPECT_EQ(parity.rows, 2);
  EXPECT_EQ(parity.top1_agree, 2);
}

TEST(Parity, FiguresByHand) {
  // Errors 0.5, 0, -1, 0; range 10.
  const Parity parity = Compare({0, 2, 10, 4}, {0.5, 2, 9, 4}, {1, 4});
  EXPECT_DOUBLE_EQ(parity.linf, 1);
  EXPECT_DOUBLE_EQ(parity.rmse, std::sqrt(1.25 / 4));
  EXPECT_DOUBLE_EQ(parity.linf_relative, 0.1);
  EXPECT_DOUBLE_EQ(parity.psnr_db, 20 * std::log10(10 / std::sqrt(1.25 / 4)));
  EXPECT_DOUBLE_EQ(parity.snr_db, 10 * std::log10(120 / 1.25));
  EXPECT_FALSE(parity.distribution);
}

TEST(Parity, SeveralInputsShareOneRange) {
  ParityMeter meter;
  const std::vector<float> small{0, 1}, large{0, 100}, off{0, 99};
  ASSERT_TRUE(meter.Add(View(small, {1, 2}), View(small, {1, 2})).ok());
  ASSERT_TRUE(meter.Add(View(large, {1, 2}), View(off, {1, 2})).ok());
  EXPECT_DOUBLE_EQ(meter.Result().linf_relative, 0.01);
  EXPECT_EQ(meter.Result().samples, 2);
}

TEST(Parity, AFlipCountsOnlyWhenTheMarginExceedsTheError) {
  // Margin 0.1, error 0.2: the flip is within the noise.
  EXPECT_EQ(Compare({0.5, 0.4, 0.1}, {0.35, 0.55, 0.1}, {1, 3}).top1_flips, 0);
  // Cannot flip by less than half the margin each; a swap with margin above the largest single
  // error is impossible, so a counted flip needs an error concentrated on both sides.
  const Parity parity = Compare({0.5, 0.4, 0.1}, {0.44, 0.46, 0.1}, {1, 3});
  EXPECT_EQ(parity.top1_agree, 0);
  EXPECT_EQ(parity.top1_flips, 1);
}

TEST(Parity, TopFive) {
  const Parity parity = Compare({9, 8, 7, 6, 5, 4, 3}, {3, 8, 7, 6, 5, 4, 3}, {1, 7});
  EXPECT_EQ(parity.top1_agree, 0);
  EXPECT_EQ(parity.top5_agree, 0);
  EXPECT_EQ(Compare({9, 8, 7, 6, 5, 4, 3}, {5, 8, 7, 6, 5, 4, 3}, {1, 7}).top5_agree, 1);
}

TEST(Parity, DistributionsAreJudgedAbsolutely) {
  const Parity parity = Compare({0.25, 0.75}, {0.26, 0.74}, {1, 2});
  EXPECT_TRUE(parity.distribution);
  EXPECT_NEAR(parity.kl_divergence, 0.25 * std::log(0.25 / 0.26) + 0.75 * std::log(0.75 / 0.74),
              1e-6);
  const JudgedParity judged = Judge(parity, {.linf = 0.02, .rmse = 0.02});
  EXPECT_FALSE(judged.relative);
  EXPECT_TRUE(judged.passed);
  EXPECT_FALSE(Judge(parity, {.linf = 0.005, .rmse = 0.02}).passed);
  EXPECT_TRUE(Judge(Compare({-1, 5}, {-1, 5}, {1, 2}), {.linf = 0, .rmse = 0}).relative);
}

TEST(Parity, NonFiniteAlwaysFails) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const Parity parity = Compare({1, 2}, {1, nan}, {1, 2});
  EXPECT_EQ(parity.non_finite, 1);
  EXPECT_FALSE(Judge(parity, {.linf = 1e9, .rmse = 1e9}).passed);
  // The reference's own infinities do not count as a difference when the variant has them too.
  EXPECT_EQ(Compare({1, inf}, {1, inf}, {2}).non_finite, 0);
  EXPECT_EQ(Compare({1, inf}, {1, -inf}, {2}).non_finite, 1);
}

TEST(Parity, NothingThatIsNoNumberAgreesOrPasses) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Parity broken = Compare({1, 2, 3}, {nan, nan, nan}, {1, 3});
  EXPECT_EQ(broken.top1_agree, 0);
  EXPECT_EQ(broken.top5_agree, 0);
  EXPECT_TRUE(std::isinf(broken.kl_softmax));
  // Nor does a reference that itself holds a NaN, even when the variant equals it.
  const Parity same = Compare({1, nan, 3}, {1, nan, 3}, {1, 3});
  EXPECT_EQ(same.non_finite, 0);
  EXPECT_EQ(same.reference_non_finite, 1);
  EXPECT_FALSE(Judge(same, {.linf = 1e9, .rmse = 1e9}).passed);
}

TEST(Parity, KlOnSoftmaxOfLogits) {
  const Parity parity = Compare({0, std::log(3.0F)}, {0, 0}, {1, 2});
  // softmax: 1/4, 3/4 against 1/2, 1/2.
  EXPECT_NEAR(parity.kl_softmax, 0.25 * std::log(0.5) + 0.75 * std::log(1.5), 1e-7);
  EXPECT_EQ(parity.kl_divergence, 0);
  // Large logits do not overflow.
  EXPECT_NEAR(Compare({1000, 0}, {1000, 0}, {1, 2}).kl_softmax, 0, 1e-12);
}

TEST(Parity, AFallOutOfTheBestFiveBeyondNoise) {
  const Parity parity = Compare({9, 8, 8, 8, 8, 5, 0}, {7.5, 8, 8, 8, 8, 7.6F, 0}, {1, 7});
  EXPECT_EQ(parity.top5_agree, 0);
  EXPECT_EQ(parity.top5_flips, 1);
}

TEST(Parity, ShapesMustAgree) {
  ParityMeter meter;
  const std::vector<float> values{1, 2};
  const Status status = meter.Add(View(values, {2}), View(values, {1, 2}));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kUsage);
}

TEST(FirstDrift, AValueWithoutARangeCountsByItsDifference) {
  const ParityLimits limits{.linf = 1e-2, .rmse = 1e-3};
  std::vector<OperatorDrift> drifts{{"same", "cond", Compare({7}, {7.001F}, {1})}};
  EXPECT_EQ(FirstDrift(drifts, limits), "");
  drifts.push_back({"scale", "mul", Compare({3}, {3.5F}, {1})});
  EXPECT_EQ(FirstDrift(drifts, limits), "mul 'scale' (L-inf 0.5, of one value)");
  drifts = {{"wide", "conv", Compare({0, 10}, {0, 9}, {1, 2})}};
  EXPECT_EQ(FirstDrift(drifts, limits), "conv 'wide' (L-inf 0.1 of its range)");
}

}  // namespace
}  // namespace anemone::lab
