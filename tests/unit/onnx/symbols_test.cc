#include "onnx/symbols.h"

#include <gtest/gtest.h>

#include <random>

namespace anemone::onnx {
namespace {

int64_t Floored(int64_t a, int64_t b) {
  const int64_t q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

TEST(Symbols, EqualExpressionsAreOneHandle) {
  Symbols s;
  const int64_t h = s.AddOpen("h", {1, 100}, 10), w = s.AddOpen("w", {1, 100}, 20);
  EXPECT_TRUE(Symbols::IsSymbol(h));
  EXPECT_FALSE(Symbols::IsSymbol(-1));
  EXPECT_FALSE(Symbols::IsSymbol(INT64_MIN));
  EXPECT_EQ(s.Mul(h, w), s.Mul(w, h));
  EXPECT_EQ(s.Sub(*s.Add(h, w), h), w);
  EXPECT_EQ(s.Sub(h, h), 0);
  EXPECT_EQ(s.FloorDiv(*s.Mul(*s.Mul(h, 64), w), *s.Mul(h, 4)), s.Mul(w, 16));
  // Two strides of 2 are one of 4.
  const int64_t half = *s.FloorDiv(*s.Add(h, 1), 2);
  EXPECT_EQ(s.FloorDiv(*s.Add(half, 1), 2), s.FloorDiv(*s.Add(h, 3), 4));
  EXPECT_EQ(s.Text(half), "floor((h + 1)/2)");
  EXPECT_EQ(s.Text(*s.Add(*s.Mul(h, 2), -3)), "2*h - 3");
}

TEST(Symbols, BoundsDecide) {
  Symbols s;
  const int64_t n = s.AddOpen("n", {2, 512}, 7);
  EXPECT_EQ(s.Compare(n, 1), Symbols::Order::kGreater);
  EXPECT_EQ(s.Compare(n, 2), Symbols::Order::kNotLess);
  EXPECT_EQ(s.Compare(n, 512), Symbols::Order::kNotGreater);
  EXPECT_EQ(s.Compare(n, 7), Symbols::Order::kUnknown);
  EXPECT_EQ(s.Min(n, 512), n);
  EXPECT_EQ(s.Max(n, 0), n);
  EXPECT_EQ(s.BoundsOf(*s.Add(*s.Mul(n, -1), 5)), (Symbols::Bounds{-507, 3}));
  // Division of a number whose sign is not known is not floored.
  EXPECT_EQ(s.TruncDiv(*s.Add(n, -5), 2), std::nullopt);
  EXPECT_EQ(s.FloorDiv(n, *s.Add(n, -2)), std::nullopt);
  EXPECT_EQ(s.TruncDiv(*s.Mul(n, -1), 2), s.Mul(*s.FloorDiv(n, 2), -1));
}

TEST(Symbols, RaisesOnlyWhatMayMove) {
  Symbols s;
  const int64_t fixed = s.AddOpen("a", {1, 64}, 1), movable = s.AddOpen("b", {1, 64}, 1, true);
  EXPECT_FALSE(s.RaiseTo(*s.Add(fixed, -2), 1));
  const int64_t reduced = *s.FloorDiv(*s.Add(movable, -3), 4);
  EXPECT_TRUE(s.RaiseTo(reduced, 1));
  EXPECT_EQ(s.OpenBounds(movable), (Symbols::Bounds{7, 64}));
  EXPECT_EQ(s.DefaultOf(reduced), 1);
  EXPECT_FALSE(s.RaiseTo(reduced, 1000));
  EXPECT_EQ(s.OpenBounds(movable), (Symbols::Bounds{7, 64}));
}

TEST(Symbols, OverflowIsNoNumber) {
  Symbols s;
  const int64_t n = s.AddOpen("n", {1, 512}, 1);
  const int64_t large = *s.Mul(n, INT64_MAX / 2);
  EXPECT_EQ(s.Mul(large, 3), std::nullopt);
  EXPECT_EQ(s.Add(*s.Add(large, large), large), std::nullopt);
  EXPECT_EQ(s.BoundsOf(large).high, Symbols::kUnbounded);
}

// Random expressions have, at the defaults, the value that integers give, within their bounds.
TEST(Symbols, AgreeWithIntegers) {
  for (uint32_t seed = 0; seed < 400; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](int64_t low, int64_t high) {
      return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
    };
    Symbols s;
    std::vector<std::pair<int64_t, int64_t>> pool;  // size, value
    for (int i = 0; i < 3; ++i) {
      const int64_t low = pick(1, 4), high = low + pick(0, 60), value = pick(low, high);
      pool.emplace_back(s.AddOpen(std::string(1, static_cast<char>('a' + i)), {low, high}, value),
                        value);
    }
    for (int64_t n : {1, 2, 3, 7}) pool.emplace_back(n, n);
    for (int step = 0; step < 12; ++step) {
      const auto [a, x] = pool[random() % pool.size()];
      const auto [b, y] = pool[random() % pool.size()];
      std::optional<int64_t> size;
      int64_t value = 0;
      switch (random() % 7) {
        case 0:
          size = s.Add(a, b), value = x + y;
          break;
        case 1:
          size = s.Sub(a, b), value = x - y;
          break;
        case 2:
          size = s.Mul(a, b), value = x * y;
          break;
        case 3:
          size = s.Min(a, b), value = std::min(x, y);
          break;
        case 4:
          size = s.Max(a, b), value = std::max(x, y);
          break;
        case 5:
          size = s.FloorDiv(a, b);
          value = size ? Floored(x, y) : 0;
          break;
        default:
          size = s.TruncDiv(a, b);
          value = size ? x / y : 0;
          break;
      }
      if (!size || value > (1 << 30) || value < -(1 << 30)) continue;
      ASSERT_EQ(s.DefaultOf(*size), value) << "seed " << seed << ": " << s.Text(*size);
      const auto bounds = s.BoundsOf(*size);
      ASSERT_LE(bounds.low, value) << "seed " << seed << ": " << s.Text(*size);
      ASSERT_GE(bounds.high, value) << "seed " << seed << ": " << s.Text(*size);
      const auto order = s.Compare(*size, a);
      if (order == Symbols::Order::kLess) {
        ASSERT_LT(value, x);
      }
      if (order == Symbols::Order::kGreater) {
        ASSERT_GT(value, x);
      }
      if (order == Symbols::Order::kEqual) {
        ASSERT_EQ(value, x);
      }
      if (order == Symbols::Order::kNotLess) {
        ASSERT_GE(value, x);
      }
      if (order == Symbols::Order::kNotGreater) {
        ASSERT_LE(value, x);
      }
      pool.emplace_back(*size, value);
    }
  }
}

}  // namespace
}  // namespace anemone::onnx
