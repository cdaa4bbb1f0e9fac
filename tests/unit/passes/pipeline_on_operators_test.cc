// The whole pipeline on every text test of the operators: each case computes the same as before,
// and in half precision it stays a legal program that runs. Finds rewrites that do not hold for
// some operator, dtype or op set.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "exec/interpreter.h"
#include "expect_same.h"
#include "ir/text.h"
#include "passes/pipeline.h"
#include "test_paths.h"

namespace anemone {
namespace {

namespace fs = std::filesystem;

struct Case {
  std::string name;
  std::string program;
  std::map<std::string, std::string> inputs;  // by name, as text
};

// The cases that are run with given inputs and no error.
std::vector<Case> CasesOf(const fs::path& path) {
  std::vector<Case> cases;
  std::ifstream in(path);
  Case current;
  bool wanted = true;
  std::string* open = nullptr;  // the directive that a comment line continues
  const auto flush = [&] {
    if (wanted && !current.program.empty()) cases.push_back(current);
    current = Case();
    wanted = true;
    open = nullptr;
  };
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("// -----")) {
      flush();
    } else if (line.starts_with("// input: ")) {
      const std::string text = line.substr(10);
      const size_t equals = text.find('=');
      std::string name = text.substr(0, equals);
      name.erase(name.find_last_not_of(' ') + 1);
      open = &(current.inputs[name] = text.substr(equals + 1));
    } else if (line.starts_with("// ")) {
      const size_t colon = line.find(':');
      const std::string key = colon == std::string::npos ? "" : line.substr(3, colon - 3);
      const bool directive =
          key == "case" || key == "expect" || key == "type" || key == "error" || key == "tolerance";
      if (key == "case") current.name = line.substr(colon + 2);
      if (key == "error") wanted = false;
      if (directive) open = nullptr;
      if (!directive && open != nullptr) *open += " " + line.substr(3);
    } else if (!line.starts_with("//") && !line.empty()) {
      current.program += line + "\n";
    }
  }
  flush();
  return cases;
}

using Outputs = std::vector<exec::Tensor>;

Result<Outputs> RunCase(const Case& test, const ir::Function& function) {
  std::map<std::string, exec::Tensor> inputs;
  for (const auto& [name, text] : test.inputs) {
    ANEMONE_ASSIGN(const ir::Literal literal, ir::ParseLiteral(text).At("input " + name));
    ANEMONE_ASSIGN(inputs[name], exec::Tensor::FromLiteral(literal));
  }
  std::map<std::string, exec::Tensor> state;
  return exec::Interpret(function, inputs, &state);
}

bool IsRandom(const ir::Program& program) {
  bool random = false;
  ir::ForEachOperation(*program.functions[0]->block, [&](const ir::Operation& op) {
    random |= op.type().starts_with("random_");
  });
  return random;
}

class PipelineOnOperators : public ::testing::TestWithParam<fs::path> {};

TEST_P(PipelineOnOperators, KeepsWhatTheyCompute) {
  int compared = 0;
  for (const Case& test : CasesOf(GetParam())) {
    SCOPED_TRACE(test.name);
    const auto program = ir::ParseText(test.program);
    ASSERT_TRUE(program.ok()) << program.status().ToString();
    const auto wanted = RunCase(test, *program->functions[0]);
    if (!wanted.ok()) continue;  // inference only: the case gives no inputs

    ir::Program optimized = ir::Clone(*program);
    const auto report = passes::Optimize(optimized);
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    for (const passes::Note& note : report->notes) ADD_FAILURE() << note.pass << ": " << note.text;
    if (IsRandom(*program)) continue;
    const auto got = RunCase(test, *optimized.functions[0]);
    ASSERT_TRUE(got.ok()) << got.status().ToString() << "\n" << ir::PrintText(optimized);
    ExpectSame(*wanted, *got, 1e-5);
    ++compared;

    ir::Program half = ir::Clone(*program);
    const auto in_half = passes::Optimize(half, {.compute_precision = DType::kFp16, .float16 = {}});
    ASSERT_TRUE(in_half.ok()) << in_half.status().ToString();
    const auto ran = RunCase(test, *half.functions[0]);
    ASSERT_TRUE(ran.ok()) << ran.status().ToString() << "\n" << ir::PrintText(half);
    ASSERT_EQ(ran->size(), wanted->size());
    for (size_t i = 0; i < ran->size(); ++i) {
      EXPECT_EQ((*ran)[i].dtype(), (*wanted)[i].dtype());
      EXPECT_EQ(half.functions[0]->outputs()[i]->name, program->functions[0]->outputs()[i]->name);
      EXPECT_EQ(half.functions[0]->outputs()[i]->type.dtype(),
                program->functions[0]->outputs()[i]->type.dtype());
    }
  }
  EXPECT_GT(compared, 0);
}

std::vector<fs::path> OperatorFiles() {
  std::vector<fs::path> files;
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(test::kSourceDir) / "src" / "ops")) {
    if (entry.path().extension() == ".mil") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string TestName(const ::testing::TestParamInfo<fs::path>& info) {
  std::string name =
      info.param.parent_path().filename().string() + "_" + info.param.stem().string();
  std::ranges::replace_if(
      name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Ops, PipelineOnOperators, ::testing::ValuesIn(OperatorFiles()), TestName);

}  // namespace
}  // namespace anemone
