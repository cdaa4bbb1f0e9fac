#include <algorithm>
#include <functional>
#include <random>

#include "cpu/kernels/elementwise.h"
#include "cpu/kernels/int8_conv.h"
#include "kernel_test_util.h"

namespace anemone::cpu {
namespace {

template <typename T>
std::vector<T> RandomInts(int64_t count, uint32_t seed, int low, int high) {
  std::mt19937 engine(seed);
  std::uniform_int_distribution<int> value(low, high);
  std::vector<T> out(static_cast<size_t>(count));
  for (T& v : out) v = static_cast<T>(value(engine));
  return out;
}

struct Int8Case {
  const char* name;
  ConvShape shape;
};

const Int8Case kInt8Cases[] = {
    {"pointwise", SquareConv(16, 33, 1, 1, 0, 7)},
    {"pointwise_of_odd_depth", SquareConv(17, 8, 1, 1, 0, 5)},
    {"strided_pointwise", SquareConv(24, 17, 1, 2, 0, 9)},
    {"first_layer", SquareConv(3, 20, 3, 2, 1, 11)},
    {"first_layer_7x7", SquareConv(3, 16, 7, 2, 3, 15)},
    {"few_channels_even", SquareConv(4, 9, 5, 1, 2, 6)},
    {"taps", SquareConv(32, 40, 3, 1, 1, 8)},
    {"taps_of_odd_depth", SquareConv(19, 12, 3, 2, 1, 8)},
    {"dilated", SquareConv(18, 12, 3, 1, 2, 9, 1, 2)},
    {"groups", SquareConv(40, 24, 3, 1, 1, 6, 4)},
    {"groups_of_odd_depth", SquareConv(15, 10, 3, 1, 1, 6, 5)},
    {"pointwise_of_registers", SquareConv(128, 96, 1, 1, 0, 13)},
    {"taps_of_registers", SquareConv(64, 48, 3, 1, 1, 14)},
    {"strided_taps_of_registers", SquareConv(72, 33, 3, 2, 1, 15)},
    {"groups_of_registers", SquareConv(128, 64, 3, 1, 1, 7, 2)},
    {"depthwise", SquareConv(21, 21, 3, 1, 1, 9, 21)},
    {"depthwise_strided", SquareConv(32, 32, 5, 2, 2, 12, 32)},
    {"depthwise_dilated", SquareConv(16, 16, 3, 1, 2, 12, 16, 2)},
    {"depthwise_wide", SquareConv(144, 144, 3, 1, 1, 37, 144)},
    {"depthwise_3x3_strided", SquareConv(96, 96, 3, 2, 1, 11, 96)},
    {"depthwise_5x5", SquareConv(80, 80, 5, 1, 2, 9, 80)},
    {"depthwise_7x7", SquareConv(40, 40, 7, 1, 3, 8, 40)},
    {"depthwise_7x7_strided", SquareConv(65, 65, 7, 2, 3, 9, 65)},
};

class Int8Conv : public testing::TestWithParam<Int8Case> {};
INSTANTIATE_TEST_SUITE_P(Cases, Int8Conv, testing::ValuesIn(kInt8Cases),
                         [](const auto& param) { return std::string(param.param.name); });

int64_t InCount(const ConvShape& s) { return s.batch * s.in_h * s.in_w * s.in_c; }
int64_t OutCount(const ConvShape& s) { return s.batch * s.out_h * s.out_w * s.out_c; }

// Sums of the integer products, output pixels times channels.
std::vector<int64_t> Sums(const ConvShape& s, const std::vector<NarrowInt>& in,
                          const std::vector<int8_t>& weights) {
  std::vector<int64_t> sums(static_cast<size_t>(OutCount(s)));
  const int64_t depth = s.in_c / s.groups, columns = s.out_c / s.groups;
  size_t at = 0;
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t y = 0; y < s.out_h; ++y) {
      for (int64_t x = 0; x < s.out_w; ++x) {
        for (int64_t n = 0; n < s.out_c; ++n, ++at) {
          for (int64_t c = 0; c < depth; ++c) {
            for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
              for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
                const int64_t iy = y * s.stride_h - s.pad_top + ky * s.dilation_h;
                const int64_t ix = x * s.stride_w - s.pad_left + kx * s.dilation_w;
                if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
                const int64_t channel = n / columns * depth + c;
                sums[at] += int64_t{in[((b * s.in_h + iy) * s.in_w + ix) * s.in_c + channel]} *
                            weights[((n * depth + c) * s.kernel_h + ky) * s.kernel_w + kx];
              }
            }
          }
        }
      }
    }
  }
  return sums;
}

