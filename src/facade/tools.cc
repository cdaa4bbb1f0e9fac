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

}  // namespace anemone
