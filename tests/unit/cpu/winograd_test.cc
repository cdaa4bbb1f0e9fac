#include "cpu/kernels/winograd.h"

#include "cpu/kernels/elementwise.h"
#include "kernel_test_util.h"

namespace anemone::cpu {
namespace {

struct WinogradCase {
  int64_t batch, h, w, in_c, out_c, top, bottom, left, right;
};

std::ostream& operator<<(std::ostream& out, const WinogradCase& c) {
  return out << c.batch << "x" << c.h << "x" << c.w << "x" << c.in_c << " to " << c.out_c << " pad "
             << c.top << "," << c.bottom << "," << c.left << "," << c.right;
}

ConvShape WinogradShape(const WinogradCase& c) {
  ConvShape s;
  s.batch = c.batch;
  s.in_h = c.h, s.in_w = c.w, s.in_c = c.in_c, s.out_c = c.out_c;
  s.kernel_h = s.kernel_w = 3;
  s.pad_top = c.top, s.pad_left = c.left;
  s.out_h = c.h + c.top + c.bottom - 2, s.out_w = c.w + c.left + c.right - 2;
  return s;
}

// The convolution in double precision, and the same of absolute values.
struct Exact {
  Exact(const ConvShape& s, const std::vector<float>& in, const std::vector<float>& weights,
        const std::vector<float>& bias) {
    for (int64_t b = 0; b < s.batch; ++b)
      for (int64_t y = 0; y < s.out_h; ++y)
        for (int64_t x = 0; x < s.out_w; ++x)
          for (int64_t o = 0; o < s.out_c; ++o) {
            double sum = bias[o];
            for (int64_t c = 0; c < s.in_c; ++c)
              for (int64_t ky = 0; ky < 3; ++ky)
                for (int64_t kx = 0; kx < 3; ++kx) {
                  const int64_t iy = y - s.pad_top + ky, ix = x - s.pad_left + kx;
                  if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
                  sum += double{in[((b * s.in_h + iy) * s.in_w + ix) * s.in_c + c]} *
                         weights[((o * s.in_c + c) * 3 + ky) * 3 + kx];
                }
            values.push_back(sum);
          }
    for (int64_t o = 0; o < s.out_c; ++o) {
      double sum = 0.0;
      for (int64_t i = 0; i < s.in_c * 9; ++i) sum += std::abs(weights[o * s.in_c * 9 + i]);
      filters.push_back(sum);
    }
    for (const float v : in) largest = std::max(largest, double{std::abs(v)});
  }
  std::vector<double> values;
  std::vector<double> filters;  // sums of absolute weights
  double largest = 0.0;         // absolute input
};

double RootMeanSquare(const std::vector<float>& got, const std::vector<double>& exact) {
  double sum = 0.0;
  for (size_t i = 0; i < got.size(); ++i) sum += (got[i] - exact[i]) * (got[i] - exact[i]);
  return std::sqrt(sum / static_cast<double>(got.size()));
}

std::vector<float> Convolve(const ConvShape& s, ConvMethod method, const std::vector<float>& in,
                            const std::vector<float>& weights, const float* bias,
                            std::span<const Step> steps, ThreadPool& pool) {
  const PackedConv conv(s, method, weights.data(), bias, pool);
  std::vector<float> scratch(static_cast<size_t>(conv.ScratchFloats()), NAN);
  std::vector<float> out(static_cast<size_t>(s.batch * s.out_h * s.out_w * s.out_c), NAN);
  conv.Run(in.data(), out.data(), scratch.data(), steps, pool);
  return out;
}

constexpr std::pair<int, ConvMethod> kTiles[] = {{2, ConvMethod::kWinograd2},
                                                 {4, ConvMethod::kWinograd4}};

class Winograd : public testing::TestWithParam<WinogradCase> {};
INSTANTIATE_TEST_SUITE_P(
    Grid, Winograd,
    testing::Values(
        WinogradCase{1, 8, 8, 16, 16, 1, 1, 1, 1}, WinogradCase{2, 9, 11, 33, 17, 1, 1, 1, 1},
        WinogradCase{1, 3, 3, 5, 1, 0, 0, 0, 0}, WinogradCase{1, 1, 7, 20, 40, 1, 1, 1, 1},
        WinogradCase{1, 13, 6, 1, 48, 0, 2, 2, 0}, WinogradCase{3, 5, 4, 64, 65, 4, 3, 5, 1},
        WinogradCase{1, 2, 2, 512, 32, 1, 1, 1, 1},
        // Many tiles for each thread; and filters that threads share.
        WinogradCase{1, 60, 61, 16, 24, 1, 1, 1, 1},
        WinogradCase{1, 14, 14, 192, 160, 1, 1, 1, 1}));

TEST_P(Winograd, ErrsWithinItsLimit) {
  const ConvShape s = WinogradShape(GetParam());
  const auto in = RandomFloats(s.batch * s.in_h * s.in_w * s.in_c, 1);
  const auto weights = RandomFloats(s.out_c * s.in_c * 9, 2), bias = RandomFloats(s.out_c, 3);
  const Exact exact(s, in, weights, bias);
  for (const auto& [tile, method] : kTiles) {
    const double limit = WinogradErrorLimit(tile, s.in_c) * exact.largest;
    OnTargetsAndThreads(
        [&](ThreadPool& pool) { return Convolve(s, method, in, weights, bias.data(), {}, pool); },
        [&](const std::vector<float>& out) {
          for (size_t i = 0; i < out.size(); ++i) {
            ASSERT_LE(std::abs(out[i] - exact.values[i]),
                      limit * exact.filters[i % exact.filters.size()])
                << "tile " << tile << ", element " << i;
          }
        });
  }
}

// Fused or applied afterwards, steps give the same bits.
TEST_P(Winograd, FusedStepsEqualSeparateOnes) {
  const ConvShape s = WinogradShape(GetParam());
  const int64_t rows = s.batch * s.out_h * s.out_w;
  const auto in = RandomFloats(s.batch * s.in_h * s.in_w * s.in_c, 7);
  const auto weights = RandomFloats(s.out_c * s.in_c * 9, 8);
  const auto residual = RandomFloats(rows * s.out_c, 9), scale = RandomFloats(s.out_c, 10);
  ThreadPool pool(2);
  const Step add{.kind = StepKind::kAdd,
                 .operand = {.data = residual.data(), .row_stride = s.out_c, .column_stride = 1}};
  const Step mul{.kind = StepKind::kMul, .operand = {.data = scale.data(), .column_stride = 1}};
  const Step relu{.kind = StepKind::kRelu}, silu{.kind = StepKind::kSilu};
  ForEachTarget([&] {
    for (const auto& [tile, method] : kTiles) {
      const auto apart = Convolve(s, method, in, weights, nullptr, {}, pool);
      for (const auto& steps : {std::vector<Step>{add, relu}, std::vector<Step>{silu, add},
                                std::vector<Step>{mul, silu, relu}}) {
        std::vector<float> after = apart;
        Elementwise(steps, after.data(), after.data(), rows, s.out_c, pool);
        ASSERT_EQ(Convolve(s, method, in, weights, nullptr, steps, pool), after) << "tile " << tile;
      }
    }
  });
}

// Results that the last step quantizes are stored as whole numbers, whatever comes before it.
TEST_P(Winograd, StoresWholeNumbers) {
  const ConvShape s = WinogradShape(GetParam());
  const auto in = RandomFloats(s.batch * s.in_h * s.in_w * s.in_c, 11);
  const auto weights = RandomFloats(s.out_c * s.in_c * 9, 12);
  ThreadPool pool(2);
  const Step quantize{.kind = StepKind::kQuantizeUint8, .alpha = 0.25f, .beta = 3.0f};
  const Step silu{.kind = StepKind::kSilu}, relu{.kind = StepKind::kRelu};
  ForEachTarget([&] {
    for (const auto& [tile, method] : kTiles) {
      for (const auto& steps :
           {std::vector<Step>{relu, quantize}, std::vector<Step>{silu, quantize}}) {
        const auto floats = Convolve(s, method, in, weights, nullptr, steps, pool);
        const PackedConv conv(s, method, weights.data(), nullptr, pool);
        std::vector<float> scratch(static_cast<size_t>(conv.ScratchFloats()));
        std::vector<NarrowInt> narrow(floats.size());
        conv.Run(in.data(), {narrow.data(), 3.0f}, scratch.data(), steps, pool);
        for (size_t i = 0; i < floats.size(); ++i) ASSERT_EQ(narrow[i], floats[i] - 3.0f) << i;
      }
    }
  });
}

TEST(WinogradError, IsLessThanTwiceThatOfADirectSum) {
  const ConvShape s = WinogradShape({1, 24, 24, 64, 32, 1, 1, 1, 1});
  const auto weights = RandomFloats(s.out_c * s.in_c * 9, 2), bias = RandomFloats(s.out_c, 3);
  ThreadPool pool(2);
  for (const float low : {-1.0f, 0.0f}) {
    const auto in = RandomFloats(s.in_h * s.in_w * s.in_c, 1, low, 1.0f);
    const Exact exact(s, in, weights, bias);
    const auto error = [&](ConvMethod method) {
      return RootMeanSquare(Convolve(s, method, in, weights, bias.data(), {}, pool), exact.values);
    };
    const double direct = error(ConvMethod::kIndirect);
    EXPECT_LT(error(ConvMethod::kWinograd2), direct);
    EXPECT_LT(error(ConvMethod::kWinograd4), 2.0 * direct);
  }
}

ConvMethod MethodOf(int64_t size, int64_t in_c, int64_t out_c, int64_t batch = 1) {
  return ChooseFloatConvMethod(WinogradShape({batch, size, size, in_c, out_c, 1, 1, 1, 1}));
}

TEST(WinogradChoice, GoesByWhatWasMeasured) {
  EXPECT_EQ(MethodOf(56, 64, 64), ConvMethod::kWinograd4);
  EXPECT_EQ(MethodOf(28, 128, 128), ConvMethod::kWinograd4);
  EXPECT_EQ(MethodOf(14, 128, 32), ConvMethod::kWinograd4);
  // Filters that the cache does not hold, for few tiles.
  EXPECT_EQ(MethodOf(14, 256, 256), ConvMethod::kWinograd2);
  EXPECT_EQ(MethodOf(7, 512, 512), ConvMethod::kIndirect);
  EXPECT_EQ(MethodOf(56, 8, 64), ConvMethod::kRows);
  // The same for an image in any batch.
  EXPECT_EQ(MethodOf(14, 256, 256, 8), ConvMethod::kWinograd2);
}

}  // namespace
}  // namespace anemone::cpu
