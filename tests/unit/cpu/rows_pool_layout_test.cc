// Softmax, layer norm, reductions, pooling, layout changes and resizing.
#include <numeric>

#include "base/dtype.h"
#include "cpu/kernels/layout.h"
#include "cpu/kernels/pool.h"
#include "cpu/kernels/resize.h"
#include "cpu/kernels/rows.h"
#include "kernel_test_util.h"

namespace anemone::cpu {
namespace {

constexpr int64_t kColumnCounts[] = {1, 3, 15, 16, 17, 64, 65, 130, 1000};

TEST(Rows, SoftmaxMatchesDouble) {
  for (const int64_t n : kColumnCounts) {
    constexpr int64_t kRows = 21;
    const auto in = RandomFloats(kRows * n, 1, -30.0f, 30.0f);
    std::vector<double> expected(in.size());
    for (int64_t r = 0; r < kRows; ++r) {
      const float* x = in.data() + r * n;
      const double max = *std::max_element(x, x + n);
      double sum = 0;
      for (int64_t i = 0; i < n; ++i) sum += std::exp(x[i] - max);
      for (int64_t i = 0; i < n; ++i) expected[r * n + i] = std::exp(x[i] - max) / sum;
    }
    OnTargetsAndThreads(
        [&](ThreadPool& pool) {
          std::vector<float> out(in.size());
          Softmax(in.data(), out.data(), kRows, n, pool);
          return out;
        },
        [&](const std::vector<float>& out) { ExpectClose(out, expected, 1e-30, 3e-6); });
  }
}

TEST(Rows, SoftmaxOfInfinities) {
  ThreadPool pool(1);
  ForEachTarget([&] {
    std::vector<float> x = {-INFINITY, 0.0f, -INFINITY, 0.0f};
    Softmax(x.data(), x.data(), 1, 4, pool);
    EXPECT_EQ(x, (std::vector<float>{0.0f, 0.5f, 0.0f, 0.5f}));
    x = {-INFINITY, -INFINITY};
    Softmax(x.data(), x.data(), 1, 2, pool);
    EXPECT_TRUE(std::isnan(x[0]) && std::isnan(x[1]));
  });
}

TEST(Rows, LayerNormMatchesDouble) {
  for (const int64_t n : kColumnCounts) {
    constexpr int64_t kRows = 9;
    const auto in = RandomFloats(kRows * n, 1, 3.0f, 7.0f);
    const auto gamma = RandomFloats(n, 2), beta = RandomFloats(n, 3);
    for (const bool affine : {false, true}) {
      std::vector<double> expected(in.size());
      for (int64_t r = 0; r < kRows; ++r) {
        const float* x = in.data() + r * n;
        const double mean = std::accumulate(x, x + n, 0.0) / static_cast<double>(n);
        double variance = 0;
        for (int64_t i = 0; i < n; ++i) variance += (x[i] - mean) * (x[i] - mean);
        variance /= static_cast<double>(n);
        for (int64_t i = 0; i < n; ++i) {
          double y = (x[i] - mean) / std::sqrt(variance + 1e-3);
          if (affine) y = y * gamma[i] + beta[i];
          expected[r * n + i] = y;
        }
      }
      OnTargetsAndThreads(
          [&](ThreadPool& pool) {
            std::vector<float> out(in.size());
            LayerNorm(in.data(), out.data(), kRows, n, affine ? gamma.data() : nullptr,
                      affine ? beta.data() : nullptr, 1e-3f, pool);
            return out;
          },
          [&](const std::vector<float>& out) { ExpectClose(out, expected, 2e-5); });
    }
  }
}

TEST(Rows, ReductionsMatchDouble) {
  for (const int64_t n : kColumnCounts) {
    constexpr int64_t kRows = 33;
    const auto in = RandomFloats(kRows * n, 1, -2.0f, 3.0f);
    for (const ReduceKind kind : {ReduceKind::kSum, ReduceKind::kMean, ReduceKind::kMax,
                                  ReduceKind::kMin, ReduceKind::kSumSquare}) {
      std::vector<double> expected;
      for (int64_t r = 0; r < kRows; ++r) {
        const float* x = in.data() + r * n;
        const double sum = std::accumulate(x, x + n, 0.0);
        double squares = 0;
        for (int64_t i = 0; i < n; ++i) squares += double{x[i]} * x[i];
        switch (kind) {
          case ReduceKind::kSum:
            expected.push_back(sum);
            break;
          case ReduceKind::kMean:
            expected.push_back(sum / static_cast<double>(n));
            break;
          case ReduceKind::kMax:
            expected.push_back(*std::max_element(x, x + n));
            break;
          case ReduceKind::kMin:
            expected.push_back(*std::min_element(x, x + n));
            break;
          case ReduceKind::kSumSquare:
            expected.push_back(squares);
            break;
        }
      }
      OnTargetsAndThreads(
          [&](ThreadPool& pool) {
            std::vector<float> out(kRows);
            ReduceRows(kind, in.data(), out.data(), kRows, n, pool);
            return out;
          },
          [&](const std::vector<float>& out) {
            ExpectClose(out, expected, 1e-6 * static_cast<double>(n), 1e-6);
          });
    }
  }
}

TEST(Rows, ReductionsKeepNan) {
  ThreadPool pool(1);
  ForEachTarget([&] {
    for (const size_t at : {size_t{0}, size_t{40}, size_t{98}}) {
      std::vector<float> x(99, 1.0f);
      x[at] = NAN;
      for (const ReduceKind kind : {ReduceKind::kSum, ReduceKind::kMax, ReduceKind::kMin}) {
        float out = 0.0f;
        ReduceRows(kind, x.data(), &out, 1, 99, pool);
        EXPECT_TRUE(std::isnan(out)) << at;
      }
    }
  });
}

TEST(Pool, MatchesDouble) {
  struct Case {
    int64_t h, w, kernel, stride, before, after;
  };
  for (const Case& c : {Case{12, 11, 3, 2, 1, 1}, Case{7, 7, 7, 1, 0, 0}, Case{9, 8, 2, 2, 0, 0},
                        Case{6, 5, 3, 1, 1, 2}, Case{4, 4, 1, 1, 0, 0}}) {
    for (const int64_t channels : {1, 3, 16, 33, 64}) {
      PoolShape s;
      s.batch = 2, s.in_h = c.h, s.in_w = c.w, s.channels = channels;
      s.kernel_h = s.kernel_w = c.kernel;
      s.stride_h = s.stride_w = c.stride;
      s.pad_top = s.pad_left = c.before;
      s.out_h = (c.h + c.before + c.after - c.kernel) / c.stride + 1;
      s.out_w = (c.w + c.before + c.after - c.kernel) / c.stride + 1;
      const auto in = RandomFloats(s.batch * s.in_h * s.in_w * channels, 1);
      for (const PoolKind kind : {PoolKind::kMax, PoolKind::kAverage, PoolKind::kAverageInside}) {
        std::vector<double> expected;
        for (int64_t b = 0; b < s.batch; ++b)
          for (int64_t y = 0; y < s.out_h; ++y)
            for (int64_t x = 0; x < s.out_w; ++x)
              for (int64_t ch = 0; ch < channels; ++ch) {
                double sum = 0, max = -INFINITY;
                int inside = 0;
                for (int64_t ky = 0; ky < c.kernel; ++ky)
                  for (int64_t kx = 0; kx < c.kernel; ++kx) {
                    const int64_t iy = y * c.stride - c.before + ky,
                                  ix = x * c.stride - c.before + kx;
                    if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
                    const double v = in[((b * s.in_h + iy) * s.in_w + ix) * channels + ch];
                    sum += v, max = std::max(max, v), ++inside;
                  }
                const int64_t count =
                    kind == PoolKind::kAverageInside ? inside : c.kernel * c.kernel;
                expected.push_back(kind == PoolKind::kMax ? max : sum / static_cast<double>(count));
              }
        OnTargetsAndThreads(
            [&](ThreadPool& pool) {
              std::vector<float> out(expected.size());
              Pool(kind, s, in.data(), out.data(), pool);
              return out;
            },
            [&](const std::vector<float>& out) { ExpectClose(out, expected, 1e-6); });
      }
    }
  }
}

TEST(Pool, WindowOfPaddingAndNan) {
  ThreadPool pool(1);
  PoolShape s;
  s.in_h = s.in_w = 1, s.channels = 1;
  s.kernel_h = s.kernel_w = 1, s.pad_top = 0, s.pad_left = 1, s.out_h = 1, s.out_w = 3;
  ForEachTarget([&] {
    const float in = 5.0f;
    std::vector<float> out(3);
    Pool(PoolKind::kMax, s, &in, out.data(), pool);
    EXPECT_EQ(out, (std::vector<float>{-INFINITY, 5.0f, -INFINITY}));
    Pool(PoolKind::kAverageInside, s, &in, out.data(), pool);
    EXPECT_EQ(out, (std::vector<float>{0.0f, 5.0f, 0.0f}));
    const float nan = NAN;
    Pool(PoolKind::kMax, s, &nan, out.data(), pool);
    EXPECT_TRUE(std::isnan(out[1]));
  });
}

TEST(Layout, TransposesAreExact) {
  for (const int64_t rows : {1, 3, 4, 7, 16, 33, 64}) {
    for (const int64_t columns : {1, 2, 5, 16, 31, 100}) {
      constexpr int64_t kBatch = 2;
      const auto in = RandomFloats(kBatch * rows * columns, 1);
      std::vector<float> expected(in.size());
      for (int64_t b = 0; b < kBatch; ++b)
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < columns; ++j)
            expected[(b * columns + j) * rows + i] = in[(b * rows + i) * columns + j];
      OnTargetsAndThreads(
          [&](ThreadPool& pool) {
            std::vector<float> out(in.size());
            TransposeMatrices(in.data(), out.data(), kBatch, rows, columns, pool);
            return out;
          },
          [&](const std::vector<float>& out) { EXPECT_EQ(out, expected); });
    }
  }
}

// A picture, cut into parts for threads; and steps on the way.
TEST(Layout, TransposesFewRowsWithSteps) {
  constexpr int64_t kColumns = 3 * 16'384 + 5;
  for (const int64_t rows : {1, 2, 3, 4, 16}) {
    const auto in = RandomFloats(rows * kColumns, 2);
    const Step steps[] = {{.kind = StepKind::kSave},
                          {.kind = StepKind::kRelu},
                          {.kind = StepKind::kAdd},
                          {.kind = StepKind::kRoundToHalf}};
    std::vector<float> expected(in.size());
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < kColumns; ++j) {
        const float x = in[i * kColumns + j];
        expected[j * rows + i] = HalfToFloat(FloatToHalf(std::max(x, 0.0f) + x));
      }
    OnTargetsAndThreads(
        [&](ThreadPool& pool) {
          std::vector<float> out(in.size());
          TransposeMatrices(in.data(), out.data(), 1, rows, kColumns, steps, pool);
          return out;
        },
        [&](const std::vector<float>& out) { EXPECT_EQ(out, expected); });
  }
}

