// Runs the text tests of src/passes/*.mil (README.md beside this file has the syntax).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "exec/interpreter.h"
#include "expect_same.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "passes/pipeline.h"
#include "support/case_name.h"
#include "test_paths.h"

namespace anemone {
namespace {

namespace fs = std::filesystem;

struct PassCase {
  std::string file;
  std::string name;
  std::multimap<std::string, std::string> directives;
  std::string before;
  std::string after;  // empty: the same as before
};

std::vector<PassCase> ReadCases(const fs::path& path) {
  static const std::set<std::string> kKeys = {"case",   "pass", "values", "tolerance",
                                              "option", "note", "error"};
  std::vector<PassCase> cases;
  std::ifstream in(path);
  PassCase current;
  bool after = false;
  const auto flush = [&] {
    current.file = path.stem().string();
    if (!current.before.empty()) cases.push_back(current);
    current = PassCase();
    after = false;
  };
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("// -----")) {
      flush();
    } else if (line == "// after") {
      after = true;
    } else if (line.starts_with("//")) {
      const size_t colon = line.find(": ");
      const std::string key =
          colon == std::string::npos || colon < 3 ? "" : line.substr(3, colon - 3);
      if (!kKeys.contains(key)) continue;
      current.directives.emplace(key, line.substr(colon + 2));
      if (key == "case") current.name = line.substr(colon + 2);
    } else if (!line.empty()) {
      (after ? current.after : current.before) += line + "\n";
    }
  }
  flush();
  return cases;
}

std::vector<PassCase> AllCases() {
  std::vector<PassCase> cases;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(fs::path(test::kSourceDir) / "src" / "passes")) {
    if (entry.path().extension() == ".mil") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    for (PassCase& item : ReadCases(file)) cases.push_back(std::move(item));
  }
  return cases;
}

// Defaults as constants, names of inner values as numbers, no names of operations, large constants
// at their use.
std::string Canonical(const ir::Program& original, bool ignore_floats) {
  ir::Program program = ir::Clone(original);
  for (const auto& function : program.functions) {
    std::set<const ir::Value*> fixed(function->outputs().begin(), function->outputs().end());
    int next = 0;
    ir::ForEachOperation(*function->block, [&](ir::Operation& op) {
      op.attributes().erase("name");
      for (const auto& block : op.blocks()) {
        for (const auto& input : block->inputs()) input->name = "v" + std::to_string(next++);
      }
      for (const auto& output : op.outputs()) {
        if (op.is_const()) {
          output->name = "c" + std::to_string(next + 100000) + output->name;
          const bool is_float =
              output->literal->type().is_tensor() && IsFloat(output->literal->dtype());
          if (ignore_floats && is_float) {
            output->literal =
                std::make_shared<ir::Literal>(ir::Literal::Zeros(output->literal->type()));
          }
        } else if (!fixed.contains(output.get())) {
          output->name = "v" + std::to_string(next++);
        }
      }
      if (op.def() == nullptr || op.is_const()) return;
      // Defaults that one side spells out and the other omits.
      const ir::OpArgs args(op, function->opset);
      for (const ir::Param& param : op.def()->params) {
        if (args.Has(param.name) || function->opset < param.since) continue;
        const ir::Literal* value = args.ValueOf(param.name);
        if (value == nullptr) continue;
        op.attributes().emplace("default_" + std::string(param.name), *value);
      }
      // A given constant that equals the default is omitted.
      std::vector<std::string> redundant;
      for (const ir::Argument& argument : op.arguments()) {
        ir::Operation bare(op.type(), op.def());
        for (const ir::Argument& other : op.arguments()) {
          if (other.name != argument.name) bare.SetInputs(other.name, other.values);
        }
        const ir::OpArgs without(bare, function->opset);
        const ir::Literal* value = without.ValueOf(argument.name);
        const bool same = value != nullptr && argument.values.size() == 1 &&
                          argument.values[0]->is_const() && *argument.values[0]->literal == *value;
        if (!same) continue;
        op.attributes().emplace("default_" + argument.name, *value);
        redundant.push_back(argument.name);
      }
      for (const std::string& name : redundant) op.RemoveInput(name);
      std::ranges::sort(op.arguments(), {}, &ir::Argument::name);
    });
    passes::PassContext context;
    const std::vector<passes::Pass> all = passes::AllPasses();
    const auto dead_code = std::ranges::find(all, "dead_code_elimination", &passes::Pass::name);
    EXPECT_TRUE(dead_code->run(*function, context).ok());
  }
  return ir::PrintText(program, {.inline_elements = INT64_MAX});
}

Result<std::map<std::string, exec::Tensor>> SeededInputs(const ir::Function& function) {
  std::map<std::string, exec::Tensor> inputs;
  int seed = 1;
  for (const auto& input : function.inputs()) {
    const bool is_float = IsFloat(input->type.dtype());
    const std::string value = is_float ? fmt::format("{}(seed {})", input->type.ToString(), seed++)
                                       : fmt::format("{}(splat 1)", input->type.ToString());
    ANEMONE_ASSIGN(const ir::Literal literal, ir::ParseLiteral(value).At("input " + input->name));
    ANEMONE_ASSIGN(inputs[input->name], exec::Tensor::FromLiteral(literal));
  }
  return inputs;
}

