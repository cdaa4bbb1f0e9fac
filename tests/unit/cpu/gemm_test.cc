#include "cpu/kernels/gemm.h"

#include <tuple>

#include "cpu/kernels/elementwise.h"
#include "cpu/kernels/half_gemv.h"
#include "kernel_test_util.h"

namespace anemone::cpu {
namespace {

std::vector<double> Reference(const std::vector<float>& a, const std::vector<float>& b,
                              const std::vector<float>& bias, int64_t m, int64_t k, int64_t n) {
  std::vector<double> c(static_cast<size_t>(m * n));
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = bias[j];
      for (int64_t l = 0; l < k; ++l) sum += double{a[i * k + l]} * b[l * n + j];
      c[i * n + j] = sum;
    }
  }
  return c;
}

class GemmSizes : public testing::TestWithParam<std::tuple<int, int, int>> {};

TEST_P(GemmSizes, MatchesDoubleSums) {
  const auto [m, k, n] = GetParam();
  const auto a = RandomFloats(m * k, 1), b = RandomFloats(k * n, 2), bias = RandomFloats(n, 3);
  const auto expected = Reference(a, b, bias, m, k, n);
  OnTargetsAndThreads(
      [&](ThreadPool& pool) {
        const PackedMatrix packed(b.data(), k, n, n, 1, bias.data());
        std::vector<float> c(static_cast<size_t>(m * n), NAN);
        Gemm(a.data(), k, m, packed.view(), c.data(), n, {}, pool);
        return c;
      },
      [&](const std::vector<float>& c) { ExpectClose(c, expected, 1e-6 * (1 + k)); });
}

INSTANTIATE_TEST_SUITE_P(Grid, GemmSizes,
                         testing::Combine(testing::Values(1, 2, 5, 13, 14, 15, 49, 100),
                                          testing::Values(1, 3, 17, 64, 300),
                                          testing::Values(1, 7, 8, 16, 17, 31, 32, 33, 48, 100)));

TEST(Gemm, TransposedOperandAndStridedRows) {
  constexpr int64_t kM = 9, kK = 20, kN = 37;
  const auto a = RandomFloats(kM * (kK + 3), 4), b = RandomFloats(kK * kN, 5);
  std::vector<double> expected(kM * kN);
  for (int64_t i = 0; i < kM; ++i) {
    for (int64_t j = 0; j < kN; ++j) {
      for (int64_t l = 0; l < kK; ++l) {
        expected[i * kN + j] += double{a[i * (kK + 3) + l]} * b[j * kK + l];
      }
    }
  }
  OnTargetsAndThreads(
      [&](ThreadPool& pool) {
        const PackedMatrix packed(b.data(), kK, kN, 1, kK, nullptr);
        // Rows of the result are kN + 5 apart: the gaps must stay unchanged.
        std::vector<float> wide(kM * (kN + 5), 42.0f), c;
        Gemm(a.data(), kK + 3, kM, packed.view(), wide.data(), kN + 5, {}, pool);
        for (int64_t i = 0; i < kM; ++i) {
          for (int64_t j = 0; j < kN + 5; ++j) {
            const float v = wide[i * (kN + 5) + j];
            if (j < kN) {
              c.push_back(v);
            } else {
              EXPECT_EQ(v, 42.0f);
            }
          }
        }
        return c;
      },
      [&](const std::vector<float>& c) { ExpectClose(c, expected, 1e-5); });
}

