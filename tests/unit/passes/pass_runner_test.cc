#include "passes/pass_runner.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ir/builder.h"
#include "ir/text.h"
#include "passes/pipeline.h"
#include "passes/rewriter.h"
#include "support/mil_program.h"

namespace anemone::passes {
namespace {

constexpr std::string_view kTwoFunctions = R"(
  func main<ios15>(tensor<fp32, [2]> x) { y = identity(x = x); z = relu(x = y); } -> (z);
  func other<ios16>(tensor<fp32, [3]> x) { y = identity(x = x); z = tanh(x = y); } -> (z);
)";

// Reports that it changed the function the first `times` it runs, but does nothing.
Pass Counting(std::string_view name, int times, int* runs) {
  return {name, "",
          [times, runs](ir::Function&, PassContext&) -> Result<bool> { return ++*runs <= times; }};
}

TEST(RunPasses, ToAFixpointOrOnce) {
  ir::Program program =
      test::ParseProgram("func main<ios15>(tensor<fp32, [2]> x) { y = relu(x = x); } -> (y);");
  int runs = 0;
  const PassGroup fixpoint{"group", {Counting("a", 3, &runs)}, true};
  const auto report = RunPasses(program, std::span(&fixpoint, 1));
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(runs, 4);
  ASSERT_EQ(report->passes.size(), 1u);
  EXPECT_EQ(report->passes[0].name, "a");
  EXPECT_EQ(report->passes[0].runs, 4);
  EXPECT_EQ(report->passes[0].changes, 3);
  EXPECT_GE(report->passes[0].time_ns, 0);
  runs = 0;
  const PassGroup once{"group", {Counting("a", 3, &runs)}, false};
  ASSERT_TRUE(RunPasses(program, std::span(&once, 1)).ok());
  EXPECT_EQ(runs, 1);
}

TEST(RunPasses, PassesThatUndoOneAnotherEnd) {
  ir::Program program =
      test::ParseProgram("func main<ios15>(tensor<fp32, [2]> x) { y = relu(x = x); } -> (y);");
  int runs = 0;
  const PassGroup group{"quarrel", {Counting("a", 1'000'000, &runs)}, true};
  const auto report = RunPasses(program, std::span(&group, 1), {.max_rounds = 5});
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(runs, 5);
  ASSERT_EQ(report->notes.size(), 1u);
  EXPECT_EQ(report->notes[0].pass, "quarrel");
  EXPECT_NE(report->notes[0].text.find("5 rounds"), std::string::npos);
}

TEST(RunPasses, EveryFunction) {
  ir::Program program = test::ParseProgram(kTwoFunctions);
  const auto groups = CleanupPipeline();
  ASSERT_TRUE(RunPasses(program, groups).ok());
  for (const auto& function : program.functions)
    EXPECT_EQ(function->block->operations().size(), 1u);
}

TEST(RunPasses, DisabledByName) {
  ir::Program program = test::ParseProgram(kTwoFunctions);
  const auto groups = CleanupPipeline();
  const auto report = RunPasses(program, groups, {.disabled = {"noop_elimination"}});
  ASSERT_TRUE(report.ok());
  for (const PassRecord& record : report->passes) EXPECT_NE(record.name, "noop_elimination");
  for (const auto& function : program.functions)
    EXPECT_EQ(function->block->operations().size(), 2u);
  const auto unknown = RunPasses(program, groups, {.disabled = {"no_such_pass"}});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code(), ErrorCode::kUsage);
  EXPECT_NE(unknown.error().advice().find("noop_elimination"), std::string::npos);
}

TEST(RunPasses, StopsWhenAsked) {
  ir::Program program = test::ParseProgram(kTwoFunctions);
  int asked = 0;
  const auto groups = Pipeline();
  const auto report =
      RunPasses(program, groups, {.progress = [&](std::string_view) { return ++asked <= 3; }});
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), ErrorCode::kCancelled);
  EXPECT_EQ(asked, 4);
}

TEST(RunPasses, APassThatBreaksTheProgramIsNamed) {
  ir::Program program =
      test::ParseProgram("func main<ios15>(tensor<fp32, [2]> x) { y = relu(x = x); } -> (y);");
  const Pass breaker{"breaker", "", [](ir::Function& function, PassContext&) -> Result<bool> {
                       function.block->operations()[0]->output()->type =
                           ir::Type::Tensor(DType::kFp32, {7});
                       return true;
                     }};
  const PassGroup group{"group", {breaker}, false};
  const auto report = RunPasses(program, std::span(&group, 1));
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code(), ErrorCode::kInternal);
  EXPECT_EQ(report.error().place(), "pass breaker");
  EXPECT_TRUE(RunPasses(program, std::span(&group, 1), {.verify = false}).ok());
}

TEST(RunPasses, AnErrorHasThePassAsPlace) {
  ir::Program program =
      test::ParseProgram("func main<ios15>(tensor<fp32, [2]> x) { y = relu(x = x); } -> (y);");
  const Pass failing{"failing", "", [](ir::Function&, PassContext&) -> Result<bool> {
                       return InvalidInput("no good");
                     }};
  const PassGroup group{"group", {failing}, false};
  const auto report = RunPasses(program, std::span(&group, 1));
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().ToString(), "pass failing: no good");
}