// Runs both functions on the same inputs; adds what differs to the test's failures.
Status CompareRuns(const ir::Function& before, const ir::Function& after, double tolerance) {
  ANEMONE_ASSIGN(const auto inputs, SeededInputs(before));
  ANEMONE_ASSIGN(const auto wanted, exec::Interpret(before, inputs).At("before"));
  ANEMONE_ASSIGN(const auto got, exec::Interpret(after, inputs).At("after"));
  for (size_t i = 0; i < std::min(before.outputs().size(), after.outputs().size()); ++i) {
    EXPECT_EQ(before.outputs()[i]->name, after.outputs()[i]->name);
  }
  ExpectSame(wanted, got, tolerance);
  return {};
}

Result<passes::PassGroup> GroupOf(const PassCase& test) {
  passes::PipelineOptions options{.compute_precision = DType::kFp16, .float16 = {}};
  std::vector<std::string> keep;
  const auto [first, last] = test.directives.equal_range("option");
  for (auto it = first; it != last; ++it) {
    if (it->second.starts_with("keep ")) keep.push_back(it->second.substr(5));
    options.float16.half_inputs |= it->second == "half_inputs";
    options.float16.half_outputs |= it->second == "half_outputs";
  }
  if (!keep.empty()) {
    ANEMONE_ASSIGN(const auto patterns, passes::OperationPatterns::Parse(keep));
    options.float16.keep_float32 = [patterns](const ir::Operation& operation) {
      return patterns.Match(operation);
    };
  }
  passes::PassGroup group{"test", {}, false};
  std::vector<std::string> names;
  const auto [pass_first, pass_last] = test.directives.equal_range("pass");
  for (auto it = pass_first; it != pass_last; ++it) names.push_back(it->second);
  if (names.empty()) names.push_back(test.file);
  for (const std::string& name : names) {
    bool found = false;
    for (const passes::PassGroup& candidate : passes::Pipeline(options)) {
      for (const passes::Pass& pass : candidate.passes) {
        if (pass.name != name || found) continue;
        group.passes.push_back(pass);
        found = true;
      }
    }
    if (!found) return Usage("there is no pass {}", name);
  }
  return group;
}

class PassText : public ::testing::TestWithParam<PassCase> {};

TEST_P(PassText, Holds) {
  const PassCase& test = GetParam();
  ASSERT_FALSE(test.name.empty());
  const auto group = GroupOf(test);
  ASSERT_TRUE(group.ok()) << group.status().ToString();
  auto program = ir::ParseText(test.before);
  ASSERT_TRUE(program.ok()) << program.status().ToString();
  const ir::Program original = ir::Clone(*program);
  const auto report = passes::RunPasses(*program, std::span(&*group, 1));
  const auto error = test.directives.find("error");
  if (error != test.directives.end()) {
    ASSERT_FALSE(report.ok());
    EXPECT_NE(report.status().ToString().find(error->second), std::string::npos)
        << report.status().ToString();
    return;
  }
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  const auto wanted = ir::ParseText(test.after.empty() ? test.before : test.after);
  ASSERT_TRUE(wanted.ok()) << wanted.status().ToString();
  const bool ignore_floats = test.directives.contains("values");
  EXPECT_EQ(Canonical(*wanted, ignore_floats), Canonical(*program, ignore_floats))
      << "in full:\n"
      << ir::PrintText(*program);
  const auto tolerance = test.directives.find("tolerance");
  const double limit = tolerance == test.directives.end() ? 1e-5 : std::stod(tolerance->second);
  const Status run = CompareRuns(*original.functions[0], *program->functions[0], limit);
  EXPECT_TRUE(run.ok()) << run.ToString();
  const auto [first, last] = test.directives.equal_range("note");
  for (auto it = first; it != last; ++it) {
    std::string all;
    for (const passes::Note& note : report->notes) all += note.name + ": " + note.text + "\n";
    EXPECT_NE(all.find(it->second), std::string::npos) << "notes:\n" << all;
  }
}

std::string PassCaseName(const ::testing::TestParamInfo<PassCase>& info) {
  return test::CaseName(info.param.file, info.param.name, info.index);
}

INSTANTIATE_TEST_SUITE_P(Passes, PassText, ::testing::ValuesIn(AllCases()), PassCaseName);

// Every pass has its text tests.
TEST(Pipeline, EveryPassHasTextTests) {
  for (const passes::Pass& pass : passes::AllPasses()) {
    const fs::path file =
        fs::path(test::kSourceDir) / "src" / "passes" / (std::string(pass.name) + ".mil");
    EXPECT_TRUE(fs::exists(file)) << file;
  }
}

}  // namespace
}  // namespace anemone
