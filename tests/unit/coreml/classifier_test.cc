// Classifiers through Core ML: strings, integers and dictionaries become the tensors that Anemone's
// executor gives, and a label that is not a class is a typed error.
#include <set>

#include "anemone/anemone.h"
#include "coreml_test_util.h"
#include "exec/classifier.h"
#include "exec/failure.h"
#include "runtime/session.h"

namespace anemone::coreml {
namespace {

using exec::FailureKind;

constexpr const char* kTwice = R"(
func main<ios15>(tensor<fp32, [1, 3]> x) {
  p = softmax(x = x, axis = -1);
  (label, probabilities) = classify(probabilities = p, classes = list<string, 3>(("crane", "dog", "crane")));
} -> (OUTPUTS);
)";

ModelPtr Twice(const std::string& outputs) {
  std::string text = kTwice;
  return test::ParseModel(text.replace(text.find("OUTPUTS"), 7, outputs));
}

TEST_F(CoreMlTest, LabelsAndProbabilitiesAreTheExecutors) {
  for (const char* fixture : {"classifier_strings", "classifier_ints"}) {
    const ModelPtr model = ReadFixture(fixture);
    ASSERT_NE(model, nullptr);
    auto executable = LoadIt(model);
    ASSERT_TRUE(executable.ok()) << executable.status().ToString();
    std::set<int32_t> labels;
    for (uint64_t seed = 0; seed < 8; ++seed) {
      const Tensors inputs = RandomInputs(model, seed);
      auto outputs = executable.value()->Run(inputs, nullptr, nullptr);
      ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
      ExpectSame(*outputs, RunOnCpu(model, inputs));
      EXPECT_EQ(outputs->at("classLabel").dtype(), DType::kInt32);
      EXPECT_TRUE(outputs->at("classLabel").shape().empty());
      EXPECT_EQ(outputs->at("classLabel_probs").shape(), (ir::Shape{12}));
      labels.insert(*outputs->at("classLabel").As<int32_t>());
    }
    EXPECT_GT(labels.size(), 2U);
  }
}

TEST_F(CoreMlTest, ClassifiersWriteTheCallersMemory) {
  const ModelPtr model = ReadFixture("classifier_ints");
  auto executable = LoadIt(model);
  ASSERT_TRUE(executable.ok());
  const Tensors inputs = RandomInputs(model, 1), want = RunOnCpu(model, inputs);
  exec::Tensor label = *exec::Tensor::Allocate(DType::kInt32, {});
  exec::Tensor probabilities = *exec::Tensor::Allocate(DType::kFp32, {12});
  const exec::BoundInput in{"x", inputs.at("x").view()};
  const exec::BoundOutput outs[] = {{"classLabel_probs", probabilities.mutable_view()},
                                    {"classLabel", label.mutable_view()}};
  for (size_t count = 1; count <= 2; ++count) {
    const Status status = executable.value()->RunBound({&in, 1}, {outs, count}, nullptr, nullptr);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  ExpectSame({{"classLabel", label}, {"classLabel_probs", probabilities}}, want);
}

TEST_F(CoreMlTest, WhatIsNoClassIsATypedError) {
  for (const char* fixture : {"classifier_strings", "classifier_ints"}) {
    const Subject net = SubjectOf(ReadFixture(fixture));
    ASSERT_NE(net.executable, nullptr);
    for (const auto& [script, says] :
         {std::pair("predict=shape", "which is not one of the 12 classes"),
          std::pair("predict=dtype", "label"), std::pair("predict=missing", "no output")}) {
      Script(script);
      ExpectFailure(net.Run(), FailureKind::kSchemaMismatch, says);
    }
    Script("predict=wrong");
    auto outputs = net.Run();
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    EXPECT_NE(*outputs->at("classLabel").As<int32_t>(), *net.want.at("classLabel").As<int32_t>());
    Script("");
    net.ExpectRight();
  }
}

TEST_F(CoreMlTest, ADictionaryCannotNameAClassTwice) {
  auto executable = LoadIt(Twice("label, probabilities"));
  ASSERT_FALSE(executable.ok());
  EXPECT_EQ(executable.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(executable.error().message().find("two classes are named 'crane'"), std::string::npos)
      << executable.error().ToString();
  EXPECT_NE(executable.error().advice().find("--backend cpu"), std::string::npos);
  // The label alone works; so does our own executor.
  const ModelPtr label = Twice("label");
  auto alone = LoadIt(label);
  ASSERT_TRUE(alone.ok()) << alone.status().ToString();
  const Tensors inputs = RandomInputs(label, 2);
  auto outputs = alone.value()->Run(inputs, nullptr, nullptr);
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_LT(*outputs->at("label").As<int32_t>(), 3);
  EXPECT_EQ(RunOnCpu(Twice("label, probabilities"), inputs).at("probabilities").count(), 3);
}

TEST_F(CoreMlTest, ASessionTestsAClassifierAndFallsBackFromAWrongOne) {
  const ModelPtr model = ReadFixture("classifier_strings");
  runtime::SessionOptions options;
  options.backends = {&CoreMlBackend(), &cpu::CpuBackend()};
  options.load.threads = 1;
  const Tensors inputs = RandomInputs(model, 1), want = RunOnCpu(model, inputs);
  for (const bool wrong : {false, true}) {
    Script(wrong ? "predict=wrong" : "");
    auto session = runtime::Session::Open(model, options);
    ASSERT_TRUE(session.ok()) << session.status().ToString();
    ASSERT_TRUE((*session)->classes().has_value());
    EXPECT_EQ((*session)->classes()->names.size(), 12U);
    EXPECT_EQ((*session)->classes()->label, "classLabel");
    runtime::CallReport report;
    auto outputs = (*session)->Predict(inputs, nullptr, &report);
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    ExpectSame(*outputs, want);
    EXPECT_EQ(report.backend, wrong ? "cpu" : "coreml");
  }
}

TEST_F(CoreMlTest, TheCReportSaysThatNoGateHasPassedIt) {
  anemone_session* session = nullptr;
  ASSERT_EQ(anemone_session_open(Fixture("classifier_strings").c_str(),
                                 "{\"backend\": \"coreml\", \"threads\": 1}", &session, nullptr),
            0);
  const float x[12] = {1, 2, 3};
  int32_t label = -1;
  const int64_t shape[2] = {1, 12};
  anemone_binding* binding = anemone_binding_create();
  ASSERT_EQ(anemone_binding_input(binding, "x", ANEMONE_FLOAT32, shape, 2, x, nullptr), 0);
  ASSERT_EQ(
      anemone_binding_output(binding, "classLabel", ANEMONE_INT32, nullptr, 0, &label, nullptr), 0);
  anemone_call_report report{};
  report.struct_size = sizeof report;
  ASSERT_EQ(anemone_session_run(session, binding, nullptr, &report, nullptr), 0);
  EXPECT_STREQ(report.backend, "coreml");
  EXPECT_EQ(report.experimental, 1);
  EXPECT_EQ(label, 2);
  anemone_binding_free(binding);
  anemone_session_close(session);
}

}  // namespace
}  // namespace anemone::coreml