// How activations are stored: in 16 bits, or as bytes of a range.
struct Stored {
  const char* name;
  StoredInput input;
  int low, high;  // of the whole numbers less their zero point
};
constexpr Stored kStored[] = {{"pairs", {false, 0}, -255, 255},
                              {"small_bytes", {true, 0}, 0, 127},
                              {"all_bytes", {true, 0}, 0, 255},
                              {"signed_bytes", {true, 128}, -128, 127},
                              {"bytes_with_zero_point", {true, 37}, -37, 218}};

// Whether the level of instructions in use takes them.
bool Takes(const Stored& stored) {
  if (!stored.input.bytes) return true;
  const bool small = stored.low == 0 && stored.high == 127;
  return small ? ChooseByteTile() != nullptr : TakesAllBytes();
}

struct Int8Problem {
  Int8Problem(const ConvShape& s, const Stored& stored)
      : in(RandomInts<NarrowInt>(InCount(s) + kIntegerSlack, 1, stored.low, stored.high)),
        bias(RandomFloats(s.out_c, 3)) {
    for (const NarrowInt value : in) {
      bytes.push_back(static_cast<uint8_t>(value + stored.input.zero));
    }
    weights.integers =
        RandomInts<int8_t>(s.out_c * (s.in_c / s.groups) * s.kernel_h * s.kernel_w, 2, -128, 127);
    weights.scale = RandomFloats(s.out_c, 4, 0.001f, 0.01f);
  }
  Source source(bool as_bytes) const {
    if (as_bytes) return {bytes.data(), 0.0f};
    return {in.data(), 0.0f};
  }
  std::vector<NarrowInt> in;
  std::vector<uint8_t> bytes;
  Int8Weights weights;
  std::vector<float> bias;
};

constexpr float kInScale = 0.037f;

TEST_P(Int8Conv, SumsAreExact) {
  const ConvShape& s = GetParam().shape;
  for (const Stored& stored : kStored) {
    SCOPED_TRACE(stored.name);
    const Int8Problem problem(s, stored);
    const std::vector<int64_t> sums = Sums(s, problem.in, problem.weights.integers);
    std::vector<double> expected(sums.size());
    double largest = 0;
    for (size_t i = 0; i < sums.size(); ++i) {
      const size_t channel = i % static_cast<size_t>(s.out_c);
      expected[i] = static_cast<double>(sums[i]) * kInScale * problem.weights.scale[channel] +
                    problem.bias[channel];
      largest = std::max(largest, std::abs(expected[i]));
    }
    ASSERT_TRUE(PackedInt8Conv::CanRun(s));
    OnTargetsAndThreads(
        [&](ThreadPool& pool) {
          std::vector<float> out(sums.size(), NAN);
          if (!Takes(stored)) return std::vector<float>();
          const PackedInt8Conv conv(s, problem.weights, kInScale, problem.bias, stored.input);
          conv.Run(problem.source(stored.input.bytes), out.data(), {}, pool);
          return out;
        },
        // What is left are the roundings of the scales and of the result.
        [&](const std::vector<float>& out) {
          if (!out.empty()) ExpectClose(out, expected, 4e-7 * largest, 4e-7);
        });
  }
}

// Whole numbers, of which a few may be a neighbor: their quotients are beside a tie.
void ExpectNearlyAllEqual(const std::vector<float>& got, const std::vector<float>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  size_t others = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    if (got[i] == wanted[i]) continue;
    ++others;
    EXPECT_EQ(std::abs(got[i] - wanted[i]), 1.0f) << i;
  }
  EXPECT_LE(others, 2 + got.size() / 500);
}

