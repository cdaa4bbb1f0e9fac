// The tools: what the command does with whole models, as functions: the gate, the compression lab,
// comparison, evaluation on photographs, benchmarks, placement, compilation. Only the standard library appears
// here.
//
//   auto gate = anemone::Gate({.models = {"model.mlpackage"}, .output = "report"});
//   if (!gate) return Report(gate.failure());
//   return gate->exit_code;   // 0 PASS, 1 FAIL, 4 NOT MEASURED ...
//
// A field is named as the command's flag is, with "_" for "-", and means the same; an empty text
// stands for the default. A `json` is the document that the command prints with --json: one
// function makes it for both. A verdict that is not good (a gate that fails, outputs that differ)
// is a result; a Failure says that there is none.
//
// Ownership: values. Thread rules: any number of calls at once, though two that measure time
// disturb each other. Errors: returned as Failure; nothing throws, prints or aborts.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "anemone/model.h"

namespace anemone {

// How a long call tells what it does, and how it is ended early.
struct Hooks {
  // The stage, and how much of it is done; `total` is 0 where nothing is counted. Called from one
  // thread at a time, which need not be the caller's.
  std::function<void(const std::string& stage, int64_t done, int64_t total)> progress = {};
  // Asked between two steps, from any thread; true ends the call with the failure "cancelled".
  std::function<bool()> cancelled = {};
};

// --- The gate: pass or fail against a policy.

struct GateResult {
  std::string verdict;  // of the worst model: "PASS", "FAIL", "NOT MEASURED" ...
  int exit_code = 4;    // what the command ends with for it
  std::string json;
  std::string text;  // for a terminal
};

Expected<GateResult> Gate(const GateOptions& options, const Hooks& hooks = {});

// --- The matrix: the gate's verdict on each model and device that run records speak of.

struct MatrixOptions {
  std::vector<std::string> record = {};  // run records of any machines
  std::string output = "site";           // folder for index.html, table.csv and table.json
  std::string policy = {};               // a policy file; Gate C when empty
};

struct MatrixResult {
  struct Row {
    std::string verdict;
    std::string variant;  // "resnet50 fp16"
    std::string device;
    std::string decided_by;  // the checks behind a verdict other than PASS
  };
  std::vector<Row> rows;
  std::string json;  // table.json
};

Expected<MatrixResult> Matrix(const MatrixOptions& options);

// --- The compression lab: a sweep of variants, a search for the smallest within a loss, a report.

struct LabVariant {
  std::string name;
  std::string error;  // why there is no such variant; the rest says nothing then
  int64_t package_bytes = 0;
  double loss = 0;  // 0: as the reference
  int64_t samples = 0;
  std::optional<int64_t> top1;       // samples whose label is predicted; absent without labels
  std::optional<int64_t> agreement;  // samples that the reference classifies the same
};

struct LabResult {
  std::vector<LabVariant> variants;
  std::string chosen;              // the smallest variant within `max_drop`; empty: none
  bool chosen_needs_data = false;  // it learns from calibration.txt in the folder
  std::string base;  // what the variants are made from: the model, or base.mlpackage in the folder
  int64_t jobs_found = 0;  // that an earlier run had finished
  int64_t jobs = 0;
  std::string json;
};

Expected<LabResult> Lab(const LabOptions& options, const Hooks& hooks = {});

// --- Comparison of two models' outputs, whole or operator by operator.

struct CompareOptions {
  std::string reference = {};            // a model
  std::string variant = {};              // the model to judge
  std::vector<std::string> inputs = {};  // NAME=FILE.npy, .png or .jpg; seeded inputs when empty
  uint64_t seed = 0;                     // of the inputs
  int samples = 4;                       // seeded inputs
  bool per_op = false;                   // list every operator's drift
  double tolerance_linf = 1e-2;          // largest difference allowed
  double tolerance_rmse = 1e-3;          // root-mean-square difference allowed
  double min_psnr = 0;                   // smallest PSNR allowed, in dB; 0: any
  std::string backend = "auto";
  std::string numerics = "as_typed";  // of the variant
  int threads = 0;                    // 0: one for each core
};

// Differences over all elements; relative ones are shares of the reference's range.
struct OutputComparison {
  std::string output;
  double linf = 0;
  double linf_relative = 0;
  double rmse = 0;
  double rmse_relative = 0;
  double psnr_db = 0;  // infinite where the outputs are equal
  double top1_agreement = 0;
  bool relative = false;  // the tolerances were held against the relative differences
  bool passed = false;
};

struct OperatorComparison {
  std::string name;
  std::string type;
  double linf_relative = 0;
  double rmse_relative = 0;
  double psnr_db = 0;
};

struct CompareResult {
  bool passed = false;
  std::vector<OutputComparison> outputs;
  std::vector<OperatorComparison> operators;  // with per_op
  std::string first_drift;  // the first operator beyond the tolerance, of a failure; empty: none
  std::string json;
};

Expected<CompareResult> Compare(const CompareOptions& options, const Hooks& hooks = {});

// --- Evaluation: top-1 and top-5 over labeled photographs.

struct EvaluateOptions : ModelOptions {
  PreprocessOptions preprocess = {};
  std::string images = {};     // folder of PNG and JPEG files
  std::string labels = {};     // CSV with the columns file and class_index
  std::string reference = {};  // a model whose predictions to agree with
  int64_t limit = 0;           // the first images only; 0: all
  bool rows = false;           // list every image's prediction in the document
  std::string backend = "auto";
  std::string numerics = "as_typed";
  std::string function = {};
  int threads = 0;  // 0: one for each core
};

struct EvaluateResult {
  struct Row {
    std::string file;
    int64_t label = 0;
    int64_t predicted = 0;
    int64_t reference = -1;  // -1 without a reference
    float score = 0;
  };
  int64_t images = 0;
  int64_t top1 = 0;
  int64_t top5 = 0;
  std::optional<int64_t> agree_with_reference;
  std::vector<Row> rows;
  std::string json;
};

Expected<EvaluateResult> Evaluate(const EvaluateOptions& options, const Hooks& hooks = {});

// --- Benchmark: latency percentiles, memory, a profile by operator.

struct BenchOptions : ModelOptions {
  std::string backend = "auto";
  std::string numerics = "as_typed";
  std::string function = {};
  std::string compute_units = "all";  // of Core ML
  int64_t iterations = 100;           // timed inferences
  double duration = 0;                // seconds to measure, instead of `iterations`
  int64_t warmup = 10;                // inferences before the timed ones
  double warmup_time = 0;  // seconds of warm-up, then until two blocks of 50 agree within 5 %
  std::vector<double> percentile = {50, 90, 99};
  std::string against = {};         // a model or a backend to measure beside, in A B B A blocks
  std::string export_profile = {};  // file for one inference as a Chrome trace
  std::string export_times = {};    // file for a run record; a second one for `against` beside it
  uint64_t input_seed = 0;
  int threads = 0;  // 0: one for each core
};

struct BenchResult {
  struct Subject {
    std::string label;
    std::string backend;
    std::optional<int64_t> load_ns;
    std::optional<int64_t> first_inference_ns;
    int64_t iterations = 0;  // that answered
    int64_t failed = 0;
    bool steady = false;                  // the warm-up reached a steady state
    double mean_ns = 0;                   // 0 without iterations
    std::vector<int64_t> percentiles_ns;  // as BenchOptions::percentile; empty without iterations
  };
  std::vector<Subject> subjects;  // the model, and what it was measured against
  // Of the medians, with its 95 % interval; absent without `against`, or with too few blocks.
  struct Ratio {
    double value = 0;
    double low = 0;
    double high = 0;
  };
  std::optional<Ratio> median_ratio;
  std::optional<int64_t> peak_resident_bytes;  // of this process
  std::string json;
};

Expected<BenchResult> Bench(const BenchOptions& options, const Hooks& hooks = {});

// --- Placement: what Core ML planned on a real machine beside what is predicted.

struct PlacementOptions : ModelOptions {
  // Plans: dump_plan.py's or WhisperKit's JSON, the text of ExecuTorch's script, or a run.jsonl.
  std::vector<std::string> reports = {};
  std::string function = {};
  std::string chip = {};           // when the reports do not name it
  std::string compute_units = {};  // when the reports do not say: all, cpu_and_ne, ...
};

struct PlacementResult {
  struct Agreement {
    std::string name;  // of the operator or the rule; empty for all
    int64_t operations = 0;
    int64_t units_compared = 0;  // sets of units that could take the operation
    int64_t units_right = 0;
    int64_t preferred_compared = 0;
    int64_t preferred_right = 0;
  };
  struct Disagreement {
    std::string name;
    std::string type;
    std::string rule;                    // of the prediction
    std::vector<std::string> predicted;  // units: "cpu", "gpu", "ane"
    std::vector<std::string> planned;
    std::string predicted_preferred;  // empty: unknown
    std::string planned_preferred;
  };
  Agreement all;
  int64_t not_in_plan = 0;
  int64_t not_in_model = 0;
  std::vector<Agreement> by_operator;  // the worst first
  std::vector<Agreement> by_rule;
  std::vector<Disagreement> disagreements;
  std::string json;
};

Expected<PlacementResult> ScorePlacement(const PlacementOptions& options);

// --- The doctor: this machine, and what stands in a model's way on Apple's.

struct DoctorOptions : ModelOptions {  // without a model: the machine alone
  std::string chip = "m1,m2,m3,m4";    // chips to ask about
  std::string images = {};             // folder of pictures or .npy files to run the model on
  int64_t samples = 2;                 // inputs
  bool no_float16 = false;             // do not run the model
  int threads = 0;                     // 0: one for each core
};

struct DoctorResult {
  std::string json;
};

Expected<DoctorResult> Doctor(const DoctorOptions& options);

// --- The compiler: what an app ships (.mlmodelc), made without a Mac.

struct CompileOptions : ModelOptions {
  std::string output = {};  // the .mlmodelc; MODEL's name in this folder when empty
};

struct CompileResult {
  struct File {
    std::string path;  // in the folder
    int64_t bytes = 0;
  };
  std::string output;
  std::vector<File> files;
  // What is written by a rule that no public output of Apple's compiler shows.
  std::vector<std::string> unconfirmed;
  std::string json;
};

Expected<CompileResult> Compile(const CompileOptions& options);

// A JSON object with any of the fields of one of the structs above (those of options.h: see
// ParseOptions in model.h), under their names ("std" for
// `deviation`; the fields of `preprocess` beside the others). Unknown keys and wrong types are
// refused, all at once.
template <typename Options>
Expected<Options> ParseToolOptions(const std::string& json);
template <>
Expected<MatrixOptions> ParseToolOptions(const std::string& json);
template <>
Expected<CompareOptions> ParseToolOptions(const std::string& json);
template <>
Expected<EvaluateOptions> ParseToolOptions(const std::string& json);
template <>
Expected<BenchOptions> ParseToolOptions(const std::string& json);
template <>
Expected<PlacementOptions> ParseToolOptions(const std::string& json);
template <>
Expected<DoctorOptions> ParseToolOptions(const std::string& json);
template <>
Expected<CompileOptions> ParseToolOptions(const std::string& json);

}  // namespace anemone
