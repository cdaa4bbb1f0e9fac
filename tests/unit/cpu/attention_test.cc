// scaled_dot_product_attention on the executor, against the interpreter.
#include <limits>

#include "executor_test_util.h"

namespace anemone::cpu {
namespace {

constexpr const char* kMasked = R"(
  func main<ios18>(tensor<fp32, [2, 3, 5, 7]> q, tensor<fp32, [2, 3, 11, 7]> k, tensor<fp32, [2, 3, 11, 6]> v, tensor<fp32, [2, 1, 5, 11]> m) {
    y = scaled_dot_product_attention(query = q, key = k, value = v, attn_mask = m);
  } -> (y);)";

TEST(AttentionOnCpu, MatchesTheInterpreterWithAMaskForEachBatch) {
  const auto model = ModelFrom(kMasked);
  ASSERT_NE(model, nullptr);
  const Tensors inputs = SeededInputs(*model->program.main());
  ExpectSame(RunCpu(model, inputs), RunReference(model, inputs), 1e-5);
  ExpectSame(RunCpu(model, inputs, exec::Numerics::kAsTyped, 5), RunCpu(model, inputs), 0.0);
}

TEST(AttentionOnCpu, AQueryThatSeesNothingGivesZeros) {
  const auto model = ModelFrom(kMasked);
  ASSERT_NE(model, nullptr);
  Tensors inputs = SeededInputs(*model->program.main());
  float* mask = inputs["m"].As<float>();
  std::fill_n(mask + 11, 11, -std::numeric_limits<float>::infinity());  // the second query
  const Tensors outputs = RunCpu(model, inputs);
  ExpectSame(outputs, RunReference(model, inputs), 1e-5);
  for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(outputs.at("y").As<float>()[6 + i], 0.0f);
}

TEST(AttentionOnCpu, MatchesTheInterpreterInFloat16AndWithoutAMask) {
  const auto model = ModelFrom(R"(
    func main<ios18>(tensor<fp32, [3, 40, 16]> q, tensor<fp32, [3, 70, 16]> k, tensor<fp32, [3, 70, 33]> v) {
      a = scaled_dot_product_attention(query = q, key = k, value = v);
      y = relu(x = a);
    } -> (y);)");
  ASSERT_NE(model, nullptr);
  const Tensors inputs = SeededInputs(*model->program.main());
  ExpectSame(RunCpu(model, inputs), RunReference(model, inputs), 1e-5);
  ExpectSame(RunCpu(model, inputs, exec::Numerics::kFloat16),
             RunReference(model, inputs, exec::Numerics::kFloat16), 8e-3);
}

}  // namespace
}  // namespace anemone::cpu
