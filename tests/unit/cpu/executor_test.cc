// The CPU backend against the reference interpreter.
#include <algorithm>
#include <set>
#include <thread>

#include "executor_test_util.h"

namespace anemone::cpu {
namespace {

using exec::Numerics;

std::string Function(const std::string& inputs, const std::string& body,
                     const std::string& outputs) {
  return "func main<ios17>(" + inputs + ") {\n" + body + "} -> (" + outputs + ");\n";
}

struct ProgramCase {
  const char* name;
  const char* inputs;
  const char* body;
  const char* outputs = "y";
};

// The name of each body says what it tests.
const ProgramCase kCases[] = {
    {"conv_relu_residual", "tensor<fp32, [1, 3, 9, 8]> x",
     R"(a = conv(x = x, weight = tensor<fp32, [8, 3, 3, 3]>(seed 1), bias = tensor<fp32, [8]>(seed 2), pad_type = "same");
        b = relu(x = a);
        c = conv(x = b, weight = tensor<fp32, [8, 8, 1, 1]>(seed 3), pad_type = "valid");
        d = add(x = c, y = b);
        y = relu(x = d);)"},
    {"two_convs_added", "tensor<fp32, [2, 4, 6, 6]> x",
     R"(a = conv(x = x, weight = tensor<fp32, [8, 4, 3, 3]>(seed 1), pad_type = "custom", pad = [1, 1, 1, 1], strides = [2, 2]);
        b = conv(x = x, weight = tensor<fp32, [8, 4, 1, 1]>(seed 2), pad_type = "valid", strides = [2, 2]);
        y = add(x = a, y = b);)"},
    {"batch_norm_folded_and_alone", "tensor<fp32, [1, 4, 5, 5]> x",
     R"(a = batch_norm(x = x, mean = tensor<fp32, [4]>(seed 1), variance = [0.5, 1.5, 2.0, 0.1], gamma = tensor<fp32, [4]>(seed 2), beta = tensor<fp32, [4]>(seed 3), epsilon = 0.001);
        b = conv(x = a, weight = tensor<fp32, [6, 4, 2, 2]>(seed 4), pad_type = "valid");
        c = batch_norm(x = b, mean = tensor<fp32, [6]>(seed 5), variance = [0.5, 1.5, 2.0, 0.1, 1.0, 3.0], epsilon = 0.001);
        y = relu6(x = c);)"},
    {"depthwise_and_groups", "tensor<fp32, [1, 8, 10, 10]> x",
     R"(a = conv(x = x, weight = tensor<fp32, [8, 1, 5, 5]>(seed 1), groups = 8, pad_type = "same", dilations = [2, 1]);
        b = silu(x = a);
        y = conv(x = b, weight = tensor<fp32, [12, 2, 3, 3]>(seed 2), groups = 4, pad_type = "same", strides = [2, 2]);)"},
    {"hard_swish_comes_back", "tensor<fp32, [1, 4, 6, 6]> x",
     R"(a = conv(x = x, weight = tensor<fp32, [8, 4, 1, 1]>(seed 1), pad_type = "valid");
        b = add(x = a, y = 3.0);
        c = relu6(x = b);
        d = mul(x = a, y = c);
        y = mul(x = d, y = 0.16666667);)"},
    {"sigmoid_hard_comes_back_reversed", "tensor<fp32, [1, 4, 6, 6]> x",
     R"(a = conv(x = x, weight = tensor<fp32, [8, 4, 1, 1]>(seed 1), pad_type = "valid");
        b = sigmoid_hard(x = a, alpha = 0.16666667, beta = 0.5);
        c = sub(x = b, y = a);
        d = sub(x = c, y = c);
        e = add(x = c, y = d);
        y = conv(x = e, weight = tensor<fp32, [3, 8, 1, 1]>(seed 2), pad_type = "valid");)"},
    {"squeeze_excite", "tensor<fp32, [2, 8, 6, 6]> x",
     R"(a = conv(x = x, weight = tensor<fp32, [8, 1, 3, 3]>(seed 1), groups = 8, pad_type = "same");
        m = reduce_mean(x = a, axes = [2, 3], keep_dims = true);
        f = conv(x = m, weight = tensor<fp32, [4, 8, 1, 1]>(seed 2), bias = tensor<fp32, [4]>(seed 3), pad_type = "valid");
        r = relu(x = f);
        g = conv(x = r, weight = tensor<fp32, [8, 4, 1, 1]>(seed 4), pad_type = "valid");
        s = sigmoid(x = g);
        y = mul(x = a, y = s);)"},
    {"classifier_head", "tensor<fp32, [2, 6, 7, 5]> x",
     R"(a = conv(x = x, weight = tensor<fp32, [10, 6, 1, 1]>(seed 1), pad_type = "valid");
        m = reduce_mean(x = a, axes = [2, 3], keep_dims = false);
        l = linear(x = m, weight = tensor<fp32, [7, 10]>(seed 2), bias = tensor<fp32, [7]>(seed 3));
        y = softmax(x = l, axis = -1);)"},
    {"pools", "tensor<fp32, [1, 5, 11, 9]> x",
     R"(a = max_pool(x = x, kernel_sizes = [3, 3], strides = [2, 2], pad_type = "custom", pad = [1, 1, 1, 1]);
        b = avg_pool(x = a, kernel_sizes = [2, 3], strides = [1, 1], pad_type = "same", exclude_padding_from_average = true);
        c = avg_pool(x = b, kernel_sizes = [2, 2], strides = [2, 2], pad_type = "valid", ceil_mode = true);
        d = max_pool(x = x, kernel_sizes = [2, 2], strides = [2, 2], pad_type = "valid", ceil_mode = true);)",
     "c, d"},
    {"attention", "tensor<fp32, [2, 5, 12]> x",
     R"(n = layer_norm(x = x, axes = [-1], gamma = tensor<fp32, [12]>(seed 1), beta = tensor<fp32, [12]>(seed 2), epsilon = 0.00001);
        q = linear(x = n, weight = tensor<fp32, [12, 12]>(seed 3));
        qr = reshape(x = q, shape = [2, 5, 3, 4]);
        qt = transpose(x = qr, perm = [0, 2, 1, 3]);
        k = linear(x = n, weight = tensor<fp32, [12, 12]>(seed 4), bias = tensor<fp32, [12]>(seed 5));
        kr = reshape(x = k, shape = [2, 5, 3, 4]);
        kt = transpose(x = kr, perm = [0, 2, 1, 3]);
        s = matmul(x = qt, y = kt, transpose_x = false, transpose_y = true);
        z = mul(x = s, y = 0.5);
        p = softmax(x = z, axis = -1);
        o = matmul(x = p, y = kt);
        ot = transpose(x = o, perm = [0, 2, 1, 3]);
        oo = reshape(x = ot, shape = [2, 5, 12]);
        g = gelu(x = oo, mode = "EXACT");
        y = add(x = g, y = x);)"},
    {"matmul_transposed_and_broadcast", "tensor<fp32, [3, 4, 6]> x, tensor<fp32, [4, 5]> w",
     R"(a = matmul(x = x, y = w, transpose_x = true, transpose_y = false);
        b = matmul(x = a, y = tensor<fp32, [7, 5]>(seed 1), transpose_x = false, transpose_y = true);
        y = add(x = b, y = tensor<fp32, [7]>(seed 2));)"},
    {"channels_last_tricks", "tensor<fp32, [1, 6, 4, 5]> x",
     R"(a = conv(x = x, weight = tensor<fp32, [8, 6, 1, 1]>(seed 1), pad_type = "valid");
        t = transpose(x = a, perm = [0, 2, 3, 1]);
        n = layer_norm(x = t, axes = [-1], epsilon = 0.00001);
        u = transpose(x = n, perm = [0, 3, 1, 2]);
        v = conv(x = u, weight = tensor<fp32, [8, 1, 3, 3]>(seed 2), groups = 8, pad_type = "same");
        f = reshape(x = v, shape = [1, 8, 20]);
        s = softmax(x = f, axis = 1);
        y = transpose(x = s, perm = [0, 2, 1]);)"},
    {"concat_split", "tensor<fp32, [2, 4, 3, 3]> x",
     R"(a = conv(x = x, weight = tensor<fp32, [6, 4, 1, 1]>(seed 1), pad_type = "valid");
        (b, c) = split(x = a, split_sizes = [2, 4], axis = 1);
        d = concat(values = (c, x, b), axis = 1, interleave = false);
        e = concat(values = (d, d), axis = 3, interleave = false);
        (f, g) = split(x = e, num_splits = 2, axis = 3);
        y = sub(x = f, y = 1.0);)",
     "y, g"},
    {"broadcasts",
     "tensor<fp32, [2, 3, 4, 5]> x, tensor<fp32, [3, 1, 1]> c, tensor<fp32, [4, 5]> p, "
     "tensor<fp32, [2, 3, 4, 1]> r",
     R"(a = add(x = x, y = c);
        b = mul(x = p, y = a);
        d = sub(x = r, y = b);
        e = real_div(x = d, y = tensor<fp32, [5]>([1.5, 2, -1, 3, 4]));
        f = maximum(x = e, y = -0.5);
        g = mul(x = tensor<fp32, [2, 1, 1, 1]>([1, 2]), y = f);
        y = minimum(x = g, y = tensor<fp32, [1, 3, 1, 5]>(seed 3));)"},
    {"broadcasts_channels_last",
     "tensor<fp32, [2, 3, 4, 5]> x, tensor<fp32, [2, 3, 1, 1]> c, tensor<fp32, [1, 1, 4, 5]> p, "
     "tensor<fp32, [2, 1, 4, 5]> q",
     R"(z = conv(x = x, weight = tensor<fp32, [3, 3, 1, 1]>(seed 1), pad_type = "valid");
        a = add(x = z, y = c);
        b = mul(x = a, y = q);
        d = sub(x = b, y = tensor<fp32, [3, 1, 1]>([1, 2, 3]));
        e = prelu(x = d, alpha = [0.1, 0.2, 0.3]);
        f = mul(x = e, y = p);
        y = mul(x = f, y = tensor<fp32, [2, 1, 1, 1]>([1, 2]));)"},
    {"conv1d_and_transposed", "tensor<fp32, [2, 3, 20]> x",
     R"(a = conv(x = x, weight = tensor<fp32, [8, 3, 5]>(seed 1), strides = [2], pad_type = "custom", pad = [2, 1]);
        b = tanh(x = a);
        c = conv_transpose(x = b, weight = tensor<fp32, [8, 2, 4]>(seed 2), strides = [2], pad_type = "custom", pad = [1, 0], groups = 2);
        y = leaky_relu(x = c, alpha = 0.1);)"},
    {"conv_transpose_2d", "tensor<fp32, [1, 6, 5, 4]> x",
     R"(a = conv_transpose(x = x, weight = tensor<fp32, [6, 4, 2, 2]>(seed 1), bias = tensor<fp32, [4]>(seed 2), strides = [2, 2], pad_type = "valid");
        b = conv_transpose(x = a, weight = tensor<fp32, [4, 3, 3, 3]>(seed 3), strides = [1, 1], pad_type = "same");
        y = sigmoid(x = b);)"},
    {"unary_chain", "tensor<fp32, [37]> x",
     R"(a = abs(x = x);
        b = sqrt(x = a);
        c = exp(x = b);
        d = inverse(x = c, epsilon = 0.0001);
        e = rsqrt(x = d, epsilon = 0.00001);
        f = elu(x = e, alpha = 1.0);
        g = softsign(x = f);
        h = softplus(x = g);
        i = square(x = h);
        j = erf(x = i);
        k = clip(x = j, alpha = 0.2, beta = 0.9);
        l = scaled_tanh(x = k, alpha = 1.5, beta = 0.7);
        m = linear_activation(x = l, alpha = 2.0, beta = -1.0);
        n = gelu(x = m, mode = "TANH_APPROXIMATION");
        o = floor(x = x);
        q = ceil(x = x);
        r = round(x = x);
        s = add(x = o, y = q);
        t = add(x = s, y = r);
        y = add(x = t, y = n);)"},
    {"reductions", "tensor<fp32, [2, 3, 4, 5]> x",
     R"(a = reduce_sum(x = x, axes = [-1], keep_dims = true);
        b = reduce_max(x = x, axes = [2, 3], keep_dims = false);
        c = reduce_min(x = x, axes = [3], keep_dims = false);
        d = reduce_mean(x = x, axes = [1], keep_dims = true);
        e = reduce_sum_square(x = x, axes = [1, 2, 3], keep_dims = false);
        f = reduce_mean(x = x, axes = [0, 2], keep_dims = false);)",
     "a, b, c, d, e, f"},
    {"arguments_of_extremes", "tensor<fp32, [2, 3, 4, 5]> x",
     R"(r = relu(x = x);
        a = reduce_argmax(x = r, axis = -1, keep_dims = false);
        b = reduce_argmin(x = r, axis = 3, keep_dims = true);
        c = reduce_argmax(x = r, axis = 1, keep_dims = false);
        d = reshape(x = x, shape = [120]);
        e = reduce_argmax(x = d, axis = 0, keep_dims = false);
        n = log(x = x);
        f = reduce_argmin(x = n, axis = -1, keep_dims = false);
        g = gather(x = d, indices = e, axis = 0);)",
     "a, b, c, e, f, g"},
    {"integers_and_bools", "tensor<int32, [4]> i, tensor<fp32, [6, 3]> x",
     R"(g = gather(x = x, indices = i, axis = 0);
        j = add(x = i, y = 1);
        k = cast(x = j, dtype = "fp32");
        m = greater(x = g, y = 0.0);
        s = select(cond = m, a = g, b = 7.0);
        y = reduce_sum(x = s, axes = [1], keep_dims = false);
        z = mul(x = y, y = k);)",
     "z, j, m"},
    {"shapes_fold", "tensor<fp32, [2, 3, 4]> x",
     R"(s = shape(x = x);
        b = slice_by_index(x = s, begin = [0], end = [1]);
        c = concat(values = (b, [12]), axis = 0, interleave = false);
        r = reshape(x = x, shape = c);
        y = linear(x = r, weight = tensor<fp32, [3, 12]>(seed 1));)"},
    {"outputs_alias", "tensor<fp32, [2, 3]> x",
     R"(a = identity(x = x);
        b = reshape(x = x, shape = [3, 2]);
        c = relu(x = x);
        d = squeeze(x = c);
        e = const()[val = tensor<fp32, [2]>([1.5, -2.0])];)",
     "a, b, c, d, e"},
    {"pads_and_slices", "tensor<fp32, [2, 3, 5, 6]> x",
     R"(p = pad(x = x, pad = [1, 2, 0, 1], mode = "constant", constant_val = 0.5);
        a = conv(x = p, weight = tensor<fp32, [6, 3, 1, 1]>(seed 1), pad_type = "valid");
        b = pad(x = a, pad = [0, 0, 1, 0, 2, 1, 0, 3], mode = "constant", constant_val = -1.0);
        c = slice_by_index(x = b, begin = [0, 1, 0, 2], end = [2, 6, 8, 9], stride = [1, 2, 3, 1]);
        y = conv(x = c, weight = tensor<fp32, [2, 3, 1, 1]>(seed 2), pad_type = "valid");
        d = slice_by_index(x = x, begin = [0, 2, 1, -1], end = [0, 0, 0, 0], end_mask = [false, false, true, false], squeeze_mask = [true, true, false, true]);
        e = slice_by_index(x = x, begin = [0, 0, 4, 0], end = [2, 3, 0, 6], stride = [1, 1, -2, 1]);
        f = pad(x = x, pad = [1, 1, 2, 2], mode = "reflect");)",
     "y, d, f"},
    {"resizes", "tensor<fp32, [2, 3, 5, 4]> x",
     R"(a = upsample_nearest_neighbor(x = x, scale_factor_height = 2.0, scale_factor_width = 3.0);
        b = conv(x = a, weight = tensor<fp32, [4, 3, 3, 3]>(seed 1), pad_type = "same", strides = [2, 2]);
        c = upsample_bilinear(x = b, scale_factor_height = 2.0, scale_factor_width = 1.5, align_corners = false);
        d = upsample_bilinear(x = x, scale_factor_height = 3.0, scale_factor_width = 2.0, align_corners = true);
        e = resize_bilinear(x = b, target_size_height = 7, target_size_width = 3, sampling_mode = "UNALIGN_CORNERS");
        f = resize_nearest_neighbor(x = x, target_size_height = 3, target_size_width = 9);
        g = relu(x = c);)",
     "g, d, e, f"},
    {"dead_code_and_reuse", "tensor<fp32, [1, 3, 4, 4]> x",
     R"(dead = conv(x = x, weight = tensor<fp32, [5, 3, 1, 1]>(seed 1), pad_type = "valid");
        a = conv(x = x, weight = tensor<fp32, [5, 3, 1, 1]>(seed 2), pad_type = "valid");
        b = relu(x = a);
        c = sigmoid(x = a);
        d = mul(x = b, y = c);
        y = add(x = d, y = d);)",
     "y, a"},
};

