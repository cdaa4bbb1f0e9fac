// The traits of an operator's definition that the text tests can refute: whose sizes its result has,
// and how its elements follow from those of its first parameter.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "exec/interpreter.h"
#include "exec/tensor.h"
#include "ir/literal_parser.h"
#include "ir/op_def.h"
#include "ir/program.h"
#include "ir/text.h"
#include "mil_cases.h"

namespace anemone {
namespace {

using Tensors = std::map<std::string, exec::Tensor>;

// One case of one operator: its program, its inputs and its first result.
struct Ran {
  ir::Program program;
  const ir::Operation* operation = nullptr;
  const ir::Value* first =
      nullptr;  // the argument of the first parameter: an input of the function
  Tensors inputs;
  exec::Tensor result;
};

// The only operation of a function beside constants; null when there are more.
const ir::Operation* OnlyOperation(const ir::Function& function) {
  const ir::Operation* only = nullptr;
  for (const auto& operation : function.block->operations()) {
    if (operation->is_const()) continue;
    if (only != nullptr) return nullptr;
    only = operation.get();
  }
  return only;
}

std::optional<exec::Tensor> FirstResult(const ir::Function& function,
                                        const ir::Operation& operation, const Tensors& inputs) {
  Tensors state;
  const auto outputs = exec::Interpret(function, inputs, &state);
  if (!outputs.ok()) return std::nullopt;
  for (size_t i = 0; i < outputs->size(); ++i)
    if (function.outputs()[i] == operation.output(0)) return (*outputs)[i];
  return std::nullopt;
}

// The case as it runs; nullopt for one that is refused, has several operations, or gives the first
// parameter as a constant.
std::optional<Ran> RunOnce(const test::MilCase& test) {
  auto program = ir::ParseText(test.program);
  if (!program.ok() || program->functions.empty()) return std::nullopt;
  Ran ran;
  ran.program = std::move(*program);
  const ir::Function& function = *ran.program.functions[0];
  ran.operation = OnlyOperation(function);
  if (ran.operation == nullptr || ran.operation->def() == nullptr) return std::nullopt;
  const auto& params = ran.operation->def()->params;
  ran.first = params.empty() ? nullptr : ran.operation->Input(params.front().name);
  if (ran.first == nullptr) return std::nullopt;
  for (const test::Directive& directive : test.directives) {
    if (directive.key != "input") continue;
    const auto [name, rest] = test::SplitBinding(directive.text);
    const auto literal = ir::ParseLiteral(rest);
    if (!literal.ok()) return std::nullopt;
    auto tensor = exec::Tensor::FromLiteral(*literal);
    if (!tensor.ok()) return std::nullopt;
    ran.inputs[name] = std::move(*tensor);
  }
  if (!ran.inputs.contains(ran.first->name)) return std::nullopt;
  auto result = FirstResult(function, *ran.operation, ran.inputs);
  if (!result) return std::nullopt;
  ran.result = std::move(*result);
  return ran;
}

std::vector<double> Values(const exec::Tensor& tensor, DType dtype) {
  return *tensor.ToLiteral(dtype)->AsDoubles();
}

bool IsFloat32(const ir::Value* value) {
  return value->type.is_tensor() && value->type.dtype() == DType::kFp32;
}

// Whether every element lies within the range of the first argument; NaN says nothing.
bool LiesWithin(const Ran& ran) {
  const auto x = Values(ran.inputs.at(ran.first->name), ran.first->type.dtype());
  if (x.empty()) return true;
  const auto [low, high] = std::ranges::minmax(x);
  // Interpolation rounds.
  const double slack = 1e-3 * (1 + high - low);
  const auto result = Values(ran.result, ran.operation->output(0)->type.dtype());
  return std::ranges::all_of(
      result, [&](double value) { return !(value < low - slack || value > high + slack); });
}

// Whether twice the first argument gives twice the result.
std::optional<bool> Doubles(const Ran& ran) {
  Tensors inputs = ran.inputs;
  exec::Tensor& x = inputs.at(ran.first->name);
  std::vector<float> twice;
  for (const double value : Values(x, ran.first->type.dtype()))
    twice.push_back(static_cast<float>(2 * value));
  x = *exec::Tensor::FromLiteral(ir::Literal::Fp32s(std::move(twice), x.shape()));
  const auto doubled = FirstResult(*ran.program.functions[0], *ran.operation, inputs);
  if (!doubled) return std::nullopt;
  const DType dtype = ran.operation->output(0)->type.dtype();
  const auto want = Values(ran.result, dtype);
  const auto got = Values(*doubled, dtype);
  for (size_t i = 0; i < want.size(); ++i)
    if (std::abs(got[i] - 2 * want[i]) > 1e-3 * (1 + std::abs(want[i]))) return false;
  return true;
}

// What the cases of one operator say.
struct Found {
  int cases = 0;
  int other_sizes = 0;  // where the result does not have the sizes of the first argument
};

TEST(Traits, HoldInEveryTextTest) {
  std::map<std::string_view, Found> found;
  std::map<ir::ElementRule, std::set<std::string>> checked;
  for (const test::MilCase& test : test::AllCases()) {
    const std::optional<Ran> ran = RunOnce(test);
    if (!ran) continue;
    const ir::OpDef& def = *ran->operation->def();
    const std::string where = test.file + ": " + test.name;
    const ir::Shape& x = ran->inputs.at(ran->first->name).shape();
    Found& sums = found[def.name];
    ++sums.cases;
    sums.other_sizes += ran->result.shape() != x;
    if (def.traits.sizes == ir::SizeRule::kOfFirst) {
      EXPECT_EQ(ran->result.shape(), x) << where;
    }
    if (!IsFloat32(ran->first) || !IsFloat32(ran->operation->output(0))) continue;
    if (def.traits.elements == ir::ElementRule::kComputed) continue;
    if (def.traits.elements == ir::ElementRule::kOfFirst) {
      EXPECT_TRUE(LiesWithin(*ran)) << where;
    }
    EXPECT_TRUE(Doubles(*ran).value_or(true)) << where;
    checked[def.traits.elements].insert(std::string(def.name));
  }
  EXPECT_GT(checked[ir::ElementRule::kOfFirst].size(), 20U);
  EXPECT_GT(checked[ir::ElementRule::kScaleWithFirst].size(), 8U);
  // One that always has the sizes of its first argument and does not say so was forgotten.
  for (const auto& [name, sums] : found) {
    if (ir::FindOpDef(name)->traits.sizes != ir::SizeRule::kInferred) continue;
    EXPECT_TRUE(sums.cases < 4 || sums.other_sizes > 0) << name;
  }
}

}  // namespace
}  // namespace anemone
