#include "cpu/kernels/bf16_conv.h"

#include <algorithm>
#include <bit>

#include "kernel_test_util.h"

namespace anemone::cpu {
namespace {

double Rounded(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000);
}

struct Bf16Case {
  const char* name;
  ConvShape shape;
};
const Bf16Case kBf16Cases[] = {
    {"pointwise", SquareConv(32, 33, 1, 1, 0, 7)},
    {"pointwise_of_odd_depth", SquareConv(37, 16, 1, 1, 0, 5)},
    {"pointwise_of_registers", SquareConv(96, 64, 1, 1, 0, 13)},
    {"strided_pointwise", SquareConv(48, 17, 1, 2, 0, 9)},
    {"first_layer", SquareConv(3, 20, 3, 2, 1, 11)},
    {"first_layer_7x7", SquareConv(3, 16, 7, 2, 3, 15)},
    {"taps", SquareConv(64, 40, 3, 1, 1, 14)},
    {"taps_of_odd_depth", SquareConv(19, 12, 3, 2, 1, 8)},
    {"one_pixel", SquareConv(40, 50, 1, 1, 0, 1)},
};

class Bf16Conv : public testing::TestWithParam<Bf16Case> {};
INSTANTIATE_TEST_SUITE_P(Cases, Bf16Conv, testing::ValuesIn(kBf16Cases),
                         [](const auto& param) { return std::string(param.param.name); });

// What is left beside the rounding of the operands is that of float32 sums; and the rounding of the
// operands costs at most two halves of the last of 8 bits of each product.
TEST_P(Bf16Conv, SumsRoundedProducts) {
  const ConvShape& s = GetParam().shape;
  const auto in = RandomFloats(s.batch * s.in_h * s.in_w * s.in_c, 1);
  const auto weights = RandomFloats(s.out_c * s.in_c * s.kernel_h * s.kernel_w, 2);
  const auto bias = RandomFloats(s.out_c, 3);
  std::vector<double> rounded, exact, products;
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t y = 0; y < s.out_h; ++y) {
      for (int64_t x = 0; x < s.out_w; ++x) {
        for (int64_t n = 0; n < s.out_c; ++n) {
          double low = bias[n], full = bias[n], size = 0;
          for (int64_t c = 0; c < s.in_c; ++c) {
            for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
              for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
                const int64_t iy = y * s.stride_h - s.pad_top + ky;
                const int64_t ix = x * s.stride_w - s.pad_left + kx;
                if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
                const float value = in[((b * s.in_h + iy) * s.in_w + ix) * s.in_c + c];
                const float weight =
                    weights[((n * s.in_c + c) * s.kernel_h + ky) * s.kernel_w + kx];
                low += Rounded(value) * Rounded(weight);
                full += static_cast<double>(value) * weight;
                size += std::abs(static_cast<double>(value) * weight);
              }
            }
          }
          rounded.push_back(low);
          exact.push_back(full);
          products.push_back(size);
        }
      }
    }
  }
  const double largest = *std::max_element(products.begin(), products.end());
  OnTargetsAndThreads(
      [&](ThreadPool& pool) {
        if (!PackedBf16Conv::CanRun(s)) return std::vector<float>();
        const PackedBf16Conv packed(s, weights.data(), bias.data());
        const PackedBf16Conv conv(s, packed);
        std::vector<float> out(rounded.size(), NAN);
        Floats scratch(conv.ScratchFloats());
        conv.Run(in.data(), out.data(), scratch.data(), {}, pool);
        return out;
      },
      [&](const std::vector<float>& out) {
        if (out.empty()) return;
        ExpectClose(out, rounded, 1e-6 * largest);
        for (size_t i = 0; i < out.size(); ++i) {
          ASSERT_LE(std::abs(out[i] - exact[i]), products[i] / 127 + 1e-6);
        }
      });
}

TEST(Bf16Conv, NeedsTheInstructionsAndOneGroup) {
  ConvShape groups = SquareConv(64, 64, 3, 1, 1, 6);
  groups.groups = 2;
  ForEachTarget([&] {
    EXPECT_EQ(PackedBf16Conv::CanRun(SquareConv(64, 64, 3, 1, 1, 6)), Dots().avx512_bf16);
    EXPECT_FALSE(PackedBf16Conv::CanRun(groups));
  });
}

}  // namespace
}  // namespace anemone::cpu
