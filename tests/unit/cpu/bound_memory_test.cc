// Runs on the caller's memory: the same results as Run(), no allocation, and typed errors.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "executor_test_util.h"
#include "support/allocations.h"
#include "zoo/zoo.h"

namespace anemone::cpu {
namespace {

using exec::BoundInput;
using exec::BoundOutput;

class ZooMemoryTest : public ::testing::TestWithParam<const char*> {};

TEST_P(ZooMemoryTest, SteadyStateTakesNothingFromTheHeap) {
  auto built = zoo::Build(GetParam(), zoo::WeightSource::Seeded(0));
  ASSERT_TRUE(built.ok()) << built.error().ToString();
  if (test::kSanitized) {  // runs are a hundred times slower: a smaller picture
    built->program.main()->inputs()[0]->type = ir::Type::Tensor(DType::kFp32, {1, 3, 64, 64});
  }
  const auto model = std::make_shared<const ir::Model>(std::move(*built));
  for (const exec::Numerics numerics : {exec::Numerics::kAsTyped, exec::Numerics::kFloat16}) {
    auto executable =
        CpuBackend().Load(model, {.function = {}, .numerics = numerics, .threads = 2});
    ASSERT_TRUE(executable.ok()) << executable.error().ToString();
    const Tensors inputs = SeededInputs(*model->program.main());
    auto expected = (*executable)->Run(inputs, nullptr, nullptr);
    ASSERT_TRUE(expected.ok()) << expected.error().ToString();

    Tensors results;
    std::vector<BoundInput> bound_inputs;
    std::vector<BoundOutput> bound_outputs;
    for (const auto& [name, tensor] : inputs) bound_inputs.push_back({name, tensor.view()});
    for (const auto& [name, tensor] : *expected) {
      exec::Tensor& result = results[name] =
          *exec::Tensor::Allocate(tensor.dtype(), tensor.shape());
      bound_outputs.push_back({name, result.mutable_view()});
    }
    const auto run = [&] {
      const Status status = (*executable)->RunBound(bound_inputs, bound_outputs, nullptr, nullptr);
      ASSERT_TRUE(status.ok()) << status.error().ToString();
    };
    // A worker allocates its buffer with the first work that it happens to get, which may be late
    // on a busy machine: after that, nothing is allocated.
    int quiet = 0;
    for (int i = 0; i < 400 && quiet < 20; ++i) {
      const int64_t before = test::AllocationsSoFar();
      run();
      quiet = test::AllocationsSoFar() == before ? quiet + 1 : 0;
    }
    EXPECT_EQ(quiet, 20);
    for (const auto& [name, tensor] : *expected) {
      EXPECT_EQ(std::memcmp(results[name].view().data, tensor.view().data, tensor.size_bytes()), 0)
          << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo, ZooMemoryTest,
                         ::testing::Values("mobilenetv3_small", "fastvit_t8", "resnet50"));

// States that are read and updated in place take nothing from the heap either.
TEST(StateMemoryTest, SteadyStateTakesNothingFromTheHeap) {
  const auto model = ModelFrom(R"(
func main<ios18>(state<tensor<fp16, [8, 64, 16]>> s, tensor<fp16, [8, 1, 16]> x) {
  r = read_state(input = s);
  u = slice_update(x = r, update = x, begin = [0, 5, 0], end = [8, 6, 16]);
  write_state(input = s, data = u);
  c = read_state(input = s);
  y = relu(x = c);
} -> (y);
)");
  auto executable = CpuBackend().Load(model, {.function = {}, .threads = 1});
  ASSERT_TRUE(executable.ok()) << executable.error().ToString();
  const Tensors inputs = SeededInputs(*model->program.main());
  exec::Tensor y = *exec::Tensor::Allocate(DType::kFp32, {8, 64, 16});
  const BoundInput bound_input{"x", inputs.at("x").view()};
  const BoundOutput bound_output{"y", y.mutable_view()};
  exec::State state;
  int64_t taken = 0;
  for (int call = 0; call < 3; ++call) {
    const int64_t before = test::AllocationsSoFar();
    ASSERT_TRUE(
        (*executable)->RunBound({&bound_input, 1}, {&bound_output, 1}, &state, nullptr).ok());
    taken = test::AllocationsSoFar() - before;
  }
  EXPECT_EQ(taken, 0);
  exec::State expected;
  const Tensors outputs = RunReference(model, inputs, exec::Numerics::kAsTyped, &expected);
  EXPECT_EQ(std::memcmp(y.view().data, outputs.at("y").view().data, y.size_bytes()), 0);
}

class BoundMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto model = ModelFrom(R"(func main<ios15>(tensor<fp32, [?, 3]> x) {
  y = relu(x = x);
} -> (y);
)");
    ASSERT_NE(model, nullptr);
    auto loaded = CpuBackend().Load(model, {.function = {}, .threads = 1});
    ASSERT_TRUE(loaded.ok()) << loaded.error().ToString();
    executable_ = std::move(*loaded);
  }
  Status Run(std::vector<BoundInput> inputs, std::vector<BoundOutput> outputs) {
    return executable_->RunBound(inputs, outputs, nullptr, nullptr);
  }
  std::unique_ptr<exec::Executable> executable_;
  float x_[6] = {-1, 2, -3, 4, -5, 6};
  float y_[6] = {};
};

TEST_F(BoundMemoryTest, FollowsTheShapesOfEachCall) {
  ASSERT_TRUE(Run({{"x", {DType::kFp32, {2, 3}, x_}}}, {{"y", {DType::kFp32, {2, 3}, y_}}}).ok());
  EXPECT_EQ(y_[5], 6);
  EXPECT_EQ(y_[4], 0);
  y_[5] = -1;
  ASSERT_TRUE(Run({{"x", {DType::kFp32, {1, 3}, x_}}}, {{"y", {DType::kFp32, {1, 3}, y_}}}).ok());
  EXPECT_EQ(y_[1], 2);
  EXPECT_EQ(y_[5], -1);  // not touched
}

TEST_F(BoundMemoryTest, WhatDoesNotFitIsTheCallersError) {
  const BoundInput good{"x", {DType::kFp32, {2, 3}, x_}};
  const BoundOutput out{"y", {DType::kFp32, {2, 3}, y_}};
  const std::pair<Status, std::string> cases[] = {
      {Run({}, {out}), "input 'x'"},
      {Run({good, good}, {out}), "given twice"},
      {Run({good, {"z", good.tensor}}, {out}), "no input 'z'"},
      {Run({{"x", {DType::kInt32, {2, 3}, x_}}}, {out}), "int32"},
      {Run({{"x", {DType::kFp32, {3, 2}, x_}}}, {out}), "[3, 2]"},
      {Run({good}, {{"y", {DType::kFp32, {3, 2}, y_}}}), "bound as fp32 [3, 2]"},
      {Run({good}, {{"y", {DType::kInt32, {2, 3}, y_}}}), "bound as int32"},
      {Run({good}, {{"w", {DType::kFp32, {2, 3}, y_}}}), "no output 'w'"},
  };
  for (const auto& [status, text] : cases) {
    ASSERT_FALSE(status.ok()) << text;
    EXPECT_EQ(status.error().code(), ErrorCode::kUsage) << status.error().ToString();
    EXPECT_NE(status.error().ToString().find(text), std::string::npos) << status.error().ToString();
  }
  EXPECT_TRUE(Run({good}, {out}).ok());  // and the executable still works
}

}  // namespace
}  // namespace anemone::cpu
