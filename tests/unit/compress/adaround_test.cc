// Learned rounding against an oracle that knows the answer: for rows so short that every rounding
// can be tried, the best one.
#include "compress/adaround.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "compress/gptq.h"
#include "compress/moments.h"

namespace anemone::compress {
namespace {

// Products of inputs that are strongly correlated, upper triangles as calibration leaves them;
// groups one after another.
InputMoments Correlated(size_t n, size_t groups, size_t samples, uint64_t seed) {
  InputMoments moments;
  moments.row = static_cast<int64_t>(n);
  moments.groups = static_cast<int64_t>(groups);
  moments.count = static_cast<double>(samples);
  moments.products.assign(groups * n * n, 0.0f);
  Random random(seed);
  for (size_t group = 0; group < groups; ++group) {
    for (size_t s = 0; s < samples; ++s) {
      std::vector<float> x(n);
      random.FillNormal(x, 0.0f, 1.0f);
      const float common = random.Normal() * 2;
      for (float& value : x) value += common;
      AddProducts(x, n, std::span(moments.products).subspan(group * n * n, n * n));
    }
  }
  return moments;
}

// e^T H e in double, straight from the definition.
double OutputError(std::span<const float> errors, std::span<const float> upper, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j)
      sum += double{errors[i]} * errors[j] * upper[std::min(i, j) * n + std::max(i, j)];
  }
  return sum;
}

std::vector<float> ErrorsOf(const ir::Literal& weight, const LinearTensor& tensor) {
  const std::vector<float> before = *weight.AsFloats();
  std::vector<float> errors = *DequantizeLinear(tensor, DType::kFp32)->AsFloats();
  for (size_t i = 0; i < errors.size(); ++i) errors[i] -= before[i];
  return errors;
}

ir::Literal Weights(ir::Shape shape, uint64_t seed) {
  std::vector<float> values(static_cast<size_t>(ir::ElementCount(shape).value()));
  Random(seed).FillNormal(values, 0.0f, 1.0f);
  return ir::Literal::Fp32s(values, shape);
}

TEST(AdaRound, ComesCloseToTheBestOfAllRoundings) {
  constexpr size_t kRow = 10;
  constexpr size_t kRows = 24;
  constexpr uint32_t kAll = 1u << kRow;
  const ir::Literal weight = Weights({kRows, kRow}, 3);
  const std::vector<float> values = *weight.AsFloats();
  const InputMoments moments = Correlated(kRow, 1, 60, 4);
  for (const DType dtype : {DType::kInt4, DType::kUInt4, DType::kInt8}) {
    for (const LinearMode mode : {LinearMode::kSymmetric, LinearMode::kAsymmetric}) {
      SCOPED_TRACE(fmt::format("{} {}", DTypeName(dtype), mode == LinearMode::kSymmetric));
      const auto nearest = QuantizeLinear(weight, {1, 0}, dtype, mode);
      ASSERT_TRUE(nearest.ok()) << nearest.status().ToString();
      LinearTensor learned = *nearest;
      ASSERT_TRUE(RoundByLearning(weight, moments, mode, &learned).ok());
      EXPECT_EQ(learned.scale, nearest->scale);
      EXPECT_EQ(learned.offset, nearest->offset);
      const std::vector<float> got = ErrorsOf(weight, learned);
      const std::vector<float> plain = ErrorsOf(weight, *nearest);
      double sum = 0;
      double best_sum = 0;
      double plain_sum = 0;
      for (size_t r = 0; r < kRows; ++r) {
        const float scale = nearest->scale[r];
        double best = std::numeric_limits<double>::infinity();
        for (uint32_t up = 0; up < kAll; ++up) {
          float errors[kRow];
          for (size_t i = 0; i < kRow; ++i) {
            // Down or up from the weight; the oracle ignores the grid's ends, because ranges follow
            // from the weights.
            const float steps = std::floor(values[r * kRow + i] / scale);
            errors[i] = (steps + static_cast<float>((up >> i) & 1)) * scale - values[r * kRow + i];
          }
          best = std::min(best, OutputError(errors, moments.products, kRow));
        }
        const double mine =
            OutputError(std::span(got).subspan(r * kRow, kRow), moments.products, kRow);
        const double rounded =
            OutputError(std::span(plain).subspan(r * kRow, kRow), moments.products, kRow);
        EXPECT_LE(mine, rounded * (1 + 1e-3)) << r;
        EXPECT_GE(mine, best * (1 - 1e-2)) << r;
        for (size_t i = 0; i < kRow; ++i) EXPECT_LE(std::abs(got[r * kRow + i]), scale * 1.0001f);
        sum += mine;
        best_sum += best;
        plain_sum += rounded;
      }
      EXPECT_LT(sum, best_sum * 1.5);
      EXPECT_LT(sum, plain_sum * 0.6);
    }
  }
}

