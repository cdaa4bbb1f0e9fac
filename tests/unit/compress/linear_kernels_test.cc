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
      FindRange(values, &low, &high);
      float want_low = 0.25f;
      float want_high = 0.25f;
      for (const float value : values) {
        want_low = std::min(want_low, value);
        want_high = std::max(want_high, value);
      }
      EXPECT_EQ(low, want_low) << n;
      EXPECT_EQ(high, want_high) << n;
      EXPECT_LT(LargestMagnitude(values), 0x7f800000u);
      // One that is not finite is seen wherever it stands.
      for (size_t i = 0; i < std::min<size_t>(n, 40); ++i) {
        std::vector<float> bad = values;
        bad[i] = i % 2 == 0 ? -std::numeric_limits<float>::infinity()
                            : std::numeric_limits<float>::quiet_NaN();
        EXPECT_GE(LargestMagnitude(bad), 0x7f800000u) << i << " of " << n;
      }
    }
  });
}

TEST(LinearKernels, QuantizeEqualsPlainArithmetic) {
  const QuantizeArgs all[] = {{0, -127, 127}, {127, 0, 254}, {-3, -8, 7}, {100, 0, 255}};
  for (const size_t n : kSizes) {
    const std::vector<float> values = Values(n);
    for (const QuantizeArgs& args : all) {
      std::vector<StepErrors> seen;
      OnEveryTarget([&] {
        std::vector<float> quotients(n);
        Divide(values, 0.7f, quotients.data());
        std::vector<int8_t> out(n);
        StepErrors errors;
        Quantize(quotients, args, out.data(), &errors);
        float largest = 0;
        double squares = 0;
        for (size_t i = 0; i < n; ++i) {
          ASSERT_EQ(quotients[i], values[i] / 0.7f);
          const float q =
              std::clamp(std::nearbyint(quotients[i]) + args.offset, args.low, args.high);
          ASSERT_EQ(out[i], static_cast<int8_t>(static_cast<int>(q))) << i << " of " << n;
          const float difference = q - args.offset - quotients[i];
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

TEST(LinearKernels, QuotientsFarOutsideAreClipped) {
  OnEveryTarget([] {
    const float huge = std::numeric_limits<float>::max();
    const float inf = std::numeric_limits<float>::infinity();
    const std::vector<float> quotients = {huge, -huge, inf, -inf, 1e6f, -1e6f};
    std::vector<int8_t> out(quotients.size());
    StepErrors errors;
    Quantize(quotients, {0, -127, 127}, out.data(), &errors);
    EXPECT_EQ(out, (std::vector<int8_t>{127, -127, 127, -127, 127, -127}));
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
