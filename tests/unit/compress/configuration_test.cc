// Configurations written by coremltools, written by us, and broken ones.
#include "compress/configuration_json.h"

#include <gtest/gtest.h>

#include "compress/apply.h"
#include "compress/decompress.h"
#include "compress/linear_quantization.h"
#include "compress/magnitude_pruning.h"
#include "compress/palettization.h"
#include "compress/threshold_pruning.h"
#include "exec/interpreter.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "support/mil_program.h"

namespace anemone::compress {
namespace {

TEST(Configuration, ReadsCoremltoolsYaml) {
  const auto got = ParseConfiguration(R"(
config_type: OpThresholdPrunerConfig
global_config:
    threshold: 0.01
op_type_configs:
    conv:
        config_type: OpMagnitudePrunerConfig
        n_m_ratio: [3, 4]
    linear: null
op_name_configs:
    fc:
        config_type: OpPalettizerConfig
        mode: KMEANS
        nbits: 4
        granularity: per_grouped_channel
        num_kmeans_workers: 8
)");
  ASSERT_TRUE(got.ok()) << got.status().ToString();
  ASSERT_EQ(got->weights.size(), 1u);
  const WeightStep& step = got->weights[0];
  const auto& global = *step.global_config.value().As<ThresholdConfig>();
  EXPECT_EQ(global.threshold, 0.01);
  EXPECT_EQ(global.minimum_sparsity_percentile, 0.5);
  EXPECT_EQ(global.weight_threshold, 2048);
  const auto& conv = *step.op_type_configs.at("conv").value().As<MagnitudeConfig>();
  EXPECT_EQ(conv.n_m_ratio, std::pair(int64_t{3}, int64_t{4}));
  EXPECT_FALSE(step.op_type_configs.at("linear").has_value());
  const auto& fc = *step.op_name_configs.at("fc").value().As<PaletteConfig>();
  EXPECT_EQ(fc.nbits, 4);
  EXPECT_EQ(fc.group_size, 32);
  EXPECT_EQ(fc.granularity, Granularity::kPerGroupedChannel);
}

TEST(Configuration, ReadsCoremltoolsJson) {
  const auto got = ParseConfiguration(
      R"({"config_type": "OpLinearQuantizerConfig",
          "global_config": {"mode": "linear", "dtype": "uint4", "granularity": "per_block",
                            "block_size": [1, 16], "weight_threshold": 0}})");
  ASSERT_TRUE(got.ok()) << got.status().ToString();
  const auto& linear = *got->weights[0].global_config.value().As<LinearConfig>();
  EXPECT_EQ(linear.mode, LinearMode::kAsymmetric);
  EXPECT_EQ(linear.dtype, DType::kUInt4);
  EXPECT_EQ(linear.block_sizes, (std::vector<int64_t>{1, 16}));
  EXPECT_EQ(linear.weight_threshold, 0);
  const auto defaults =
      ParseConfiguration("config_type: OpLinearQuantizerConfig\nglobal_config: {}");
  ASSERT_TRUE(defaults.ok()) << defaults.status().ToString();
  EXPECT_EQ(*defaults->weights[0].global_config.value().As<LinearConfig>(), LinearConfig());
}

// The results of PyYAML and cattrs, with which coremltools reads such files.
TEST(Configuration, ReadsYamlAsPyYamlDoes) {
  const auto got = ParseConfiguration(R"(
config_type: OpPalettizerConfig
global_config: &all
  mode: uniform
  nbits: 0x4
  enable_per_channel_scale: yes
  weight_threshold: 1_000
op_type_configs:
  conv:
    <<: *all
    nbits: 2
  linear:
    <<: [{nbits: 6}, {nbits: 8, mode: kmeans}]
    enable_per_channel_scale: off
  matmul: *all
op_name_configs:
  fc: {mode: uniform, nbits: "8", weight_threshold: 10.0}
)");
  ASSERT_TRUE(got.ok()) << got.status().ToString();
  const WeightStep& step = got->weights[0];
  const auto palette = [](const std::optional<OpConfig>& config) {
    return *config.value().As<PaletteConfig>();
  };
  EXPECT_EQ(palette(step.global_config).nbits, 4);
  EXPECT_EQ(palette(step.global_config).weight_threshold, 1000);
  EXPECT_TRUE(palette(step.global_config).enable_per_channel_scale);
  EXPECT_EQ(palette(step.op_type_configs.at("conv")).nbits, 2);
  EXPECT_EQ(palette(step.op_type_configs.at("conv")).mode, PaletteMode::kUniform);
  EXPECT_EQ(palette(step.op_type_configs.at("linear")).nbits, 6);
  EXPECT_EQ(palette(step.op_type_configs.at("linear")).mode, PaletteMode::kKMeans);
  EXPECT_EQ(palette(step.op_type_configs.at("matmul")), palette(step.global_config));
  EXPECT_EQ(palette(step.op_name_configs.at("fc")).nbits, 8);
  EXPECT_EQ(palette(step.op_name_configs.at("fc")).weight_threshold, 10);
}

TEST(Configuration, ReadsJsonThatIsNoYaml) {
  const auto got = ParseConfiguration(
      "{\n\t\"config_type\":\t\"OpLinearQuantizerConfig\",\n\t\"op_name_configs\": "
      "{\"a\\/b\\ud83d\\ude00\": null}}");
  ASSERT_TRUE(got.ok()) << got.status().ToString();
  EXPECT_TRUE(got->weights[0].op_name_configs.contains("a/b\xF0\x9F\x98\x80"));
}

TEST(Configuration, GoesThroughJsonUnchanged) {
  Configuration configuration;
  configuration.equalize = true;
  configuration.correct_bias = true;
  configuration.activations = ActivationStep{.observer = Observer::kPercentile, .percentile = 99.5};
  configuration.activations->op_type_configs["add"] = std::nullopt;
  configuration.activations->op_name_configs["x"] =
      ActivationConfig{.mode = LinearMode::kAsymmetric, .dtype = DType::kUInt8};
  WeightStep step;
  step.global_config = MagnitudeConfig{.target_sparsity = 0.25, .block_size = 4, .dim = 1};
  step.op_type_configs["conv"] = PaletteConfig{.nbits = 3,
                                               .granularity = Granularity::kPerGroupedChannel,
                                               .group_size = 8,
                                               .channel_axis = 1,
                                               .cluster_dim = 2,
                                               .enable_per_channel_scale = true,
                                               .lut_dtype = DType::kInt8};
  step.op_type_configs["linear"] = PaletteConfig{.mode = PaletteMode::kUnique};
  step.op_name_configs["a \"b\""] = LinearConfig{.granularity = Granularity::kPerBlock,
                                                 .block_sizes = {1, 0, 0, 4},
                                                 .rounding = Rounding::kGptq};
  step.op_name_configs["none"] = std::nullopt;
  configuration.weights.push_back(step);
  step.op_type_configs.clear();
  step.joint_compression = true;
  step.global_config = ThresholdConfig{.threshold = 0.125};
  configuration.weights.push_back(step);
  const std::string text = ConfigurationJson(configuration);
  const auto back = ParseConfiguration(text);
  ASSERT_TRUE(back.ok()) << back.status().ToString() << text;
  EXPECT_TRUE(*back == configuration) << text << ConfigurationJson(*back);
}

TEST(Configuration, SaysWhatIsWrongAndWhere) {
  const std::string palette = "config_type: OpPalettizerConfig\nglobal_config: ";
  const std::pair<std::string, std::string> cases[] = {
      {"", "empty"},
      {"[1, 2", "line 2"},
      {"a: b: c", "line 1"},
      {"{}", "config_type: must be given"},
      {"config_type: OpNothing\nglobal_config: {}",
       "must be a config_type (OpLinearQuantizerConfig"},
      {"config_type: OpNothing\nglobal_config: {config_type: OpPalettizerConfig, nbits: 4}",
       "config_type: must be a config_type"},
      {"config_type: OpPalettizerConfig\nextra: 1", "extra: is not a key here"},
      {palette + "{nbit: 4}", "global_config.nbit: is not a key here"},
      {palette + "{nbits: 4, nbits: 6}", "twice"},
      {palette + "{}", "nbits is missing"},
      {palette + "{nbits: 5}", "5 bits"},
      {palette + "{nbits: 7}", "7 bits"},
      {palette + "{nbits: four}", "global_config.nbits: must be an integer"},
      {palette + "{nbits: 4, mode: unique}", "nbits is given"},
      {palette + "{nbits: 4, mode: best}", "global_config.mode: must be"},
      {palette + "{nbits: 4, granularity: per_channel}", "per_channel"},
      {palette + "{nbits: 4, cluster_dim: 2, mode: uniform}", "cluster_dim"},
      {palette + "{nbits: 4, weight_threshold: -1}", "weight_threshold is -1"},
      {palette + "{nbits: 4, weight_threshold: null}", "weight_threshold: must be an integer"},
      {"config_type: OpLinearQuantizerConfig\nglobal_config: {dtype: int2}",
       "global_config.dtype: must be"},
      {"config_type: OpLinearQuantizerConfig\nglobal_config: {block_size: [1, x]}", "block_size"},
      {"config_type: OpMagnitudePrunerConfig\nglobal_config: {}", "target_sparsity or n_m_ratio"},
      {"config_type: OpMagnitudePrunerConfig\nglobal_config: {target_sparsity: 1.5}", "1.5"},
      {"config_type: OpMagnitudePrunerConfig\nglobal_config: {n_m_ratio: [5, 4]}", "5:4"},
      {"config_type: OpMagnitudePrunerConfig\nop_type_configs: {add: {n_m_ratio: [1, 4]}}", "conv"},
      {"config_type: OpMagnitudePrunerConfig\nop_type_configs: {const: {target_sparsity: 0.5}}",
       "const"},
      {R"({"schema": "other"})", "schema"},
      {R"({"schema": "anemone.compress.configuration", "schema_version": 2})", "schema_version"},
      {"a: &a [*a]", ""},
  };
  for (const auto& [text, wanted] : cases) {
    SCOPED_TRACE(text);
    const auto got = ParseConfiguration(text);
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(got.error().code(), ErrorCode::kUsage) << got.status().ToString();
    EXPECT_NE(got.status().ToString().find(wanted), std::string::npos) << got.status().ToString();
  }
  std::string deep;
  for (int i = 0; i < 10000; ++i) deep += "[";
  EXPECT_FALSE(ParseConfiguration(deep).ok());
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    laughs += fmt::format("a{}: &a{} [{}, {}, {}, {}, {}, {}, {}, {}]\n", i, i, last, last, last,
                          last, last, last, last, last);
  }
  EXPECT_FALSE(ParseConfiguration(laughs).ok());
}

