// The compressions as changes of programs: what they take, what they leave and why, what each
// target gets, and that the program still computes the same up to the error that they report.
#include "compress/weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "compress/apply.h"
#include "compress/decompress.h"
#include "compress/half_storage.h"
#include "compress/linear_quantization.h"
#include "compress/palettization.h"
#include "exec/interpreter.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "support/mil_program.h"

namespace anemone::compress {
namespace {

// A conv of 2304 weights and a linear of 2560, with biases; a small matmul; a constant that two
// operations share.
std::string Network(std::string_view opset) {
  return fmt::format(R"(
    func main<{}>(tensor<fp32, [1, 16, 4, 4]> x) {{
      a = conv(x = x, weight = tensor<fp32, [16, 16, 3, 3]>(seed 1), bias = tensor<fp32, [16]>(seed 2));
      b = reshape(x = a, shape = [1, 64]);
      c = linear(x = b, weight = tensor<fp32, [40, 64]>(seed 3), bias = tensor<fp32, [40]>(seed 4));
      y = matmul(x = c, y = tensor<fp32, [40, 3]>(seed 5));
    }} -> (y);)",
                     opset);
}

struct Threading {
  int threads = 0;
  std::function<bool()> cancelled = {};
};

Result<Report> Step(ir::Program& program, const OpConfig& config, const Threading& threading = {}) {
  WeightStep step;
  step.global_config = config;
  ApplyOptions options;
  options.threads = threading.threads;
  options.cancelled = threading.cancelled;
  return ApplyStep(program, step, options);
}

Result<Report> QuantizeLinearWeights(ir::Program& program,
                                     LinearConfig config = {.granularity = Granularity::kPerTensor},
                                     const Threading& threading = {}) {
  return Step(program, config, threading);
}

Result<Report> PalettizeWeights(ir::Program& program, PaletteConfig config = {.nbits = 4}) {
  return Step(program, config);
}

std::vector<float> RunSeeded(const ir::Program& program) {
  std::map<std::string, exec::Tensor> inputs;
  for (const auto& input : program.functions[0]->inputs()) {
    const auto literal = ir::ParseLiteral(input->type.ToString() + "(seed 9)");
    EXPECT_TRUE(literal.ok()) << literal.status().ToString();
    inputs[input->name] = *exec::Tensor::FromLiteral(*literal);
  }
  const auto outputs = exec::Interpret(*program.functions[0], inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  if (!outputs.ok()) return {};
  return {(*outputs)[0].As<float>(), (*outputs)[0].As<float>() + (*outputs)[0].count()};
}

double LargestDifference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max<double>(worst, std::abs(a[i] - b[i]));
  return worst;
}

const TensorRecord* Find(const std::vector<TensorRecord>& records, std::string_view op, int rank) {
  for (const TensorRecord& record : records) {
    if (record.op == op && static_cast<int>(record.shape.size()) == rank) return &record;
  }
  return nullptr;
}

TEST(QuantizeLinearWeights, TakesWeightsAndLeavesTheRest) {
  ir::Program program = test::ParseProgram(Network("ios16"));
  const std::vector<float> before = RunSeeded(program);
  const auto report = QuantizeLinearWeights(program);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  ASSERT_TRUE(ir::Verify(program).ok()) << ir::Verify(program).ToString();
  EXPECT_EQ(test::CountOps(program, "constexpr_affine_dequantize"), 2);
  ASSERT_EQ(report->compressed.size(), 2u);
  const TensorRecord& conv = report->compressed[0];
  EXPECT_EQ(conv.op, "conv");
  EXPECT_EQ(conv.form, "int8 per_tensor");
  EXPECT_EQ(conv.bytes_before, 2304 * 4);
  EXPECT_EQ(conv.bytes_after, 2304 + 4 + 1);
  EXPECT_GT(conv.max_error, 0);
  EXPECT_LE(conv.max_error, 1.0 / 127 / 2 * 1.001);
  // Biases are vectors, the matmul's 120 elements too few.
  ASSERT_EQ(report->skipped.size(), 3u);
  ASSERT_NE(Find(report->skipped, "matmul", 2), nullptr);
  EXPECT_NE(Find(report->skipped, "matmul", 2)->reason.find("2048"), std::string::npos);
  ASSERT_NE(Find(report->skipped, "conv", 1), nullptr);
  EXPECT_NE(Find(report->skipped, "conv", 1)->reason.find("vectors"), std::string::npos);
  EXPECT_EQ(report->bytes_before, 4 * (2304 + 16 + 2560 + 40 + 120));
  EXPECT_EQ(report->bytes_after, 2304 + 2560 + 4 * (16 + 40 + 120));
  const std::vector<float> after = RunSeeded(program);
  const double difference = LargestDifference(before, after);
  EXPECT_GT(difference, 0);
  EXPECT_LT(difference, 0.5);
}

TEST(QuantizeLinearWeights, Ios18HasItsOwnForm) {
  ir::Program older = test::ParseProgram(Network("ios17"));
  ir::Program newer = test::ParseProgram(Network("ios18"));
  ASSERT_TRUE(QuantizeLinearWeights(older).ok());
  ASSERT_TRUE(QuantizeLinearWeights(newer).ok());
  EXPECT_EQ(test::CountOps(newer, "constexpr_blockwise_shift_scale"), 2);
  EXPECT_EQ(test::CountOps(newer, "constexpr_affine_dequantize"), 0);
  EXPECT_TRUE(ir::Verify(newer).ok());
  EXPECT_EQ(RunSeeded(older), RunSeeded(newer));
}

TEST(QuantizeLinearWeights, EveryDTypeModeAndGranularityRuns) {
  const ir::Program original = test::ParseProgram(Network("ios18"));
  const std::vector<float> before = RunSeeded(original);
  for (const DType dtype : {DType::kInt8, DType::kUInt8, DType::kInt4, DType::kUInt4}) {
    for (const LinearMode mode : {LinearMode::kSymmetric, LinearMode::kAsymmetric}) {
      double last = 1e9;
      for (const Granularity granularity :
           {Granularity::kPerTensor, Granularity::kPerChannel, Granularity::kPerBlock}) {
        SCOPED_TRACE(fmt::format("{} {} {}", DTypeName(dtype), static_cast<int>(mode),
                                 static_cast<int>(granularity)));
        ir::Program program = ir::Clone(original);
        const auto report = QuantizeLinearWeights(
            program, {.dtype = dtype, .mode = mode, .granularity = granularity, .block_size = 16});
        ASSERT_TRUE(report.ok()) << report.status().ToString();
        ASSERT_EQ(report->compressed.size(), 2u);
        ASSERT_TRUE(ir::Verify(program).ok()) << ir::Verify(program).ToString();
        const double difference = LargestDifference(before, RunSeeded(program));
        EXPECT_LT(difference, BitWidth(dtype) == 8 ? 0.5 : 12);
        // Finer granularity fits the weights better.
        const double rms = report->compressed[0].rms_error;
        EXPECT_LE(rms, last * 1.02);
        last = rms;
      }
    }
  }
}

TEST(QuantizeLinearWeights, TargetsThatHaveNoForm) {
  struct Target {
    std::string opset;
    LinearConfig options;
    std::string needed;
  };
  const std::vector<Target> cases = {
      {"ios15", {}, "ios16"},
      {"ios17", {.dtype = DType::kInt4}, "ios18"},
      {"ios16", {.granularity = Granularity::kPerBlock}, "ios18"},
  };
  for (const Target& test : cases) {
    ir::Program program = test::ParseProgram(Network(test.opset));
    const std::string text = ir::PrintText(program);
    const auto report = QuantizeLinearWeights(program, test.options);
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().code(), ErrorCode::kUnsupported);
    EXPECT_NE(report.error().message().find(test.needed), std::string::npos)
        << report.error().message();
    EXPECT_EQ(ir::PrintText(program), text) << "a refusal changes nothing";
  }
}

