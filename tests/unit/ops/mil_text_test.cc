// Runs the text tests of src/ops/*/*.mil (tests/unit/ops/README.md has the syntax): each case is
// one test, run through the reference interpreter and on the CPU backend.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <sstream>

#include "cpu/cpu_backend.h"
#include "exec/interpreter.h"
#include "ir/literal_parser.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "mil_cases.h"
#include "support/case_name.h"

namespace anemone {
namespace {

using test::Directive;
using Case = test::MilCase;
using test::SplitBinding;

Result<ir::Type> ParseTypeText(const std::string& text) {
  ir::TokenStream tokens(text);
  ANEMONE_TRY(tokens.Start());
  return ir::LiteralParser(tokens).ParseType();
}

// Empty when equal within tolerance, else the difference.
std::string Difference(const exec::Tensor& got, const ir::Literal& want,
                       std::optional<double> tolerance) {
  if (got.shape() != want.shape()) {
    return "shape " + ir::ShapeToString(got.shape()) + ", expected " +
           ir::ShapeToString(want.shape());
  }
  const auto expected = *want.AsDoubles();
  const auto actual = got.ToLiteral(want.dtype());
  if (!actual.ok()) return actual.status().ToString();
  const auto values = *actual->AsDoubles();
  double largest = 0;
  for (const double value : expected) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  const double relative = tolerance.value_or(want.dtype() == DType::kFp16 ? 2e-3 : 1e-6);
  const double limit = IsFloat(want.dtype()) ? relative * (1 + largest) : 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const bool same = values[i] == expected[i] ||
                      (std::isnan(values[i]) && std::isnan(expected[i])) ||
                      std::abs(values[i] - expected[i]) <= limit;
    if (!same)
      return fmt::format("element {} is {}, expected {} (limit {})", i, values[i], expected[i],
                         limit);
  }
  return "";
}

class MilText : public ::testing::TestWithParam<Case> {};

bool HasHalf(const ir::Function& function) {
  bool half = false;
  ir::ForEachOperation(*function.block, [&](const ir::Operation& operation) {
    for (const auto& output : operation.outputs()) half |= output->type.dtype() == DType::kFp16;
  });
  return half;
}

// The "expect" lines against the outputs.
Status CheckExpected(const Case& test, const ir::Function& function,
                     const std::map<std::string, exec::Tensor>& outputs,
                     std::optional<double> tolerance, const std::string& where,
                     std::vector<std::string>* differences) {
  for (const Directive& directive : test.directives) {
    if (directive.key != "expect") continue;
    const auto [name, rest] = SplitBinding(directive.text);
    ANEMONE_ASSIGN(const ir::Literal want, ir::ParseLiteral(rest).At("expect " + name));
    const auto found = outputs.find(name);
    if (found == outputs.end()) {
      differences->push_back(name + " is not an output" + where);
      continue;
    }
    for (const ir::Value* output : function.outputs()) {
      if (output->name != name || output->type.dtype() == want.dtype()) continue;
      differences->push_back(name + " is " + output->type.ToString() + ", expected " +
                             want.type().ToString());
    }
    const std::string difference = Difference(found->second, want, tolerance);
    if (!difference.empty()) differences->push_back(name + where + ": " + difference);
  }
  return {};
}

Status RunCase(const Case& test, std::vector<std::string>* differences) {
  ANEMONE_ASSIGN(const ir::Program program, ir::ParseText(test.program));
  if (program.functions.empty()) return InvalidInput("the case has no function");
  const ir::Function& function = *program.functions[0];

  // The printed text reads back as the same text.
  const std::string printed = ir::PrintText(program);
  ANEMONE_ASSIGN(const ir::Program again, ir::ParseText(printed));
  if (ir::PrintText(again) != printed)
    differences->push_back("the text form does not read back:\n" + printed);

  std::map<std::string, exec::Tensor> inputs;
  std::optional<double> tolerance;
  bool runs = false;
  for (const Directive& directive : test.directives) {
    const auto [name, rest] = SplitBinding(directive.text);
    if (directive.key == "tolerance") tolerance = std::stod(directive.text);
    if (directive.key == "input") {
      ANEMONE_ASSIGN(const ir::Literal literal, ir::ParseLiteral(rest).At("input " + name));
      ANEMONE_ASSIGN(inputs[name], exec::Tensor::FromLiteral(literal));
    }
    if (directive.key == "type") {
      ANEMONE_ASSIGN(const ir::Type want, ParseTypeText(rest).At("type " + name));
      bool found = false;
      for (const ir::Value* output : function.outputs()) {
        if (output->name != name) continue;
        found = true;
        if (!(output->type == want)) {
          differences->push_back(name + " is " + output->type.ToString() + ", expected " +
                                 want.ToString());
        }
      }
      if (!found) differences->push_back(name + " is not an output");
    }
    runs |= directive.key == "expect" || directive.key == "error";
  }
  if (!runs) return {};
  std::map<std::string, exec::Tensor> state;
  ANEMONE_ASSIGN(const auto outputs, exec::Interpret(function, inputs, &state));
  std::map<std::string, exec::Tensor> named;
  for (size_t i = 0; i < outputs.size(); ++i) named[function.outputs()[i]->name] = outputs[i];
  ANEMONE_TRY(CheckExpected(test, function, named, tolerance, "", differences));

  auto model = std::make_shared<ir::Model>();
  model->program = ir::Clone(program);
  const exec::LoadOptions options{.function = function.name, .threads = 2};
  ANEMONE_ASSIGN(auto executable, cpu::CpuBackend().Load(model, options));
  exec::State cpu_state;
  ANEMONE_ASSIGN(named, executable->Run(inputs, &cpu_state, nullptr));
  // The fast kernels sum in float32.
  if (!tolerance) tolerance = HasHalf(function) ? 2e-3 : 1e-5;
  ANEMONE_TRY(CheckExpected(test, function, named, tolerance, " (cpu)", differences));
  for (const auto& [name, tensor] : state) {
    const exec::Tensor& other = cpu_state[name];
    if (other.shape() != tensor.shape() ||
        std::memcmp(other.view().data, tensor.view().data, tensor.size_bytes()) != 0) {
      differences->push_back("state " + name + " differs on the CPU backend");
    }
  }
  return {};
}

TEST_P(MilText, Holds) {
  const Case& test = GetParam();
  ASSERT_FALSE(test.name.empty()) << test.file << ": a case without name:\n" << test.program;
  bool checks = false;
  std::string wanted_error;
  for (const Directive& directive : test.directives) {
    checks |= directive.key == "expect" || directive.key == "type" || directive.key == "error";
    if (directive.key == "error") wanted_error = directive.text;
  }
  ASSERT_TRUE(checks) << "the case checks nothing";
  std::vector<std::string> differences;
  const Status status = RunCase(test, &differences);
  if (!wanted_error.empty()) {
    ASSERT_FALSE(status.ok()) << "expected an error with '" << wanted_error << "'";
    EXPECT_NE(status.ToString().find(wanted_error), std::string::npos) << status.ToString();
    return;
  }
  ASSERT_TRUE(status.ok()) << status.ToString();
  for (const std::string& difference : differences) ADD_FAILURE() << difference;
}

std::string TestName(const ::testing::TestParamInfo<Case>& info) {
  return test::CaseName(info.param.file, info.param.name, info.index);
}

INSTANTIATE_TEST_SUITE_P(Ops, MilText, ::testing::ValuesIn(test::AllCases()), TestName);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(MilText);

}  // namespace
}  // namespace anemone
