// scaled_dot_product_attention on the executor, against the interpreter.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

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

// A decoder's attention on caches of 2 x 9 x 7, of which each reads some rows.
std::string OnCaches(const std::string& body, const std::string& outputs = "y") {
  return "func main<ios18>(tensor<fp32, [2, 3, 7]> q, tensor<fp32, [2, 1, 7]> row, "
         "state<tensor<fp16, [2, 9, 7]>> c, state<tensor<fp16, [2, 9, 7]>> d) {\n" +
         body + "} -> (" + outputs + ");\n";
}

constexpr const char* kReads =
    "  h = cast(x = row, dtype = \"fp16\"); half = cast(x = q, dtype = \"fp16\");\n"
    "  c0 = read_state(input = c); d0 = read_state(input = d);\n"
    "  c1 = slice_update(x = c0, update = h, begin = [0, 4, 0], end = [2, 5, 7]);\n"
    "  write_state(input = c, data = c1);\n"
    "  d1 = slice_update(x = d0, update = h, begin = [0, 2, 0], end = [2, 3, 7]);\n"
    "  write_state(input = d, data = d1);\n"
    "  k = slice_by_index(x = c1, begin = [0, 1, 0], end = [2, 6, 7]);\n"
    "  v = slice_by_index(x = d1, begin = [0, 0, 0], end = [2, 5, 7]);\n";
constexpr const char* kAttends =
    "  y = scaled_dot_product_attention(query = half, key = k, value = v);\n";

struct CacheCase {
  std::string text;
  int64_t copies;  // of slices
};

TEST(AttentionOnCpu, ReadsTheRowsOfACacheWhereTheyLie) {
  const std::string again =
      "  c2 = slice_update(x = c1, update = h, begin = [0, 3, 0], end = [2, 4, 7]);\n"
      "  write_state(input = c, data = c2);\n";
  const CacheCase cases[] = {
      {OnCaches(std::string(kReads) + kAttends), 0},
      // Written again between the slice and its reader: the rows are copied first.
      {OnCaches(std::string(kReads) + again + kAttends), 1},
      {OnCaches(std::string(kReads) + kAttends, "y, k"), 1},
      // Every second row is no matrix of a larger one's rows.
      {OnCaches(std::string(kReads) +
                "  k2 = slice_by_index(x = c1, begin = [0, 0, 0], end = [2, 9, 7], stride = [1, 2, "
                "1]);\n  y = scaled_dot_product_attention(query = half, key = k2, value = v);\n"),
       1},
      {OnCaches(std::string(kReads) +
                "  y = scaled_dot_product_attention(query = half, key = v, value = v);\n"),
       1},
      {OnCaches(std::string(kReads) +
                "  y = scaled_dot_product_attention(query = k, key = half, value = half);\n"),
       1},
  };
  for (const CacheCase& each : cases) {
    const auto model = ModelFrom(each.text);
    ASSERT_NE(model, nullptr);
    exec::State state, expected;
    for (int call = 0; call < 3; ++call) {
      Tensors inputs = SeededInputs(*model->program.main());
      for (int64_t i = 0; i < 14; ++i) inputs["row"].As<float>()[i] += static_cast<float>(call);
      std::vector<std::string> kernels;
      const exec::Tracer tracer{.on_operation = [&](const exec::TraceEvent& event) {
        kernels.emplace_back(event.kernel);
      }};
      const Tensors outputs = RunCpu(model, inputs, exec::Numerics::kAsTyped, 1, &tracer, &state);
      ExpectSame(outputs, RunReference(model, inputs, exec::Numerics::kAsTyped, &expected), 2e-3);
      EXPECT_EQ(std::ranges::count(kernels, "index_copy"), each.copies) << each.text;
    }
    ExpectSame(state, expected, 0.0);
  }
}

}  // namespace
}  // namespace anemone::cpu
