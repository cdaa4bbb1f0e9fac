#include "lab/sensitivity.h"

#include <cmath>

#include "lab/subgraph.h"
#include "lab_fixture.h"

namespace anemone::lab {
namespace {

TEST(Subgraph, PrefixAndRestGiveWhatTheWholeGives) {
  const auto model = test::ParseModel(kClassifier);
  const OperationOrder order(*model->program.main());
  const auto samples = Samples::Synthetic(*model, *model->program.main(), 1, 5);
  ASSERT_TRUE(samples.ok());
  const auto whole = cpu::CpuBackend().Load(model, {});
  ASSERT_TRUE(whole.ok());
  const auto wanted = (*whole)->Run(samples->at(0), nullptr, nullptr);
  ASSERT_TRUE(wanted.ok());
  for (size_t cut = 1; cut < order.size(); ++cut) {
    const auto first = Extract(order, 0, cut);
    const auto rest = Extract(order, cut, order.size());
    ASSERT_TRUE(first.ok()) << first.error().ToString();
    ASSERT_TRUE(rest.ok()) << rest.error().ToString();
    EXPECT_EQ(first->outputs.size(), order.LiveBefore(cut).size()) << cut;
    const auto first_executable = cpu::CpuBackend().Load(first->model, {});
    const auto rest_executable = cpu::CpuBackend().Load(rest->model, {});
    ASSERT_TRUE(first_executable.ok() && rest_executable.ok()) << cut;
    const auto middle = (*first_executable)->Run(samples->at(0), nullptr, nullptr);
    ASSERT_TRUE(middle.ok()) << middle.error().ToString();
    const auto got = (*rest_executable)->Run(*middle, nullptr, nullptr);
    ASSERT_TRUE(got.ok()) << got.error().ToString();
    ParityMeter meter;
    ASSERT_TRUE(meter.Add(wanted->at("logits").view(), got->at("logits").view()).ok());
    EXPECT_LT(meter.Result().linf_relative, 1e-5) << cut;
  }
}

TEST(Subgraph, StatesAreRefused) {
  const auto program = ir::ParseText(R"(
    func main<ios18>(tensor<fp32, [2]> x, state<tensor<fp16, [2]>> s) {
      y = relu(x = x);
    } -> (y);)");
  ASSERT_TRUE(program.ok()) << program.error().ToString();
  const OperationOrder order(*program->main());
  const auto part = Extract(order, 0, 1);
  ASSERT_FALSE(part.ok());
  EXPECT_EQ(part.error().code(), ErrorCode::kUnsupported);
}

class SensitivityTest : public ::testing::Test {
 protected:
  SensitivityTest() : subject_(SubjectOf()) {
    options_.forms = FormsOf(ir::Opset::kIOS18);
    options_.samples = 4;
    options_.threads = 1;
  }
  LabSubject subject_;
  SensitivityOptions options_;
};

// The pass must give the same as a full run of the network with only this weight compressed.
TEST_F(SensitivityTest, EqualsFullRunsOfOneCompressedWeight) {
  const auto found = MeasureSensitivity(subject_, options_);
  ASSERT_TRUE(found.ok()) << found.error().ToString();
  ASSERT_EQ(found->size(), 3u);
  EXPECT_EQ((*found)[0].weight, "w1");
  EXPECT_EQ((*found)[0].setting, "first");
  EXPECT_EQ((*found)[2].operator_type, "linear");
  int compared = 0;
  for (const WeightSensitivity& weight : *found) {
    ASSERT_EQ(weight.forms.size(), options_.forms.size());
    for (size_t i = 0; i < weight.forms.size(); ++i) {
      const FormCost& cost = weight.forms[i];
      if (!cost.possible) continue;
      compress::WeightStep step;
      step.op_name_configs[weight.setting] = options_.forms[i].config;
      const auto direct = MeasureVariant(subject_, {.weights = {step}}, {.threads = 1});
      ASSERT_TRUE(direct.ok()) << direct.error().ToString();
      EXPECT_NEAR(cost.loss, direct->loss, 1e-3 * direct->loss + 1e-9)
          << weight.weight << " " << cost.form;
      ++compared;
    }
  }
  EXPECT_GT(compared, 20);
}

// Forms that learn: the pass gathers in front of one operator the same as a full run, and not from
// the samples that judge.
TEST(SensitivityOfLearnedForms, EqualsFullRunsAndLearnsFromTheOthersOnly) {
  const LabSubject subject = SubjectOf(kClassifier, 4, 6);
  SensitivityOptions options;
  options.forms = FormsOf(ir::Opset::kIOS18, true);
  EXPECT_GT(options.forms.size(), FormsOf(ir::Opset::kIOS18).size() + 5);
  options.samples = 4;
  options.threads = 1;
  const auto found = MeasureSensitivity(subject, options);
  ASSERT_TRUE(found.ok()) << found.error().ToString();
  int learned = 0;
  for (const WeightSensitivity& weight : *found) {
    for (size_t i = 0; i < weight.forms.size(); ++i) {
      const FormCost& cost = weight.forms[i];
      if (!cost.possible || !compress::NeedsData(options.forms[i].config)) continue;
      compress::WeightStep step;
      step.op_name_configs[weight.setting] = options.forms[i].config;
      const auto direct = MeasureVariant(subject, {.weights = {step}}, {.threads = 1});
      ASSERT_TRUE(direct.ok()) << direct.error().ToString();
      EXPECT_NEAR(cost.loss, direct->loss, 1e-3 * direct->loss + 1e-9)
          << weight.weight << " " << cost.form;
      ++learned;
    }
  }
  EXPECT_GT(learned, 12);
  // Other samples to learn from give another outcome, though the same samples judge.
  const auto other = MeasureSensitivity(SubjectOf(kClassifier, 4, 6, 99), options);
  ASSERT_TRUE(other.ok());
  int different = 0;
  for (size_t w = 0; w < found->size(); ++w) {
    for (size_t i = 0; i < options.forms.size(); ++i) {
      const FormCost& a = (*found)[w].forms[i];
      const FormCost& b = (*other)[w].forms[i];
      if (compress::NeedsData(options.forms[i].config)) {
        different += a.loss != b.loss ? 1 : 0;
      } else {
        EXPECT_EQ(a.loss, b.loss) << a.form;
      }
    }
  }
  EXPECT_GT(different, learned / 2);
}

TEST(SensitivityOfLearnedForms, NothingToLearnFromIsAnError) {
  SensitivityOptions options;
  options.forms = FormsOf(ir::Opset::kIOS18, true);
  const auto found = MeasureSensitivity(SubjectOf(), options);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code(), ErrorCode::kUsage);
}

TEST_F(SensitivityTest, FewerBitsCostMoreAndTakeLess) {
  const auto found = MeasureSensitivity(subject_, options_);
  ASSERT_TRUE(found.ok());
  for (const WeightSensitivity& weight : *found) {
    std::map<std::string, FormCost> by_name;
    for (const FormCost& cost : weight.forms) by_name[cost.form] = cost;
    // With 1 bit there is nothing left to compare.
    const char* names_by_bits[] = {"palette 8", "palette 6", "palette 4", "palette 2"};
    for (int i = 1; i < 4; ++i) {
      EXPECT_LT(by_name[names_by_bits[i]].bytes, by_name[names_by_bits[i - 1]].bytes)
          << weight.weight;
      EXPECT_GT(by_name[names_by_bits[i]].loss, by_name[names_by_bits[i - 1]].loss)
          << weight.weight;
      EXPECT_LT(by_name[names_by_bits[i]].snr_db, by_name[names_by_bits[i - 1]].snr_db)
          << weight.weight;
    }
  }
}

TEST_F(SensitivityTest, ThreadsDoNotMatter) {
  const auto one = MeasureSensitivity(subject_, options_);
  options_.threads = 3;
  const auto three = MeasureSensitivity(subject_, options_);
  ASSERT_TRUE(one.ok() && three.ok());
  for (size_t i = 0; i < one->size(); ++i)
    EXPECT_EQ(SensitivityJson((*one)[i]), SensitivityJson((*three)[i]));
}

TEST_F(SensitivityTest, InterruptedAndResumedFindsTheSame) {
  const auto whole = MeasureSensitivity(subject_, options_);
  ASSERT_TRUE(whole.ok());
  std::map<std::string, std::string> notes;
  options_.store = [&](const WeightSensitivity& weight) -> Status {
    notes[weight.weight] = SensitivityJson(weight);
    return {};
  };
  options_.cancelled = [&] { return notes.size() >= 2; };
  const auto cut = MeasureSensitivity(subject_, options_);
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.error().code(), ErrorCode::kCancelled);
  EXPECT_EQ(notes.size(), 2u);
  int asked = 0;
  options_.cancelled = {};
  options_.find = [&](const std::string& weight) -> Result<std::optional<WeightSensitivity>> {
    const auto found = notes.find(weight);
    if (found == notes.end()) return std::optional<WeightSensitivity>();
    ++asked;
    ANEMONE_ASSIGN(auto known, ParseSensitivity(found->second));
    return std::optional(std::move(known));
  };
  const auto resumed = MeasureSensitivity(subject_, options_);
  ASSERT_TRUE(resumed.ok());
  EXPECT_EQ(asked, 2);
  ASSERT_EQ(resumed->size(), whole->size());
  for (size_t i = 0; i < whole->size(); ++i)
    EXPECT_EQ(SensitivityJson((*whole)[i]), SensitivityJson((*resumed)[i]));
}