// Every combination of steps gives the same bits as the same steps applied afterwards, fused
// or not.
TEST(Gemm, FusedStepsEqualSeparateOnes) {
  constexpr int64_t kM = 30, kK = 12, kN = 41;
  const auto a = RandomFloats(kM * kK, 6), b = RandomFloats(kK * kN, 7), bias = RandomFloats(kN, 8);
  const auto residual = RandomFloats(kM * kN, 9), column = RandomFloats(kN, 10);
  const auto per_image = RandomFloats(3 * kN, 11);
  const Step add{.kind = StepKind::kAdd,
                 .operand = {.data = residual.data(), .row_stride = kN, .column_stride = 1}};
  const Step scale{.kind = StepKind::kMul,
                   .operand = {.data = column.data(), .row_stride = 0, .column_stride = 1}};
  const Step gate{
      .kind = StepKind::kMul,
      .operand = {
          .data = per_image.data(), .row_stride = kN, .rows_per_step = 10, .column_stride = 1}};
  const Step relu{.kind = StepKind::kRelu};
  const Step clamp{.kind = StepKind::kClamp, .alpha = -0.5f, .beta = 0.25f};
  const Step gelu{.kind = StepKind::kGeluErf};
  const Step half{.kind = StepKind::kRoundToHalf};
  const std::vector<std::vector<Step>> lists = {{},
                                                {relu},
                                                {clamp},
                                                {add},
                                                {add, relu},
                                                {relu, add},
                                                {gelu, add},
                                                {add, gelu},
                                                {add, clamp, scale},
                                                {half, relu, half, add, half},
                                                {gate, relu},
                                                {scale, add},
                                                {clamp, relu, add}};
  for (const std::vector<Step>& steps : lists) {
    OnTargetsAndThreads(
        [&](ThreadPool& pool) {
          const PackedMatrix packed(b.data(), kK, kN, kN, 1, bias.data());
          std::vector<float> fused(kM * kN), apart(kM * kN);
          Gemm(a.data(), kK, kM, packed.view(), fused.data(), kN, steps, pool);
          Gemm(a.data(), kK, kM, packed.view(), apart.data(), kN, {}, pool);
          Elementwise(steps, apart.data(), apart.data(), kM, kN, pool);
          EXPECT_EQ(fused, apart);
          return fused;
        },
        [](const std::vector<float>&) {});
  }
}

TEST(Gemm, NanAndInfinityPass) {
  const std::vector<float> a = {1.0f, NAN, INFINITY, 1.0f}, b = {1.0f, 1.0f};
  const Step relu{.kind = StepKind::kRelu};
  ForEachTarget([&] {
    ThreadPool pool(1);
    const PackedMatrix packed(b.data(), 2, 1, 1, 1, nullptr);
    std::vector<float> c(2);
    Gemm(a.data(), 2, 2, packed.view(), c.data(), 1, {&relu, 1}, pool);
    EXPECT_TRUE(std::isnan(c[0]));
    EXPECT_EQ(c[1], INFINITY);
  });
}

// Weights that are kept as half give the bits that they give as floats.
TEST(Gemm, HalfWeightsEqualTheirFloats) {
  for (const auto& [k, n] : {std::pair{1, 1}, {20, 37}, {300, 64}, {65, 100}}) {
    std::vector<Half> halves;  // column by column
    for (const float value : RandomFloats(int64_t{k} * n, 6)) halves.emplace_back(value);
    halves[0].bits = 1;  // a subnormal
    const std::vector<float> floats(halves.begin(), halves.end());
    const auto bias = RandomFloats(n, 7), a = RandomFloats(HalfMatrix::kMaxRows * k, 8);
    const Step steps[] = {{.kind = StepKind::kRelu}, {.kind = StepKind::kSilu}};
    for (int64_t m = 1; m <= HalfMatrix::kMaxRows; ++m) {
      OnTargetsAndThreads(
          [&](ThreadPool& pool) {
            std::vector<float> got(static_cast<size_t>(m * n)), wanted(got.size());
            HalfMatrix(halves.data(), k, n, 1, k, bias.data(), pool)
                .Multiply(a.data(), m, got.data(), steps, pool);
            const PackedMatrix packed(floats.data(), k, n, 1, k, bias.data(), pool);
            Gemm(a.data(), k, m, packed.view(), wanted.data(), n, steps, pool);
            EXPECT_EQ(got, wanted);
            return got;
          },
          [](const std::vector<float>&) {});
    }
  }
}

}  // namespace
}  // namespace anemone::cpu
