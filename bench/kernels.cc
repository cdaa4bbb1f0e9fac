// Speed of the CPU kernels on layers of well-known networks. Counters: GFLOP/s (a multiply-add is
// two) and their share of the peak of as many threads, which is measured first; threads are the last
// argument. Compare only figures taken together on an idle machine.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/kernels/conv.h"
#include "cpu/kernels/elementwise.h"
#include "cpu/kernels/gemm.h"
#include "cpu/kernels/roofline.h"
#include "cpu/kernels/steps.h"

namespace {

using namespace anemone;
using namespace anemone::cpu;

std::vector<float> Random(int64_t count) {
  std::mt19937 engine(7);
  std::uniform_real_distribution<float> value(-1.0f, 1.0f);
  std::vector<float> out(static_cast<size_t>(count));
  for (float& v : out) v = value(engine);
  return out;
}

// Of so many threads, measured once.
const Roofline& PeakOf(int threads) {
  static std::map<int, Roofline> measured;
  const auto found = measured.find(threads);
  if (found != measured.end()) return found->second;
  ThreadPool pool(threads);
  return measured[threads] = MeasureRoofline(pool);
}

// Runs `body` once for each iteration, and counts the GFLOP/s of the fastest: on a machine that others use
// too, the mean says how busy they are.
template <typename Body>
void Measure(benchmark::State& state, double flops, const Body& body) {
  using Clock = std::chrono::steady_clock;
  double least = std::numeric_limits<double>::infinity();
  for (auto _ : state) {
    const auto begin = Clock::now();
    body();
    least = std::min(least, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  state.counters["us"] = least * 1e6;
  if (flops <= 0) return;
  state.counters["GFLOP/s"] = flops / least / 1e9;
  state.counters["of peak"] = flops / least / 1e9 / PeakOf(static_cast<int>(state.range(0))).gflops;
}

struct Layer {
  const char* name;
  int64_t size, in, out, kernel, stride, groups;
};

constexpr Layer kLayers[] = {
    {"resnet50/stem7x7", 224, 3, 64, 7, 2, 1},
    {"resnet50/56_1x1_64_64", 56, 64, 64, 1, 1, 1},
    {"resnet50/56_3x3_64", 56, 64, 64, 3, 1, 1},
    {"resnet50/56_1x1_64_256", 56, 64, 256, 1, 1, 1},
    {"resnet50/56_1x1_256_64", 56, 256, 64, 1, 1, 1},
    {"resnet50/56_3x3s2_128", 56, 128, 128, 3, 2, 1},
    {"resnet50/28_1x1_512_128", 28, 512, 128, 1, 1, 1},
    {"resnet50/28_3x3_128", 28, 128, 128, 3, 1, 1},
    {"resnet50/28_1x1_128_512", 28, 128, 512, 1, 1, 1},
    {"resnet50/14_1x1_1024_256", 14, 1024, 256, 1, 1, 1},
    {"resnet50/14_3x3_256", 14, 256, 256, 3, 1, 1},
    {"resnet50/14_1x1_256_1024", 14, 256, 1024, 1, 1, 1},
    {"resnet50/14_1x1s2_1024_2048", 14, 1024, 2048, 1, 2, 1},
    {"resnet50/7_1x1_2048_512", 7, 2048, 512, 1, 1, 1},
    {"resnet50/7_3x3_512", 7, 512, 512, 3, 1, 1},
    {"resnet50/7_1x1_512_2048", 7, 512, 2048, 1, 1, 1},
    {"mobilenetv3/stem3x3", 224, 3, 16, 3, 2, 1},
    {"mobilenetv3/28_dw3x3s2_72", 56, 72, 72, 3, 2, 72},
    {"mobilenetv3/28_dw3x3_88", 28, 88, 88, 3, 1, 88},
    {"mobilenetv3/14_dw5x5_240", 14, 240, 240, 5, 1, 240},
    {"mobilenetv3/7_dw5x5_576", 7, 576, 576, 5, 1, 576},
    {"mobilenetv3/14_1x1_40_240", 14, 40, 240, 1, 1, 1},
    {"mobilenetv3/7_1x1_96_576", 7, 96, 576, 1, 1, 1},
    {"fastvit/stem3x3", 256, 3, 48, 3, 2, 1},
    {"fastvit/64_dw7x7_48", 64, 48, 48, 7, 1, 48},
    {"fastvit/64_dw3x3_48", 64, 48, 48, 3, 1, 48},
    {"fastvit/64_1x1_48_144", 64, 48, 144, 1, 1, 1},
    {"fastvit/32_dw7x7_96", 32, 96, 96, 7, 1, 96},
    {"fastvit/16_dw7x7_192", 16, 192, 192, 7, 1, 192},
    {"fastvit/8_dw7x7_384", 8, 384, 384, 7, 1, 384},
    {"fastvit/32_dw7x7s2_48_96", 64, 48, 96, 7, 2, 48},
    {"fastvit/16_1x1_192_576", 16, 192, 576, 1, 1, 1},
    {"resnext/56_3x3_128_g32", 56, 128, 128, 3, 1, 32},
};

void Conv(benchmark::State& state, const Layer& layer) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  ConvShape s;
  s.in_h = s.in_w = layer.size;
  s.in_c = layer.in;
  s.out_c = layer.out;
  s.kernel_h = s.kernel_w = layer.kernel;
  s.stride_h = s.stride_w = layer.stride;
  s.pad_top = s.pad_left = layer.kernel / 2;
  s.groups = layer.groups;
  s.out_h = s.out_w = (layer.size - 1) / layer.stride + 1;
  const int64_t depth = s.in_c / s.groups * s.kernel_h * s.kernel_w;
  const PackedConv conv(s, Random(s.out_c * depth).data(), Random(s.out_c).data());
  const std::vector<float> in = Random(s.in_h * s.in_w * s.in_c);
  std::vector<float> out(static_cast<size_t>(s.out_h * s.out_w * s.out_c));
  const Step relu{.kind = StepKind::kRelu};
  std::vector<float> scratch(static_cast<size_t>(conv.ScratchFloats()));
  const double flops = 2.0 * static_cast<double>(s.out_h * s.out_w * s.out_c * depth);
  Measure(state, flops, [&] { conv.Run(in.data(), out.data(), scratch.data(), {&relu, 1}, pool); });
}

// The ways to do a 3x3 convolution of stride 1: what ChooseFloatConvMethod goes by.
void ConvBy(benchmark::State& state, ConvMethod method, int64_t size, int64_t in_c, int64_t out_c) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  ConvShape s;
  s.in_h = s.in_w = s.out_h = s.out_w = size;
  s.in_c = in_c, s.out_c = out_c;
  s.kernel_h = s.kernel_w = 3;
  s.pad_top = s.pad_left = 1;
  const PackedConv conv(s, method, Random(out_c * in_c * 9).data(), Random(out_c).data(), pool);
  const std::vector<float> in = Random(size * size * in_c);
  std::vector<float> out(static_cast<size_t>(size * size * out_c));
  std::vector<float> scratch(static_cast<size_t>(conv.ScratchFloats()));
  const Step relu{.kind = StepKind::kRelu};
  const double flops = 2.0 * static_cast<double>(size * size * out_c * in_c * 9);
  Measure(state, flops, [&] { conv.Run(in.data(), out.data(), scratch.data(), {&relu, 1}, pool); });
}

void RegisterConvMethods() {
  const std::pair<const char*, ConvMethod> methods[] = {{"direct", ConvMethod::kIndirect},
                                                        {"winograd2", ConvMethod::kWinograd2},
                                                        {"winograd4", ConvMethod::kWinograd4}};
  constexpr int64_t kShapes[][3] = {
      {112, 16, 16}, {112, 32, 32},  {112, 64, 64},  {56, 16, 16},   {56, 32, 32},
      {56, 64, 64},  {56, 128, 32},  {56, 128, 128}, {28, 32, 32},   {28, 64, 64},
      {28, 128, 32}, {28, 128, 128}, {28, 256, 256}, {14, 32, 32},   {14, 64, 64},
      {14, 128, 32}, {14, 128, 128}, {14, 256, 256}, {14, 512, 512}, {8, 160, 160},
      {7, 64, 64},   {7, 128, 32},   {7, 128, 128},  {7, 256, 256},  {7, 512, 512}};
  for (const auto& [size, in_c, out_c] : kShapes) {
    for (const auto& [name, method] : methods) {
      const std::string label = "method/" + std::to_string(size) + "_" + std::to_string(in_c) +
                                "_" + std::to_string(out_c) + "/" + name;
      benchmark::RegisterBenchmark(label.c_str(), ConvBy, method, size, in_c, out_c)
          ->Arg(1)
          ->Arg(2)
          ->UseRealTime();
    }
  }
}

void Square(benchmark::State& state, int64_t m, int64_t k, int64_t n) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  const PackedMatrix b(Random(k * n).data(), k, n, n, 1, nullptr);
  const std::vector<float> a = Random(m * k);
  std::vector<float> c(static_cast<size_t>(m * n));
  const double flops = 2.0 * static_cast<double>(m * k * n);
  Measure(state, flops, [&] { Gemm(a.data(), k, m, b.view(), c.data(), n, {}, pool); });
}

