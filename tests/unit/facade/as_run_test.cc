// What a session runs of a model: imported ones get their patterns recognized, written ones stay.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "exec/interpreter.h"
#include "exec/synthetic_inputs.h"
#include "facade/session_options.h"
#include "ir/text.h"

namespace anemone::facade {
namespace {

LoadedModel Loaded(const std::string& origin) {
  auto program = ir::ParseText(R"(
    func main<ios17>(tensor<fp32, [2, 8]> x) {
      a = linear(x = x, weight = tensor<fp32, [8, 8]>(seed 1));
      b = real_div(x = a, y = 1.4142135);
      c = erf(x = b);
      d = add(x = c, y = 1.0);
      e = mul(x = a, y = d);
      y = mul(x = e, y = 0.5);
    } -> (y);)");
  EXPECT_TRUE(program.ok()) << program.status().ToString();
  auto model = ir::MakeModel(std::move(*program));
  EXPECT_TRUE(model.ok());
  LoadedModel loaded;
  loaded.model = std::make_shared<ir::Model>(std::move(*model));
  loaded.origin = origin;
  return loaded;
}

std::multiset<std::string> OperatorsOf(const ir::Model& model) {
  std::multiset<std::string> types;
  for (const auto& operation : model.program.main()->block->operations())
    if (!operation->is_const()) types.insert(operation->type());
  return types;
}

// Where the elements of the largest constant lie.
const void* WeightOf(const ir::Model& model) {
  for (const auto& operation : model.program.main()->block->operations()) {
    if (operation->is_const() && operation->output()->literal->element_count() == 64)
      return operation->output()->literal->bytes().data();
  }
  return nullptr;
}

TEST(AsRun, AnImportedModelHasItsPatternsRecognizedAndItsWeightsOnce) {
  const LoadedModel loaded = Loaded("onnx");
  const auto run = AsRun(loaded, "cpu");
  ASSERT_TRUE(run.ok()) << run.error().ToString();
  EXPECT_EQ(OperatorsOf(**run), (std::multiset<std::string>{"gelu", "linear"}));
  EXPECT_EQ(OperatorsOf(*loaded.model).size(), 6U) << "the model itself is changed";
  ASSERT_NE(WeightOf(**run), nullptr);
  EXPECT_EQ(WeightOf(**run), WeightOf(*loaded.model));

  const ir::Function& before = *loaded.model->program.main();
  const auto inputs = exec::SyntheticInputs(*loaded.model, before, 0, 0);
  ASSERT_TRUE(inputs.ok());
  const auto wanted = exec::Interpret(before, *inputs);
  const auto found = exec::Interpret(*(*run)->program.main(), *inputs);
  ASSERT_TRUE(wanted.ok() && found.ok());
  for (int64_t i = 0; i < (*wanted)[0].count(); ++i)
    EXPECT_NEAR((*wanted)[0].As<float>()[i], (*found)[0].As<float>()[i], 1e-6);
}

TEST(AsRun, WhatAFileHoldsAndWhatTheReferenceRunsStay) {
  for (const char* origin : {"mlpackage", "mlmodelc", "zip", "mil"}) {
    const LoadedModel loaded = Loaded(origin);
    const auto run = AsRun(loaded, "cpu");
    ASSERT_TRUE(run.ok());
    EXPECT_EQ(run->get(), loaded.model.get()) << origin;
  }
  const LoadedModel loaded = Loaded("onnx");
  const auto run = AsRun(loaded, "reference");
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->get(), loaded.model.get());
}

}  // namespace
}  // namespace anemone::facade
