// Small models with ONNX Runtime's results (tools/oracle/onnx_golden.py), run through the importer
// and the reference kernels, for the oldest and the newest deployment target.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/npy.h"
#include "exec/interpreter.h"
#include "ir/verifier.h"
#include "onnx/import.h"
#include "onnx/reader.h"
#include "test_paths.h"

namespace anemone::onnx {
namespace {

struct GoldenCase {
  Bytes model;
  std::map<std::string, NpyArray> inputs, outputs;
};

std::map<std::string, GoldenCase> ReadCases() {
  std::map<std::string, GoldenCase> cases;
  const auto arrays =
      ReadNpz(std::string(anemone::test::kSourceDir) + "/tests/fixtures/onnx/nodes.npz");
  EXPECT_TRUE(arrays.ok()) << arrays.status().ToString();
  if (!arrays.ok()) return cases;
  for (const auto& [name, array] : *arrays) {
    const size_t slash = name.find('/');
    GoldenCase& golden = cases[name.substr(0, slash)];
    const std::string rest = name.substr(slash + 1);
    if (rest == "model") golden.model = array.data;
    if (rest.starts_with("in/")) golden.inputs[rest.substr(3)] = array;
    if (rest.starts_with("out/")) golden.outputs[rest.substr(4)] = array;
  }
  return cases;
}

// In the program's types: float32, int32.
exec::Tensor ToTensor(const NpyArray& array, const ir::Shape& shape) {
  std::vector<int32_t> ints;
  exec::ConstTensor view{array.dtype, shape, array.data.data()};
  if (array.dtype == DType::kInt64) {
    for (const int64_t value : array.data.As<int64_t>())
      ints.push_back(static_cast<int32_t>(value));
  } else if (array.dtype == DType::kBool) {
    for (const uint8_t value : array.data.As<uint8_t>()) ints.push_back(value);
  }
  if (array.dtype == DType::kInt64 || array.dtype == DType::kBool) {
    view.dtype = DType::kInt32;
    view.data = ints.data();
  }
  auto tensor = exec::Tensor::Copy(view);
  EXPECT_TRUE(tensor.ok());
  return *tensor;
}

std::vector<double> Values(const NpyArray& array) {
  std::vector<double> values;
  const auto append = [&](auto elements) { values.assign(elements.begin(), elements.end()); };
  switch (array.dtype) {
    case DType::kFp32:
      append(array.data.As<float>());
      break;
    case DType::kInt64:
      append(array.data.As<int64_t>());
      break;
    case DType::kInt32:
      append(array.data.As<int32_t>());
      break;
    case DType::kBool:
      append(array.data.As<uint8_t>());
      break;
    default:
      ADD_FAILURE() << "golden output of " << DTypeName(array.dtype);
  }
  return values;
}

void Compare(const exec::Tensor& got, const NpyArray& wanted) {
  const auto view = got.view();
  EXPECT_EQ(view.shape, wanted.shape.empty() ? ir::Shape{1} : wanted.shape);
  const auto values = Values(wanted);
  ASSERT_EQ(static_cast<size_t>(view.count()), values.size());
  double range = 1e-3;
  for (const double value : values) range = std::max(range, std::fabs(value));
  for (size_t i = 0; i < values.size(); ++i) {
    const double value = view.dtype == DType::kFp32 ? view.As<float>()[i] : view.As<int32_t>()[i];
    ASSERT_NEAR(value, values[i], 2e-6 * range) << "element " << i;
  }
}

void RunCase(const GoldenCase& golden, ir::Opset target) {
  const auto model = ReadModel(golden.model, "");
  ASSERT_TRUE(model.ok()) << model.error().ToString();
  const auto imported = ImportModel(*model, {.input_shapes = {}, .target = target});
  ASSERT_TRUE(imported.ok()) << imported.error().ToString();
  const auto verified = ir::Verify(imported->program);
  ASSERT_TRUE(verified.ok()) << verified.ToString();
  const auto& function = *imported->program.main();
  std::map<std::string, exec::Tensor> inputs;
  for (const auto& input : function.inputs()) {
    inputs[input->name] = ToTensor(golden.inputs.at(input->name), input->type.shape());
  }
  const auto outputs = exec::Interpret(function, inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.error().ToString();
  ASSERT_EQ(outputs->size(), golden.outputs.size());
  for (size_t i = 0; i < outputs->size(); ++i) {
    const auto wanted = golden.outputs.find(function.outputs()[i]->name);
    ASSERT_NE(wanted, golden.outputs.end()) << function.outputs()[i]->name;
    Compare((*outputs)[i], wanted->second);
  }
}

TEST(OnnxGolden, NodesGiveWhatOnnxRuntimeGives) {
  const auto cases = ReadCases();
  EXPECT_GE(cases.size(), 200u);
  for (const ir::Opset target : {ir::Opset::kIOS15, ir::Opset::kIOS18}) {
    for (const auto& [name, golden] : cases) {
      SCOPED_TRACE(name + " for " + std::string(ir::OpsetName(target)));
      RunCase(golden, target);
    }
  }
}

}  // namespace
}  // namespace anemone::onnx