TEST(Layout, EveryPermutationOfFourAxes) {
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{2, 3, 4, 5}, {1, 7, 1, 6}, {3, 1, 1, 1}, {2, 16, 9, 1}}) {
    std::vector<int64_t> permutation = {0, 1, 2, 3};
    const auto in = RandomFloats(shape[0] * shape[1] * shape[2] * shape[3], 1);
    do {
      std::vector<float> expected;
      std::vector<int64_t> i(4);
      const auto size = [&](int k) { return shape[permutation[k]]; };
      for (i[0] = 0; i[0] < size(0); ++i[0])
        for (i[1] = 0; i[1] < size(1); ++i[1])
          for (i[2] = 0; i[2] < size(2); ++i[2])
            for (i[3] = 0; i[3] < size(3); ++i[3]) {
              std::vector<int64_t> at(4);
              for (int k = 0; k < 4; ++k) at[permutation[k]] = i[k];
              expected.push_back(
                  in[((at[0] * shape[1] + at[1]) * shape[2] + at[2]) * shape[3] + at[3]]);
            }
      OnTargetsAndThreads(
          [&](ThreadPool& pool) {
            std::vector<float> out(in.size());
            Permute(in.data(), out.data(), shape, permutation, pool);
            return out;
          },
          [&](const std::vector<float>& out) { EXPECT_EQ(out, expected); });
    } while (std::next_permutation(permutation.begin(), permutation.end()));
  }
}

