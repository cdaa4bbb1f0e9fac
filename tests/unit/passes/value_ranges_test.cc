#include "passes/value_ranges.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "ir/text.h"

namespace anemone::passes {
namespace {

ir::Model RangesModel(std::string_view text) {
  auto program = ir::ParseText(text);
  EXPECT_TRUE(program.ok()) << program.status().ToString();
  auto model = ir::MakeModel(std::move(*program));
  EXPECT_TRUE(model.ok());
  return std::move(*model);
}

Interval RangeOfOutput(std::string_view text) {
  const ir::Model model = RangesModel(text);
  const ir::Function& function = *model.program.main();
  const ValueRanges ranges = PropagateRanges(function, DeclaredRanges(model, function));
  const auto found = ranges.find(function.outputs()[0]);
  return found == ranges.end() ? Interval{} : found->second;
}

TEST(ValueRanges, FloatsWithoutADeclarationAreUnbounded) {
  EXPECT_EQ(RangeOfOutput(
                R"(func main<ios16>(tensor<fp32, [2]> x) { y = mul(x = x, y = 2.0); } -> (y);)"),
            Interval{});
  EXPECT_EQ(RangeOfOutput(
                R"(func main<ios16>(tensor<fp32, [2]> x) { y = mul(x = x, y = 0.0); } -> (y);)"),
            (Interval{0, 0}));
}

TEST(ValueRanges, ActivationsBound) {
  EXPECT_EQ(RangeOfOutput(R"(
    func main<ios16>(tensor<fp32, [2]> x) { a = sigmoid(x = x); y = sub(x = a, y = 3.0); } -> (y);)"),
            (Interval{-3, -2}));
  EXPECT_EQ(RangeOfOutput(R"(
    func main<ios16>(tensor<fp32, [2]> x) { a = clip(x = x, alpha = -1.0, beta = 2.0); y = square(x = a); } -> (y);)"),
            (Interval{0, 4}));
}

TEST(ValueRanges, AWeightBoundsByItsRows) {
  // Rows [1, -2] and [3, 1]: with x in 0 to 1, -2 to 1 and 0 to 4; the bias is 10 or 20.
  EXPECT_EQ(RangeOfOutput(R"(
    func main<ios16>(tensor<fp32, [1, 2]> x) {
      a = sigmoid(x = x);
      y = linear(x = a, weight = tensor<fp32, [2, 2]>([1, -2, 3, 1]), bias = tensor<fp32, [2]>([10, 20]));
    } -> (y);)"),
            (Interval{8, 24}));
}

TEST(ValueRanges, ASumCountsItsElements) {
  EXPECT_EQ(RangeOfOutput(R"(
    func main<ios16>(tensor<fp32, [2, 300]> x) {
      a = tanh(x = x);
      y = reduce_sum(x = a, axes = [1], keep_dims = false);
    } -> (y);)"),
            (Interval{-300, 300}));
}

TEST(ValueRanges, IntegersHaveTheRangeOfTheirType) {
  EXPECT_EQ(RangeOfOutput(R"(
    func main<ios16>(tensor<int32, [2]> x) { y = cast(x = x, dtype = "fp32"); } -> (y);)"),
            (Interval{-2147483648.0, 2147483647.0}));
}

TEST(ValueRanges, NamesWhatHalfCanOnlyLose) {
  const ir::Model model = RangesModel(R"(
    func main<ios16>(tensor<fp32, [1, 8]> x) {
      a = sigmoid(x = x);
      far = add(x = a, y = 100000.0)[name = "far"];
      tiny = mul(x = far, y = 0.0000000000001)[name = "tiny"];
      maybe = mul(x = a, y = 100000.0)[name = "maybe"];
      b = add(x = tiny, y = maybe);
      y = mul(x = b, y = x);
    } -> (y);)");
  const ir::Function& function = *model.program.main();
  const ValueRanges ranges = PropagateRanges(function, DeclaredRanges(model, function));
  EXPECT_EQ(LostInHalf(function, ranges), (std::vector<std::string>{"far", "tiny"}));
  const auto may = MayExceedHalf(function, ranges);
  EXPECT_EQ(may, (std::vector<std::string>{"far", "maybe", "b"}));
}

}  // namespace
}  // namespace anemone::passes