class Executor : public testing::TestWithParam<ProgramCase> {};
INSTANTIATE_TEST_SUITE_P(All, Executor, testing::ValuesIn(kCases),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(Executor, MatchesTheInterpreterInFloat32) {
  const ProgramCase& c = GetParam();
  const auto model = ModelFrom(Function(c.inputs, c.body, c.outputs));
  ASSERT_NE(model, nullptr);
  const Tensors inputs = SeededInputs(*model->program.main());
  ExpectSame(RunCpu(model, inputs), RunReference(model, inputs), 1e-5);
}

// Rounding after every operator: the executor may be off by a unit in the last place of half here
// and there (sums in another order), which later operators may grow a little.
TEST_P(Executor, MatchesTheInterpreterInFloat16) {
  const ProgramCase& c = GetParam();
  const auto model = ModelFrom(Function(c.inputs, c.body, c.outputs));
  ASSERT_NE(model, nullptr);
  const Tensors inputs = SeededInputs(*model->program.main());
  const Tensors got = RunCpu(model, inputs, Numerics::kFloat16);
  ExpectSame(got, RunReference(model, inputs, Numerics::kFloat16), 8e-3);
  for (const auto& [name, tensor] : got) {
    if (tensor.dtype() != DType::kFp32 || name == "e") continue;  // "e": a constant stays as it is
    for (int64_t i = 0; i < tensor.count(); ++i) {
      const float v = tensor.As<float>()[i];
      ASSERT_EQ(v, HalfToFloat(FloatToHalf(v))) << name << " element " << i << " is not a half";
    }
  }
}

// Products of numbers of 8 significant bits: of 18 and 40 of them, summed in float32.
TEST(ExecutorBfloat16, RoundsWhatIsMultipliedOrRefuses) {
  const auto model = ModelFrom(
      Function("tensor<fp32, [1, 2, 6, 5]> x",
               R"(c = conv(x = x, weight = tensor<fp32, [8, 2, 3, 3]>(seed 1), pad_type = "same");
         r = relu(x = c);
         f = reshape(x = r, shape = [6, 40]);
         y = linear(x = f, weight = tensor<fp32, [7, 40]>(seed 2));)",
               "y, r"));
  ASSERT_NE(model, nullptr);
  const Tensors inputs = SeededInputs(*model->program.main());
  const Tensors exact = RunReference(model, inputs);
  const exec::LoadOptions options{.function = {}, .numerics = Numerics::kBfloat16, .threads = 2};
  ForEachTarget([&] {
    if (!Dots().avx512_bf16) {
      const auto refused = CpuBackend().Load(model, options);
      ASSERT_FALSE(refused.ok());
      EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
      return;
    }
    const Tensors got = RunCpu(model, inputs, Numerics::kBfloat16);
    double largest = 0, error = 0;
    for (int64_t i = 0; i < exact.at("y").count(); ++i) {
      const double value = exact.at("y").As<float>()[i];
      largest = std::max(largest, std::abs(value));
      error = std::max(error, std::abs(got.at("y").As<float>()[i] - value));
    }
    EXPECT_GT(error, 1e-6 * largest);  // it does round
    EXPECT_LT(error, 1e-2 * largest);
  });
}