TEST(Resize, MatchesDouble) {
  constexpr int64_t kH = 5, kW = 7, kOutH = 11, kOutW = 4;
  std::vector<ResizeTap> y(kOutH), x(kOutW);
  for (int64_t i = 0; i < kOutH; ++i) {
    const double at = static_cast<double>(i) * (kH - 1) / (kOutH - 1);
    const auto low = static_cast<int64_t>(at);
    y[i] = {low, std::min(low + 1, kH - 1), static_cast<float>(at - static_cast<double>(low))};
  }
  for (int64_t i = 0; i < kOutW; ++i) x[i] = {2 * i, std::min<int64_t>(2 * i + 1, kW - 1), 0.25f};
  for (const int64_t channels : {1, 3, 16, 19, 64}) {
    const auto in = RandomFloats(2 * kH * kW * channels, 1);
    std::vector<double> expected;
    for (int64_t b = 0; b < 2; ++b)
      for (const ResizeTap& ty : y)
        for (const ResizeTap& tx : x)
          for (int64_t c = 0; c < channels; ++c) {
            const auto at = [&](int64_t row, int64_t column) {
              return double{in[((b * kH + row) * kW + column) * channels + c]};
            };
            const double wy = ty.weight, wx = tx.weight;
            expected.push_back((1 - wy) *
                                   ((1 - wx) * at(ty.low, tx.low) + wx * at(ty.low, tx.high)) +
                               wy * ((1 - wx) * at(ty.high, tx.low) + wx * at(ty.high, tx.high)));
          }
    OnTargetsAndThreads(
        [&](ThreadPool& pool) {
          std::vector<float> out(expected.size());
          Resize(in.data(), out.data(), 2, kH, kW, channels, y, x, pool);
          return out;
        },
        [&](const std::vector<float>& out) { ExpectClose(out, expected, 1e-6); });
  }
}

}  // namespace
}  // namespace anemone::cpu
