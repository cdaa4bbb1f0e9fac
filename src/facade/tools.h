// The tools of include/anemone/tools.h as the library has them inside: the same options and
// results, with errors as Result. The command calls these. Thread rules and errors: as there.
#pragma once

#include <iosfwd>

#include "anemone/tools.h"
#include "base/status.h"

namespace anemone::facade {

Result<GateResult> RunGate(const GateOptions& options, const Hooks& hooks = {});

Result<MatrixResult> RunMatrix(const MatrixOptions& options);

Result<LabResult> RunLab(const LabOptions& options, const Hooks& hooks = {});
// A worker of a sweep on other machines: the same options as the lab's, jobs as lines on one
// stream, outcomes on the other (lab/workers.h).
Status RunLabWorker(const LabOptions& options, std::istream& jobs, std::ostream& outcomes);

Result<CompareResult> RunCompare(const CompareOptions& options, const Hooks& hooks = {});
Result<EvaluateResult> RunEvaluate(const EvaluateOptions& options, const Hooks& hooks = {});
Result<BenchResult> RunBench(const BenchOptions& options, const Hooks& hooks = {});
Result<PlacementResult> RunPlacement(const PlacementOptions& options);
Result<DoctorResult> RunDoctor(const DoctorOptions& options);
Result<CompileResult> RunCompile(const CompileOptions& options);

Result<FetchResult> RunFetch(const FetchOptions& options, const Hooks& hooks = {});
Result<CatalogResult> RunCatalog();
Result<CacheListResult> RunCacheList(const CacheListOptions& options);
Result<CacheClearResult> RunCacheClear(const CacheClearOptions& options);
Result<CacheVerifyResult> RunCacheVerify(const CacheVerifyOptions& options,
                                         const Hooks& hooks = {});

Result<ConvertFileResult> RunConvertFile(const ConvertFileOptions& options,
                                         const Hooks& hooks = {});
Result<CompressFileResult> RunCompressFile(const CompressFileOptions& options,
                                           const Hooks& hooks = {});

Result<InspectResult> RunInspect(const InspectOptions& options);
// The program as MIL text, long values cut.
Result<std::string> MilText(const InspectOptions& options);
Result<ViewResult> RunView(const ViewOptions& options, const Hooks& hooks = {});
Result<RunResult> RunRun(const RunOptions& options);
Result<DemoResult> RunDemo(const DemoOptions& options, const Hooks& hooks = {});

}  // namespace anemone::facade