TEST_P(Executor, SameBitsAtAnyThreadCountAndWithTracing) {
  const ProgramCase& c = GetParam();
  const auto model = ModelFrom(Function(c.inputs, c.body, c.outputs));
  ASSERT_NE(model, nullptr);
  const Tensors inputs = SeededInputs(*model->program.main());
  const Tensors one = RunCpu(model, inputs, Numerics::kAsTyped, 1);
  for (const int threads : {2, 3, 8}) {
    ExpectSame(RunCpu(model, inputs, Numerics::kAsTyped, threads), one, 0.0);
  }
  // In float16 each operator is rounded whether it is fused or not, so fusion changes no bit.
  exec::Tracer tracer;
  tracer.values = true;
  std::set<std::string> seen;
  tracer.on_operation = [&](const exec::TraceEvent& event) {
    ASSERT_EQ(event.outputs.size(), event.operation->outputs().size());
    EXPECT_TRUE(event.fused.empty());
    for (size_t i = 0; i < event.outputs.size(); ++i) seen.insert(event.operation->output(i)->name);
  };
  ExpectSame(RunCpu(model, inputs, Numerics::kFloat16, 2, &tracer),
             RunCpu(model, inputs, Numerics::kFloat16, 2), 0.0);
  EXPECT_FALSE(seen.empty());
}