// Steps in the tile, steps after it, and narrow results: what the same steps give apart.
TEST_P(Int8Conv, StepsAndNarrowResults) {
  const ConvShape& s = GetParam().shape;
  const Int8Problem problem(s, kStored[0]);
  const int64_t count = OutCount(s);
  const auto residual = RandomFloats(count, 5);
  const auto column = RandomFloats(s.out_c, 6);
  const Step add{.kind = StepKind::kAdd,
                 .operand = {.data = residual.data(), .row_stride = s.out_c, .column_stride = 1}};
  const Step scale{.kind = StepKind::kMul, .operand = {.data = column.data(), .column_stride = 1}};
  const Step relu{.kind = StepKind::kRelu};
  const Step gelu{.kind = StepKind::kGeluErf};
  const Step half{.kind = StepKind::kRoundToHalf};
  const Step linear{.kind = StepKind::kLinear, .alpha = 0.75f, .beta = -0.125f};
  const Step quantize{.kind = StepKind::kQuantizeUint8, .alpha = 0.02f, .beta = 11.0f};
  const auto bytes_added = RandomInts<uint8_t>(count, 7, 0, 255);
  const Step add_bytes{.kind = StepKind::kAdd,
                       .operand = {.row_stride = s.out_c,
                                   .column_stride = 1,
                                   .bytes = bytes_added.data(),
                                   .zero = 100,
                                   .scale = 0.013219f}};
  const Step to_int8{.kind = StepKind::kQuantizeInt8, .alpha = 0.016371f, .beta = 5.0f};
  const Step less{.kind = StepKind::kLinear, .alpha = 1.0f, .beta = -5.0f};
  const Step from_int8{.kind = StepKind::kLinear, .alpha = 0.016371f};
  const std::vector<std::vector<Step>> lists = {
      {quantize},
      {to_int8, less, from_int8, add_bytes, relu, quantize},
      {add_bytes, to_int8, less, from_int8, relu, add_bytes, quantize},
      {relu, quantize},
      {half, add, half, relu, quantize},
      {scale, linear, quantize},
      {gelu, quantize},
      {relu, gelu, add, quantize}};
  for (const std::vector<Step>& steps : lists) {
    OnTargetsAndThreads(
        [&](ThreadPool& pool) {
          const PackedInt8Conv conv(s, problem.weights, kInScale, problem.bias, {});
          const Source in = problem.source(false);
          std::vector<float> apart(static_cast<size_t>(count)), fused(apart.size());
          conv.Run(in, apart.data(), {}, pool);
          Elementwise(steps, apart.data(), apart.data(), count / s.out_c, s.out_c, pool);
          conv.Run(in, fused.data(), steps, pool);
          EXPECT_EQ(fused, apart);
          std::vector<float> widened(apart.size());
          std::vector<NarrowInt> narrow(apart.size(), -999);
          conv.Run(in, {narrow.data(), 11.0f}, steps, pool);
          Elementwise({}, {narrow.data(), 11.0f}, widened.data(), 1, count, pool);
          ExpectNearlyAllEqual(widened, apart);
          std::vector<uint8_t> bytes(apart.size());
          conv.Run(in, {bytes.data(), 0.0f}, steps, pool);
          Elementwise({}, {bytes.data(), 0.0f}, widened.data(), 1, count, pool);
          ExpectNearlyAllEqual(widened, apart);
          return fused;
        },
        [](const std::vector<float>&) {});
  }
}

// A result that a tile quantizes, and the real number that it stands for.
struct Quantized {
  const char* name;
  std::vector<Step> steps;  // the last quantizes
  std::function<double(double value, double residual)> real;
};