TEST(Sensitivity, ASharedWeightIsNamedByItself) {
  const LabSubject subject = SubjectOf(R"(
    func main<ios16>(tensor<fp32, [1, 64]> x) {
      w = const()[val = tensor<fp32, [64, 64]>(seed 1), name = "w"];
      bias = const()[val = tensor<fp32, [64]>(seed 2)];
      a = linear(x = x, weight = w, bias = bias)[name = "one"];
      b = tanh(x = a);
      y = linear(x = b, weight = w, bias = bias)[name = "two"];
    } -> (y);)");
  SensitivityOptions options;
  options.forms = FormsOf(ir::Opset::kIOS16);
  const auto found = MeasureSensitivity(subject, options);
  ASSERT_TRUE(found.ok()) << found.error().ToString();
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ((*found)[0].setting, "w");
  for (const FormCost& cost : (*found)[0].forms) EXPECT_GT(cost.loss, 0) << cost.form;
}

TEST(Sensitivity, NoFormsBeforeIos16AndNotJustAnyText) {
  EXPECT_TRUE(FormsOf(ir::Opset::kIOS15).empty());
  EXPECT_LT(FormsOf(ir::Opset::kIOS16).size(), FormsOf(ir::Opset::kIOS18).size());
  EXPECT_FALSE(ParseSensitivity("[]").ok());
  EXPECT_FALSE(ParseSensitivity(R"({"weight": 3})").ok());
}

}  // namespace
}  // namespace anemone::lab