TEST(QuantizeLinearWeights, WeightsThatAreNotFiniteOrZero) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  ir::Program program = test::ParseProgram(Network("ios16"));
  std::vector<ir::Value*> weights;
  ir::ForEachOperation(*program.functions[0]->block, [&](ir::Operation& op) {
    if (op.is_const() && op.output()->type.rank() > 1) weights.push_back(op.output());
  });
  ASSERT_EQ(weights.size(), 3u);
  std::vector<float> conv(2304, 0.5f);
  conv[2000] = nan;
  std::vector<float> linear(2560, 0.5f);
  linear[17] = -inf;
  weights[0]->literal = std::make_shared<ir::Literal>(ir::Literal::Fp32s(conv, {16, 16, 3, 3}));
  weights[1]->literal = std::make_shared<ir::Literal>(ir::Literal::Fp32s(linear, {40, 64}));
  weights[2]->literal = std::make_shared<ir::Literal>(ir::Literal::Zeros(weights[2]->type));
  const auto report = QuantizeLinearWeights(
      program, {.granularity = Granularity::kPerTensor, .weight_threshold = 0});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  ASSERT_NE(Find(report->skipped, "conv", 4), nullptr);
  EXPECT_EQ(Find(report->skipped, "conv", 4)->reason, "element 2000 is not a number");
  ASSERT_NE(Find(report->skipped, "linear", 2), nullptr);
  EXPECT_EQ(Find(report->skipped, "linear", 2)->reason, "element 17 is infinite");
  ASSERT_EQ(report->compressed.size(), 1u);  // the zeros
  EXPECT_EQ(report->compressed[0].max_error, 0);
}

