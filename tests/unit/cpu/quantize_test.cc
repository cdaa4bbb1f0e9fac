// quantize and dequantize on the CPU backend: the bits of the interpreter, held in float or not.
#include <limits>

#include "executor_test_util.h"

namespace anemone::cpu {
namespace {

struct QuantizeCase {
  const char* name;
  const char* body;
  const char* outputs;
};

const QuantizeCase kQuantizeCases[] = {
    {"int8", R"(q = quantize(input = x, scale = 0.05, zero_point = int8(7), output_dtype = "int8");
                y = dequantize(input = q, scale = 0.05, zero_point = int8(7));)",
     "y"},
    {"uint8_between_other_steps",
     R"(a = relu(x = x);
        q = quantize(input = a, scale = 0.01, zero_point = uint8(3), output_dtype = "uint8");
        d = dequantize(input = q, scale = 0.01, zero_point = uint8(3));
        y = add(x = d, y = x);)",
     "y"},
    {"two_readers", R"(q = quantize(input = x, scale = 0.02, output_dtype = "int8");
                       d = dequantize(input = q, scale = 0.02);
                       c = cast(x = q, dtype = "fp32");
                       y = sub(x = c, y = d);)",
     "y, d"},
    {"channels_last",
     R"(p = max_pool(x = x, kernel_sizes = [2, 2], strides = [1, 1], pad_type = "valid");
        q = quantize(input = p, scale = 0.02, zero_point = uint8(128), output_dtype = "uint8");
        d = dequantize(input = q, scale = 0.02, zero_point = uint8(128));
        y = max_pool(x = d, kernel_sizes = [2, 2], strides = [1, 1], pad_type = "valid");)",
     "y"},
    {"a_scale_for_each_channel",
     R"(q = quantize(input = x, scale = [0.02, 0.1, 0.5], axis = 1, output_dtype = "int8");
        y = dequantize(input = q, scale = [0.02, 0.1, 0.5], axis = 1);)",
     "y"},
    {"integers_are_moved", R"(q = quantize(input = x, scale = 0.02, output_dtype = "int8");
                              t = transpose(x = q, perm = [0, 2, 3, 1]);
                              y = dequantize(input = t, scale = 0.02);)",
     "y"},
};

class Quantize : public ::testing::TestWithParam<QuantizeCase> {};
INSTANTIATE_TEST_SUITE_P(Cases, Quantize, ::testing::ValuesIn(kQuantizeCases),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(Quantize, GivesTheBitsOfTheInterpreter) {
  const QuantizeCase& one = GetParam();
  const auto model = ModelFrom(std::string("func main<ios17>(tensor<fp32, [1, 3, 6, 5]> x) {\n") +
                               one.body + "} -> (" + one.outputs + ");\n");
  ASSERT_NE(model, nullptr);
  Tensors inputs = SeededInputs(*model->program.main());
  float* x = inputs.at("x").As<float>();
  x[0] = std::numeric_limits<float>::infinity();
  x[1] = -std::numeric_limits<float>::infinity();
  x[2] = 1e30f;
  x[3] = std::numeric_limits<float>::quiet_NaN();
  for (const auto numerics : {exec::Numerics::kAsTyped, exec::Numerics::kFloat16})
    ExpectSame(RunCpu(model, inputs, numerics), RunReference(model, inputs, numerics), 0);
}

// Between kernels they are steps of the one before.
TEST(QuantizePlan, JoinsTheKernelBefore) {
  const auto model = ModelFrom(R"(func main<ios17>(tensor<fp32, [1, 3, 6, 5]> x) {
      a = conv(x = x, weight = tensor<fp32, [4, 3, 1, 1]>(seed 1), pad_type = "valid");
      b = relu(x = a);
      q = quantize(input = b, scale = 0.02, zero_point = uint8(3), output_dtype = "uint8");
      d = dequantize(input = q, scale = 0.02, zero_point = uint8(3));
      y = conv(x = d, weight = tensor<fp32, [2, 4, 1, 1]>(seed 2), pad_type = "valid");
    } -> (y);)");
  ASSERT_NE(model, nullptr);
  exec::Tracer tracer;
  std::vector<std::string> groups;
  tracer.on_operation = [&](const exec::TraceEvent& event) {
    if (event.operation == nullptr) return;  // a change of layout
    std::string group;
    for (const ir::Operation* operation : event.fused) group += operation->type() + " ";
    groups.push_back(group);
  };
  RunCpu(model, SeededInputs(*model->program.main()), exec::Numerics::kAsTyped, 1, &tracer);
  // What is not fused has no list.
  EXPECT_EQ(groups, (std::vector<std::string>{"conv relu quantize dequantize ", ""}));
}

}  // namespace
}  // namespace anemone::cpu
