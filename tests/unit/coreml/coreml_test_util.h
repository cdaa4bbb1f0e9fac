// Models for the tests of the Core ML backend, and the same inputs for it and for the CPU.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "CoreML/double_control.h"
#include "base/random.h"
#include "coreml/coreml_backend.h"
#include "cpu/cpu_backend.h"
#include "exec/backend.h"
#include "exec/failure.h"
#include "exec/function_inputs.h"
#include "format/package.h"
#include "ir/text.h"
#include "support/mil_program.h"
#include "support/scratch.h"

namespace anemone::coreml {

using Tensors = std::map<std::string, exec::Tensor>;
using ModelPtr = std::shared_ptr<const ir::Model>;

inline std::string Fixture(const std::string& name) {
  return "tests/fixtures/packages/" + name + ".mlpackage";
}

inline ModelPtr ReadFixture(const std::string& name) {
  auto model = format::ReadModel(Fixture(name));
  EXPECT_TRUE(model.ok()) << model.status().ToString();
  return model.ok() ? std::make_shared<const ir::Model>(std::move(model).value()) : nullptr;
}

// Standard normal values; pixels for images.
inline Tensors RandomInputs(const ModelPtr& model, uint64_t seed, const std::string& name = "") {
  const ir::Function& function = *exec::ChooseFunction(*model, name).value();
  const ir::FunctionDescription* described = model->FindFunction(function.name);
  Tensors inputs;
  for (const auto& input : function.inputs()) {
    if (input->type.is_state()) continue;
    auto tensor =
        exec::Tensor::Allocate(exec::StorageDType(input->type.dtype()), input->type.shape());
    EXPECT_TRUE(tensor.ok());
    Random random(seed, input->name);
    if (tensor->dtype() == DType::kFp32) {
      random.FillNormal({tensor->As<float>(), static_cast<size_t>(tensor->count())}, 0, 1);
    } else {
      std::memset(tensor->As<char>(), 0, tensor->size_bytes());
    }
    const ir::Feature* feature = described != nullptr ? described->FindInput(input->name) : nullptr;
    for (int64_t i = 0; feature != nullptr && feature->image() && i < tensor->count(); ++i) {
      tensor->As<float>()[i] = static_cast<float>(random.NextBits() % 256);
    }
    inputs[input->name] = *tensor;
  }
  return inputs;
}

inline Tensors RunOnCpu(const ModelPtr& model, const Tensors& inputs, exec::State* state = nullptr,
                        const std::string& function = "") {
  exec::LoadOptions options;
  options.function = function;
  options.threads = 1;
  auto executable = cpu::CpuBackend().Load(model, options);
  EXPECT_TRUE(executable.ok()) << executable.status().ToString();
  auto outputs = executable.value()->Run(inputs, state, nullptr);
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  return outputs.ok() ? std::move(outputs).value() : Tensors();
}

// The double computes with the CPU executor, so its answers are the same bits.
inline void ExpectSame(const Tensors& got, const Tensors& want) {
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [name, tensor] : want) {
    const auto found = got.find(name);
    ASSERT_NE(found, got.end()) << name;
    ASSERT_EQ(found->second.shape(), tensor.shape()) << name;
    ASSERT_EQ(found->second.dtype(), tensor.dtype()) << name;
    EXPECT_EQ(std::memcmp(found->second.As<char>(), tensor.As<char>(), tensor.size_bytes()), 0)
        << name;
  }
}

// A model on the double, one set of inputs, and the answer of the CPU to them.
struct Subject {
  ModelPtr model;
  std::unique_ptr<exec::Executable> executable;
  Tensors inputs;
  Tensors want;

  Result<Tensors> Run() const { return executable->Run(inputs, nullptr, nullptr); }
  void ExpectRight() const {
    auto outputs = Run();
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    ExpectSame(*outputs, want);
  }
};

// Each test starts without faults and must end with no object of the double alive.
class CoreMlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Script("");
    live_before_ = CoreMLDoubleLiveObjects();
  }
  void TearDown() override { EXPECT_EQ(CoreMLDoubleLiveObjects(), live_before_); }
  static void Script(const char* script) {
    char error[160] = "";
    ASSERT_TRUE(CoreMLDoubleSetScript(script, error, sizeof error)) << error;
  }
  static Result<std::unique_ptr<exec::Executable>> LoadIt(const ModelPtr& model,
                                                          const exec::LoadOptions& options = {}) {
    return CoreMlBackend().Load(model, options);
  }
  // `executable` is null, and the test has failed, when it does not load.
  static Subject SubjectOf(const ModelPtr& model, uint64_t seed = 1) {
    Subject subject{model, nullptr, RandomInputs(model, seed), {}};
    subject.want = RunOnCpu(model, subject.inputs);
    auto executable = LoadIt(model);
    EXPECT_TRUE(executable.ok()) << executable.status().ToString();
    if (executable.ok()) subject.executable = std::move(executable).value();
    return subject;
  }
  // One typed error of this kind, with this text.
  template <typename T>
  static void ExpectFailure(const Result<T>& result, exec::FailureKind kind, const char* says) {
    ASSERT_FALSE(result.ok()) << says;
    EXPECT_EQ(exec::FailureKindOf(result.error()), kind) << result.error().ToString();
    EXPECT_NE(result.error().message().find(says), std::string::npos) << result.error().ToString();
  }
  int64_t live_before_ = 0;
};

inline constexpr const char* kSmallNet = R"(
func main<ios17>(tensor<fp32, [1, 3, 8, 8]> x) {
  c = conv(x = x, weight = tensor<fp32, [4, 3, 3, 3]>(seed 7), pad_type = "same");
  y = relu(x = c);
} -> (y);
)";
// fp16 inside and outside, a second output.
inline constexpr const char* kHalfNet = R"(
func main<ios17>(tensor<fp16, [2, 5]> x) {
  y = tanh(x = x);
  z = add(x = x, y = fp16(0.25));
} -> (y, z);
)";

}  // namespace anemone::coreml
