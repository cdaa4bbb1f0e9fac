// Every operator with each of its operands constant or given at run time, and with each dtype that its
// parameters allow: the executor agrees with the reference interpreter, and the interpreter with
// itself. Samples are taken from the operators' text tests, so that an operator is covered once it has
// one that runs; one without fails here.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "cpu/cpu_backend.h"
#include "exec/interpreter.h"
#include "ir/builder.h"
#include "ir/literal_parser.h"
#include "ir/text.h"
#include "mil_cases.h"
#include "param_types.h"

namespace anemone {
namespace {

using Tensors = std::map<std::string, exec::Tensor>;

constexpr size_t kSamplesEach = 6;      // of one operator
constexpr size_t kRetypedEach = 3;      // of them with other dtypes too
constexpr size_t kMaxAssignments = 24;  // of dtypes, for one sample
constexpr int64_t kMaxElements = 4096;

struct Argument {
  const ir::Param* param = nullptr;
  std::vector<ir::Literal> literals;
};

// One operation on known values.
struct Sample {
  const ir::OpDef* def = nullptr;
  ir::Opset opset = ir::Opset::kIOS15;
  std::vector<Argument> arguments;
  std::string origin;
};

// Operators that a kernel computes from tensors alone, and nothing else.
bool IsCovered(const ir::OpDef& def) {
  return def.traits.run_by == ir::RunBy::kKernel && def.pure() && !def.constexpr_op;
}

// The literal that a value had when its function ran.
std::optional<ir::Literal> LiteralOf(const ir::Value& value,
                                     const std::map<const ir::Value*, exec::Tensor>& seen) {
  if (value.is_const()) return *value.literal;
  const auto found = seen.find(&value);
  if (found == seen.end() || !value.type.is_tensor()) return std::nullopt;
  auto literal = found->second.ToLiteral(value.type.dtype());
  if (!literal.ok()) return std::nullopt;
  return *literal;
}

std::optional<Sample> SampleOf(const ir::Operation& operation, ir::Opset opset,
                               const std::map<const ir::Value*, exec::Tensor>& seen) {
  if (operation.def() == nullptr || !IsCovered(*operation.def())) return std::nullopt;
  Sample sample{operation.def(), opset, {}, {}};
  for (const ir::Argument& argument : operation.arguments()) {
    Argument taken{operation.def()->FindParam(argument.name), {}};
    if (taken.param == nullptr) return std::nullopt;
    for (const ir::Value* value : argument.values) {
      auto literal = LiteralOf(*value, seen);
      if (!literal || literal->element_count() > kMaxElements) return std::nullopt;
      taken.literals.push_back(std::move(*literal));
    }
    sample.arguments.push_back(std::move(taken));
  }
  return sample;
}

// The samples of one text case that runs.
void Collect(const test::MilCase& test, std::map<std::string, std::vector<Sample>>* samples) {
  auto program = ir::ParseText(test.program);
  if (!program.ok() || program->functions.empty()) return;
  const ir::Function& function = *program->functions[0];
  Tensors inputs;
  std::map<const ir::Value*, exec::Tensor> seen;
  for (const test::Directive& directive : test.directives) {
    if (directive.key == "error") return;
    if (directive.key != "input") continue;
    const auto [name, rest] = test::SplitBinding(directive.text);
    const auto literal = ir::ParseLiteral(rest);
    if (!literal.ok()) return;
    auto tensor = exec::Tensor::FromLiteral(*literal);
    if (!tensor.ok()) return;
    for (const auto& input : function.inputs()) {
      if (input->name == name) seen[input.get()] = *tensor;
    }
    inputs[name] = std::move(*tensor);
  }
  exec::InterpretOptions options;
  options.observe = [&](const ir::Operation& operation, const std::vector<exec::Tensor>& outputs) {
    for (size_t i = 0; i < outputs.size(); ++i) seen[operation.output(i)] = outputs[i];
  };
  exec::State state;
  if (!exec::Interpret(function, inputs, &state, options).ok()) return;
  for (const auto& operation : function.block->operations()) {
    auto sample = SampleOf(*operation, function.opset, seen);
    if (!sample) continue;
    std::vector<Sample>& list = (*samples)[std::string(sample->def->name)];
    if (list.size() >= kSamplesEach) continue;
    sample->origin = test.file + ": " + test.name;
    list.push_back(std::move(*sample));
  }
}

// The literal's values in another dtype; nullopt where that makes no sense.
std::optional<ir::Literal> Retyped(const ir::Literal& from, DType dtype) {
  if (from.dtype() == dtype) return from;
  const auto values = from.AsDoubles();
  if (!values || dtype == DType::kString) return std::nullopt;
  if (IsFloat(dtype)) {
    if (dtype != DType::kFp16 && dtype != DType::kFp32) return std::nullopt;
    std::vector<float> floats(values->begin(), values->end());
    return ir::Literal::Floats(dtype, floats, from.shape());
  }
  std::vector<int64_t> ints;
  for (const double value : *values) {
    if (!std::isfinite(value) || std::abs(value) > 100) return std::nullopt;
    auto whole = static_cast<int64_t>(std::llround(value));
    if (dtype == DType::kBool) whole = whole != 0;
    if (IsUnsignedInt(dtype) && whole < 0) whole = -whole;
    if (BitWidth(dtype) < 8 && dtype != DType::kBool) return std::nullopt;
    ints.push_back(whole);
  }
  auto literal =
      ir::Literal::FromBytes(ir::Type::Tensor(dtype, from.shape()), ir::PackInts(ints, dtype));
  if (!literal.ok()) return std::nullopt;
  return *literal;
}

// The sample with every allowed dtype for each group of parameters that share a type variable.
std::vector<Sample> Assignments(const Sample& base) {
  std::map<std::string, std::vector<DType>> groups;
  const auto group_of = [&](const ir::Param& param) {
    for (const ir::TypeDomain& domain : base.def->domains) {
      if (domain.name == param.types) return std::string(param.types);
    }
    return std::string(param.name);
  };
  for (const Argument& argument : base.arguments) {
    if (argument.literals[0].dtype() == DType::kString ||
        !argument.literals[0].type().is_tensor()) {
      continue;
    }
    groups.emplace(group_of(*argument.param), test::DTypesOf(*base.def, *argument.param));
  }
  std::vector<Sample> all{base};
  for (const auto& [group, dtypes] : groups) {
    const std::vector<Sample> before = all;
    for (const DType dtype : dtypes) {
      for (const Sample& from : before) {
        if (all.size() >= kMaxAssignments) return all;
        Sample to = from;
        to.opset = ir::Opset::kIOS18;
        bool changed = false, possible = true;
        for (Argument& argument : to.arguments) {
          if (group_of(*argument.param) != group) continue;
          for (ir::Literal& literal : argument.literals) {
            changed = changed || literal.dtype() != dtype;
            auto retyped = Retyped(literal, dtype);
            possible = possible && retyped.has_value();
            if (retyped) literal = std::move(*retyped);
          }
        }
        if (changed && possible) all.push_back(std::move(to));
      }
    }
  }
  return all;
}

// A program of the sample's operation, whose operands are inputs where `at_run_time` says so.
struct Variant {
  std::shared_ptr<ir::Model> model = std::make_shared<ir::Model>();
  Tensors inputs;
  std::string text;
};

// Nullopt when the operator does not take these operands.
std::optional<Variant> MakeVariant(const Sample& sample, const std::vector<bool>& at_run_time) {
  Variant variant;
  auto function = std::make_unique<ir::Function>();
  function->name = "main";
  function->opset = sample.opset;
  ir::Builder builder(*function);
  std::vector<ir::ArgInit> args;
  size_t operand = 0;
  for (const Argument& argument : sample.arguments) {
    std::vector<ir::Value*> values;
    for (const ir::Literal& literal : argument.literals) {
      const bool input = !argument.param->constant && at_run_time[operand++];
      if (!input) {
        values.push_back(builder.Const(literal, argument.param->name));
        continue;
      }
      const std::string name = builder.UniqueName(argument.param->name);
      values.push_back(builder.Input(name, literal.type()));
      auto tensor = exec::Tensor::FromLiteral(literal);
      if (!tensor.ok()) return std::nullopt;
      variant.inputs[name] = std::move(*tensor);
    }
    if (argument.param->variadic) {
      args.push_back({argument.param->name, values});
    } else {
      args.push_back({argument.param->name, values[0]});
    }
  }
  auto operation = builder.Add(sample.def->name, args, "result");
  if (!operation.ok()) return std::nullopt;
  std::vector<ir::Value*> outputs;
  for (const auto& output : (*operation)->outputs()) outputs.push_back(output.get());
  builder.SetOutputs(outputs);
  variant.model->program.functions.push_back(std::move(function));
  variant.text = ir::PrintText(variant.model->program);
  return variant;
}

// Which operands come at run time: every subset of few, else each alone and all but each.
std::vector<std::vector<bool>> Subsets(const Sample& sample) {
  size_t operands = 0;
  for (const Argument& argument : sample.arguments) {
    const bool flips = !argument.param->constant && argument.literals[0].dtype() != DType::kString;
    if (!argument.param->constant) operands += argument.literals.size();
    if (!flips && !argument.param->constant) return {std::vector<bool>(operands)};
  }
  std::vector<std::vector<bool>> subsets;
  if (operands <= 3) {
    for (size_t bits = 0; bits < (size_t{1} << operands); ++bits) {
      std::vector<bool> subset(operands);
      for (size_t i = 0; i < operands; ++i) subset[i] = ((bits >> i) & 1) != 0;
      subsets.push_back(std::move(subset));
    }
    return subsets;
  }
  for (const bool rest : {false, true}) {
    subsets.emplace_back(operands, rest);
    for (size_t i = 0; i < operands; ++i) {
      subsets.emplace_back(operands, rest);
      subsets.back()[i] = !rest;
    }
  }
  return subsets;
}

// Empty when the tensors are equal: floats within `limit` of the largest, all else exactly.
std::string TensorDifference(const exec::Tensor& got, const exec::Tensor& want, double limit) {
  if (got.dtype() != want.dtype()) return "another dtype";
  if (got.shape() != want.shape()) {
    return ir::ShapeToString(got.shape()) + " instead of " + ir::ShapeToString(want.shape());
  }
  const auto a = got.ToLiteral(got.dtype()), b = want.ToLiteral(want.dtype());
  if (!a.ok() || !b.ok()) return "no values";
  const auto left = a->AsDoubles(), right = b->AsDoubles();
  if (!left || !right) return *a == *b ? "" : "other values";
  double largest = 0;
  for (const double value : *right) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  const double allowed = IsFloat(got.dtype()) ? limit * (1 + largest) : 0;
  for (size_t i = 0; i < left->size(); ++i) {
    const double x = (*left)[i], y = (*right)[i];
    if (x == y || (std::isnan(x) && std::isnan(y)) || std::abs(x - y) <= allowed) continue;
    return fmt::format("element {} is {} instead of {}", i, x, y);
  }
  return "";
}

bool SampleHasHalf(const Sample& sample) {
  for (const Argument& argument : sample.arguments) {
    for (const ir::Literal& literal : argument.literals) {
      if (literal.type().is_tensor() && literal.dtype() == DType::kFp16) return true;
    }
  }
  return false;
}

// Runs one sample with each subset of operands at run time; how many ran.
int RunSample(const Sample& sample) {
  int ran = 0;
  std::optional<std::vector<exec::Tensor>> expected;
  std::vector<DType> declared;  // of the expected ones
  for (const std::vector<bool>& subset : Subsets(sample)) {
    const auto variant = MakeVariant(sample, subset);
    if (!variant) continue;
    const ir::Function& function = *variant->model->program.functions[0];
    const auto where = [&] { return sample.origin + "\n" + variant->text; };
    exec::State state;
    const auto reference = exec::Interpret(function, variant->inputs, &state);
    auto executable = cpu::CpuBackend().Load(variant->model, {.function = {}, .threads = 1});
    auto outputs = executable.ok() ? (*executable)->Run(variant->inputs, nullptr, nullptr)
                                   : Result<Tensors>(executable.error());
    // An index or a size may be out of range for this dtype, for both alike.
    if (!reference.ok()) {
      EXPECT_FALSE(outputs.ok()) << where() << reference.error().ToString();
      continue;
    }
    if (!outputs.ok()) {
      ADD_FAILURE() << where() << outputs.error().ToString();
      continue;
    }
    ++ran;
    if (!expected) {
      expected = *reference;
      for (const ir::Value* output : function.outputs()) declared.push_back(output->type.dtype());
    }
    const double limit = SampleHasHalf(sample) ? 2e-3 : 1e-5;
    for (size_t i = 0; i < reference->size(); ++i) {
      const exec::Tensor& want = (*reference)[i];
      const std::string other =
          TensorDifference(outputs->at(function.outputs()[i]->name), want, limit);
      EXPECT_EQ(other, "") << "executor: " << where();
      // The result of a matmul of two dtypes has that of the operand that is not constant; all else is
      // the same whatever is known before the run.
      if (function.outputs()[i]->type.dtype() != declared[i]) continue;
      const std::string itself = TensorDifference(want, (*expected)[i], 1e-6);
      EXPECT_EQ(itself, "") << "interpreter: " << where();
    }
  }
  return ran;
}

TEST(OperandPairings, ConstantOrAtRunTimeMakesNoDifference) {
  std::map<std::string, std::vector<Sample>> samples;
  for (const test::MilCase& test : test::AllCases()) Collect(test, &samples);
  int ran = 0;
  for (const ir::OpDef* def : ir::AllOpDefs()) {
    if (!IsCovered(*def)) continue;
    const std::vector<Sample>& list = samples[std::string(def->name)];
    int of_this = 0;
    for (size_t i = 0; i < list.size(); ++i) {
      const std::vector<Sample> typed =
          i < kRetypedEach ? Assignments(list[i]) : std::vector<Sample>{list[i]};
      for (const Sample& sample : typed) of_this += RunSample(sample);
    }
    EXPECT_GT(of_this, 0) << def->name << " has no text case that runs: add one to its .mil file";
    ran += of_this;
  }
  RecordProperty("programs", ran);
  EXPECT_GT(ran, 5'000);
}

}  // namespace
}  // namespace anemone
