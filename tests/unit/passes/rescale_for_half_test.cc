#include "passes/rescale_for_half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <string_view>

#include "exec/interpreter.h"
#include "exec/reference_backend.h"
#include "exec/synthetic_inputs.h"
#include "ir/text.h"

namespace anemone::passes {
namespace {

using Outputs = std::map<std::string, exec::Tensor>;

std::shared_ptr<ir::Model> RescaleModel(std::string_view text) {
  auto program = ir::ParseText(text);
  EXPECT_TRUE(program.ok()) << program.status().ToString();
  auto model = ir::MakeModel(std::move(*program));
  EXPECT_TRUE(model.ok());
  return std::make_shared<ir::Model>(std::move(*model));
}

// The outputs in float32, and the largest magnitude of each value.
Outputs RunFloat32(const std::shared_ptr<ir::Model>& model,
                   std::unordered_map<std::string, double>* largest = nullptr) {
  auto executable = exec::ReferenceBackend().Load(model, {});
  EXPECT_TRUE(executable.ok());
  auto inputs = exec::SyntheticInputs(*model, *model->program.main(), 0, 0);
  EXPECT_TRUE(inputs.ok());
  exec::Tracer tracer;
  tracer.values = true;
  tracer.on_operation = [&](const exec::TraceEvent& event) {
    if (event.operation == nullptr || largest == nullptr) return;
    for (size_t i = 0; i < event.outputs.size(); ++i) {
      double& found = (*largest)[event.operation->output(i)->name];
      for (int64_t k = 0; k < event.outputs[i].count(); ++k)
        found = std::max(found, std::abs(double{event.outputs[i].As<float>()[k]}));
    }
  };
  auto outputs = (*executable)->Run(*inputs, nullptr, &tracer);
  EXPECT_TRUE(outputs.ok());
  return std::move(*outputs);
}

void ExpectEqual(const Outputs& wanted, const Outputs& got) {
  ASSERT_EQ(wanted.size(), got.size());
  for (const auto& [name, tensor] : wanted) {
    const exec::Tensor& other = got.at(name);
    ASSERT_EQ(tensor.shape(), other.shape());
    for (int64_t k = 0; k < tensor.count(); ++k)
      ASSERT_EQ(tensor.As<float>()[k], other.As<float>()[k]) << name << " " << k;
  }
}

// What is too large or too small: a network whose values grow 10,000 times with each layer, with a
// branch, a batch norm, a bounded activation and a gate.
constexpr std::string_view kGrowing = R"(
  func main<ios16>(tensor<fp32, [1, 4, 6, 6]> x) {
    a = conv(x = x, weight = tensor<fp32, [8, 4, 3, 3]>(seed 1), pad_type = "same", bias = tensor<fp32, [8]>(seed 2));
    grown = mul(x = a, y = 10000.0);
    b = relu(x = grown);
    c = conv(x = b, weight = tensor<fp32, [8, 8, 3, 3]>(seed 3), pad_type = "same", bias = tensor<fp32, [8]>(seed 4));
    more = mul(x = c, y = 1000.0);
    n = batch_norm(x = more, mean = tensor<fp32, [8]>(seed 5), variance = tensor<fp32, [8]>([1, 2, 3, 4, 5, 6, 7, 8]));
    d = add(x = n, y = more);
    e = add(x = d, y = 12345.0);
    f = relu6(x = e);
    g = concat(values = (d, e), axis = 1);
    h = reduce_mean(x = g, axes = [2, 3], keep_dims = true);
    s = sigmoid(x = f);
    y = conv(x = g, weight = tensor<fp32, [3, 16, 1, 1]>(seed 6));
  } -> (y, h, s);)";

TEST(RescaleForHalf, ChangesNoDigitAndBringsValuesIntoRange) {
  // Products with a constant pass a factor on, so the growth must sit in weights.
  const auto model = RescaleModel(R"(
  func main<ios16>(tensor<fp32, [1, 4, 6, 6]> x) {
    a = conv(x = x, weight = tensor<fp32, [8, 4, 3, 3]>(seed 1), pad_type = "same", bias = tensor<fp32, [8]>(seed 2));
    n = batch_norm(x = a, mean = tensor<fp32, [8]>(seed 5), variance = tensor<fp32, [8]>([0.00001, 0.00001, 0.00001, 0.00001, 0.00001, 0.00001, 0.00001, 0.00001]), epsilon = 0.0000001);
    b = relu(x = n);
    c = conv(x = b, weight = tensor<fp32, [8, 8, 3, 3]>(seed 3), pad_type = "same", bias = tensor<fp32, [8]>(seed 4));
    d = add(x = c, y = b);
    e = add(x = d, y = 123456.0);
    f = relu6(x = e);
    g = concat(values = (d, e, f), axis = 1);
    y = conv(x = g, weight = tensor<fp32, [3, 24, 1, 1]>(seed 6));
  } -> (y);)");
  std::unordered_map<std::string, double> before;
  const Outputs wanted = RunFloat32(model, &before);
  EXPECT_GT(before.at("e"), 8192) << "the test needs large values";
  const auto rescaled = RescaleForHalf(*model->program.main(), before);
  ASSERT_TRUE(rescaled.ok()) << rescaled.error().ToString();
  EXPECT_GE(rescaled->operators, 6);
  ASSERT_EQ(rescaled->keep_float32.size(), 1U);
  EXPECT_EQ(rescaled->keep_float32[0], "y");
  std::unordered_map<std::string, double> after;
  const Outputs got = RunFloat32(model, &after);
  ExpectEqual(wanted, got);
  for (const auto& [name, value] : after) EXPECT_TRUE(name == "y" || value < 8192) << name;
}

TEST(RescaleForHalf, BringsBackWhatSinks) {
  const auto model = RescaleModel(R"(
  func main<ios16>(tensor<fp32, [1, 4, 6, 6]> x) {
    a = conv(x = x, weight = tensor<fp32, [4, 4, 1, 1]>([0.00001, 0, 0, 0, 0, 0.00001, 0, 0, 0, 0, 0.00001, 0, 0, 0, 0, 0.00001]));
    b = relu6(x = a);
    c = conv(x = b, weight = tensor<fp32, [4, 4, 1, 1]>([0.0001, 0, 0, 0, 0, 0.0001, 0, 0, 0, 0, 0.0001, 0, 0, 0, 0, 0.0001]));
    y = reduce_mean(x = c, axes = [2, 3], keep_dims = false);
  } -> (y);)");
  std::unordered_map<std::string, double> before;
  const Outputs wanted = RunFloat32(model, &before);
  const auto rescaled = RescaleForHalf(*model->program.main(), before);
  ASSERT_TRUE(rescaled.ok());
  EXPECT_EQ(rescaled->operators, 4);
  std::unordered_map<std::string, double> after;
  ExpectEqual(wanted, RunFloat32(model, &after));
  EXPECT_GT(after.at("c"), 0.03);
}

// A compressed weight stays compressed: its scale, or its palette, takes the factor. A weight that two
// layers share is decoded for each of them.
TEST(RescaleForHalf, CompressedWeightsTakeFactors) {
  const auto model = RescaleModel(R"(
  func main<ios16>(tensor<fp32, [1, 2, 6, 6]> x) {
    w = constexpr_affine_dequantize(quantized_data = tensor<int8, [2, 2, 1, 1]>([100, -3, 7, 120]), zero_point = tensor<int8, []>([2]), scale = tensor<fp32, []>([200]), axis = 0);
    a = conv(x = x, weight = w, bias = tensor<fp32, [2]>([1000, -3000]));
    b = relu(x = a);
    c = conv(x = b, weight = w);
    p = constexpr_lut_to_dense(indices = tensor<uint8, [1]>([6]), lut = tensor<fp32, [2]>([0.001, 0.004]), shape = tensor<uint32, [4]>([2, 2, 1, 1]));
    d = conv(x = c, weight = p);
    y = reduce_mean(x = d, axes = [2, 3], keep_dims = false);
  } -> (y);)");
  std::unordered_map<std::string, double> before;
  const Outputs wanted = RunFloat32(model, &before);
  EXPECT_GT(before.at("c"), 65504) << "the test needs large values";
  const auto rescaled = RescaleForHalf(*model->program.main(), before);
  ASSERT_TRUE(rescaled.ok()) << rescaled.error().ToString();
  EXPECT_GE(rescaled->operators, 4);
  std::unordered_map<std::string, double> after;
  ExpectEqual(wanted, RunFloat32(model, &after));
  for (const char* name : {"a", "b", "c", "d"}) EXPECT_LT(after.at(name), 8192) << name;
  const std::string text = ir::PrintText(model->program);
  EXPECT_NE(text.find("w_rescaled"), std::string::npos) << text;
  EXPECT_NE(text.find("p_rescaled"), std::string::npos) << text;
}

TEST(RescaleForHalf, LeavesWhatKnowsNoFactor) {
  const auto model = RescaleModel(kGrowing);
  std::unordered_map<std::string, double> before;
  const Outputs wanted = RunFloat32(model, &before);
  // The gate's sigmoid and all that it is tied to by additions stay as they are.
  const auto rescaled = RescaleForHalf(*model->program.main(), before);
  ASSERT_TRUE(rescaled.ok());
  std::unordered_map<std::string, double> after;
  ExpectEqual(wanted, RunFloat32(model, &after));
  EXPECT_EQ(before.at("e"), after.at("e"));
}

TEST(RescaleForHalf, LeavesWhatAConstantTableGives) {
  const auto model = RescaleModel(R"(
  func main<ios16>(tensor<int32, [2]> i) {
    rows = gather(x = tensor<fp32, [3, 4]>([90000, 80000, 70000, 60000, 1, 2, 3, 4, 5, 6, 7, 100000]), indices = i, axis = 0);
    d = add(x = rows, y = rows);
    y = reverse(x = d, axes = [1]);
  } -> (y);)");
  std::unordered_map<std::string, double> before;
  const Outputs wanted = RunFloat32(model, &before);
  EXPECT_GT(before.at("d"), 65504) << "the test needs large values";
  const auto rescaled = RescaleForHalf(*model->program.main(), before);
  ASSERT_TRUE(rescaled.ok());
  ExpectEqual(wanted, RunFloat32(model));
}

TEST(RescaleForHalf, ChangesNothingWhereValuesFit) {
  const auto model = RescaleModel(R"(
  func main<ios16>(tensor<fp32, [1, 4]> x) {
    y = linear(x = x, weight = tensor<fp32, [3, 4]>(seed 1));
  } -> (y);)");
  const std::string text = ir::PrintText(model->program);
  const auto rescaled = RescaleForHalf(*model->program.main(), {{"y", 3.0}});
  ASSERT_TRUE(rescaled.ok());
  EXPECT_EQ(rescaled->operators, 0);
  EXPECT_EQ(ir::PrintText(model->program), text);
}

}  // namespace
}  // namespace anemone::passes
