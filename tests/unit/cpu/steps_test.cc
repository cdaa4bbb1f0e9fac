#include "cpu/kernels/steps.h"

#include <functional>

#include "base/dtype.h"
#include "cpu/kernels/elementwise.h"
#include "kernel_test_util.h"

namespace anemone::cpu {
namespace {

double SigmoidOf(double x) { return 1.0 / (1.0 + std::exp(-x)); }

struct UnaryCase {
  const char* name;
  Step step;
  double low, high;
  double ulp;       // limit in units of the last place ...
  double absolute;  // ... or this, whichever is larger
  std::function<double(double)> exact;
};

std::vector<UnaryCase> UnaryCases() {
  using K = StepKind;
  return {
      {"relu", {.kind = K::kRelu}, -5, 5, 0, 0, [](double x) { return std::max(x, 0.0); }},
      {"clamp",
       {.kind = K::kClamp, .alpha = -1, .beta = 2},
       -5,
       5,
       0,
       0,
       [](double x) { return std::clamp(x, -1.0, 2.0); }},
      {"leaky",
       {.kind = K::kLeakyRelu, .alpha = 0.125f},
       -5,
       5,
       0,
       0,
       [](double x) { return x >= 0 ? x : 0.125 * x; }},
      {"elu",
       {.kind = K::kElu, .alpha = 1},
       -20,
       5,
       4,
       0,
       [](double x) { return x >= 0 ? x : std::expm1(x); }},
      {"linear",
       {.kind = K::kLinear, .alpha = 0.5f, .beta = 0.25f},
       0,
       5,
       1,
       0,
       [](double x) { return 0.5 * x + 0.25; }},
      {"sigmoid", {.kind = K::kSigmoid}, -80, 80, 3, 0, SigmoidOf},
      {"hard_sigmoid",
       {.kind = K::kHardSigmoid, .alpha = 0.25f, .beta = 0.5f},
       -5,
       5,
       0,
       1e-7,
       [](double x) { return std::clamp(0.25 * x + 0.5, 0.0, 1.0); }},
      {"hard_swish",
       {.kind = K::kHardSwish, .alpha = 1.0f / 6.0f, .beta = 0.5f},
       -5,
       5,
       3,
       1e-6,
       [](double x) { return x * std::clamp(x + 3.0, 0.0, 6.0) / 6.0; }},
      {"silu", {.kind = K::kSilu}, -60, 60, 4, 0, [](double x) { return x * SigmoidOf(x); }},
      {"gelu_erf",
       {.kind = K::kGeluErf},
       -10,
       10,
       4,
       1.2e-6,
       [](double x) { return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0))); }},
      {"gelu_tanh",
       {.kind = K::kGeluTanh},
       -10,
       10,
       4,
       5e-7,
       [](double x) {
         return 0.5 * x *
                (1.0 + std::tanh(0.79788456080286535588 * (x + double{0.044715f} * x * x * x)));
       }},
      {"gelu_sigmoid",
       {.kind = K::kGeluSigmoid},
       -10,
       10,
       8,
       1e-7,
       [](double x) { return x * SigmoidOf(double{1.702f} * x); }},
      {"tanh", {.kind = K::kTanh}, -12, 12, 3, 0, [](double x) { return std::tanh(x); }},
      {"tanh_small", {.kind = K::kTanh}, -0.7, 0.7, 3, 0, [](double x) { return std::tanh(x); }},
      {"scaled_tanh",
       {.kind = K::kScaledTanh, .alpha = 2, .beta = 0.5f},
       -9,
       9,
       3,
       0,
       [](double x) { return 2.0 * std::tanh(0.5 * x); }},
      {"softplus",
       {.kind = K::kSoftplus},
       -60,
       60,
       4,
       0,
       [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }},
      {"softsign",
       {.kind = K::kSoftsign},
       -9,
       9,
       2,
       0,
       [](double x) { return x / (1.0 + std::abs(x)); }},
      {"erf", {.kind = K::kErf}, -5, 5, 3, 0, [](double x) { return std::erf(x); }},
      {"exp", {.kind = K::kExp}, -87, 88.7, 3, 0, [](double x) { return std::exp(x); }},
      {"log", {.kind = K::kLog}, 1e-6, 1e6, 3, 0, [](double x) { return std::log(x); }},
      {"log_near_one", {.kind = K::kLog}, 0.5, 2, 4, 0, [](double x) { return std::log(x); }},
      {"sqrt", {.kind = K::kSqrt}, 0, 100, 1, 0, [](double x) { return std::sqrt(x); }},
      {"rsqrt", {.kind = K::kRsqrt}, 1e-3, 100, 2, 0, [](double x) { return 1 / std::sqrt(x); }},
      {"inverse", {.kind = K::kInverse}, 0.1, 100, 1, 0, [](double x) { return 1 / x; }},
      {"abs", {.kind = K::kAbs}, -5, 5, 0, 0, [](double x) { return std::abs(x); }},
      {"negate", {.kind = K::kNegate}, -5, 5, 0, 0, [](double x) { return -x; }},
      {"square", {.kind = K::kSquare}, -5, 5, 1, 0, [](double x) { return x * x; }},
      {"floor", {.kind = K::kFloor}, -5, 5, 0, 0, [](double x) { return std::floor(x); }},
      {"ceil", {.kind = K::kCeil}, -5, 5, 0, 0, [](double x) { return std::ceil(x); }},
      {"round", {.kind = K::kRoundEven}, -5, 5, 0, 0, [](double x) { return std::nearbyint(x); }},
      {"half",
       {.kind = K::kRoundToHalf},
       -70000,
       70000,
       0,
       0,
       [](double x) { return HalfToFloat(FloatToHalf(static_cast<float>(x))); }},
      {"half_small",
       {.kind = K::kRoundToHalf},
       -1e-6,
       1e-6,
       0,
       0,
       [](double x) { return HalfToFloat(FloatToHalf(static_cast<float>(x))); }},
  };
}