TEST(AdaRound, NoChannelLosesAndLongRowsGainAsMuchAsGptq) {
  constexpr size_t kRow = 96;
  constexpr size_t kOutputs = 10;
  constexpr size_t kGroups = 2;
  const ir::Literal weight = Weights({kOutputs, kRow / 4, 2, 2}, 5);
  const InputMoments moments = Correlated(kRow, kGroups, 200, 6);
  const auto nearest = QuantizeLinear(weight, {1, 12, 0, 0}, DType::kInt4, LinearMode::kSymmetric);
  ASSERT_TRUE(nearest.ok()) << nearest.status().ToString();
  LinearTensor learned = *nearest;
  ASSERT_TRUE(RoundByLearning(weight, moments, LinearMode::kSymmetric, &learned).ok());
  LinearTensor gptq = *nearest;
  ASSERT_TRUE(RoundByInputs(weight, moments, LinearMode::kSymmetric, &gptq).ok());
  const auto error_of = [&](const LinearTensor& tensor, size_t r) {
    const std::vector<float> errors = ErrorsOf(weight, tensor);
    const size_t group = r / (kOutputs / kGroups);
    return OutputError(std::span(errors).subspan(r * kRow, kRow),
                       std::span(moments.products).subspan(group * kRow * kRow, kRow * kRow), kRow);
  };
  double sum = 0;
  double gptq_sum = 0;
  double nearest_sum = 0;
  for (size_t r = 0; r < kOutputs; ++r) {
    EXPECT_LE(error_of(learned, r), error_of(*nearest, r) * (1 + 1e-3)) << r;
    sum += error_of(learned, r);
    gptq_sum += error_of(gptq, r);
    nearest_sum += error_of(*nearest, r);
  }
  EXPECT_LT(sum, gptq_sum * 1.25);
  EXPECT_LT(sum, nearest_sum * 0.5);
  // The tensor's own figures are true, and a second run gives the same.
  double squares = 0;
  double largest = 0;
  const std::vector<float> errors = ErrorsOf(weight, learned);
  for (const float error : errors) {
    squares += double{error} * error;
    largest = std::max(largest, std::abs(double{error}));
  }
  EXPECT_NEAR(learned.rms_error, std::sqrt(squares / static_cast<double>(errors.size())), 1e-6);
  EXPECT_NEAR(learned.max_error, largest, 1e-6);
  LinearTensor again = *nearest;
  ASSERT_TRUE(RoundByLearning(weight, moments, LinearMode::kSymmetric, &again).ok());
  EXPECT_TRUE(again.data == learned.data);
}

using RoundingFn = Status (*)(const ir::Literal& weight, const InputMoments& moments,
                              LinearTensor* tensor);

class RoundingTest : public ::testing::TestWithParam<RoundingFn> {};

TEST_P(RoundingTest, InputsThatSayNothing) {
  const RoundingFn round = GetParam();
  const ir::Literal weight = Weights({8, 8}, 2);
  const auto nearest = QuantizeLinear(weight, {1, 0}, DType::kInt8, LinearMode::kSymmetric);
  ASSERT_TRUE(nearest.ok());
  InputMoments moments;
  moments.row = 8;
  moments.count = 1;
  LinearTensor tensor = *nearest;
  EXPECT_EQ(round(weight, moments, &tensor).error().code(), ErrorCode::kInvalidInput);
  tensor = *nearest;
  moments.products.assign(64, 0.0f);
  ASSERT_TRUE(round(weight, moments, &tensor).ok());
  EXPECT_TRUE(tensor.data == nearest->data);
  // Uncorrelated inputs: nearest rounding is best.
  for (size_t i = 0; i < 8; ++i) moments.products[i * 9] = 1.0f + static_cast<float>(i);
  tensor = *nearest;
  ASSERT_TRUE(round(weight, moments, &tensor).ok());
  EXPECT_TRUE(tensor.data == nearest->data);
}

INSTANTIATE_TEST_SUITE_P(
    Methods, RoundingTest,
    ::testing::Values(
        [](const ir::Literal& weight, const InputMoments& moments, LinearTensor* tensor) {
          return RoundByLearning(weight, moments, LinearMode::kSymmetric, tensor);
        },
        [](const ir::Literal& weight, const InputMoments& moments, LinearTensor* tensor) {
          return RoundByInputs(weight, moments, LinearMode::kSymmetric, tensor);
        }));

TEST(AdaRound, BlocksOfZerosStayZero) {
  std::vector<float> values(32, 0.0f);
  for (size_t i = 16; i < 32; ++i) values[i] = static_cast<float>(i) / 7 - 3;
  const ir::Literal weight = ir::Literal::Fp32s(values, {2, 16});
  const auto nearest = QuantizeLinear(weight, {1, 0}, DType::kInt4, LinearMode::kSymmetric);
  ASSERT_TRUE(nearest.ok());
  LinearTensor tensor = *nearest;
  ASSERT_TRUE(
      RoundByLearning(weight, Correlated(16, 1, 40, 9), LinearMode::kSymmetric, &tensor).ok());
  const std::vector<float> back = *DequantizeLinear(tensor, DType::kFp32)->AsFloats();
  for (size_t i = 0; i < 16; ++i) EXPECT_EQ(back[i], 0) << i;
}

TEST(MultiplyRows, AsTheDefinitionSays) {
  for (const size_t n : {1u, 7u, 16u, 33u, 70u}) {
    for (const size_t rows : {1u, 5u, 6u, 13u}) {
      std::vector<float> a(rows * n);
      std::vector<float> b(n * n);
      Random(n).FillNormal(a, 0.0f, 1.0f);
      Random(n + 1).FillNormal(b, 0.0f, 1.0f);
      std::vector<float> out(rows * n, 7.0f);
      MultiplyRows(a, b, n, out);
      for (size_t r = 0; r < rows; ++r) {
        for (size_t j = 0; j < n; ++j) {
          double sum = 0;
          for (size_t i = 0; i < n; ++i) sum += double{a[r * n + i]} * b[i * n + j];
          EXPECT_NEAR(out[r * n + j], sum, 1e-4) << n << " " << r << " " << j;
        }
      }
    }
  }
}

}  // namespace
}  // namespace anemone::compress