// A conv, a linear, and a constant that two operators share.
constexpr const char* kConvAndLinear = R"(
    func main<ios18>(tensor<fp32, [1, 16, 4, 4]> x) {
      a = conv(x = x, weight = tensor<fp32, [16, 16, 3, 3]>(seed 1));
      b = reshape(x = a, shape = [1, 64]);
      c = linear(x = b, weight = tensor<fp32, [64, 64]>(seed 3), bias = tensor<fp32, [64]>(seed 4));
      w = const()[val = tensor<fp32, [64, 64]>(seed 5)];
      d = matmul(x = c, y = w);
      y = linear(x = d, weight = w, bias = tensor<fp32, [64]>(seed 4));
    } -> (y);)";

ir::Program ParseForOpset(std::string text, const std::string& opset = "ios18") {
  text.replace(text.find("ios18"), 5, opset);
  return test::ParseProgram(text);
}

std::vector<float> RunOnSeed9(const ir::Program& program) {
  const auto literal = ir::ParseLiteral("tensor<fp32, [1, 16, 4, 4]>(seed 9)");
  const auto outputs =
      exec::Interpret(*program.functions[0], {{"x", *exec::Tensor::FromLiteral(*literal)}});
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  if (!outputs.ok()) return {};
  return {(*outputs)[0].As<float>(), (*outputs)[0].As<float>() + (*outputs)[0].count()};
}

