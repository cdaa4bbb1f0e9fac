// The vector loops of linear quantization on every SIMD target of this machine, against plain
// arithmetic.
#include "compress/linear_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "hwy/targets.h"

namespace anemone::compress {
namespace {

constexpr size_t kSizes[] = {0, 1, 3, 15, 16, 17, 31, 64, 100, 1024, 5000};

std::vector<float> Values(size_t n) {
  std::vector<float> values(n);
  Random(11).FillNormal(values, 0.0f, 40.0f);
  for (size_t i = 0; i < n; i += 5) values[i] = std::floor(values[i]) + 0.5f;  // ties
  return values;
}

template <typename Body>
void OnEveryTarget(const Body& body) {
  std::vector<int64_t> targets;
  for (int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1)
    targets.push_back(left & -left);
  for (const int64_t target : targets) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    body();
  }
  hwy::SetSupportedTargetsForTest(0);
}

TEST(LinearKernels, RangeAndMagnitude) {
  OnEveryTarget([] {
    for (const size_t n : kSizes) {
      const std::vector<float> values = Values(n);
      float low = 0.25f;
      float high = 0.25f;
      EXPECT_TRUE(FindRange(values, &low, &high));
      float want_low = 0.25f;
      float want_high = 0.25f;
      for (const float value : values) {
        want_low = std::min(want_low, value);
        want_high = std::max(want_high, value);
      }
      EXPECT_EQ(low, want_low) << n;
      EXPECT_EQ(high, want_high) << n;
      // Halves give the same as their values.
      const std::vector<Half> halves(values.begin(), values.end());
      float half_low = 0.25f;
      float half_high = 0.25f;
      EXPECT_TRUE(FindRange(halves, &half_low, &half_high));
      EXPECT_EQ(half_low, HalfToFloat(FloatToHalf(want_low))) << n;
      EXPECT_EQ(half_high, HalfToFloat(FloatToHalf(want_high))) << n;
      EXPECT_LT(LargestMagnitude(values), 0x7f800000u);
      // A value that is not finite is found wherever it is.
      for (size_t i = 0; i < std::min<size_t>(n, 40); ++i) {
        std::vector<float> bad = values;
        bad[i] = i % 2 == 0 ? -std::numeric_limits<float>::infinity()
                            : std::numeric_limits<float>::quiet_NaN();
        EXPECT_GE(LargestMagnitude(bad), 0x7f800000u) << i << " of " << n;
        EXPECT_FALSE(FindRange(bad, &low, &high)) << i << " of " << n;
        const std::vector<Half> bad_halves(bad.begin(), bad.end());
        EXPECT_FALSE(FindRange(bad_halves, &low, &high)) << i << " of " << n;
      }
    }
  });
}

// Halves are divided in half precision: the quotient rounds once more.
float Rounded(float quotient) { return quotient; }
float Rounded(Half quotient) { return quotient; }

template <typename T>
void QuantizeEqualsPlainArithmetic() {
  const QuantizeArgs all[] = {
      {0.7f, 0, -127, 127}, {0.7f, 127, 0, 254}, {0.7f, -3, -8, 7}, {0.7f, 100, 0, 255}};
  for (const size_t n : kSizes) {
    const std::vector<float> floats = Values(n);
    const std::vector<T> values(floats.begin(), floats.end());
    for (const QuantizeArgs& args : all) {
      std::vector<StepErrors> seen;
      OnEveryTarget([&] {
        std::vector<int8_t> out(n);
        StepErrors errors;
        Quantize(std::span<const T>(values), args, out.data(), &errors);
        float largest = 0;
        double squares = 0;
        for (size_t i = 0; i < n; ++i) {
          const float quotient = Rounded(T(static_cast<float>(values[i]) / args.scale));
          const float q = std::clamp(std::nearbyint(quotient) + args.offset, args.low, args.high);
          ASSERT_EQ(out[i], static_cast<int8_t>(static_cast<int>(q))) << i << " of " << n;
          const float difference = q - args.offset - quotient;
          largest = std::max(largest, std::abs(difference));
          squares += double{difference} * difference;
        }
        EXPECT_EQ(errors.largest, largest);
        EXPECT_NEAR(errors.squares, squares, 1e-4 * squares + 1e-12);
        seen.push_back(errors);
      });
      // The sums have the same bits everywhere.
      for (const StepErrors& errors : seen) EXPECT_EQ(errors.squares, seen[0].squares);
    }
  }
}

TEST(LinearKernels, QuantizeFloatsEqualsPlainArithmetic) { QuantizeEqualsPlainArithmetic<float>(); }

TEST(LinearKernels, QuantizeHalvesEqualsPlainArithmetic) { QuantizeEqualsPlainArithmetic<Half>(); }

TEST(LinearKernels, QuotientsFarOutsideAreClipped) {
  OnEveryTarget([] {
    const float huge = std::numeric_limits<float>::max();
    const float inf = std::numeric_limits<float>::infinity();
    const std::vector<float> values = {huge, -huge, inf, -inf, 1e6f, -1e6f};
    const std::vector<int8_t> want = {127, -127, 127, -127, 127, -127};
    for (const float scale : {1.0f, 1e-3f}) {
      std::vector<int8_t> out(values.size());
      StepErrors errors;
      Quantize(values, {scale, 0, -127, 127}, out.data(), &errors);
      EXPECT_EQ(out, want);
      // A quotient beyond half's range is infinite there.
      const std::vector<Half> halves = {Half(6e4f), Half(-6e4f), Half(inf),
                                        Half(-inf), Half(6e4f),  Half(-6e4f)};
      Quantize(halves, {scale, 0, -127, 127}, out.data(), &errors);
      EXPECT_EQ(out, want);
    }
  });
}

TEST(LinearKernels, Compare) {
  for (const size_t n : kSizes) {
    const std::vector<float> a = Values(n);
    std::vector<float> b = a;
    for (size_t i = 0; i < n; i += 3) b[i] += 0.25f;
    OnEveryTarget([&] {
      StepErrors errors;
      Compare(a, b, &errors);
      // Adding 0.25 rounds.
      EXPECT_NEAR(errors.largest, n == 0 ? 0 : 0.25f, 1e-5);
      const size_t changed = (n + 2) / 3;
      const double squares = 0.0625 * static_cast<double>(changed);
      EXPECT_NEAR(errors.squares, squares, 1e-4 * squares);
    });
  }
}

}  // namespace
}  // namespace anemone::compress