TEST(QuantizeLinearWeights, SameBytesAtAnyThreadCountAndCancel) {
  std::string first;
  for (const int threads : {1, 2, 3}) {
    ir::Program program = test::ParseProgram(Network("ios18"));
    ASSERT_TRUE(QuantizeLinearWeights(program, {}, {.threads = threads}).ok());
    if (first.empty()) first = ir::PrintText(program);
    EXPECT_EQ(ir::PrintText(program), first);
  }
  ir::Program program = test::ParseProgram(Network("ios18"));
  const auto report = QuantizeLinearWeights(program, {}, {.cancelled = [] { return true; }});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), ErrorCode::kCancelled);
}

TEST(QuantizeLinearWeights, OptionsAreChecked) {
  ir::Program program = test::ParseProgram(Network("ios18"));
  EXPECT_FALSE(QuantizeLinearWeights(program, {.dtype = DType::kInt32}).ok());
  EXPECT_FALSE(
      QuantizeLinearWeights(program, {.granularity = Granularity::kPerBlock, .block_size = 0})
          .ok());
  EXPECT_FALSE(QuantizeLinearWeights(program, {.weight_threshold = -1}).ok());
  const auto none = ApplyStep(program, WeightStep());
  ASSERT_TRUE(none.ok());
  EXPECT_TRUE(none->compressed.empty());
  EXPECT_NE(none->skipped[0].reason.find("left out"), std::string::npos);
}

TEST(QuantizeLinearWeights, ChannelsOfEachOperator) {
  ir::Program program = test::ParseProgram(R"(
    func main<ios18>(tensor<fp32, [1, 4, 3, 3]> x, tensor<fp32, [2, 4]> z) {
      a = conv_transpose(x = x, weight = tensor<fp32, [4, 6, 2, 2]>(seed 1));
      b = matmul(x = z, y = tensor<fp32, [4, 5]>(seed 2));
      c = matmul(x = z, y = tensor<fp32, [5, 4]>(seed 3), transpose_y = true);
      d = matmul(x = tensor<fp32, [7, 2]>(seed 4), y = z);
      w = const()[val = tensor<fp32, [4, 4, 1, 1]>(seed 5)];
      e = conv(x = x, weight = w);
      f = conv_transpose(x = x, weight = w);
    } -> (a, b, c, d, e, f);)");
  const auto report = QuantizeLinearWeights(
      program, {.granularity = Granularity::kPerChannel, .weight_threshold = 0});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  std::vector<ir::Shape> scales;
  ir::ForEachOperation(*program.functions[0]->block, [&](const ir::Operation& op) {
    if (const ir::Value* scale = op.Input("scale")) scales.push_back(scale->type.shape());
  });
  const std::vector<ir::Shape> wanted = {{1, 6, 1, 1}, {1, 5}, {5, 1}, {7, 1}};
  EXPECT_EQ(scales, wanted);
  ASSERT_EQ(report->skipped.size(), 1u);
  EXPECT_NE(report->skipped[0].reason.find("disagree"), std::string::npos);
}

TEST(StoreWeightsInHalf, HalvesAllButSmallTensors) {
  ir::Program program = test::ParseProgram(Network("ios16"));
  const std::vector<float> before = RunSeeded(program);
  const auto report = StoreWeightsInHalf(program);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  ASSERT_TRUE(ir::Verify(program).ok());
  // The matmul's 480 bytes and the biases are below 512.
  EXPECT_EQ(test::CountOps(program, "constexpr_cast"), 2);
  EXPECT_EQ(report->skipped.size(), 3u);
  EXPECT_EQ(report->bytes_after, 2 * (2304 + 2560) + 4 * (16 + 40 + 120));
  const std::vector<float> after = RunSeeded(program);
  EXPECT_LT(LargestDifference(before, after), 0.05);
  // The weights are stored rounded to half, and the program gives exactly the results of those.
  ir::Program dense = ir::Clone(program);
  ASSERT_TRUE(DecompressWeights(dense).ok());
  EXPECT_EQ(test::CountOps(dense, "constexpr_cast"), 0);
  EXPECT_EQ(RunSeeded(dense), after);
}

