// quantize and dequantize on the CPU backend: the bits of the interpreter, held in float or not.
#include <limits>

#include "cpu/kernels/int8_tile.h"
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

// Products of integers: each case is a whole program over x of 1 x 3 x 6 x 5, with the kernels that
// must run it. Sums are exact here and rounded in the reference, so a quotient beside a tie may
// become the neighbor: the values are within one quantum of the last quantize, and nearly all equal.
struct ProductCase {
  const char* name;
  const char* body;
  std::vector<std::string> kernels;
  double quantum = 0;  // of the output
};

// An int8 tensor of `count` spread values, as text.
std::string Int8Weight(const std::string& shape, int count) {
  std::string text = "tensor<int8, [" + shape + "]>([";
  for (int i = 0; i < count; ++i) text += (i == 0 ? "" : ", ") + std::to_string(i * 53 % 256 - 128);
  return text + "])";
}

// INT8(shape; count) stands for a weight.
std::string WithWeights(std::string text) {
  for (size_t at = text.find("INT8("); at != std::string::npos; at = text.find("INT8(")) {
    const size_t middle = text.find(';', at), end = text.find(')', at);
    const std::string shape = text.substr(at + 5, middle - at - 5);
    const int count = std::stoi(text.substr(middle + 1, end - middle - 1));
    text.replace(at, end + 1 - at, Int8Weight(shape, count));
  }
  return text;
}

constexpr const char* kFirst =
    R"(q0 = quantize(input = x, scale = 0.02, zero_point = uint8(128), output_dtype = "uint8");
       d0 = dequantize(input = q0, scale = 0.02, zero_point = uint8(128));
       w0 = constexpr_affine_dequantize(quantized_data = INT8(8, 3, 3, 3; 216),
            zero_point = int8(0), scale = [0.01, 0.02, 0.01, 0.03, 0.01, 0.01, 0.02, 0.01], axis = 0);
       a = conv(x = d0, weight = w0, pad_type = "same");
    )";

const ProductCase kProducts[] = {
    {"a_chain",
     R"(b = relu(x = a);
        q1 = quantize(input = b, scale = 0.2, zero_point = uint8(3), output_dtype = "uint8");
        d1 = dequantize(input = q1, scale = 0.2, zero_point = uint8(3));
        w1 = constexpr_affine_dequantize(quantized_data = INT8(4, 8, 1, 1; 32),
             zero_point = int8(0), scale = 0.01, axis = 0);
        y = conv(x = d1, weight = w1, pad_type = "valid");)",
     {"elementwise", "to_integers", "int8_product", "int8_product", "to_row_major"},
     0.2 * 8 * 0.08},
    {"residual",
     R"(q1 = quantize(input = a, scale = 0.2, output_dtype = "int8");
        d1 = dequantize(input = q1, scale = 0.2);
        w1 = constexpr_affine_dequantize(quantized_data = INT8(8, 8, 1, 1; 64),
             zero_point = int8(0), scale = 0.01, axis = 0);
        c = conv(x = d1, weight = w1, pad_type = "valid");
        q2 = quantize(input = c, scale = 0.5, output_dtype = "int8");
        d2 = dequantize(input = q2, scale = 0.5);
        s = add(x = d2, y = d1);
        r = relu(x = s);
        q3 = quantize(input = r, scale = 0.5, output_dtype = "int8");
        y = dequantize(input = q3, scale = 0.5);)",
     {"elementwise", "to_integers", "int8_product", "dequantize", "int8_product", "to_row_major"},
     0.5},
    {"two_products_added",
     R"(w1 = constexpr_affine_dequantize(quantized_data = INT8(8, 3, 1, 1; 24),
             zero_point = int8(0), scale = 0.01, axis = 0);
        q1 = quantize(input = a, scale = 0.2, output_dtype = "int8");
        d1 = dequantize(input = q1, scale = 0.2);
        c = conv(x = d0, weight = w1, pad_type = "valid");
        q2 = quantize(input = c, scale = 0.1, output_dtype = "int8");
        d2 = dequantize(input = q2, scale = 0.1);
        s = add(x = d1, y = d2);
        q3 = quantize(input = s, scale = 0.5, output_dtype = "int8");
        y = dequantize(input = q3, scale = 0.5);)",
     {"elementwise", "to_integers", "int8_product", "int8_product", "to_row_major"},
     0.5},
    {"depthwise_between",
     R"(q1 = quantize(input = a, scale = 0.2, output_dtype = "int8");
        d1 = dequantize(input = q1, scale = 0.2);
        w1 = constexpr_affine_dequantize(quantized_data = INT8(8, 1, 3, 3; 72),
             zero_point = int8(0), scale = 0.01, axis = 0);
        c = conv(x = d1, weight = w1, groups = 8, pad_type = "same");
        q2 = quantize(input = c, scale = 0.5, output_dtype = "int8");
        y = dequantize(input = q2, scale = 0.5);)",
     {"elementwise", "to_integers", "int8_product", "int8_product", "to_row_major"},
     0.5},
    {"read_as_floats_too",
     R"(q1 = quantize(input = a, scale = 0.2, output_dtype = "int8");
        d1 = dequantize(input = q1, scale = 0.2);
        w1 = constexpr_affine_dequantize(quantized_data = INT8(8, 8, 1, 1; 64),
             zero_point = int8(0), scale = 0.01, axis = 0);
        c = conv(x = d1, weight = w1, pad_type = "valid");
        y = add(x = c, y = d1);)",
     {"elementwise", "to_integers", "int8_product", "dequantize", "int8_product", "to_row_major"},
     0.2 * 8},
};

class QuantizedProduct : public ::testing::TestWithParam<ProductCase> {};
INSTANTIATE_TEST_SUITE_P(Cases, QuantizedProduct, ::testing::ValuesIn(kProducts),
                         [](const auto& param) { return std::string(param.param.name); });

std::vector<std::string> KernelsOf(const std::shared_ptr<const ir::Model>& model) {
  exec::Tracer tracer;
  std::vector<std::string> kernels;
  tracer.on_operation = [&](const exec::TraceEvent& event) { kernels.emplace_back(event.kernel); };
  RunCpu(model, SeededInputs(*model->program.main()), exec::Numerics::kAsTyped, 1, &tracer);
  return kernels;
}

TEST_P(QuantizedProduct, RunsOnIntegersWithinAQuantum) {
  const ProductCase& one = GetParam();
  const auto model = ModelFrom(std::string("func main<ios17>(tensor<fp32, [1, 3, 6, 5]> x) {\n") +
                               WithWeights(std::string(kFirst) + one.body) + "} -> (y);\n");
  ASSERT_NE(model, nullptr);
  const Tensors inputs = SeededInputs(*model->program.main());
  const auto wanted = RunReference(model, inputs, exec::Numerics::kAsTyped);
  ForEachTarget([&] {
    std::vector<std::string> kernels = one.kernels;
    // An operand that is stored as bytes is read as such.
    if (TakesAllBytes()) std::erase(kernels, "dequantize");
    EXPECT_EQ(KernelsOf(model), kernels);
    ExpectSame(RunCpu(model, inputs, exec::Numerics::kAsTyped), wanted, one.quantum * 1.001);
  });
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
