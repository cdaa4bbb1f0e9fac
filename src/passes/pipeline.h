// The pass pipeline: every pass of the library in the order in which it runs (pipeline.cc is the
// list). Thread rules: one thread per program.
#pragma once

#include <vector>

#include "passes/float16.h"
#include "passes/pass_runner.h"

namespace anemone::passes {

struct PipelineOptions {
  // kFp32, or kFp16: the program computes in half precision (float16.h).
  DType compute_precision = DType::kFp32;
  Float16Options float16;
};

// The groups that Optimize runs.
std::vector<PassGroup> Pipeline(const PipelineOptions& options = {});
// Its end, which makes an optimized float32 program compute in half precision: both in a row give
// what Pipeline gives for kFp16 at once.
std::vector<PassGroup> PrecisionPipeline(const Float16Options& options);
// The part of it that still computes in float32, and gives up what half could not hold.
PassGroup HalfPreparation();
// For a program that is only run, here and now: the parts that make it faster. Left out is what makes it smaller or only
// tidier and costs time at each load, and what changes weights, which would then be held twice.
std::vector<PassGroup> ExecutionPipeline();
// Dead code and no-ops only: for a program read from a package, before it is changed.
std::vector<PassGroup> CleanupPipeline();
// Every pass, by name, once.
std::vector<Pass> AllPasses();

// Runs Pipeline(options).
Result<RunReport> Optimize(ir::Program& program, const PipelineOptions& options = {},
                           const RunOptions& run = {});

}  // namespace anemone::passes