// Steps one after the other, the second on what the first has compressed.
TEST(Configuration, BrokenFilesAreRefused) {
  const std::string good = "config_type: OpPalettizerConfig\nglobal_config: {nbits: 4}\n";
  ASSERT_TRUE(ParseConfiguration(good).ok());
  ASSERT_TRUE(ParseConfiguration("---\n" + good + "...\n").ok());
  for (const std::string& text :
       {std::string(), std::string(" \n# nothing\n"), good + "---\na: b\n", good + "<<: 3\n",
        good + "<<: [3]\n", std::string("{\"a\":\t"), std::string("\0", 1),
        std::string("config_type: OpPalettizerConfig\nglobal_config: {nbits: 4.5}\n"),
        std::string("config_type: OpPalettizerConfig\nglobal_config: {nbits: 1e300}\n"),
        std::string("config_type: OpPalettizerConfig\nglobal_config: {nbits: four}\n"),
        "{\"a\":\t" + std::string(100, '[') + std::string(100, ']') + "}"}) {
    const auto got = ParseConfiguration(text);
    ASSERT_FALSE(got.ok()) << text;
    EXPECT_EQ(got.error().code(), ErrorCode::kUsage) << text;
  }
}

TEST(Apply, JointForms) {
  const OpConfig sparse = MagnitudeConfig{.target_sparsity = 0.6};
  const OpConfig palette = PaletteConfig{.nbits = 4};
  const OpConfig vectors = PaletteConfig{.nbits = 3, .cluster_dim = 2};
  const OpConfig int8 = LinearConfig();
  const OpConfig int8_tensor = LinearConfig{.granularity = Granularity::kPerTensor};
  struct Case {
    OpConfig first;
    OpConfig second;
    std::string op;
  };
  const Case cases[] = {{sparse, palette, "constexpr_lut_to_sparse"},
                        {sparse, vectors, "constexpr_lut_to_sparse"},
                        {sparse, int8, "constexpr_sparse_blockwise_shift_scale"},
                        {palette, int8_tensor, "constexpr_blockwise_shift_scale"},
                        {int8, palette, "constexpr_lut_to_dense"},
                        {int8, sparse, "constexpr_sparse_blockwise_shift_scale"},
                        {palette, sparse, "constexpr_lut_to_sparse"}};
  for (const Case& test : cases) {
    SCOPED_TRACE(test.op);
    ir::Program program = ParseForOpset(kConvAndLinear);
    const std::vector<float> before = RunOnSeed9(program);
    WeightStep step;
    step.global_config = test.first;
    step.op_name_configs["w"] = std::nullopt;
    ASSERT_TRUE(ApplyStep(program, step).ok());
    const std::vector<float> once = RunOnSeed9(program);
    step.global_config = test.second;
    step.joint_compression = true;
    const auto report = ApplyStep(program, step);
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    EXPECT_EQ(report->compressed.size(), 2u);
    EXPECT_LT(report->bytes_after, report->bytes_before);
    ASSERT_TRUE(ir::Verify(program).ok()) << ir::Verify(program).ToString();
    int found = 0;
    ir::ForEachOperation(*program.functions[0]->block,
                         [&](const ir::Operation& op) { found += op.type() == test.op; });
    EXPECT_EQ(found, 2);
    const std::vector<float> twice = RunOnSeed9(program);
    ASSERT_EQ(twice.size(), before.size());
    EXPECT_NE(twice, once);
    ASSERT_TRUE(DecompressWeights(program).ok());
    EXPECT_EQ(RunOnSeed9(program), twice);
  }
  ir::Program old = ParseForOpset(kConvAndLinear, "ios17");
  WeightStep step;
  step.global_config = sparse;
  ASSERT_TRUE(ApplyStep(old, step).ok());
  step.joint_compression = true;
  step.global_config = palette;
  const auto refused = ApplyStep(old, step);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message().find("ios18"), std::string::npos);
}

