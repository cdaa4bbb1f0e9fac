// Every compression method of the list, asked all that the interface promises: its name and keys,
// which op sets hold its settings, what it needs to know, and that what it emits decompresses to
// the very bits that it says it stands for.
#include "compress/methods.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "compress/apply.h"
#include "compress/configuration_json.h"
#include "compress/decompress.h"
#include "compress/linear_quantization.h"
#include "compress/magnitude_pruning.h"
#include "compress/palettization.h"
#include "compress/threshold_pruning.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "options/option.h"

namespace anemone::compress {
namespace {

// Settings of each method, of every kind that its encoders tell apart. A method without one fails
// EveryMethodHasSettings: add some with it.
std::vector<OpConfig> Settings() {
  std::vector<OpConfig> all;
  for (const DType dtype : {DType::kInt8, DType::kUInt8, DType::kInt4, DType::kUInt4}) {
    for (const LinearMode mode : {LinearMode::kSymmetric, LinearMode::kAsymmetric}) {
      for (const Granularity granularity :
           {Granularity::kPerTensor, Granularity::kPerChannel, Granularity::kPerBlock}) {
        all.push_back(LinearConfig{
            .dtype = dtype, .mode = mode, .granularity = granularity, .block_size = 4});
      }
    }
  }
  for (const int nbits : {1, 2, 3, 4, 6, 8}) {
    all.push_back(PaletteConfig{.nbits = nbits});
    all.push_back(PaletteConfig{.mode = PaletteMode::kUniform, .nbits = nbits});
    // Tables of 256 entries would hold each value of a group, and take more than the weight.
    if (nbits < 8) {
      all.push_back(PaletteConfig{
          .nbits = nbits, .granularity = Granularity::kPerGroupedChannel, .group_size = 4});
    }
    all.push_back(PaletteConfig{.nbits = nbits, .enable_per_channel_scale = true});
    all.push_back(PaletteConfig{.nbits = nbits, .lut_dtype = DType::kInt8});
    all.push_back(PaletteConfig{
        .nbits = nbits, .enable_per_channel_scale = true, .lut_dtype = DType::kUInt8});
  }
  all.push_back(PaletteConfig{.nbits = 2, .cluster_dim = 2});
  all.push_back(ThresholdConfig{.threshold = 0.7});
  all.push_back(MagnitudeConfig{.target_sparsity = 0.6});
  all.push_back(MagnitudeConfig{.target_sparsity = 0.5, .block_size = 2});
  all.push_back(MagnitudeConfig{.n_m_ratio = std::pair(int64_t{2}, int64_t{4})});
  return all;
}

// A convolution and a linear operator without vectors that are worth compressing.
ir::Program NothingToCompress(DType dtype, ir::Opset opset) {
  auto program = ir::ParseText(fmt::format(
      R"(
    func main<{1}>(tensor<{0}, [1, 16, 4, 4]> x) {{
      w = const()[val = tensor<{0}, [16, 16, 3, 3]>(seed 1)];
      v = const()[val = tensor<{0}, [40, 64]>(seed 3)];
      a = conv(x = x, weight = w);
      b = reshape(x = a, shape = [1, 64]);
      c = linear(x = b, weight = v);
    }} -> (c);)",
      DTypeName(dtype), ir::OpsetName(opset)));
  EXPECT_TRUE(program.ok()) << program.status().ToString();
  return program.ok() ? std::move(program).value() : ir::Program();
}

WeightStep StepOf(const OpConfig& config) {
  WeightStep step;
  step.global_config = config;
  return step;
}

std::string Text(const OpConfig& config) {
  Configuration configuration;
  configuration.weights = {StepOf(config)};
  return ConfigurationJson(configuration);
}

// The dense constants of a function that has been decompressed, by name.
std::map<std::string, ir::Literal> Constants(const ir::Program& program) {
  std::map<std::string, ir::Literal> found;
  ir::ForEachOperation(*program.functions[0]->block, [&](const ir::Operation& op) {
    if (op.is_const()) found.emplace(op.output()->name, *op.output()->literal);
  });
  return found;
}

TEST(Methods, EveryMethodHasANameAndKeysOfItsOwn) {
  std::set<std::string_view> names;
  for (const Method* method : Methods()) {
    SCOPED_TRACE(method->config_type());
    EXPECT_TRUE(method->config_type().starts_with("Op"));
    EXPECT_TRUE(method->config_type().ends_with("Config"));
    EXPECT_TRUE(names.insert(method->config_type()).second);
    OpConfig config = method->Default();
    EXPECT_EQ(&config.method(), method);
    std::set<std::string_view> keys;
    for (const ConfigField& field : method->FieldsOf(config))
      EXPECT_TRUE(keys.insert(field.key).second) << field.key;
    EXPECT_TRUE(keys.contains("weight_threshold"));
    EXPECT_FALSE(keys.contains("config_type"));
  }
}

TEST(Methods, EveryMethodHasSettings) {
  for (const Method* method : Methods()) {
    EXPECT_TRUE(std::ranges::any_of(Settings(), [&](const OpConfig& config) {
      return &config.method() == method;
    })) << method->config_type();
  }
}

TEST(Methods, SettingsAreValues) {
  const std::vector<OpConfig> settings = Settings();
  for (size_t i = 0; i < settings.size(); ++i) {
    for (size_t k = 0; k < settings.size(); ++k) EXPECT_EQ(settings[i] == settings[k], i == k);
    OpConfig copy = settings[i];
    EXPECT_EQ(copy, settings[i]);
    // A change of the copy's last number leaves the original alone.
    for (const ConfigField& field : copy.method().FieldsOf(copy))
      if (auto* const* number = std::get_if<int64_t*>(&field.field)) **number += 7;
    EXPECT_NE(copy, settings[i]);
    copy = settings[i];
    EXPECT_EQ(copy, settings[i]);
  }
}

TEST(Methods, SettingsGoThroughDocuments) {
  for (const OpConfig& config : Settings()) {
    const std::string text = Text(config);
    const auto back = ParseConfiguration(text);
    ASSERT_TRUE(back.ok()) << back.status().ToString() << text;
    EXPECT_EQ(back->weights[0].global_config, config) << text;
  }
}

TEST(Methods, EachKeyIsReadAndUnknownOnesAreNot) {
  for (const Method* method : Methods()) {
    SCOPED_TRACE(method->config_type());
    OpConfig config = method->Default();
    const auto read = [&](std::string_view key) {
      // No key takes a mapping: a known one is refused at its place, an unknown one as unknown.
      const auto got = ParseConfiguration(
          fmt::format(R"({{"config_type": "{}", "global_config": {{"{}": {{}}}}}})",
                      method->config_type(), key));
      EXPECT_FALSE(got.ok()) << key;
      return got.ok() ? "" : got.error().ToString();
    };
    for (const ConfigField& field : method->FieldsOf(config)) {
      EXPECT_NE(read(field.key).find(fmt::format("global_config.{}: ", field.key)),
                std::string::npos);
      EXPECT_EQ(read(field.key).find("is not a key"), std::string::npos) << field.key;
    }
    EXPECT_NE(read("no_such_key").find("global_config.no_such_key: is not a key"),
              std::string::npos);
  }
}

// The lowest op set is a rule of the setting: refused with its name below, and held from there on.
TEST(Methods, OpsetsHoldWhatTheySay) {
  for (const OpConfig& config : Settings()) {
    SCOPED_TRACE(Text(config));
    const OpsetNeed need = config.method().NeedOf(config);
    EXPECT_FALSE(need.what.empty());
    for (const ir::Opset opset :
         {ir::Opset::kIOS15, ir::Opset::kIOS16, ir::Opset::kIOS17, ir::Opset::kIOS18}) {
      ir::Program program = NothingToCompress(DType::kFp32, opset);
      const auto report = ApplyStep(program, StepOf(config));
      if (opset < need.opset) {
        ASSERT_FALSE(report.ok());
        EXPECT_EQ(report.error().code(), ErrorCode::kUnsupported);
        EXPECT_NE(report.error().message().find(need.what), std::string::npos);
        EXPECT_NE(report.error().message().find(ir::OpsetName(need.opset)), std::string::npos);
        continue;
      }
      ASSERT_TRUE(report.ok()) << report.status().ToString();
      EXPECT_EQ(report->compressed.size(), 2u);
      EXPECT_TRUE(ir::Verify(program).ok()) << ir::Verify(program).ToString();
    }
  }
}

TEST(Methods, EveryMethodTakesDenseOrCompressedWeights) {
  for (const Method* method : Methods()) {
    SCOPED_TRACE(method->config_type());
    EXPECT_TRUE(method->Takes(SiteKind::kDense, false));
    bool joint = false;
    for (const SiteKind kind : {SiteKind::kSparseValues, SiteKind::kTable, SiteKind::kQuantizedData,
                                SiteKind::kCompressed})
      joint |= method->Takes(kind, true);
    EXPECT_TRUE(joint);
  }
}

TEST(Methods, WhatNeedsDataSaysSo) {
  EXPECT_FALSE(NeedsData(OpConfig(LinearConfig())));
  for (const Rounding rounding : {Rounding::kGptq, Rounding::kAdaRound}) {
    const OpConfig config = LinearConfig{.rounding = rounding};
    EXPECT_EQ(config.method().DataNeedOf(config), DataNeed::kProducts);
  }
  const OpConfig palette = PaletteConfig{.nbits = 4, .sensitivity = true};
  EXPECT_EQ(palette.method().DataNeedOf(palette), DataNeed::kMoments);
  Configuration both;
  both.weights = {StepOf(palette), StepOf(LinearConfig{.rounding = Rounding::kGptq})};
  EXPECT_EQ(DataNeedOf(both), DataNeed::kProducts);
  both.weights.pop_back();
  EXPECT_EQ(DataNeedOf(both), DataNeed::kMoments);
  EXPECT_TRUE(WeightsNeedData(both));
  both.weights = {StepOf(MagnitudeConfig{.target_sparsity = 0.5})};
  EXPECT_FALSE(NeedsData(both));
}

// Encode, Restore and Emit speak of the same values.
TEST(Methods, WhatIsEmittedDecompressesToWhatIsRestored) {
  for (const OpConfig& config : Settings()) {
    const Method& method = config.method();
    for (const DType dtype : {DType::kFp32, DType::kFp16}) {
      for (const ir::Opset opset : {ir::Opset::kIOS16, ir::Opset::kIOS17, ir::Opset::kIOS18}) {
        if (opset < method.NeedOf(config).opset) continue;
        SCOPED_TRACE(fmt::format("{} {} {}", Text(config), DTypeName(dtype), ir::OpsetName(opset)));
        ir::Program program = NothingToCompress(dtype, opset);
        std::map<std::string, ir::Literal> restored;
        {
          passes::Rewriter rewriter(*program.functions[0]);
          const auto sites = FindSites(rewriter, StepOf(config));
          ASSERT_TRUE(sites.ok()) << sites.status().ToString();
          ASSERT_EQ(sites->size(), 2u);
          for (const Site& site : *sites) {
            ASSERT_TRUE(site.reason.empty()) << site.reason;
            const ir::Literal weight = *site.weight.value->literal;
            const std::string name = site.weight.value->name;
            const auto encoded =
                method.Encode(config, {.site = site, .weight = weight, .opset = opset});
            ASSERT_TRUE(encoded.ok()) << encoded.status().ToString();
            EXPECT_FALSE((*encoded)->form.empty());
            const auto values = (*encoded)->Restore(dtype);
            ASSERT_TRUE(values.ok()) << values.status().ToString();
            // The errors that it reports are those of these values.
            const std::vector<float> got = *values->AsFloats();
            const std::vector<float> original = *weight.AsFloats();
            double largest = 0;
            for (size_t i = 0; i < got.size(); ++i)
              largest = std::max(largest, std::abs(double{got[i]} - original[i]));
            EXPECT_NEAR((*encoded)->max_error, largest, 2e-3 * (1 + largest));
            EXPECT_GT((*encoded)->rms_error, 0);
            EXPECT_LE((*encoded)->rms_error, (*encoded)->max_error);
            restored.emplace(name, *values);
            int64_t bytes = 0;
            ASSERT_TRUE((*encoded)->Emit(rewriter, site, &bytes).ok());
            EXPECT_GT(bytes, 0);
            EXPECT_LT(bytes, static_cast<int64_t>(weight.bytes().size()));
          }
          rewriter.Finish();
        }
        ASSERT_TRUE(ir::Verify(program).ok()) << ir::Verify(program).ToString();
        ASSERT_TRUE(DecompressWeights(program).ok());
        const auto constants = Constants(program);
        for (const auto& [name, values] : restored) {
          ASSERT_TRUE(constants.contains(name)) << name;
          EXPECT_TRUE(constants.at(name) == values) << name;
        }
      }
    }
  }
}

// A palette over the values of a sparse weight: what decompresses is as far off as the report says.
// Scales and tables of integers multiply what is looked up there too.
TEST(Methods, PalettesOfSparseWeightsAreAsFarOffAsTheySay) {
  for (const PaletteConfig& palette :
       {PaletteConfig{.nbits = 6}, PaletteConfig{.nbits = 6, .enable_per_channel_scale = true},
        PaletteConfig{.nbits = 6, .lut_dtype = DType::kInt8},
        PaletteConfig{.nbits = 6, .enable_per_channel_scale = true, .lut_dtype = DType::kUInt8}}) {
    SCOPED_TRACE(Text(palette));
    ir::Program sparse = NothingToCompress(DType::kFp32, ir::Opset::kIOS18);
    ASSERT_TRUE(ApplyStep(sparse, StepOf(MagnitudeConfig{.target_sparsity = 0.5})).ok());
    ir::Program joint = NothingToCompress(DType::kFp32, ir::Opset::kIOS18);
    ASSERT_TRUE(ApplyStep(joint, StepOf(MagnitudeConfig{.target_sparsity = 0.5})).ok());
    WeightStep step = StepOf(palette);
    step.joint_compression = true;
    const auto report = ApplyStep(joint, step);
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    ASSERT_EQ(report->compressed.size(), 2u);
    ASSERT_TRUE(ir::Verify(joint).ok()) << ir::Verify(joint).ToString();
    ASSERT_TRUE(DecompressWeights(sparse).ok());
    ASSERT_TRUE(DecompressWeights(joint).ok());
    const auto before = Constants(sparse);
    const auto after = Constants(joint);
    for (const TensorRecord& tensor : report->compressed) {
      SCOPED_TRACE(tensor.name);
      ASSERT_TRUE(tensor.name.ends_with("_nonzero_data"));
      const std::string name = tensor.name.substr(0, tensor.name.find("_nonzero_data"));
      ASSERT_TRUE(before.contains(name) && after.contains(name));
      const std::vector<float> original = *before.at(name).AsFloats();
      const std::vector<float> got = *after.at(name).AsFloats();
      double largest = 0;
      for (size_t i = 0; i < got.size(); ++i)
        largest = std::max(largest, std::abs(double{got[i]} - original[i]));
      EXPECT_NEAR(largest, tensor.max_error, 1e-6);
      EXPECT_LT(largest, 0.1);
    }
  }
}

// The modes of the options: each asks for a setting of one method, and one that can be.
TEST(Methods, EachModeOfTheOptionsIsThatOfOneMethod) {
  CompressOptions options;
  const auto table = options::TableOf(options);
  const auto mode = std::ranges::find(table, "mode", &options::Option::name);
  ASSERT_NE(mode, table.end());
  ASSERT_GE(mode->choices.size(), 5u);
  options.target_sparsity = 0.5;
  for (const std::string_view name : mode->choices) {
    SCOPED_TRACE(name);
    options.mode = name;
    int taken = 0;
    for (const Method* method : Methods()) {
      const auto config = method->FromOptions(options);
      ASSERT_TRUE(config.ok()) << config.status().ToString();
      if (!*config) continue;
      ++taken;
      EXPECT_EQ(&(*config)->method(), method);
      EXPECT_TRUE(method->Check(**config).ok());
    }
    EXPECT_EQ(taken, 1);
  }
  options.mode = "prune";
  options.threshold = 0.1;
  EXPECT_FALSE(ThresholdPruning().FromOptions(options).ok());
  options.target_sparsity.reset();
  const auto threshold = ThresholdPruning().FromOptions(options);
  ASSERT_TRUE(threshold.ok() && threshold->has_value());
  EXPECT_EQ(threshold->value().As<ThresholdConfig>()->threshold, 0.1);
  options.threshold.reset();
  EXPECT_FALSE(MagnitudePruning().FromOptions(options).ok());
  options.nm = "2:4";
  const auto ratio = MagnitudePruning().FromOptions(options);
  ASSERT_TRUE(ratio.ok() && ratio->has_value());
  EXPECT_EQ(ratio->value().As<MagnitudeConfig>()->n_m_ratio, std::pair(int64_t{2}, int64_t{4}));
  options.nm = "2:x";
  EXPECT_FALSE(MagnitudePruning().FromOptions(options).ok());
}

// What the search tries can be done, and is told apart by its name.
TEST(Methods, FormsForTheSearch) {
  std::set<std::string> names;
  for (const Method* method : Methods()) {
    for (const SearchForm& form : method->SearchForms()) {
      SCOPED_TRACE(form.name);
      EXPECT_TRUE(names.insert(form.name).second);
      EXPECT_EQ(&form.config.method(), method);
      EXPECT_TRUE(method->Check(form.config).ok());
      EXPECT_GT(form.bits, 0);
      EXPECT_LT(form.bits, 16);
    }
  }
  EXPECT_GT(names.size(), 15u);
}

}  // namespace
}  // namespace anemone::compress
