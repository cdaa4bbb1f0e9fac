#include "cpu/kernels/conv.h"

#include "cpu/kernels/elementwise.h"
#include "kernel_test_util.h"

namespace anemone::cpu {
namespace {

struct ConvCase {
  int64_t batch, h, w, in_c, out_c, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  int64_t top, bottom, left, right, groups;
};

std::ostream& operator<<(std::ostream& out, const ConvCase& c) {
  return out << c.batch << "x" << c.h << "x" << c.w << "x" << c.in_c << " to " << c.out_c
             << " kernel " << c.kernel_h << "x" << c.kernel_w << " stride " << c.stride_h << "x"
             << c.stride_w << " dilation " << c.dilation_h << "x" << c.dilation_w << " pad "
             << c.top << "," << c.bottom << "," << c.left << "," << c.right << " groups "
             << c.groups;
}

ConvShape ShapeOf(const ConvCase& c) {
  ConvShape s;
  s.batch = c.batch;
  s.in_h = c.h, s.in_w = c.w, s.in_c = c.in_c, s.out_c = c.out_c;
  s.kernel_h = c.kernel_h, s.kernel_w = c.kernel_w;
  s.stride_h = c.stride_h, s.stride_w = c.stride_w;
  s.dilation_h = c.dilation_h, s.dilation_w = c.dilation_w;
  s.pad_top = c.top, s.pad_left = c.left, s.groups = c.groups;
  s.out_h = (c.h + c.top + c.bottom - (c.kernel_h - 1) * c.dilation_h - 1) / c.stride_h + 1;
  s.out_w = (c.w + c.left + c.right - (c.kernel_w - 1) * c.dilation_w - 1) / c.stride_w + 1;
  return s;
}

// Calls fn(input offset, weight offset, output offset) for each product of the convolution.
template <typename Fn>
void ForEachProduct(const ConvShape& s, const Fn& fn) {
  const int64_t depth = s.in_c / s.groups, columns = s.out_c / s.groups;
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t y = 0; y < s.out_h; ++y)
      for (int64_t x = 0; x < s.out_w; ++x)
        for (int64_t o = 0; o < s.out_c; ++o)
          for (int64_t c = 0; c < depth; ++c)
            for (int64_t ky = 0; ky < s.kernel_h; ++ky)
              for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
                const int64_t iy = y * s.stride_h - s.pad_top + ky * s.dilation_h;
                const int64_t ix = x * s.stride_w - s.pad_left + kx * s.dilation_w;
                if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
                fn(((b * s.in_h + iy) * s.in_w + ix) * s.in_c + o / columns * depth + c,
                   ((o * depth + c) * s.kernel_h + ky) * s.kernel_w + kx,
                   ((b * s.out_h + y) * s.out_w + x) * s.out_c + o);
              }
}