TEST(Apply, NameBeforeTypeBeforeGlobal) {
  ir::Program program = ParseForOpset(kConvAndLinear);
  WeightStep step;
  step.global_config = LinearConfig{.granularity = Granularity::kPerTensor};
  step.op_type_configs["conv"] = PaletteConfig{.nbits = 4};
  step.op_name_configs["c"] = std::nullopt;
  const auto report = ApplyStep(program, step);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  ASSERT_EQ(report->compressed.size(), 2u);
  EXPECT_EQ(report->compressed[0].form, "4-bit palette per_tensor");
  EXPECT_EQ(report->compressed[1].form, "int8 per_tensor");
  ASSERT_TRUE(ir::Verify(program).ok()) << ir::Verify(program).ToString();

  // Two users with different settings.
  ir::Program other = ParseForOpset(kConvAndLinear);
  step.op_type_configs["matmul"] = PaletteConfig{.nbits = 2};
  const auto conflict = ApplyStep(other, step);
  ASSERT_FALSE(conflict.ok());
  EXPECT_EQ(conflict.error().code(), ErrorCode::kUsage);
  step.op_name_configs["w"] = PaletteConfig{.nbits = 2};
  EXPECT_TRUE(ApplyStep(other, step).ok());
}

// One bias for two operators with different settings: it stays in either case.
TEST(Apply, SharedConstantsThatStayAreNoConflict) {
  ir::Program program = ParseForOpset(R"(
    func main<ios18>(tensor<fp32, [1, 64]> x) {
      b = const()[val = tensor<fp32, [64]>(seed 3)];
      v = const()[val = tensor<fp32, [64, 64]>(seed 4)];
      w = const()[val = tensor<fp32, [64, 64]>(seed 5)];
      y = linear(x = x, weight = v, bias = b);
      z = linear(x = y, weight = w, bias = b);
    } -> (z);)");
  WeightStep step;
  step.op_name_configs["y"] = LinearConfig();
  step.op_name_configs["z"] = PaletteConfig{.nbits = 4};
  const auto report = ApplyStep(program, step);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(report->compressed.size(), 2u);
  ASSERT_EQ(report->skipped.size(), 1u);
  EXPECT_EQ(report->skipped[0].name, "b");
}

