// The bodies of include/anemone/tools.h.
#include "facade/tools.h"

#include "facade/arrays.h"

namespace anemone {
namespace {

template <typename T>
Expected<T> ToExpected(Result<T> result) {
  if (!result.ok()) return facade::ToFailure(result.error());
  return std::move(result).value();
}

}  // namespace

Expected<GateResult> Gate(const GateOptions& options, const Hooks& hooks) {
  return ToExpected(facade::RunGate(options, hooks));
}

Expected<MatrixResult> Matrix(const MatrixOptions& options) {
  return ToExpected(facade::RunMatrix(options));
}

Expected<LabResult> Lab(const LabOptions& options, const Hooks& hooks) {
  return ToExpected(facade::RunLab(options, hooks));
}

Expected<CompareResult> Compare(const CompareOptions& options, const Hooks& hooks) {
  return ToExpected(facade::RunCompare(options, hooks));
}

Expected<EvaluateResult> Evaluate(const EvaluateOptions& options, const Hooks& hooks) {
  return ToExpected(facade::RunEvaluate(options, hooks));
}

Expected<BenchResult> Bench(const BenchOptions& options, const Hooks& hooks) {
  return ToExpected(facade::RunBench(options, hooks));
}

Expected<PlacementResult> ScorePlacement(const PlacementOptions& options) {
  return ToExpected(facade::RunPlacement(options));
}

Expected<DoctorResult> Doctor(const DoctorOptions& options) {
  return ToExpected(facade::RunDoctor(options));
}

Expected<CompileResult> Compile(const CompileOptions& options) {
  return ToExpected(facade::RunCompile(options));
}

Expected<FetchResult> Fetch(const FetchOptions& options, const Hooks& hooks) {
  return ToExpected(facade::RunFetch(options, hooks));
}

Expected<CatalogResult> Catalog() { return ToExpected(facade::RunCatalog()); }

Expected<CacheListResult> CacheList(const CacheListOptions& options) {
  return ToExpected(facade::RunCacheList(options));
}

Expected<CacheClearResult> CacheClear(const CacheClearOptions& options) {
  return ToExpected(facade::RunCacheClear(options));
}

Expected<CacheVerifyResult> CacheVerify(const CacheVerifyOptions& options, const Hooks& hooks) {
  return ToExpected(facade::RunCacheVerify(options, hooks));
}

Expected<ConvertFileResult> ConvertFile(const ConvertFileOptions& options, const Hooks& hooks) {
  return ToExpected(facade::RunConvertFile(options, hooks));
}

Expected<CompressFileResult> CompressFile(const CompressFileOptions& options, const Hooks& hooks) {
  return ToExpected(facade::RunCompressFile(options, hooks));
}

Expected<InspectResult> Inspect(const InspectOptions& options) {
  return ToExpected(facade::RunInspect(options));
}

Expected<ViewResult> View(const ViewOptions& options, const Hooks& hooks) {
  return ToExpected(facade::RunView(options, hooks));
}

Expected<RunResult> Run(const RunOptions& options) { return ToExpected(facade::RunRun(options)); }

Expected<DemoResult> Demo(const DemoOptions& options, const Hooks& hooks) {
  return ToExpected(facade::RunDemo(options, hooks));
}

}  // namespace anemone