TEST_P(Executor, TracedValuesMatchTheInterpreters) {
  const ProgramCase& c = GetParam();
  const auto model = ModelFrom(Function(c.inputs, c.body, c.outputs));
  ASSERT_NE(model, nullptr);
  const Tensors inputs = SeededInputs(*model->program.main());
  Tensors expected;
  exec::InterpretOptions options;
  options.observe = [&](const ir::Operation& operation, const std::vector<exec::Tensor>& outputs) {
    for (size_t i = 0; i < outputs.size(); ++i) expected[operation.output(i)->name] = outputs[i];
  };
  ASSERT_TRUE(exec::Interpret(*model->program.main(), inputs, nullptr, options).ok());
  exec::Tracer tracer;
  tracer.values = true;
  tracer.on_operation = [&](const exec::TraceEvent& event) {
    for (size_t i = 0; i < event.outputs.size(); ++i) {
      const std::string& name = event.operation->output(i)->name;
      SCOPED_TRACE(name);
      const exec::Tensor got = *exec::Tensor::Copy(event.outputs[i]);
      ExpectSame({{name, got}}, {{name, expected.at(name)}}, 1e-5);
    }
  };
  RunCpu(model, inputs, Numerics::kAsTyped, 2, &tracer);
}

// Squares are written as powers in variances and spectra; the bits are those of the power.
TEST(ExecutorElementwise, APowerOfTwoIsASquareInTheSameKernel) {
  const auto model = ModelFrom(R"(
    func main<ios15>(tensor<fp32, [3, 70]> x, tensor<fp32, [70]> p) {
      a = sub(x = x, y = 0.25);
      b = pow(x = a, y = 2.0);
      y = add(x = b, y = 1.0);
      z = pow(x = b, y = 3.0);
      w = pow(x = b, y = p);
    } -> (y, z, w);)");
  ASSERT_NE(model, nullptr);
  const Tensors inputs = SeededInputs(*model->program.main());
  std::vector<std::string> kernels;
  const exec::Tracer tracer{
      .on_operation = [&](const exec::TraceEvent& event) { kernels.emplace_back(event.kernel); }};
  ExpectSame(RunCpu(model, inputs, exec::Numerics::kAsTyped, 2, &tracer),
             RunReference(model, inputs), 0.0);
  EXPECT_EQ(std::ranges::count(kernels, "reference"), 2);
}