std::vector<ConvCase> ConvCases() {
  std::vector<ConvCase> cases;
  for (const int64_t in_c : {1, 3, 7, 16, 33, 64}) {
    for (const int64_t out_c : {1, 17, 48}) {
      cases.push_back({1, 9, 11, in_c, out_c, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1});
      cases.push_back({2, 10, 9, in_c, out_c, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1});
      cases.push_back({1, 8, 8, in_c, out_c, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1});
      cases.push_back({1, 9, 8, in_c, out_c, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1});
      cases.push_back({1, 13, 12, in_c, out_c, 3, 2, 1, 2, 2, 3, 0, 1, 2, 3, 1});
      cases.push_back({1, 1, 40, in_c, out_c, 1, 5, 1, 1, 1, 1, 0, 0, 2, 2, 1});
      cases.push_back({1, 3, 3, in_c, out_c, 7, 7, 1, 1, 1, 1, 3, 3, 3, 3, 1});
    }
    // Depthwise.
    for (const int64_t kernel : {1, 3, 5, 7}) {
      const int64_t p = kernel / 2;
      cases.push_back({1, 12, 19, in_c, in_c, kernel, kernel, 1, 1, 1, 1, p, p, p, p, in_c});
      cases.push_back({2, 13, 11, in_c, in_c, kernel, kernel, 2, 2, 1, 1, p, p, p, p, in_c});
      cases.push_back({1, 2, 2, in_c, in_c, kernel, kernel, 1, 1, 1, 1, p, p, p, p, in_c});
    }
    cases.push_back({1, 14, 16, in_c, in_c, 3, 2, 1, 1, 3, 2, 1, 2, 0, 3, in_c});
    // Grouped, with a channel multiplier, and stems with much padding.
    cases.push_back({1, 7, 6, in_c, 3 * in_c, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, in_c});
    cases.push_back({1, 11, 10, in_c, 20, 7, 7, 2, 2, 1, 1, 3, 2, 3, 2, 1});
    cases.push_back({1, 4, 4, in_c, 5, 3, 3, 1, 1, 1, 1, 6, 6, 6, 6, 1});
  }
  cases.push_back({1, 7, 6, 16, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4});
  cases.push_back({2, 7, 6, 33, 22, 3, 3, 2, 1, 1, 2, 1, 1, 2, 2, 11});
  cases.push_back({1, 6, 6, 8, 4, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 4});
  cases.push_back({1, 1, 500, 4, 4, 1, 400, 1, 1, 1, 1, 0, 0, 5, 5, 1});
  // Rows 4 KiB apart.
  cases.push_back({1, 5, 6, 1024, 20, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1});
  cases.push_back({1, 9, 10, 512, 20, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1});
  cases.push_back({2, 12, 9, 24, 48, 7, 7, 2, 2, 1, 1, 3, 3, 3, 3, 24});
  cases.push_back({1, 6, 5, 3, 15, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 3});
  cases.push_back({1, 40, 40, 24, 40, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  return cases;
}

class Conv : public testing::TestWithParam<ConvCase> {};
INSTANTIATE_TEST_SUITE_P(Grid, Conv, testing::ValuesIn(ConvCases()));

TEST_P(Conv, MatchesDoubleSums) {
  const ConvShape s = ShapeOf(GetParam());
  const int64_t depth = s.in_c / s.groups * s.kernel_h * s.kernel_w;
  const auto in = RandomFloats(s.batch * s.in_h * s.in_w * s.in_c, 1);
  const auto weights = RandomFloats(s.out_c * depth, 2), bias = RandomFloats(s.out_c, 3);
  std::vector<double> expected(static_cast<size_t>(s.batch * s.out_h * s.out_w * s.out_c));
  for (size_t i = 0; i < expected.size(); ++i) expected[i] = bias[i % s.out_c];
  ForEachProduct(
      s, [&](int64_t i, int64_t w, int64_t o) { expected[o] += double{in[i]} * weights[w]; });
  OnTargetsAndThreads(
      [&](ThreadPool& pool) {
        const PackedConv conv(s, weights.data(), bias.data());
        std::vector<float> scratch(static_cast<size_t>(conv.ScratchFloats()), NAN);
        std::vector<float> out(expected.size(), NAN);
        conv.Run(in.data(), out.data(), scratch.data(), {}, pool);
        return out;
      },
      [&](const std::vector<float>& out) {
        ExpectClose(out, expected, 1e-6 * static_cast<double>(1 + depth));
      });
}

TEST_P(Conv, TransposeMatchesDoubleSums) {
  const ConvShape s = ShapeOf(GetParam());
  const int64_t taps = s.kernel_h * s.kernel_w;
  const int64_t depth = s.out_c / s.groups * taps;
  const auto in = RandomFloats(s.batch * s.out_h * s.out_w * s.out_c, 4);
  const auto weights = RandomFloats(s.out_c * (s.in_c / s.groups) * taps, 5);
  const auto bias = RandomFloats(s.in_c, 6);
  std::vector<double> expected(static_cast<size_t>(s.batch * s.in_h * s.in_w * s.in_c));
  for (size_t i = 0; i < expected.size(); ++i) expected[i] = bias[i % s.in_c];
  ForEachProduct(
      s, [&](int64_t i, int64_t w, int64_t o) { expected[i] += double{in[o]} * weights[w]; });
  OnTargetsAndThreads(
      [&](ThreadPool& pool) {
        const PackedConvTranspose conv(s, weights.data(), bias.data());
        std::vector<float> scratch(static_cast<size_t>(conv.ScratchFloats()));
        std::vector<float> out(expected.size(), NAN);
        conv.Run(in.data(), out.data(), scratch.data(), {}, pool);
        return out;
      },
      [&](const std::vector<float>& out) {
        ExpectClose(out, expected, 1e-6 * static_cast<double>(1 + depth));
      });
}

// Fused or applied afterwards, steps give the same bits, for each way a convolution is done.
TEST_P(Conv, FusedStepsEqualSeparateOnes) {
  const ConvShape s = ShapeOf(GetParam());
  const int64_t rows = s.batch * s.out_h * s.out_w;
  const auto in = RandomFloats(s.batch * s.in_h * s.in_w * s.in_c, 7);
  const auto weights = RandomFloats(s.out_c * (s.in_c / s.groups) * s.kernel_h * s.kernel_w, 8);
  const auto residual = RandomFloats(rows * s.out_c, 9);
  ThreadPool pool(2);
  const Step add{.kind = StepKind::kAdd,
                 .operand = {.data = residual.data(), .row_stride = s.out_c, .column_stride = 1}};
  const Step relu{.kind = StepKind::kRelu}, silu{.kind = StepKind::kSilu};
  ForEachTarget([&] {
    const PackedConv conv(s, weights.data(), nullptr);
    std::vector<float> scratch(static_cast<size_t>(conv.ScratchFloats()));
    for (const auto& steps : {std::vector<Step>{add, relu}, std::vector<Step>{silu, add}}) {
      std::vector<float> fused(residual.size()), apart(residual.size());
      conv.Run(in.data(), fused.data(), scratch.data(), steps, pool);
      conv.Run(in.data(), apart.data(), scratch.data(), {}, pool);
      Elementwise(steps, apart.data(), apart.data(), rows, s.out_c, pool);
      ASSERT_EQ(fused, apart);
    }
  });
}

}  // namespace
}  // namespace anemone::cpu
