// Opening and writing a package: time, and the memory that opening takes (resident set,
// private part). The package is ANEMONE_BENCH_PACKAGE, for example a ResNet-50; without it
// nothing is measured.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "format/package.h"
#include "process_memory.h"

namespace {

const char* Package(benchmark::State& state) {
  const char* path = std::getenv("ANEMONE_BENCH_PACKAGE");
  if (path == nullptr) state.SkipWithError("set ANEMONE_BENCH_PACKAGE to a package");
  return path;
}

void OpenPackage(benchmark::State& state) {
  const char* path = Package(state);
  if (path == nullptr) return;
  // Measured before the first model of the process, because the heap keeps freed memory.
  static const double start = anemone::bench::AnonymousBytes();
  double extra = 0;
  for (auto _ : state) {
    auto model = anemone::format::ReadModel(path);
    if (!model.ok()) return state.SkipWithError(model.error().ToString().c_str());
    extra = std::max(extra, anemone::bench::AnonymousBytes() - start);
  }
  state.counters["extra_anonymous_bytes"] = extra;
}
BENCHMARK(OpenPackage)->Unit(benchmark::kMillisecond);

void WritePackage(benchmark::State& state) {
  const char* path = Package(state);
  if (path == nullptr) return;
  auto model = anemone::format::ReadModel(path);
  if (!model.ok()) return state.SkipWithError(model.error().ToString().c_str());
  const auto target = std::filesystem::temp_directory_path() / "anemone_bench.mlpackage";
  const auto durability =
      state.range(0) == 0 ? anemone::Durability::kProcess : anemone::Durability::kDisk;
  for (auto _ : state) {
    const anemone::Status status =
        anemone::format::WritePackage(*model, target.string(), {.durability = durability});
    if (!status.ok()) return state.SkipWithError(status.ToString().c_str());
  }
  std::filesystem::remove_all(target);
}
BENCHMARK(WritePackage)->ArgName("to_disk")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