TEST(ExecutorTrace, NamesFusedGroups) {
  const auto model = ModelFrom(Function(kCases[0].inputs, kCases[0].body, "y"));
  exec::Tracer tracer;
  std::vector<std::string> groups;
  int64_t last_ns = 0;
  tracer.on_operation = [&](const exec::TraceEvent& event) {
    EXPECT_GE(event.begin_ns, last_ns);
    EXPECT_GE(event.duration_ns, 0);
    last_ns = event.begin_ns;
    if (event.operation == nullptr) return;  // a change of layout
    std::string group;
    for (const ir::Operation* operation : event.fused) group += operation->type() + " ";
    groups.push_back(group);
  };
  RunCpu(model, SeededInputs(*model->program.main()), Numerics::kAsTyped, 1, &tracer);
  EXPECT_EQ(groups, (std::vector<std::string>{"conv relu ", "conv add relu "}));
}

TEST(ExecutorNumerics, HalfProgramRoundsAsTypedAndNotInFloat32) {
  const auto model = ModelFrom(
      Function("tensor<fp16, [1, 3, 6, 6]> x",
               R"(a = conv(x = x, weight = tensor<fp16, [8, 3, 3, 3]>(seed 1), pad_type = "same");
         b = sigmoid(x = a);
         c = mul(x = a, y = b);
         y = cast(x = c, dtype = "fp32");)",
               "y, c"));
  ASSERT_NE(model, nullptr);
  const Tensors inputs = SeededInputs(*model->program.main());
  const Tensors typed = RunCpu(model, inputs), plain = RunCpu(model, inputs, Numerics::kFloat32);
  ExpectSame(typed, RunReference(model, inputs), 2e-3);
  ExpectSame(plain, RunReference(model, inputs, Numerics::kFloat32), 1e-5);
  int64_t halves_typed = 0, halves_plain = 0;
  for (int64_t i = 0; i < typed.at("y").count(); ++i) {
    const float a = typed.at("y").As<float>()[i], b = plain.at("y").As<float>()[i];
    halves_typed += a == HalfToFloat(FloatToHalf(a));
    halves_plain += b == HalfToFloat(FloatToHalf(b));
  }
  EXPECT_EQ(halves_typed, typed.at("y").count());
  EXPECT_LT(halves_plain, typed.at("y").count() / 4);
}

