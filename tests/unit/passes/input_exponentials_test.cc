#include "passes/input_exponentials.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "ir/text.h"

namespace anemone::passes {
namespace {

// The names that are found in a text of one function, with spaces between.
std::string Found(std::string_view text) {
  auto program = ir::ParseText(text);
  EXPECT_TRUE(program.ok()) << program.status().ToString();
  auto model = ir::MakeModel(std::move(*program));
  EXPECT_TRUE(model.ok());
  const ir::Function& function = *model->program.main();
  std::string names;
  for (const auto& name : InputExponentials(function, DeclaredRanges(*model, function)))
    names += (names.empty() ? "" : " ") + name;
  return names;
}

TEST(InputExponentials, OfAnInputAndOfItsViews) {
  EXPECT_EQ(
      Found(
          R"(func main<ios16>(tensor<fp32, [2, 3]> x) { y = softmax(x = x, axis = 1); } -> (y);)"),
      "y");
  EXPECT_EQ(Found(R"(
    func main<ios16>(tensor<fp32, [2, 3]> x) {
      a = transpose(x = x, perm = [1, 0]);
      b = exp(x = a);
      y = add(x = b, y = 1.0);
    } -> (y);)"),
            "a b");
}

TEST(InputExponentials, WithTheStepsBeforeAndWhatTakesThemBack) {
  EXPECT_EQ(Found(R"(
    func main<ios16>(tensor<fp32, [2, 3]> x) {
      most = reduce_max(x = x, axes = [1], keep_dims = true);
      less = sub(x = x, y = most);
      e = exp(x = less);
      sum = reduce_sum(x = e, axes = [1], keep_dims = true);
      l = log(x = sum, epsilon = 0.0);
      y = sub(x = less, y = l);
      z = relu(x = y);
    } -> (z);)"),
            "most less e sum l y");
}

TEST(InputExponentials, NotOfResultsNorOfIntegers) {
  EXPECT_EQ(Found(R"(
    func main<ios16>(tensor<fp32, [2, 3]> x) {
      a = mul(x = x, y = 2.0);
      y = softmax(x = a, axis = 1);
    } -> (y);)"),
            "");
  EXPECT_EQ(Found(R"(
    func main<ios16>(tensor<int32, [2, 3]> x) {
      y = reduce_prod(x = x, axes = [1], keep_dims = true);
    } -> (y);)"),
            "");
}

}  // namespace
}  // namespace anemone::passes
