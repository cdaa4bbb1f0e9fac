#include "facade/convert.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "ir/text.h"
#include "passes/pipeline.h"
#include "support/mil_program.h"

namespace anemone::facade {
namespace {

ir::Model ModelOf(std::string_view text) {
  ir::Model model;
  model.program = test::ParseProgram(text);
  return model;
}

constexpr std::string_view kNet = R"(
  func main<ios15>(tensor<fp32, [2]> x) { y = identity(x = x); z = relu(x = y); } -> (z);
)";

TEST(ConvertTest, ProgressNamesEachPassAsItRuns) {
  ir::Model model = ModelOf(kNet);
  ConvertOptions options;
  options.compute_precision = "float16";
  std::vector<std::string> named;
  const auto progress = [&](std::string_view pass) {
    named.emplace_back(pass);
    return true;
  };
  ConvertReport report;
  ASSERT_TRUE(Convert(model, options, &report, progress).ok());
  std::set<std::string> known;
  for (const passes::Pass& pass : passes::AllPasses()) known.emplace(pass.name);
  for (const std::string& name : named) EXPECT_TRUE(known.contains(name)) << name;
  // Every pass of the report was named, in the order of the first runs.
  std::vector<std::string> first_runs;
  for (const std::string& name : named) {
    const bool seen = std::find(first_runs.begin(), first_runs.end(), name) != first_runs.end();
    if (!seen) first_runs.push_back(name);
  }
  std::vector<std::string> reported;
  for (const ConvertReport::Pass& pass : report.passes) reported.push_back(pass.name);
  EXPECT_EQ(first_runs, reported);
  EXPECT_TRUE(std::find(named.begin(), named.end(), "float16") != named.end());
}

TEST(ConvertTest, ProgressThatReturnsFalseCancelsAtThatPass) {
  ir::Model model = ModelOf(kNet);
  const auto progress = [](std::string_view pass) { return pass != "noop_elimination"; };
  const Status status = Convert(model, {}, nullptr, progress);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kCancelled);
  EXPECT_EQ(status.error().place(), "pass noop_elimination");
}

}  // namespace
}  // namespace anemone::facade