TEST(ExecutorShapes, DynamicInputsArePlannedPerShape) {
  const auto model = ModelFrom(Function(
      "tensor<fp32, [?, 3, ?, 8]> x",
      R"(a = conv(x = x, weight = tensor<fp32, [4, 3, 3, 3]>(seed 1), pad_type = "same", strides = [2, 2]);
         b = relu(x = a);
         s = shape(x = b);
         n = gather(x = s, indices = [0], axis = 0);
         t = concat(values = (n, [-1]), axis = 0, interleave = false);
         y = reshape(x = b, shape = t);)",
      "y"));
  ASSERT_NE(model, nullptr);
  auto executable = CpuBackend().Load(model, {});
  ASSERT_TRUE(executable.ok()) << executable.error().ToString();
  for (const int64_t size : {4, 7, 1, 4, 9, 2, 3, 7}) {
    const Tensors inputs = SeededInputs(*model->program.main(), size);
    auto got = (*executable)->Run(inputs, nullptr, nullptr);
    ASSERT_TRUE(got.ok()) << got.error().ToString();
    ExpectSame(*got, RunReference(model, inputs), 1e-5);
  }
}

TEST(ExecutorShapes, ShapesThatOnlyTheRunKnows) {
  const auto model = ModelFrom(Function("tensor<fp32, [4, 6]> x",
                                        R"(a = relu(x = x);
         i = non_zero(x = a);
         g = gather_nd(x = a, indices = i, batch_dims = 0);
         b = exp(x = g);
         y = reduce_sum(x = b, axes = [0], keep_dims = false);
         z = linear(x = a, weight = tensor<fp32, [2, 6]>(seed 1));)",
                                        "y, i, z"));
  ASSERT_NE(model, nullptr);
  const Tensors inputs = SeededInputs(*model->program.main());
  ExpectSame(RunCpu(model, inputs), RunReference(model, inputs), 1e-5);
}

