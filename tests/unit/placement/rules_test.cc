// What Core ML did on M4 with single operators, as far as it is documented (M6 section 3), and what
// the tables say for older engines. One row for each claim.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "place_helpers.h"

namespace anemone::placement {
namespace {

struct Row {
  std::string_view name;
  std::string_view inputs;
  std::string_view body;
  bool ane;
  std::string_view reason = {};  // part of it
  std::string_view chip = "m4";
  bool gpu = true;
};

constexpr std::string_view kInts = "tensor<int32, [1, 8]> x";

std::string Conv(int height, int width, std::string_view rest = "") {
  return fmt::format(
      "w = const()[val = tensor<fp16, [64, 64, {}, {}]>(splat 1)]; "
      "y = conv(x = x, weight = w, pad_type = \"same\"{});",
      height, width, rest);
}

void Check(const Row& row) {
  SCOPED_TRACE(fmt::format("{} on {}", row.name, row.chip));
  const OpPlacement placement = PlaceLast(row.inputs, row.body, row.chip);
  EXPECT_EQ(placement.ane.expected, row.ane) << placement.ane.reason;
  EXPECT_THAT(placement.ane.reason, testing::HasSubstr(std::string(row.reason)));
  EXPECT_EQ(placement.gpu.expected, row.gpu);
  EXPECT_TRUE(placement.cpu.expected);
  EXPECT_FALSE(placement.ane.rule.empty());
  if (!row.ane && placement.ane.support != Support::kUnknown) {
    EXPECT_FALSE(placement.ane.reason.empty());
    EXPECT_FALSE(placement.ane.evidence.source.empty());
  }
}

TEST(Rules, ConvolutionKernels) {
  for (const auto& [height, width, fits, reason] :
       std::vector<std::tuple<int, int, bool, std::string_view>>{
           {3, 3, true, ""},
           {16, 16, true, ""},
           {17, 17, false, "kernel width 17 > 15"},
           {1, 15, true, ""},
           {1, 16, false, "kernel width 16 > 15"},
           {31, 1, true, ""},
           {32, 1, false, "kernel height 32 > 31"}}) {
    Check({"conv", kImage, Conv(height, width), fits, reason});
  }
  Check({"conv 13 wide", kImage, Conv(1, 13), true, "", "m1"});
  Check({"conv 14 wide", kImage, Conv(1, 14), false, "kernel width 14 > 13", "a14"});
  for (int stride = 2; stride <= 8; ++stride)
    Check({"strided", kImage, Conv(3, 3, fmt::format(", strides = [{0}, {0}]", stride)), true});
}

TEST(Rules, ConvolutionOverTime) {
  Check({"STFT", "tensor<fp16, [1, 1, 16000]> x",
         "w = const()[val = tensor<fp16, [201, 1, 400]>(splat 1)]; "
         "y = conv(x = x, weight = w, strides = [160]);",
         false, "kernel width 400 > 15"});
}

TEST(Rules, ConvolutionWithDynamicWeights) {
  Check({"batch 1", "tensor<fp16, [1, 4, 8, 8]> x, tensor<fp16, [4, 4, 3, 3]> w",
         "y = conv(x = x, weight = w);", true});
  Check({"batch 2", "tensor<fp16, [2, 4, 8, 8]> x, tensor<fp16, [4, 4, 3, 3]> w",
         "y = conv(x = x, weight = w);", false, "batch 2"});
}

TEST(Rules, TransposedConvolution) {
  const std::string_view weight = "w = const()[val = tensor<fp16, [64, 32, 3, 3]>(splat 1)]; ";
  Check({"plain", kImage, fmt::format("{}y = conv_transpose(x = x, weight = w);", weight), true});
  const std::string dilated =
      fmt::format("{}y = conv_transpose(x = x, weight = w, dilations = [2, 2]);", weight);
  Check({"dilated", kImage, dilated, false, "dilated"});
}

TEST(Rules, Pools) {
  const auto pool = [](std::string_view op, int height, int width) {
    return fmt::format(
        "y = {}(x = x, kernel_sizes = [{}, {}], strides = [1, 1], pad_type = \"valid\");", op,
        height, width);
  };
  Check({"max 8", kImage, pool("max_pool", 8, 8), true});
  Check({"max 9", kImage, pool("max_pool", 9, 9), false, "window width 9 > 8"});
  Check({"max 9x1", kImage, pool("max_pool", 9, 1), true});
  Check({"max 1x9", kImage, pool("max_pool", 1, 9), false, "window width 9 > 8"});
  Check({"avg 14", kImage, pool("avg_pool", 14, 14), true});
  Check({"avg 30", kImage, pool("avg_pool", 30, 30), true});
  Check({"avg 30 on M1", kImage, pool("avg_pool", 30, 30), false, "window 30 > 29", "m1"});
}

TEST(Rules, Integers) {
  Check({"add", kInts, "y = add(x = x, y = x);", false, "int32 arithmetic"});
  Check({"cast to int", kImage, "y = cast(x = x, dtype = \"int32\");", false,
         "cast from fp16 to int32"});
  Check({"cast from int", kInts, "y = cast(x = x, dtype = \"fp16\");", false,
         "cast from int32 to fp16"});
  Check({"cast to int8", kImage, "y = cast(x = x, dtype = \"int8\");", false, "int8"});
  Check({"argmax", kImage, "y = reduce_argmax(x = x, axis = 1);", false, "int32"});
  Check({"topk", kImage, "(y, i) = topk(x = x, k = 4, axis = 1);", true, "underestimates"});
  Check({"topk on M1", kImage, "(y, i) = topk(x = x, k = 4, axis = 1);", false, "M1 has no", "m1"});
}

TEST(Rules, Float32) {
  Check({"add", "tensor<fp32, [1, 8]> x", "y = add(x = x, y = x);", false, "float32 arithmetic"});
  Check({"cast in", "tensor<fp32, [1, 8]> x", "y = cast(x = x, dtype = \"fp16\");", true});
  EXPECT_THAT(PlaceLast("tensor<fp32, [1, 8]> x", "y = relu(x = x);").ane.rewrite,
              testing::HasSubstr("float16"));
}

TEST(Rules, MathWithoutKernel) {
  for (const std::string_view op : {"asin", "acos", "tan", "sinh", "cosh", "atanh"}) {
    Check({op, kImage, fmt::format("y = {}(x = x);", op), false, op});
    Check({op, kImage, fmt::format("y = {}(x = x);", op), false, op, "m2"});
  }
  Check({"mod", kImage, "y = mod(x = x, y = x);", false, "mod"});
  Check({"reduce_prod", kImage, "y = reduce_prod(x = x, axes = [1]);", false, "reduce_prod"});
  Check({"cumsum", kImage, "y = cumsum(x = x, axis = 1);", false, "cumsum"});
}

TEST(Rules, MathWithKernel) {
  for (const std::string_view op :
       {"relu", "sigmoid", "tanh", "silu", "softplus", "erf", "exp", "exp2", "sqrt", "sin", "cos",
        "atan", "floor", "ceil", "round", "sign", "square", "abs"}) {
    Check({op, kImage, fmt::format("y = {}(x = x);", op), true});
  }
  Check({"sin on M3", kImage, "y = sin(x = x);", true, "", "m3"});
  Check({"sin on M2", kImage, "y = sin(x = x);", false, "M2 has no kernel for sin", "m2"});
  for (const std::string_view op : {"add", "sub", "mul", "real_div", "floor_div", "pow", "maximum"})
    Check({op, kImage, fmt::format("y = {}(x = x, y = x);", op), true});
}

TEST(Rules, Logic) {
  const std::string_view body = "a = greater(x = x, y = x); y = logical_and(x = a, y = a);";
  Check({"M4", kImage, body, true});
  Check({"M1", kImage, body, false, "no path", "m1"});
}

TEST(Rules, Matmul) {
  Check({"32768", "tensor<fp16, [1, 32768]> x, tensor<fp16, [32768, 1]> z",
         "y = matmul(x = x, y = z);", true});
  Check({"40000", "tensor<fp16, [1, 40000]> x, tensor<fp16, [40000, 1]> z",
         "y = matmul(x = x, y = z);", false, "inner dimension 40000 > 32768"});
  Check({"transposed", "tensor<fp16, [40000, 1]> x, tensor<fp16, [40000, 1]> z",
         "y = matmul(x = x, y = z, transpose_x = true);", false, "inner dimension 40000"});
  Check({"linear of rank 5", "tensor<fp16, [1, 1, 1, 2, 4]> x",
         "w = const()[val = tensor<fp16, [4, 4]>(splat 1)]; y = linear(x = x, weight = w);", false,
         "rank 5"});
}

TEST(Rules, Sizes) {
  Check({"65536", "tensor<fp16, [1, 65536]> x", "y = relu(x = x);", true});
  Check({"65537", "tensor<fp16, [1, 65537]> x", "y = relu(x = x);", false, "65537 > 65536"});
  Check({"wide on M4", "tensor<fp16, [1, 1, 1, 20000]> x", "y = relu(x = x);", true});
  Check({"wide on M3", "tensor<fp16, [1, 1, 1, 20000]> x", "y = relu(x = x);", false,
         "20000 > 16384", "m3"});
  Check({"rank 6", "tensor<fp16, [1, 1, 2, 2, 2, 2]> x", "y = relu(x = x);", false, "rank 6"});
}

TEST(Rules, Indices) {
  Check({"constant", kImage, "y = gather(x = x, indices = [1, 3], axis = 1);", true});
  Check({"dynamic", "tensor<fp16, [1, 64]> x, tensor<int32, [2]> i",
         "y = gather(x = x, indices = i, axis = 1);", false, "dynamic index"});
  Check({"dynamic, 16 bits", "tensor<fp16, [1, 64]> x, tensor<uint16, [2]> i",
         "y = gather(x = x, indices = i, axis = 1);", false, "dynamic index"});
  Check(
      {"M1", kImage, "y = gather(x = x, indices = [1, 3], axis = 1);", true, "in software", "m1"});
  Check({"along, 32 bits", "tensor<fp16, [1, 64]> x, tensor<int32, [1, 2]> i",
         "y = gather_along_axis(x = x, indices = i, axis = 1);", false, "dynamic index"});
  Check({"along, 16 bits", "tensor<fp16, [1, 64]> x, tensor<uint16, [1, 2]> i",
         "y = gather_along_axis(x = x, indices = i, axis = 1);", true, "disagree"});
  Check({"nd", kImage, "y = gather_nd(x = x, indices = [[0, 1]]);", false, "gather_nd"});
}

TEST(Rules, Slices) {
  Check({"static", kImage, "y = slice_by_size(x = x, begin = [0, 0, 0, 0], size = [1, 4, 4, 4]);",
         true});
  Check({"dynamic", "tensor<fp16, [8]> x, tensor<int32, [1]> b",
         "y = slice_by_size(x = x, begin = b, size = [2]);", false});
  Check({"windows", "tensor<fp16, [8]> x", "y = sliding_windows(x = x, axis = 0, size = 2);", false,
         "sliding_windows", "m4", false});
}

TEST(Rules, Structure) {
  Check({"band", kImage, "y = band_part(x = x, lower = 1, upper = 1);", false, "band_part"});
  Check(
      {"non_zero", "tensor<fp16, [8]> x", "y = non_zero(x = x);", false, "non_zero", "m4", false});
  Check({"argsort", kImage, "y = argsort(x = x, axis = 1);", false, "argsort"});
  Check({"reverse", kImage, "y = reverse(x = x, axes = [1]);", true});
  Check({"pad", kImage, "y = pad(x = x, pad = [1, 1, 1, 1], mode = \"reflect\");", true});
  Check({"pad on M1", kImage, "y = pad(x = x, pad = [1, 1, 1, 1], mode = \"reflect\");", false,
         "reflect", "m1"});
  Check({"pad with ones", kImage, "y = pad(x = x, pad = [1, 1, 1, 1], constant_val = fp16(1));",
         false, "padding with 1"});
  Check({"resize", kImage,
         "y = upsample_bilinear(x = x, scale_factor_height = 2, scale_factor_width = 2);", true});
}

TEST(Rules, WidthOfKernelsByGeneration) {
  // M4 measured, M1 from the tables; between them the sources disagree about 16.
  Check({"14x14 on M1", kImage, Conv(14, 14), false, "kernel width 14 > 13", "m1"});
  Check({"13x13 on M1", kImage, Conv(13, 13), true, "", "m1"});
  Check({"1x16 on M2", kImage, Conv(1, 16), false, "tables allow it", "m2"});
  EXPECT_EQ(PlaceLast(kImage, Conv(1, 16), "m2").ane.support, Support::kConditional);
  EXPECT_EQ(PlaceLast(kImage, Conv(1, 16), "m4").ane.support, Support::kUnsupported);
  Check({"16x16", kImage, Conv(16, 16), true, "212 to 229 s"});
}

// What M6 measured on an M4 is measured for its generation only; for others it is inferred.
TEST(Rules, MeasurementsKeepTheirGeneration) {
  const auto relu = [](std::string_view chip) {
    return PlaceLast(kImage, "y = relu(x = x);", chip);
  };
  for (const std::string_view chip : {"m4", "m4max", "a17pro"}) {
    const Evidence ane = relu(chip).ane.evidence;
    EXPECT_EQ(ane.confidence, Confidence::kMeasured) << chip;
    EXPECT_EQ(ane.measured_on, AneFamily::kH16) << chip;
    EXPECT_EQ(relu(chip).gpu.evidence.confidence, Confidence::kMeasured) << chip;
  }
  for (const std::string_view chip : {"m5", "m5max", "a18", "a18pro"}) {
    const Evidence ane = relu(chip).ane.evidence;
    EXPECT_EQ(ane.confidence, Confidence::kInferred) << chip;
    EXPECT_EQ(ane.measured_on, AneFamily::kH16) << chip;
    EXPECT_EQ(ane.source, kM6) << chip;
    EXPECT_EQ(relu(chip).gpu.evidence.confidence, Confidence::kInferred) << chip;
  }
  // Older chips have the compiler's tables for their kernels, and M4's plans for what bars any.
  EXPECT_EQ(relu("m1").ane.evidence.confidence, Confidence::kReverseEngineered);
  EXPECT_EQ(relu("m1").ane.evidence.measured_on, std::nullopt);
  const OpPlacement ints = PlaceLast(kInts, "y = abs(x = x);", "m1");
  EXPECT_EQ(ints.ane.rule, "int32");
  EXPECT_EQ(ints.ane.evidence.confidence, Confidence::kInferred);
  EXPECT_EQ(ints.ane.evidence.measured_on, AneFamily::kH16);
  // A report that names no chip is measured on none of them.
  const Evidence issue =
      PlaceLast("tensor<fp16, [1, 8, 16]> x", "y = layer_norm(x = x, axes = [-1]);", "m4",
                FlexibleShapes::kEnumerated)
          .ane.evidence;
  EXPECT_EQ(issue.source, "coremltools issue 1909");
  EXPECT_EQ(issue.confidence, Confidence::kInferred);
  EXPECT_EQ(issue.measured_on, std::nullopt);
}

TEST(Rules, WhatIsTakenApartIsSaid) {
  Check({"stride 5", kImage, Conv(3, 3, ", strides = [5, 5]"), true, "strides of 5"});
  Check({"stride 8", kImage, Conv(3, 3, ", strides = [8, 8]"), true});
  EXPECT_EQ(PlaceLast(kImage, Conv(3, 3, ", strides = [8, 8]")).ane.reason, "");
  Check({"dilation 6", kImage, Conv(3, 3, ", dilations = [6, 6]"), true, "dilations of 6"});
  Check({"large groups", "tensor<fp16, [1, 1024, 8, 8]> x",
         "w = const()[val = tensor<fp16, [4, 512, 3, 3]>(splat 1)]; "
         "y = conv(x = x, weight = w, groups = 2);",
         true, "4608 weights for each output of a group > 2048"});
  Check({"long reduction", "tensor<fp16, [1, 400, 8, 8]> x",
         "y = reduce_mean(x = x, axes = [1], keep_dims = true);", true,
         "400 elements along axis 1"});
  Check({"M2", "tensor<fp16, [1, 200, 8, 8]> x",
         "y = reduce_mean(x = x, axes = [-3], keep_dims = true);", true, "200 elements", "m2"});
  EXPECT_EQ(
      PlaceLast("tensor<fp16, [1, 200, 8, 8]> x", "y = reduce_mean(x = x, axes = [1]);").ane.reason,
      "");
  Check({"tile 5", kImage, "y = tile(x = x, reps = [1, 5, 1, 1]);", true, "5 copies"});
  Check({"tile 8", kImage, "y = tile(x = x, reps = [1, 8, 1, 1]);", true});
}

TEST(Rules, DepthAndChannels) {
  Check({"deep on M3", "tensor<fp16, [1, 1, 20000, 2, 2]> x", "y = relu(x = x);", false,
         "20000 > 16384", "m3"});
  Check({"deep on M4", "tensor<fp16, [1, 1, 20000, 2, 2]> x", "y = relu(x = x);", true});
  Check({"many channels", "tensor<fp16, [1, 20000, 2, 2]> x", "y = relu(x = x);", true, "", "m3"});
  Check({"matmul over a depth", "tensor<fp16, [1, 2, 3, 4, 4]> x", "y = matmul(x = x, y = x);",
         false, "depth axis of 3"});
  Check(
      {"matmul of depth 1", "tensor<fp16, [2, 2, 1, 4, 4]> x", "y = matmul(x = x, y = x);", true});
  Check({"pad of channels", kImage, "y = pad(x = x, pad = [0, 0, 0, 8, 0, 0, 0, 0]);", false,
         "channels"});
  Check({"pad of the batch", kImage, "y = pad(x = x, pad = [0, 1, 0, 0, 0, 0, 0, 0]);", false,
         "batch"});
}

TEST(Rules, SlicesOfOlderEngines) {
  const std::string_view last =
      "y = slice_by_size(x = x, begin = [0, 0, 0, 4], size = [1, 4, 4, 4]);";
  Check({"last axis on M1", kImage, last, true, "saturates values beyond 4094", "m1"});
  Check({"last axis on M3", kImage, last, true, "", "m3"});
  EXPECT_EQ(PlaceLast(kImage, last, "m3").ane.reason, "");
  const std::string_view channels =
      "y = slice_by_size(x = x, begin = [0, 8, 0, 0], size = [1, 4, 4, 4]);";
  Check({"channels on M2", kImage, channels, true, "restricted on this generation", "m2"});
  EXPECT_EQ(PlaceLast(kImage, channels, "m4").ane.reason, "");
}

TEST(Rules, PoolsOverAll) {
  Check({"whole map", "tensor<fp16, [1, 64, 8, 8]> x",
         "y = max_pool(x = x, kernel_sizes = [8, 8], strides = [1, 1], pad_type = \"valid\");",
         true, "whole map"});
  const std::string_view same =
      "y = avg_pool(x = x, kernel_sizes = [3, 3], strides = [2, 2], pad_type = \"same\");";
  const OpPlacement dynamic =
      PlaceLast("tensor<fp16, [1, 4, ?, 8]> x", same, "m4", FlexibleShapes::kEnumerated);
  EXPECT_FALSE(dynamic.ane.expected);
  EXPECT_THAT(dynamic.ane.reason, testing::HasSubstr("same padding and a stride"));
  Check({"static", kImage, same, true});
}

TEST(Rules, StoredWeights) {
  const auto conv = [](std::string_view scale, std::string_view offset) {
    return fmt::format(
        "w = constexpr_blockwise_shift_scale(data = tensor<int8, [8, 64, 1, 1]>(splat 1), scale = "
        "tensor<fp16, {}>(splat 0.5){}); y = conv(x = x, weight = w);",
        scale, offset);
  };
  Check({"one scale", kImage, conv("[1, 1, 1, 1]", ""), true});
  Check({"for each channel", kImage, conv("[8, 1, 1, 1]", ""), true});
  Check({"for each block", kImage, conv("[8, 2, 1, 1]", ""), false, "a scale for each block"});
  const OpPlacement offset =
      PlaceLast(kImage, conv("[8, 1, 1, 1]", ", offset = tensor<int8, [8, 1, 1, 1]>(splat 3)"));
  EXPECT_TRUE(offset.ane.expected);
  EXPECT_EQ(offset.ane.support, Support::kConditional);
  EXPECT_THAT(offset.ane.reason, testing::HasSubstr("zero point"));
}

TEST(Rules, CautionsAboutTheWholeModel) {
  const auto notes = [](std::string_view inputs, std::string_view body, std::string_view chip) {
    const ir::Program program = test::ParseProgram(Wrap(inputs, body));
    std::string all;
    for (const std::string& note : Analyze(*program.functions[0], ChipOrFail(chip)).notes) {
      all += note + "\n";
    }
    return all;
  };
  EXPECT_THAT(ModelSizeNote(1.2e9, ChipOrFail("a17pro")), testing::HasSubstr("1.2 GB of weights"));
  EXPECT_EQ(ModelSizeNote(0.9e9, ChipOrFail("a17pro")), "");
  EXPECT_EQ(ModelSizeNote(1.2e9, ChipOrFail("m1")), "");
  EXPECT_THAT(ModelSizeNote(3.5e9, ChipOrFail("m1")), testing::HasSubstr("about 3 GB"));
  EXPECT_EQ(notes(kImage, "y = relu(x = x);", "m1"), "");
  EXPECT_THAT(notes("tensor<fp16, [1, ?]> x, tensor<fp16, [1, 4]> z",
                    "a = relu(x = z); b = relu(x = x); y = reduce_sum(x = b, axes = [1]);", "m4"),
              testing::HasSubstr("dynamic shapes"));
}

TEST(Rules, FlexibleShapes) {
  const std::string_view inputs = "tensor<fp16, [1, ?]> x";
  const OpPlacement range = PlaceLast(inputs, "y = relu(x = x);", "m4", FlexibleShapes::kRange);
  EXPECT_FALSE(range.ane.expected);
  EXPECT_THAT(range.ane.reason, testing::HasSubstr("dynamic shape"));
  const OpPlacement few = PlaceLast(inputs, "y = relu(x = x);", "m4", FlexibleShapes::kEnumerated);
  EXPECT_TRUE(few.ane.expected);
  EXPECT_EQ(few.ane.support, Support::kConditional);
  // The operator's own rule still bars it.
  EXPECT_FALSE(
      PlaceLast(inputs, "y = tan(x = x);", "m4", FlexibleShapes::kEnumerated).ane.expected);
}

TEST(Rules, ConstantsHaveNoPlace) {
  const ir::Program program =
      test::ParseProgram(Wrap(kImage, "c = const()[val = fp16(2)]; y = mul(x = x, y = c);"));
  ASSERT_EQ(program.functions.size(), 1u);
  const Analysis analysis = Analyze(*program.functions[0], ChipOrFail("m4"));
  ASSERT_EQ(analysis.operations.size(), 1u);
  EXPECT_EQ(analysis.operations[0].operation->type(), "mul");
}

}  // namespace
}  // namespace anemone::placement