// What tiles quantize is the nearest whole number of what double precision gives, or, beside a tie, its
// neighbor, at either end of the range too.
TEST_P(Int8Conv, QuantizedResultsAreNearest) {
  const ConvShape& s = GetParam().shape;
  const Int8Problem problem(s, kStored[0]);
  const std::vector<int64_t> sums = Sums(s, problem.in, problem.weights.integers);
  const int64_t count = OutCount(s);
  const auto residual = RandomInts<uint8_t>(count, 7, 0, 255);
  const float residual_scale = 0.03f;
  const int residual_zero = 100;
  const Step add{.kind = StepKind::kAdd,
                 .operand = {.row_stride = s.out_c,
                             .column_stride = 1,
                             .bytes = residual.data(),
                             .zero = residual_zero,
                             .scale = residual_scale}};
  const Step relu{.kind = StepKind::kRelu};
  const Step clamp{.kind = StepKind::kClamp, .alpha = -0.31f, .beta = 2.47f};
  const Step swish{.kind = StepKind::kHardSwish, .alpha = 0.17f, .beta = 0.5f};
  const Step to_uint8{.kind = StepKind::kQuantizeUint8, .alpha = 0.02f, .beta = 11.0f};
  const Step to_int8{.kind = StepKind::kQuantizeInt8, .alpha = 0.05f, .beta = -3.0f};
  const auto positive = [](double x) { return std::max(x, 0.0); };
  const Step gelu{.kind = StepKind::kGeluErf};
  const Step silu{.kind = StepKind::kSilu};
  const Step sigmoid{.kind = StepKind::kSigmoid};
  const auto exact_gelu = [](double x) { return x * 0.5 * (1.0 + std::erf(x / std::sqrt(2.0))); };
  const auto exact_silu = [](double x) { return x / (1.0 + std::exp(-x)); };
  const auto hard_swish = [](double x) { return x * std::clamp(0.17f * x + 0.5f, 0.0, 1.0); };
  const std::vector<Quantized> cases = {
      {"plain", {to_int8}, [](double x, double) { return x; }},
      {"relu", {relu, to_uint8}, [&](double x, double) { return positive(x); }},
      {"relu_and_sum", {relu, add, to_int8}, [&](double x, double r) { return positive(x) + r; }},
      {"sum", {add, relu, to_uint8}, [&](double x, double r) { return positive(x + r); }},
      {"clamp",
       {add, clamp, to_int8},
       [](double x, double r) { return std::clamp<double>(x + r, -0.31f, 2.47f); }},
      {"swish", {swish, to_int8}, [&](double x, double) { return hard_swish(x); }},
      {"gelu", {gelu, to_uint8}, [&](double x, double) { return exact_gelu(x); }},
      {"silu_of_sum", {add, silu, to_int8}, [&](double x, double r) { return exact_silu(x + r); }},
      {"sigmoid",
       {relu, sigmoid, {.kind = StepKind::kQuantizeUint8, .alpha = 0.0041f}},
       [&](double x, double) { return 1.0 / (1.0 + std::exp(-positive(x))); }},
      {"hard_sigmoid",
       {{.kind = StepKind::kHardSigmoid, .alpha = 0.17f, .beta = 0.5f},
        {.kind = StepKind::kQuantizeInt8, .alpha = 0.0043f, .beta = -100.0f}},
       [](double x, double) { return std::clamp(0.17f * x + 0.5f, 0.0, 1.0); }},
      {"swish_of_sum",
       {add, swish, to_uint8},
       [&](double x, double r) { return hard_swish(x + r); }},
  };
  for (const Quantized& one : cases) {
    SCOPED_TRACE(one.name);
    const Step& quantize = one.steps.back();
    const bool is_signed = quantize.kind == StepKind::kQuantizeInt8;
    const double low = is_signed ? -128 : 0, high = is_signed ? 127 : 255;
    OnTargetsAndThreads(
        [&](ThreadPool& pool) {
          const PackedInt8Conv conv(s, problem.weights, kInScale, problem.bias, {});
          std::vector<uint8_t> bytes(static_cast<size_t>(count));
          std::vector<NarrowInt> narrow(bytes.size());
          const Source in = problem.source(false);
          conv.Run(in, {bytes.data(), static_cast<float>(low)}, one.steps, pool);
          conv.Run(in, {narrow.data(), quantize.beta}, one.steps, pool);
          std::vector<float> out;
          for (const uint8_t value : bytes) out.push_back(static_cast<float>(value + low));
          for (const NarrowInt value : narrow) {
            out.push_back(static_cast<float>(value) + quantize.beta);
          }
          return out;
        },
        [&](const std::vector<float>& out) {
          for (size_t i = 0; i < out.size(); ++i) {
            const size_t at = i % sums.size();
            const auto channel = at % static_cast<size_t>(s.out_c);
            const double value =
                static_cast<double>(sums[at]) * kInScale * problem.weights.scale[channel] +
                problem.bias[channel];
            const double real = one.real(value, (residual[at] - residual_zero) * residual_scale);
            const double quotient = std::clamp(real / quantize.alpha + quantize.beta, low, high);
            ASSERT_LE(std::abs(out[i] - quotient), 0.5 + 2e-4) << i;
          }
        });
  }
}