TEST(Pipeline, NamesAreUniqueAndSorted) {
  const auto all = AllPasses();
  for (size_t i = 1; i < all.size(); ++i) EXPECT_LT(all[i - 1].name, all[i].name);
  for (const Pass& pass : all) EXPECT_FALSE(pass.summary.empty()) << pass.name;
}

TEST(Pipeline, SecondRunChangesNothing) {
  ir::Program program = test::ParseProgram(R"(
    func main<ios16>(tensor<fp32, [1, 3, 8, 8]> x) {
      a = conv(x = x, weight = tensor<fp32, [4, 3, 3, 3]>(seed 1), pad_type = "same");
      b = batch_norm(x = a, mean = tensor<fp32, [4]>(seed 2), variance = [1.0, 2.0, 3.0, 4.0]);
      c = sigmoid(x = b);
      d = mul(x = b, y = c);
      e = reduce_mean(x = d, axes = [2, 3], keep_dims = false);
      y = matmul(x = e, y = tensor<fp32, [4, 5]>(seed 3));
    } -> (y);)");
  ASSERT_TRUE(Optimize(program).ok());
  const std::string text = ir::PrintText(program);
  const auto again = Optimize(program);
  ASSERT_TRUE(again.ok());
  for (const PassRecord& record : again->passes) EXPECT_EQ(record.changes, 0) << record.name;
  EXPECT_EQ(ir::PrintText(program), text);
}

TEST(OperationPatterns, MatchTypesAndNamesAndMustMatchSomething) {
  ir::Program program = test::ParseProgram(R"(
    func main<ios15>(tensor<fp32, [2]> x) { head_1 = relu(x = x); y = softmax(x = head_1, axis = 0); } -> (y);)");
  const auto& operations = program.functions[0]->block->operations();
  const ir::Operation* relu = nullptr;
  const ir::Operation* softmax = nullptr;
  for (const auto& op : operations) {
    if (op->type() == "relu") relu = op.get();
    if (op->type() == "softmax") softmax = op.get();
  }
  const auto by_type = OperationPatterns::Parse({"soft.*"});
  ASSERT_TRUE(by_type.ok());
  EXPECT_TRUE(by_type->Match(*softmax));
  EXPECT_FALSE(by_type->Match(*relu));
  EXPECT_TRUE(by_type->CheckEachMatches(program).ok());
  const auto by_name = OperationPatterns::Parse({"haed_1", "head_[0-9]"});
  ASSERT_TRUE(by_name.ok());
  EXPECT_TRUE(by_name->Match(*relu));
  EXPECT_FALSE(by_name->Match(*softmax));
  const Status unmatched = by_name->CheckEachMatches(program);
  ASSERT_FALSE(unmatched.ok());
  EXPECT_EQ(unmatched.error().code(), ErrorCode::kUsage);
  EXPECT_NE(unmatched.error().message().find("'haed_1'"), std::string::npos);
  EXPECT_NE(unmatched.error().advice().find("did you mean 'head_1'"), std::string::npos);
  const auto bad = OperationPatterns::Parse({"("});
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().code(), ErrorCode::kUsage);
  const auto exact = OperationPatterns::Parse(
      {OperationPatterns::Of("head_1"), OperationPatterns::Of("a.b(c)\\d")});
  ASSERT_TRUE(exact.ok());
  EXPECT_TRUE(exact->Match(*relu));
}

TEST(Rewriter, CountsUsesAsTheyChange) {
  ir::Program program = test::ParseProgram(R"(
    func main<ios15>(tensor<fp32, [2]> x) { a = relu(x = x); b = tanh(x = a); y = add(x = a, y = b); } -> (y);)");
  ir::Function& function = *program.functions[0];
  Rewriter rewriter(function);
  ir::Operation* relu = nullptr;
  ir::Operation* tanh = nullptr;
  for (ir::Operation* op : rewriter.operations()) {
    if (op->type() == "relu") relu = op;
    if (op->type() == "tanh") tanh = op;
  }
  EXPECT_EQ(rewriter.UseCount(relu->output()), 2u);
  EXPECT_EQ(rewriter.OnlyUser(relu->output()), nullptr);
  EXPECT_EQ(rewriter.OnlyUser(tanh->output())->type(), "add");
  // b becomes a: tanh goes, and a is used twice by the sum alone.
  ASSERT_TRUE(rewriter.CanReplace(tanh->output(), relu->output()));
  rewriter.Replace(tanh->output(), relu->output());
  EXPECT_TRUE(rewriter.IsDead(*tanh));
  EXPECT_EQ(rewriter.UseCount(relu->output()), 2u);
  EXPECT_FALSE(rewriter.CanReplace(function.outputs()[0], function.inputs()[0].get()));
  EXPECT_TRUE(rewriter.Finish());
  EXPECT_EQ(function.block->operations().size(), 2u);
}

}  // namespace
}  // namespace anemone::passes