// Every existing form: verified, the executor's results equal to those of the dense weights,
// and refused with the right target where the op set lacks it.
TEST(Apply, EveryFormOnEveryTarget) {
  struct Form {
    OpConfig config;
    ir::Opset since;
  };
  constexpr auto k16 = ir::Opset::kIOS16;
  constexpr auto k18 = ir::Opset::kIOS18;
  constexpr auto kGrouped = Granularity::kPerGroupedChannel;
  std::vector<Form> forms = {
      {LinearConfig(), k16},
      {LinearConfig{.dtype = DType::kUInt8, .mode = LinearMode::kAsymmetric}, k16},
      {LinearConfig{.dtype = DType::kInt4}, k18},
      {LinearConfig{.granularity = Granularity::kPerBlock, .block_size = 8}, k18},
      {PaletteConfig{.mode = PaletteMode::kUniform, .nbits = 4}, k16},
      {PaletteConfig{.nbits = 4, .granularity = kGrouped, .group_size = 8}, k18},
      {PaletteConfig{.nbits = 4, .granularity = kGrouped, .group_size = 8, .channel_axis = 1}, k18},
      {PaletteConfig{.nbits = 4, .cluster_dim = 2}, k18},
      {PaletteConfig{.nbits = 4, .enable_per_channel_scale = true}, k18},
      {PaletteConfig{.nbits = 4, .lut_dtype = DType::kInt8}, k18},
      {PaletteConfig{.nbits = 4, .lut_dtype = DType::kUInt8}, k18},
      {ThresholdConfig{.threshold = 0.6}, k16},
      {MagnitudeConfig{.target_sparsity = 0.7}, k16},
      {MagnitudeConfig{.n_m_ratio = std::pair(int64_t{2}, int64_t{4})}, k16},
  };
  for (const int nbits : {1, 2, 3, 4, 6, 8})
    forms.push_back({PaletteConfig{.nbits = nbits}, nbits == 3 ? k18 : k16});
  for (const std::string opset : {"ios15", "ios16", "ios17", "ios18"}) {
    for (size_t i = 0; i < forms.size(); ++i) {
      SCOPED_TRACE(opset + " form " + std::to_string(i));
      ir::Program program = ParseForOpset(kConvAndLinear, opset);
      WeightStep step;
      step.global_config = forms[i].config;
      const auto report = ApplyStep(program, step);
      if (program.functions[0]->opset < forms[i].since) {
        ASSERT_FALSE(report.ok());
        EXPECT_EQ(report.error().code(), ErrorCode::kUnsupported);
        EXPECT_NE(report.error().message().find(forms[i].since == k18 ? "ios18" : "ios16"),
                  std::string::npos)
            << report.error().message();
        continue;
      }
      ASSERT_TRUE(report.ok()) << report.status().ToString();
      ASSERT_TRUE(ir::Verify(program).ok()) << ir::Verify(program).ToString();
      EXPECT_GE(report->compressed.size(), 2u);
      EXPECT_LT(report->bytes_after, report->bytes_before);
      const std::vector<float> compressed = RunOnSeed9(program);
      ASSERT_TRUE(DecompressWeights(program).ok());
      EXPECT_EQ(RunOnSeed9(program), compressed);
    }
  }
}

}  // namespace
}  // namespace anemone::compress
