// Classifiers as tensors: what the rewrite changes and what it keeps.
#include "exec/classifier.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "cpu/cpu_backend.h"
#include "exec/reference_backend.h"
#include "ir/text.h"
#include "support/mil_program.h"

namespace anemone::exec {
namespace {

constexpr const char* kInts = R"(
func main<ios15>(tensor<fp32, [1, 3]> x) {
  (label, odds) = classify(probabilities = x, classes = list<int64, 3>((int64(-7), int64(40), int64(41))));
} -> (odds, label, x);
)";

TEST(Classifier, OtherModelsAreThemselves) {
  const auto model =
      test::ParseModel("func main<ios15>(tensor<fp32, [2]> x) {\n  y = relu(x = x);\n} -> (y);\n");
  auto same = WithTensorOutputs(model);
  ASSERT_TRUE(same.ok());
  EXPECT_EQ(*same, model);
  EXPECT_FALSE(ClassesOf(*model->program.main()).has_value());
}

TEST(Classifier, OutputsKeepTheirNamesAndOrder) {
  const auto model = test::ParseModel(kInts);
  const auto classes = ClassesOf(*model->program.main());
  ASSERT_TRUE(classes.has_value());
  EXPECT_TRUE(classes->integers);
  EXPECT_EQ(classes->names, (std::vector<std::string>{"-7", "40", "41"}));
  EXPECT_EQ(classes->label, "label");
  EXPECT_EQ(classes->probabilities, "odds");
  auto tensors = WithTensorOutputs(model);
  ASSERT_TRUE(tensors.ok()) << tensors.status().ToString();
  const auto& outputs = (*tensors)->program.main()->outputs();
  ASSERT_EQ(outputs.size(), 3U);
  EXPECT_EQ(outputs[0]->name, "odds");
  EXPECT_EQ(outputs[0]->type, ir::Type::Tensor(DType::kFp32, {3}));
  EXPECT_EQ(outputs[1]->name, "label");
  EXPECT_EQ(outputs[1]->type, ir::Type::Scalar(DType::kInt32));
  const ir::Feature* feature = (*tensors)->main()->FindOutput("odds");
  ASSERT_NE(feature, nullptr);
  ASSERT_NE(feature->array(), nullptr);
  EXPECT_EQ(feature->array()->shape, (ir::Shape{3}));
  // The given model is unchanged.
  EXPECT_FALSE(model->program.main()->outputs()[0]->type.is_tensor());
  // A second rewrite changes nothing.
  auto again = WithTensorOutputs(*tensors);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, *tensors);
}

TEST(Classifier, TheFirstOfEquallyLikelyClassesIsTheLabel) {
  const auto model = test::ParseModel(kInts);
  Tensor x = *Tensor::Allocate(DType::kFp32, {1, 3});
  for (const auto& [values, label] :
       {std::pair(std::array{0.2F, 0.4F, 0.4F}, 1), std::pair(std::array{0.1F, 0.2F, 0.7F}, 2),
        std::pair(std::array{0.0F, 0.0F, 0.0F}, 0)}) {
    std::copy(values.begin(), values.end(), x.As<float>());
    for (const Backend* backend : {&cpu::CpuBackend(), &ReferenceBackend()}) {
      auto executable = backend->Load(model, {});
      ASSERT_TRUE(executable.ok()) << executable.status().ToString();
      auto outputs = (*executable)->Run({{"x", x}}, nullptr, nullptr);
      ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
      EXPECT_EQ(*outputs->at("label").As<int32_t>(), label) << backend->name();
      EXPECT_EQ(outputs->at("odds").As<float>()[2], values[2]) << backend->name();
    }
  }
}

}  // namespace
}  // namespace anemone::exec
