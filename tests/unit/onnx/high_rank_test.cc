// Operators on more than five dimensions, which Core ML does not have.
#include <gtest/gtest.h>

#include <numeric>

#include "exec/interpreter.h"
#include "ir/verifier.h"
#include "model_builder.h"
#include "onnx/import.h"
#include "onnx/reader.h"

namespace anemone::onnx {
namespace {

namespace t = testing;

// y of the nodes on x = 0, 1, 2 ... of [48], which the nodes reshape.
Result<std::vector<float>> Counted(const std::vector<t::Message>& nodes,
                                   const std::vector<t::Message>& initializers) {
  const auto file = t::MakeModel(t::MakeGraph({.nodes = nodes,
                                               .inputs = {t::MakeValue("x", t::kFloat, {48})},
                                               .outputs = {t::MakeValue("y", t::kFloat, {})},
                                               .initializers = initializers}),
                                 18);
  ANEMONE_ASSIGN(const Model model, ReadModel(t::ToBytes(file), ""));
  ANEMONE_ASSIGN(const ir::Model imported, ImportModel(model, {}));
  ANEMONE_TRY(ir::Verify(imported.program));
  std::vector<float> x(48);
  std::iota(x.begin(), x.end(), 0.0f);
  ANEMONE_ASSIGN(auto tensor, exec::Tensor::Copy({DType::kFp32, {48}, x.data()}));
  ANEMONE_ASSIGN(auto outputs, exec::Interpret(*imported.program.main(), {{"x", tensor}}));
  const auto view = outputs[0].view();
  return std::vector<float>(view.As<float>(), view.As<float>() + view.count());
}

const std::vector<int64_t> kSix = {2, 2, 2, 3, 1, 2};

t::Message ToSix() { return t::MakeNode("Reshape", {"x", "six"}, {"a"}); }
t::Message ToFlat() { return t::MakeNode("Reshape", {"b", "flat"}, {"y"}); }
std::vector<t::Message> Constants(std::vector<t::Message> more = {}) {
  more.push_back(t::Int64s("six", {6}, kSix));
  more.push_back(t::Int64s("flat", {1}, {-1}));
  return more;
}

TEST(OnnxHighRank, BroadcastsJoinTheDimensionsThatRepeatAlike) {
  // b repeats along the second and third dimension, and along the last.
  const auto result =
      Counted({ToSix(), t::MakeNode("Add", {"a", "w"}, {"b"}), ToFlat()},
              Constants({t::Floats("w", {2, 1, 1, 3, 1, 1}, {100, 200, 300, 400, 500, 600})}));
  ASSERT_TRUE(result.ok()) << result.error().ToString();
  for (size_t i = 0; i < 48; ++i) {
    const size_t row = i / 24 * 3 + i / 2 % 3;
    EXPECT_EQ((*result)[i], static_cast<float>(i + 100 * (row + 1))) << i;
  }
}

TEST(OnnxHighRank, GatherAndReductionsWorkAlongTheirAxes) {
  const auto picked = Counted(
      {ToSix(), t::MakeNode("Gather", {"a", "one"}, {"b"}, {t::AttrInt("axis", 3)}), ToFlat()},
      Constants({t::Int64s("one", {}, {1})}));
  ASSERT_TRUE(picked.ok()) << picked.error().ToString();
  EXPECT_EQ(*picked,
            (std::vector<float>{2, 3, 8, 9, 14, 15, 20, 21, 26, 27, 32, 33, 38, 39, 44, 45}));
  const auto sums = Counted({ToSix(), t::MakeNode("ReduceSum", {"a", "axes"}, {"b"}), ToFlat()},
                            Constants({t::Int64s("axes", {2}, {0, 5})}));
  ASSERT_TRUE(sums.ok()) << sums.error().ToString();
  ASSERT_EQ(sums->size(), 12u);
  for (size_t i = 0; i < 12; ++i)  // 2i, 2i + 1, and both 24 further on
    EXPECT_EQ((*sums)[i], static_cast<float>(8 * i + 2 + 48)) << i;
}

TEST(OnnxHighRank, TransposesGoInSteps) {
  const std::vector<int64_t> dims = {2, 2, 2, 2, 3, 1};
  const std::vector<int64_t> perm = {4, 2, 0, 3, 1, 5};  // no two neighbors stay together
  const auto result =
      Counted({t::MakeNode("Reshape", {"x", "dims"}, {"a"}),
               t::MakeNode("Transpose", {"a"}, {"c"}, {t::AttrInts("perm", perm)}),
               t::MakeNode("Reshape", {"c", "other"}, {"b"}), t::MakeNode("Add", {"b", "b"}, {"d"}),
               t::MakeNode("Reshape", {"d", "flat"}, {"y"})},
              Constants({t::Int64s("dims", {6}, dims), t::Int64s("other", {2}, {6, 8})}));
  ASSERT_TRUE(result.ok()) << result.error().ToString();
  size_t i = 0;
  for (int64_t e = 0; e < 3; ++e)
    for (int64_t c = 0; c < 2; ++c)
      for (int64_t a = 0; a < 2; ++a)
        for (int64_t d = 0; d < 2; ++d)
          for (int64_t b = 0; b < 2; ++b)
            EXPECT_EQ((*result)[i++],
                      static_cast<float>(2 * (24 * a + 12 * b + 6 * c + 3 * d + e)));
}

TEST(OnnxHighRank, SixDimensionsThatStayApartAreSteps) {
  const std::vector<int64_t> dims = {2, 2, 2, 2, 1, 3}, perm = {5, 3, 1, 4, 2, 0};
  const auto result =
      Counted({t::MakeNode("Reshape", {"x", "dims"}, {"a"}),
               t::MakeNode("Transpose", {"a"}, {"b"}, {t::AttrInts("perm", perm)}), ToFlat()},
              Constants({t::Int64s("dims", {6}, dims)}));
  ASSERT_TRUE(result.ok()) << result.error().ToString();
  size_t i = 0;
  for (int64_t f = 0; f < 3; ++f)
    for (int64_t d = 0; d < 2; ++d)
      for (int64_t b = 0; b < 2; ++b)
        for (int64_t c = 0; c < 2; ++c)
          for (int64_t a = 0; a < 2; ++a)
            EXPECT_EQ((*result)[i++], static_cast<float>(24 * a + 12 * b + 6 * c + 3 * d + f));
}

}  // namespace
}  // namespace anemone::onnx
