// What a new shape costs: a decoder of 4 layers of 512 with int4 weights and caches as states, one token
// at a time. The mask has one element for each token so far, so each token has a shape of its own.
//
//   Token/same     the shape of the token before
//   Token/new      a shape that the session has not seen
//   Token/seen     two shapes in turn
// `anonymous_bytes` is the memory of the process that no file backs, after the run.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "cpu/cpu_backend.h"
#include "facade/compress.h"
#include "ir/model.h"
#include "ir/text.h"
#include "process_memory.h"

namespace {

using anemone::exec::Tensor;

constexpr int kLayers = 4;
constexpr int64_t kWidth = 512;
constexpr int64_t kLongest = 512;

std::string Linear(const std::string& to, const std::string& from, int64_t out, int64_t in,
                   int seed) {
  return fmt::format(
      "  {} = linear(x = {}, weight = tensor<fp16, [{}, {}]>(seed {}), bias = tensor<fp16, [{}]>"
      "(seed {}));\n",
      to, from, out, in, seed, out, seed + 1);
}

std::string Norm(const std::string& to, const std::string& from, int seed) {
  return fmt::format(
      "  {} = layer_norm(x = {}, axes = [-1], gamma = tensor<fp16, [512]>(seed {}), beta = "
      "tensor<fp16, [512]>(seed {}), epsilon = fp16(0.001));\n",
      to, from, seed, seed + 1);
}

std::string Program() {
  std::string inputs, body;
  for (int i = 0; i < kLayers; ++i) {
    inputs += fmt::format(
        "state<tensor<fp16, [1, 8, {0}, 64]>> k{1}, state<tensor<fp16, [1, 8, {0}, 64]>> v{1}, ",
        kLongest, i);
  }
  body += "  ms = shape(x = mask);\n";
  body += "  length = slice_by_size(x = ms, begin = [3], size = [1]);\n";
  body += "  past = sub(x = length, y = [1]);\n";
  body += "  begin = concat(values = ([0, 0], past, [0]), axis = 0);\n";
  body += "  end = concat(values = ([1, 8], length, [64]), axis = 0);\n";
  std::string x = "x";
  for (int i = 0; i < kLayers; ++i) {
    const std::string n = std::to_string(i);
    const int seed = 100 * (i + 1);
    body += Norm("n" + n, x, seed);
    for (const std::string name : {"q", "kk", "vv"}) {
      body += Linear(name + n, "n" + n, kWidth, kWidth, seed + 10 * static_cast<int>(name[0] % 8));
      body += fmt::format("  {0}h{1} = reshape(x = {0}{1}, shape = [1, 8, 1, 64]);\n", name, n);
    }
    for (const std::string name : {"k", "v"}) {
      body += fmt::format("  {0}r{1} = read_state(input = {0}{1});\n", name, n);
      body += fmt::format(
          "  {0}u{1} = slice_update(x = {0}r{1}, update = {0}{0}h{1}, begin = begin, end = end);\n",
          name, n);
      body += fmt::format("  write_state(input = {0}{1}, data = {0}u{1});\n", name, n);
      body += fmt::format(
          "  {0}a{1} = slice_by_index(x = {0}u{1}, begin = [0, 0, 0, 0], end = end);\n", name, n);
    }
    body += fmt::format(
        "  s{0} = scaled_dot_product_attention(query = qh{0}, key = ka{0}, value = va{0}, "
        "attn_mask = mask);\n",
        n);
    body += fmt::format("  f{0} = reshape(x = s{0}, shape = [1, 1, 512]);\n", n);
    body += Linear("o" + n, "f" + n, kWidth, kWidth, seed + 60);
    body += fmt::format("  a{0} = add(x = {1}, y = o{0});\n", n, x);
    body += Norm("m" + n, "a" + n, seed + 70);
    body += Linear("u" + n, "m" + n, 4 * kWidth, kWidth, seed + 80);
    body += fmt::format("  g{0} = gelu(x = u{0}, mode = \"EXACT\");\n", n);
    body += Linear("d" + n, "g" + n, kWidth, 4 * kWidth, seed + 90);
    body += fmt::format("  x{0} = add(x = a{0}, y = d{0});\n", n);
    x = "x" + n;
  }
  return "func main<ios18>(" + inputs +
         "tensor<fp16, [1, 1, 512]> x, tensor<fp16, [1, 1, 1, ?]> mask) {\n" + body + "} -> (" + x +
         ");\n";
}

// Weights of 16 bits, or of 4.
std::shared_ptr<anemone::ir::Model> Decoder(bool int4) {
  auto program = anemone::ir::ParseText(Program());
  if (!program.ok()) return nullptr;
  auto model = anemone::ir::MakeModel(std::move(*program));
  if (!model.ok()) return nullptr;
  anemone::CompressOptions options;
  options.mode = "linear_symmetric";
  options.dtype = "int4";
  options.granularity = "per_block";
  if (int4 && !anemone::facade::Compress(*model, options).ok()) return nullptr;
  return std::make_shared<anemone::ir::Model>(std::move(*model));
}

Tensor Zeros(const anemone::ir::Shape& shape) {
  Tensor tensor = *Tensor::Allocate(anemone::DType::kFp32, shape);
  std::fill_n(tensor.As<float>(), tensor.count(), 0.5F);
  return tensor;
}

enum class Lengths { kSame, kNew, kSeen };

void Token(benchmark::State& state, bool int4, Lengths lengths) {
  const auto model = Decoder(int4);
  if (model == nullptr) return state.SkipWithError("the model cannot be made");
  auto executable = anemone::cpu::CpuBackend().Load(model, {.function = {}, .threads = 1});
  if (!executable.ok()) return state.SkipWithError(executable.error().ToString().c_str());
  anemone::exec::State kept;
  const Tensor x = Zeros({1, 1, kWidth});
  int64_t length = 1;
  const auto run = [&] {
    const auto outputs =
        (*executable)->Run({{"x", x}, {"mask", Zeros({1, 1, 1, length})}}, &kept, nullptr);
    if (!outputs.ok()) state.SkipWithError(outputs.error().ToString().c_str());
  };
  for (length = 1; length <= 2; ++length) run();
  length = 2;
  for (auto _ : state) {
    if (lengths == Lengths::kNew) length = length % kLongest + 1;
    if (lengths == Lengths::kSeen) length = 3 - length;
    run();
  }
  state.counters["anonymous_bytes"] = anemone::bench::AnonymousBytes();
}

void SameShape(benchmark::State& state) { Token(state, state.range(0) != 0, Lengths::kSame); }
void NewShape(benchmark::State& state) { Token(state, state.range(0) != 0, Lengths::kNew); }
void SeenShape(benchmark::State& state) { Token(state, state.range(0) != 0, Lengths::kSeen); }

// The argument: 0 for half weights, 1 for int4.
BENCHMARK(SameShape)
    ->Name("Token/same")
    ->Arg(0)
    ->Arg(1)
    ->Unit(benchmark::kMillisecond)
    ->Iterations(200);
BENCHMARK(NewShape)
    ->Name("Token/new")
    ->Arg(0)
    ->Arg(1)
    ->Unit(benchmark::kMillisecond)
    ->Iterations(200);
BENCHMARK(SeenShape)
    ->Name("Token/seen")
    ->Arg(0)
    ->Arg(1)
    ->Unit(benchmark::kMillisecond)
    ->Iterations(200);

}  // namespace

BENCHMARK_MAIN();