// Where numbers leave the range of floats, the tile does what its steps do apart.
TEST(Int8Conv, HugeScalesAndNanAreQuantizedAsSteps) {
  const ConvShape s = SquareConv(16, 40, 1, 1, 0, 4);
  Int8Problem problem(s, kStored[0]);
  problem.bias[3] = NAN;
  problem.bias[4] = INFINITY;
  problem.bias[5] = -INFINITY;
  problem.weights.scale[6] = 1e30f;
  const std::vector<Step> steps = {
      {.kind = StepKind::kRelu}, {.kind = StepKind::kQuantizeUint8, .alpha = 0.02f, .beta = 11.0f}};
  OnTargetsAndThreads(
      [&](ThreadPool& pool) {
        const PackedInt8Conv conv(s, problem.weights, kInScale, problem.bias, {});
        std::vector<float> apart(static_cast<size_t>(OutCount(s))), widened(apart.size());
        conv.Run(problem.source(false), apart.data(), steps, pool);
        std::vector<uint8_t> bytes(apart.size());
        conv.Run(problem.source(false), {bytes.data(), 0.0f}, steps, pool);
        Elementwise({}, {bytes.data(), 0.0f}, widened.data(), 1, OutCount(s), pool);
        ExpectNearlyAllEqual(widened, apart);
        return widened;
      },
      [&](const std::vector<float>& out) {
        EXPECT_EQ(out[3], 0.0f);
        EXPECT_EQ(out[4], 255.0f);
        EXPECT_EQ(out[5], 11.0f);
      });
}

// The largest sums that may occur do not wrap, neither those of all products nor those of two.
TEST(Int8Conv, LongReductionsFit) {
  ConvShape s;
  s.in_c = 43'000;
  s.out_c = 3;
  ASSERT_TRUE(PackedInt8Conv::CanRun(s));
  const std::vector<NarrowInt> in(static_cast<size_t>(s.in_c + kIntegerSlack), 383);
  const std::vector<uint8_t> bytes(in.size(), 127);
  Int8Weights weights;
  weights.integers.assign(static_cast<size_t>(3 * s.in_c), -128);
  weights.scale = {1.0f, 1.0f, 1.0f};
  OnTargetsAndThreads(
      [&](ThreadPool& pool) {
        std::vector<float> out(6, 127.0f * -128 * 43'000);
        PackedInt8Conv(s, weights, 1.0f, {}, {}).Run({in.data(), 0.0f}, out.data(), {}, pool);
        if (ChooseByteTile() != nullptr) {
          const PackedInt8Conv conv(s, weights, 1.0f, {}, {.bytes = true});
          conv.Run({bytes.data(), 0.0f}, out.data() + 3, {}, pool);
        }
        return out;
      },
      [](const std::vector<float>& out) {
        for (size_t i = 0; i < 6; ++i) {
          EXPECT_EQ(out[i], (i < 3 ? 383.0f : 127.0f) * -128 * 43'000) << i;
        }
      });
  s.in_c = 43'001;
  EXPECT_FALSE(PackedInt8Conv::CanRun(s));
}

}  // namespace
}  // namespace anemone::cpu