void Unary(benchmark::State& state, StepKind kind) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  const std::vector<float> in = Random(512 * 1024);
  std::vector<float> out(in.size());
  const Step step{.kind = kind, .alpha = 0.5f, .beta = 0.5f};
  Measure(state, 0.0, [&] { Elementwise({&step, 1}, in.data(), out.data(), 1024, 512, pool); });
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(in.size()));
}

}  // namespace

int main(int argc, char** argv) {
  for (const Layer& layer : kLayers) {
    benchmark::RegisterBenchmark(layer.name, Conv, layer)->Arg(1)->Arg(2)->UseRealTime();
  }
  RegisterConvMethods();
  benchmark::RegisterBenchmark("gemm/512", Square, 512, 512, 512)->Arg(1)->Arg(2)->UseRealTime();
  benchmark::RegisterBenchmark("gemm/512x8192x512", Square, 512, 8192, 512)
      ->Arg(1)
      ->Arg(2)
      ->UseRealTime();
  benchmark::RegisterBenchmark("gemm/fc_1x2048x1000", Square, 1, 2048, 1000)
      ->Arg(1)
      ->Arg(2)
      ->UseRealTime();
  const std::pair<const char*, StepKind> unary[] = {
      {"unary/relu", StepKind::kRelu}, {"unary/exp", StepKind::kExp},
      {"unary/tanh", StepKind::kTanh}, {"unary/gelu_erf", StepKind::kGeluErf},
      {"unary/silu", StepKind::kSilu}, {"unary/half", StepKind::kRoundToHalf},
  };
  for (const auto& [name, kind] : unary) {
    benchmark::RegisterBenchmark(name, Unary, kind)->Arg(1)->Arg(2)->UseRealTime();
  }
  benchmark::Initialize(&argc, argv);
  for (const int threads : {1, 2}) {
    const Roofline& peak = PeakOf(threads);
    std::printf("peak of %d thread(s): %.1f GFLOP/s, %.1f GB/s from memory\n", threads, peak.gflops,
                peak.gigabytes_s);
  }
  benchmark::RunSpecifiedBenchmarks();
}