TEST(ExecutorErrors, WrongInputsAreTheCallersMistake) {
  const auto model = ModelFrom(Function("tensor<fp32, [2, 3]> x", "y = relu(x = x);", "y"));
  auto executable = CpuBackend().Load(model, {});
  ASSERT_TRUE(executable.ok());
  const exec::Tensor good = MakeTensor({2, 3}, {1, -2, 3, -4, 5, -6});
  for (const Tensors& inputs : {Tensors{}, Tensors{{"x", MakeTensor({3, 2}, {1, 2, 3, 4, 5, 6})}},
                                Tensors{{"x", good}, {"z", good}}}) {
    auto result = (*executable)->Run(inputs, nullptr, nullptr);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code(), ErrorCode::kUsage);
  }
  // The executable still works.
  auto result = (*executable)->Run({{"x", good}}, nullptr, nullptr);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->at("y").As<float>()[1], 0.0f);
  EXPECT_FALSE(CpuBackend().Load(model, {.function = "none"}).ok());
  EXPECT_FALSE(CpuBackend().Load(model, {.function = {}, .threads = -1}).ok());
}

TEST(ExecutorThreads, ExecutablesOfOneModelRunAtOnce) {
  const auto model = ModelFrom(Function(kCases[0].inputs, kCases[0].body, "y"));
  const Tensors inputs = SeededInputs(*model->program.main());
  const Tensors expected = RunCpu(model, inputs);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      auto executable = CpuBackend().Load(model, {.function = {}, .threads = 2});
      for (int round = 0; round < 20; ++round) {
        auto got = (*executable)->Run(inputs, nullptr, nullptr);
        const auto& tensor = got->at("y");
        wrong +=
            std::memcmp(tensor.view().data, expected.at("y").view().data, tensor.size_bytes()) != 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

}  // namespace
}  // namespace anemone::cpu