class Unary : public testing::TestWithParam<UnaryCase> {};
INSTANTIATE_TEST_SUITE_P(All, Unary, testing::ValuesIn(UnaryCases()),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(Unary, WithinItsErrorBound) {
  const UnaryCase& c = GetParam();
  auto in = RandomFloats(40'001, 5, static_cast<float>(c.low), static_cast<float>(c.high));
  for (const double v : {c.low, c.high, 0.0, 1.0, -1.0, 2.5, -2.5}) {
    if (v >= c.low && v <= c.high) in.push_back(static_cast<float>(v));
  }
  OnTargetsAndThreads(
      [&](ThreadPool& pool) {
        std::vector<float> out(in.size());
        Elementwise({&c.step, 1}, in.data(), out.data(), 1, static_cast<int64_t>(in.size()), pool);
        return out;
      },
      [&](const std::vector<float>& out) {
        double worst = 0;
        for (size_t i = 0; i < in.size(); ++i) {
          const double exact = c.exact(in[i]);
          if (std::abs(out[i] - exact) <= c.absolute) continue;
          const double error = UlpError(out[i], exact);
          ASSERT_LE(error, c.ulp) << "at " << in[i] << ": " << out[i] << ", exactly " << exact;
          worst = std::max(worst, error);
        }
        RecordProperty("worst_ulp", std::to_string(worst));
      });
}

TEST(Steps, SpecialValues) {
  struct Special {
    StepKind kind;
    float in, out;
  };
  const Special cases[] = {
      {StepKind::kExp, -INFINITY, 0.0f},
      {StepKind::kExp, INFINITY, INFINITY},
      {StepKind::kExp, 200.0f, INFINITY},
      {StepKind::kExp, -200.0f, 0.0f},
      {StepKind::kExp, 0.0f, 1.0f},
      {StepKind::kSigmoid, INFINITY, 1.0f},
      {StepKind::kTanh, INFINITY, 1.0f},
      {StepKind::kTanh, -INFINITY, -1.0f},
      {StepKind::kTanh, 100.0f, 1.0f},
      {StepKind::kErf, INFINITY, 1.0f},
      {StepKind::kErf, -INFINITY, -1.0f},
      {StepKind::kErf, 0.0f, 0.0f},
      {StepKind::kSoftplus, 1000.0f, 1000.0f},
      {StepKind::kRoundToHalf, 65520.0f, INFINITY},
      {StepKind::kRoundToHalf, 65519.0f, 65504.0f},
      {StepKind::kGeluErf, 100.0f, 100.0f},
      {StepKind::kGeluErf, -100.0f, 0.0f},
      {StepKind::kGeluErf, INFINITY, INFINITY},
      {StepKind::kGeluErf, -INFINITY, 0.0f},
  };
  ThreadPool pool(1);
  ForEachTarget([&] {
    for (const Special& c : cases) {
      const Step step{.kind = c.kind};
      float out = NAN;
      Elementwise({&step, 1}, &c.in, &out, 1, 1, pool);
      EXPECT_EQ(out, c.out) << static_cast<int>(c.kind) << " of " << c.in;
    }
    for (const StepKind kind :
         {StepKind::kRelu, StepKind::kClamp, StepKind::kExp, StepKind::kTanh, StepKind::kSigmoid,
          StepKind::kErf, StepKind::kGeluErf, StepKind::kSilu, StepKind::kRoundToHalf,
          StepKind::kHardSwish, StepKind::kSoftplus}) {
      const Step step{.kind = kind, .alpha = -1.0f, .beta = 1.0f};
      float in = NAN, out = 0.0f;
      Elementwise({&step, 1}, &in, &out, 1, 1, pool);
      EXPECT_TRUE(std::isnan(out)) << static_cast<int>(kind);
    }
    const Step quantize{.kind = StepKind::kQuantizeInt8, .alpha = 0.5f, .beta = 3.0f};
    for (const auto& [given, wanted] : std::vector<std::pair<float, float>>{{NAN, 0.0f},
                                                                            {-INFINITY, -128.0f},
                                                                            {INFINITY, 127.0f},
                                                                            {-3.5f, -4.0f},
                                                                            {0.25f, 3.0f},
                                                                            {0.75f, 5.0f}}) {
      float x = given;
      Elementwise({&quantize, 1}, &x, &x, 1, 1, pool);
      EXPECT_EQ(x, wanted) << given;
    }
    // Subnormal results of exp.
    const Step exp{.kind = StepKind::kExp};
    float in = -95.0f, out = 0.0f;
    Elementwise({&exp, 1}, &in, &out, 1, 1, pool);
    EXPECT_NEAR(out, std::exp(-95.0), 2e-45);
  });
}

// The bits of a division, where a product with the reciprocal would round to another number too.
TEST(Steps, QuantizeRoundsTheQuotient) {
  ThreadPool pool(1);
  ForEachTarget([&] {
    for (const float scale : {0.1f, 0.05f, 0.0039215689f, 3.7f, 1e-39f, 2e38f}) {
      std::vector<float> in;
      for (int i = -300; i <= 300; ++i) {
        // On a tie and beside it.
        const float tie = (static_cast<float>(i) + 0.5f) * scale;
        in.insert(in.end(), {tie, std::nextafter(tie, 1e38f), std::nextafter(tie, -1e38f)});
      }
      for (const bool is_signed : {true, false}) {
        const float zero = is_signed ? -7.0f : 130.0f;
        const Step step{.kind = is_signed ? StepKind::kQuantizeInt8 : StepKind::kQuantizeUint8,
                        .alpha = scale,
                        .beta = zero};
        std::vector<float> out(in.size());
        Elementwise({&step, 1}, in.data(), out.data(), 1, std::ssize(in), pool);
        for (size_t i = 0; i < in.size(); ++i) {
          const float wanted = std::clamp(std::nearbyint(in[i] / scale) + zero,
                                          is_signed ? -128.0f : 0.0f, is_signed ? 127.0f : 255.0f);
          ASSERT_EQ(out[i], wanted) << in[i] << " / " << scale;
        }
      }
    }
  });
}

// Every kind of operand, flat and not, against a loop.
TEST(Steps, Operands) {
  constexpr int64_t kRows = 12, kColumns = 37;
  const auto in = RandomFloats(kRows * kColumns, 1, 0.5f, 2.0f);
  const auto y = RandomFloats(kRows * kColumns, 2, 0.5f, 2.0f);
  const StepOperand operands[] = {
      {.data = y.data(), .row_stride = kColumns, .rows_per_step = 1, .column_stride = 1},
      {.data = y.data(), .row_stride = 0, .rows_per_step = 1, .column_stride = 1},
      {.data = y.data(), .row_stride = kColumns, .rows_per_step = 4, .column_stride = 1},
      {.data = y.data(), .row_stride = 1, .rows_per_step = 1, .column_stride = 0},
      {.data = y.data(), .row_stride = 0, .rows_per_step = 1, .column_stride = 0},
  };
  const std::pair<StepKind, double (*)(double, double)> kinds[] = {
      {StepKind::kAdd, [](double a, double b) { return a + b; }},
      {StepKind::kSub, [](double a, double b) { return a - b; }},
      {StepKind::kReverseSub, [](double a, double b) { return b - a; }},
      {StepKind::kMul, [](double a, double b) { return a * b; }},
      {StepKind::kDiv, [](double a, double b) { return a / b; }},
      {StepKind::kReverseDiv, [](double a, double b) { return b / a; }},
      {StepKind::kMax, [](double a, double b) { return std::max(a, b); }},
      {StepKind::kMin, [](double a, double b) { return std::min(a, b); }},
      {StepKind::kPRelu, [](double a, double b) { return a >= 0 ? a : a * b; }},
  };
  for (const StepOperand& operand : operands) {
    for (const auto& [kind, exact] : kinds) {
      // Less 1.2 first, so that there are negative values.
      const float shift = 1.2f;
      const Step steps[] = {{.kind = StepKind::kSub, .operand = {.data = &shift}},
                            {.kind = kind, .operand = operand}};
      std::vector<double> expected;
      for (int64_t r = 0; r < kRows; ++r) {
        for (int64_t c = 0; c < kColumns; ++c) {
          const float other =
              operand
                  .data[r / operand.rows_per_step * operand.row_stride + c * operand.column_stride];
          expected.push_back(exact(in[r * kColumns + c] - shift, other));
        }
      }
      OnTargetsAndThreads(
          [&](ThreadPool& pool) {
            std::vector<float> out(in.size());
            Elementwise(steps, in.data(), out.data(), kRows, kColumns, pool);
            return out;
          },
          [&](const std::vector<float>& out) { ExpectClose(out, expected, 1e-7, 2e-7); });
    }
  }
}

TEST(Steps, MaxAndMinKeepNan) {
  ThreadPool pool(1);
  ForEachTarget([&] {
    for (const StepKind kind : {StepKind::kMax, StepKind::kMin}) {
      const float one = 1.0f, nan = NAN;
      float out = 0.0f;
      Step step{.kind = kind, .operand = {.data = &nan}};
      Elementwise({&step, 1}, &one, &out, 1, 1, pool);
      EXPECT_TRUE(std::isnan(out));
      step.operand.data = &one;
      Elementwise({&step, 1}, &nan, &out, 1, 1, pool);
      EXPECT_TRUE(std::isnan(out));
    }
  });
}

// A hard swish of a float16 program is what its operators give, each rounded.
TEST(Steps, HardSwishOfHalfEqualsItsParts) {
  const auto in = RandomFloats(1000, 5, -5.0f, 5.0f);
  const float alpha = 1.0f / 6.0f, beta = 0.5f;
  const Step joined{.kind = StepKind::kHardSwishOfHalf, .alpha = alpha, .beta = beta};
  const Step parts[] = {{.kind = StepKind::kSave},
                        {.kind = StepKind::kHardSigmoid, .alpha = alpha, .beta = beta},
                        {.kind = StepKind::kRoundToHalf},
                        {.kind = StepKind::kMul}};
  ThreadPool pool(1);
  ForEachTarget([&] {
    std::vector<float> one(in.size()), apart(in.size());
    Elementwise({&joined, 1}, in.data(), one.data(), 1, 1000, pool);
    Elementwise(parts, in.data(), apart.data(), 1, 1000, pool);
    EXPECT_EQ(one, apart);
  });
}

}  // namespace
}  // namespace anemone::cpu
