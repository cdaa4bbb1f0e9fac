#include "lab/fidelity.h"

#include <nlohmann/json.hpp>

#include "lab/subgraph.h"
#include "lab_fixture.h"
#include "passes/float16.h"
#include "passes/pipeline.h"

namespace anemone::lab {
namespace {

Fidelity Diagnose(const std::shared_ptr<const ir::Model>& model, FidelityOptions options = {}) {
  const auto samples = Samples::Synthetic(*model, *model->program.main(), 2, 0);
  EXPECT_TRUE(samples.ok());
  auto found = DiagnoseFloat16(cpu::CpuBackend(), model, *samples, options);
  EXPECT_TRUE(found.ok()) << found.error().ToString();
  return std::move(found).value();
}

// The facade's conversion, in short.
FidelityOptions Converting() {
  FidelityOptions options;
  options.to_float16 =
      [](const ir::Model& single,
         const std::set<std::string>& keep) -> Result<std::shared_ptr<const ir::Model>> {
    auto copy = std::make_shared<ir::Model>(CloneModel(single));
    passes::PipelineOptions pipeline;
    pipeline.compute_precision = DType::kFp16;
    pipeline.float16.keep_float32 = [keep](const ir::Operation& operation) {
      return keep.contains(operation.name());
    };
    ANEMONE_ASSIGN(const auto ran, passes::Optimize(copy->program, pipeline, {}));
    static_cast<void>(ran);
    return std::shared_ptr<const ir::Model>(std::move(copy));
  };
  return options;
}

constexpr const char* kOverflowing = R"(
  func main<ios16>(tensor<fp32, [1, 64]> x) {
    small = tanh(x = x)[name = "small"];
    squared = mul(x = x, y = 300.0)[name = "scaled"];
    large = mul(x = squared, y = squared)[name = "large.one"];
    root = mul(x = large, y = 0.00001)[name = "back"];
    y = add(x = root, y = small)[name = "sum"];
  } -> (y);)";

TEST(Fidelity, FindsTheFirstOperatorBeyondHalfsRange) {
  const Fidelity found = Diagnose(test::ParseModel(kOverflowing));
  EXPECT_EQ(found.first_overflow, "large.one");
  EXPECT_TRUE(found.first_not_a_number.empty());
  EXPECT_FALSE(found.passed);
  ASSERT_FALSE(found.dominant.empty());
  EXPECT_EQ(found.dominant[0], "large.one");
  const auto row = std::ranges::find(found.operators, "large.one", &OperatorFidelity::name);
  ASSERT_NE(row, found.operators.end());
  EXPECT_GT(row->largest, 65504);
  EXPECT_GT(row->overflowing, 0);
  // Operators after it suffer the error but do not cause it.
  const auto after = std::ranges::find(found.operators, "back", &OperatorFidelity::name);
  ASSERT_NE(after, found.operators.end());
  EXPECT_EQ(after->added, 0);
}

TEST(Fidelity, TheListToKeepBringsTheOutputsBack) {
  const auto model = test::ParseModel(kOverflowing);
  const FidelityOptions options = Converting();
  const Fidelity found = Diagnose(model, options);
  EXPECT_FALSE(found.passed);
  ASSERT_FALSE(found.keep_float32.empty());
  EXPECT_TRUE(found.kept_passed);
  // A pattern, matched in full: the dot of the name stands for itself.
  EXPECT_EQ(found.keep_float32[0], "large\\.one");
  ASSERT_EQ(found.kept_outputs.size(), 1u);
  EXPECT_EQ(found.kept_outputs[0].parity.non_finite, 0);
  const auto json = nlohmann::json::parse(FidelityJson(found));
  EXPECT_EQ(json["first_overflow"], "large.one");
  EXPECT_EQ(json["keep_float32_passed"], true);
}

TEST(Fidelity, FindsWhatGivesNoNumber) {
  const Fidelity found = Diagnose(test::ParseModel(R"(
    func main<ios16>(tensor<fp32, [1, 64]> x) {
      a = sqrt(x = x)[name = "root"];
      y = add(x = a, y = x)[name = "sum"];
    } -> (y);)"));
  EXPECT_EQ(found.first_not_a_number, "root");
  EXPECT_FALSE(found.passed);
}

TEST(Fidelity, AWellBehavedModelPassesAndKeepsNothing) {
  const auto model = test::ParseModel(kClassifier);
  const Fidelity found = Diagnose(model, Converting());
  EXPECT_TRUE(found.passed);
  EXPECT_TRUE(found.first_overflow.empty());
  EXPECT_TRUE(found.keep_float32.empty());
  EXPECT_FALSE(found.operators.empty());
  for (const OperatorFidelity& row : found.operators) {
    EXPECT_GT(row.error, 0) << row.name;
    EXPECT_LT(row.error, 0.01) << row.name;
  }
}

}  // namespace
}  // namespace anemone::lab