TEST(StoreWeightsInHalf, LeavesWhatHalfCannotHold) {
  ir::Program program = test::ParseProgram(R"(
    func main<ios16>(tensor<fp32, [20, 20]> x) {
      a = mul(x = x, y = tensor<fp32, [20, 20]>(splat 70000.0));
      y = add(x = a, y = tensor<fp32, [20, 20]>(splat inf));
    } -> (y);)");
  const auto report = StoreWeightsInHalf(program);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_TRUE(report->compressed.empty());
  ASSERT_EQ(report->skipped.size(), 2u);
  EXPECT_NE(report->skipped[0].reason.find("65504"), std::string::npos);
  EXPECT_NE(report->skipped[1].reason.find("infinite"), std::string::npos);

  ir::Program old = test::ParseProgram(Network("ios15"));
  const auto refused = StoreWeightsInHalf(old);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
}

TEST(PalettizeWeights, EveryWidthOnBothForms) {
  double last = 1e9;
  for (const int nbits : {1, 2, 3, 4, 6, 8}) {
    SCOPED_TRACE(nbits);
    ir::Program newer = test::ParseProgram(Network("ios18"));
    const auto report = PalettizeWeights(newer, {.nbits = nbits});
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    ASSERT_EQ(report->compressed.size(), 2u);
    EXPECT_EQ(report->skipped.size(), 3u);
    ASSERT_TRUE(ir::Verify(newer).ok()) << ir::Verify(newer).ToString();
    EXPECT_EQ(test::CountOps(newer, "constexpr_lut_to_dense"), 2);
    EXPECT_EQ(report->compressed[0].bytes_after, 2304 * nbits / 8 + 4 * (1 << nbits));
    // Uniform weights in [-1, 1): the error of 2^n levels is about 2 / 2^n / sqrt(12).
    EXPECT_LT(report->compressed[0].rms_error, 2.0 / (1 << nbits) / std::sqrt(12.0) * 1.05);
    EXPECT_LT(report->compressed[0].rms_error, last);
    last = report->compressed[0].rms_error;
    ir::Program older = test::ParseProgram(Network("ios16"));
    const auto flat = PalettizeWeights(older, {.nbits = nbits});
    if (nbits == 3) {
      ASSERT_FALSE(flat.ok());
      EXPECT_EQ(flat.error().code(), ErrorCode::kUnsupported);
      continue;
    }
    ASSERT_TRUE(flat.ok()) << flat.status().ToString();
    ASSERT_TRUE(ir::Verify(older).ok()) << ir::Verify(older).ToString();
    const std::vector<float> outputs = RunSeeded(older);
    EXPECT_EQ(outputs, RunSeeded(newer));
    ASSERT_TRUE(DecompressWeights(older).ok());
    EXPECT_EQ(RunSeeded(older), outputs);
  }
}

TEST(PalettizeWeights, Refusals) {
  ir::Program program = test::ParseProgram(Network("ios15"));
  EXPECT_EQ(PalettizeWeights(program).error().code(), ErrorCode::kUnsupported);
  EXPECT_EQ(PalettizeWeights(program, {.nbits = 5}).error().code(), ErrorCode::kUsage);
}

TEST(Decompress, GivesTheSameProgramForEveryForm) {
  for (const std::string opset : {"ios16", "ios18"}) {
    for (const DType dtype : {DType::kInt8, DType::kUInt8}) {
      ir::Program program = test::ParseProgram(Network(opset));
      ASSERT_TRUE(
          QuantizeLinearWeights(program, {.dtype = dtype, .granularity = Granularity::kPerChannel})
              .ok());
      const std::vector<float> compressed = RunSeeded(program);
      const auto report = DecompressWeights(program);
      ASSERT_TRUE(report.ok()) << report.status().ToString();
      EXPECT_EQ(report->compressed.size(), 2u);
      ASSERT_TRUE(ir::Verify(program).ok());
      EXPECT_EQ(test::CountOps(program, "constexpr_affine_dequantize") +
                    test::CountOps(program, "constexpr_blockwise_shift_scale"),
                0);
      EXPECT_EQ(RunSeeded(program), compressed);
    }
  }
}

}  // namespace
}  // namespace anemone::compress
