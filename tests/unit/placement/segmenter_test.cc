// The segmenter against what M6 published: the estimates of nine operators, and what Core ML chose
// for small graphs of them.
#include "placement/segmenter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "place_helpers.h"

namespace anemone::placement {
namespace {

using testing::Each;
using testing::ElementsAre;

struct Anchor {
  std::string_view name;
  std::string_view inputs;
  std::string_view body;
  double ane_us;
  double bnns_us;
};

TEST(SegmenterBeliefs, ReproduceThePublishedAnswers) {
  const Anchor anchors[] = {
      {"conv 3x3", kImage,
       "w = const()[val = tensor<fp16, [64, 64, 3, 3]>(splat 1)]; "
       "y = conv(x = x, weight = w, pad_type = \"same\");",
       4.67, 100.06},
      {"conv 1x1", kImage,
       "w = const()[val = tensor<fp16, [64, 64, 1, 1]>(splat 1)]; y = conv(x = x, weight = w);",
       1.17, 21.62},
      {"matmul", "tensor<fp16, [1, 128, 256]> x, tensor<fp16, [1, 256, 128]> z",
       "y = matmul(x = x, y = z);", 2.24, 11.12},
      {"upsample", kImage,
       "y = upsample_bilinear(x = x, scale_factor_height = 2, scale_factor_width = 2);", 3.31,
       499.64},
      {"attention",
       "tensor<fp16, [1, 8, 128, 64]> x, tensor<fp16, [1, 8, 128, 64]> k, "
       "tensor<fp16, [1, 8, 128, 64]> v",
       "y = scaled_dot_product_attention(query = x, key = k, value = v);", 7.18, 8.62},
      {"softmax", kImage, "y = softmax(x = x, axis = 1);", 3.59, 4.31},
      {"relu", kImage, "y = relu(x = x);", 2.62, 2.62},
      {"transpose", kImage, "y = transpose(x = x, perm = [0, 1, 3, 2]);", 3.81, 3.00},
      {"concat", kImage, "y = concat(values = (x, x), axis = 1);", 2.62, 22.79},
  };
  for (const Anchor& anchor : anchors) {
    const ir::Program program = test::ParseProgram(Wrap(anchor.inputs, anchor.body));
    const Analysis analysis = AnalyzeOnM4(program);
    ASSERT_EQ(analysis.operations.size(), 1u) << anchor.name;
    const EngineBeliefs& beliefs = analysis.operations[0].beliefs;
    EXPECT_NEAR(*beliefs.ane_us, anchor.ane_us, 0.01 * anchor.ane_us) << anchor.name;
    EXPECT_NEAR(*beliefs.bnns_us, anchor.bnns_us, 0.01 * anchor.bnns_us) << anchor.name;
  }
}

std::string Stack(int depth) {
  std::string body = "w = const()[val = tensor<fp16, [64, 64, 3, 3]>(splat 1)]; ";
  for (int i = 0; i < depth; ++i) {
    body += fmt::format("{} = conv(x = {}, weight = w, pad_type = \"same\"); ",
                        i + 1 == depth ? "y" : fmt::format("c{}", i),
                        i == 0 ? "x" : fmt::format("c{}", i - 1));
  }
  return body;
}

// "A single layer stays on the CPU, four go to the Neural Engine" (M6 section 0, 3).
TEST(Segmenter, DepthOfAStackDecides) {
  for (const auto& [depth, unit] :
       std::vector<std::pair<int, ComputeUnit>>{{1, ComputeUnit::kCpu},
                                                {2, ComputeUnit::kCpu},
                                                {4, ComputeUnit::kAne},
                                                {16, ComputeUnit::kAne}}) {
    const ir::Program program = test::ParseProgram(Wrap(kImage, Stack(depth)));
    const Analysis analysis = AnalyzeOnM4(program);
    EXPECT_EQ(analysis.CountPreferred(unit), depth);
    EXPECT_TRUE(analysis.operations[0].Supports(ComputeUnit::kAne));
    EXPECT_EQ(analysis.segments.size(), 1u);
  }
}

// "Two convolutions on either side of a reduction: the whole graph on the CPU."
TEST(Segmenter, ReductionAmongFewConvolutions) {
  const ir::Program program =
      test::ParseProgram(Wrap(kImage,
                              "w = const()[val = tensor<fp16, [64, 64, 3, 3]>(splat 1)]; "
                              "a = conv(x = x, weight = w, pad_type = \"same\"); "
                              "b = conv(x = a, weight = w, pad_type = \"same\"); "
                              "r = reduce_mean(x = b, axes = [2, 3], keep_dims = true); "
                              "c = conv(x = r, weight = w, pad_type = \"same\"); "
                              "y = conv(x = c, weight = w, pad_type = \"same\");"));
  EXPECT_EQ(AnalyzeOnM4(program).CountPreferred(ComputeUnit::kCpu), 5);
}

TEST(Segmenter, ElementwiseAloneNeverPays) {
  for (const std::string_view op : {"relu", "tanh", "exp", "softplus"}) {
    const ir::Program program = test::ParseProgram(
        Wrap("tensor<fp16, [1, 64, 128, 128]> x", fmt::format("y = {}(x = x);", op)));
    EXPECT_EQ(AnalyzeOnM4(program).CountPreferred(ComputeUnit::kCpu), 1) << op;
  }
}

TEST(Segmenter, CostlyUpsamplingGoesAlone) {
  const ir::Program program = test::ParseProgram(Wrap(
      kImage, "y = upsample_bilinear(x = x, scale_factor_height = 2, scale_factor_width = 2);"));
  EXPECT_EQ(AnalyzeOnM4(program).CountPreferred(ComputeUnit::kAne), 1);
}

// vx-lang/Vx issue 437: alone, from about 2 million elements of query, key and value on.
TEST(Segmenter, LargeAttentionGoesAlone) {
  for (const auto& [length, unit] : std::vector<std::pair<int, ComputeUnit>>{
           {512, ComputeUnit::kCpu}, {8192, ComputeUnit::kAne}}) {
    const std::string inputs = fmt::format(
        "tensor<fp16, [1, 8, {0}, 64]> x, tensor<fp16, [1, 8, {0}, 64]> k, "
        "tensor<fp16, [1, 8, {0}, 64]> v",
        length);
    const ir::Program program = test::ParseProgram(
        Wrap(inputs, "y = scaled_dot_product_attention(query = x, key = k, value = v);"));
    EXPECT_EQ(AnalyzeOnM4(program).CountPreferred(unit), 1) << length;
  }
}

// Two layers of width 128 stayed on the CPU as a whole, six of width 384 went to the Neural Engine
// as a whole (the facts of a published report); here their products alone.
TEST(Segmenter, WidthAndDepthOfATransformerDecide) {
  for (const auto& [layers, width, unit] : std::vector<std::tuple<int, int, ComputeUnit>>{
           {2, 128, ComputeUnit::kCpu}, {6, 384, ComputeUnit::kAne}}) {
    std::string body = fmt::format(
        "w = const()[val = tensor<fp16, [{0}, {0}]>(splat 1)]; "
        "up = const()[val = tensor<fp16, [{1}, {0}]>(splat 1)]; "
        "down = const()[val = tensor<fp16, [{0}, {1}]>(splat 1)]; ",
        width, 4 * width);
    std::string last = "x";
    for (int i = 0; i < layers; ++i) {
      for (const std::string_view weight : {"w", "w", "w", "w", "up", "down"}) {
        const std::string name = fmt::format("l{}", body.size());
        body += fmt::format("{} = linear(x = {}, weight = {}); ", name, last, weight);
        last = name;
      }
    }
    body += fmt::format("y = softmax(x = {}, axis = -1);", last);
    const ir::Program program =
        test::ParseProgram(Wrap(fmt::format("tensor<fp16, [1, 128, {}]> x", width), body));
    const Analysis analysis = AnalyzeOnM4(program);
    EXPECT_EQ(analysis.CountPreferred(unit), static_cast<int64_t>(analysis.operations.size()))
        << layers;
  }
}

EngineBeliefs Both(double ane, double bnns) { return {ane, bnns, 2 * bnns}; }
EngineBeliefs CpuOnly(double bnns) { return {std::nullopt, bnns, 2 * bnns}; }

TEST(Segmenter, ChargesAreThoseOfTheNotes) {
  // All on the Neural Engine: launch and output.
  const EngineBeliefs whole[] = {Both(10, 261)};
  EXPECT_NEAR(SegmentOperations(whole).cost_us, 260, 1e-9);
  const EngineBeliefs less[] = {Both(10, 259)};
  EXPECT_NEAR(SegmentOperations(less).cost_us, 259, 1e-9);
  // An island inside needs 375: launch, and a switch on either side.
  const EngineBeliefs island[] = {CpuOnly(1), Both(10, 386), CpuOnly(1)};
  EXPECT_THAT(SegmentOperations(island).engines,
              ElementsAre(Engine::kBnns, Engine::kAne, Engine::kBnns));
  const EngineBeliefs small[] = {CpuOnly(1), Both(10, 384), CpuOnly(1)};
  EXPECT_THAT(SegmentOperations(small).engines, Each(Engine::kBnns));
}

TEST(Segmenter, AnOperationInTheMiddleBreaksSmallGraphs) {
  const EngineBeliefs graph[] = {Both(15, 205), CpuOnly(4), Both(15, 205)};
  EXPECT_THAT(SegmentOperations(graph).engines, Each(Engine::kBnns));
  const EngineBeliefs large[] = {Both(15, 800), CpuOnly(4), Both(15, 800)};
  const Segmentation result = SegmentOperations(large);
  EXPECT_THAT(result.engines, ElementsAre(Engine::kAne, Engine::kBnns, Engine::kAne));
  EXPECT_EQ(result.segments.size(), 3u);
  EXPECT_NEAR(result.cost_us, 15 + 4 + 15 + 2 * 125 + 2 * 125 + 125, 1e-9);
}

TEST(Segmenter, TiesAreReported) {
  // The last operation costs the same on both sides of a switch that costs what the output does.
  const EngineBeliefs graph[] = {Both(10, 900), Both(2.62, 2.62)};
  const Segmentation result = SegmentOperations(graph);
  EXPECT_TRUE(result.tie);
  EXPECT_THAT(result.engines, Each(Engine::kAne));
  const EngineBeliefs clear[] = {Both(10, 900)};
  EXPECT_FALSE(SegmentOperations(clear).tie);
}

TEST(Segmenter, EmptyAndUnplaceable) {
  EXPECT_TRUE(SegmentOperations({}).engines.empty());
  const EngineBeliefs nobody[] = {EngineBeliefs{}};
  EXPECT_THAT(SegmentOperations(nobody).engines, ElementsAre(Engine::kClassicCpu));
}

TEST(Coverage, CountsArithmeticAndTime) {
  const ir::Program program =
      test::ParseProgram(Wrap(kImage,
                              "w = const()[val = tensor<fp16, [64, 64, 3, 3]>(splat 1)]; "
                              "a = conv(x = x, weight = w, pad_type = \"same\"); y = tan(x = a);"));
  const Analysis analysis = AnalyzeOnM4(program);
  EXPECT_DOUBLE_EQ(analysis.supported.by_count_pct, 50);
  EXPECT_GT(analysis.supported.by_flops_pct, 99);
  EXPECT_GT(analysis.supported.by_time_pct, 90);
  EXPECT_DOUBLE_EQ(analysis.preferred.by_count_pct, 0);
  EXPECT_DOUBLE_EQ(analysis.supported_low_pct, 50);
  EXPECT_DOUBLE_EQ(analysis.supported_high_pct, 50);
}

TEST(AllowedUnitsTest, WithoutTheEngineNothingPrefersIt) {
  const ir::Program program = test::ParseProgram(Wrap(kImage, Stack(8)));
  const Analysis cpu = Analyze(*program.functions[0], ChipOrFail("m4"), FlexibleShapes::kNone,
                               ComputeUnits::kCpuOnly);
  EXPECT_EQ(cpu.CountPreferred(ComputeUnit::kCpu), 8);
  const Analysis gpu = Analyze(*program.functions[0], ChipOrFail("m4"), FlexibleShapes::kNone,
                               ComputeUnits::kCpuAndGpu);
  EXPECT_EQ(gpu.operations[0].preferred, ComputeUnit::kUnknown);
}

}  // namespace
}  // namespace anemone::placement
