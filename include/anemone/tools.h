// The tools: what each command does, as a function: fetch, convert, compress, inspect, run, the gate,
// the compression lab, comparison, evaluation on photographs, benchmarks, placement, compilation,
// the server, the cache. Their options stand in options.h. Only the standard library appears here.
//
//   auto gate = anemone::Gate({.models = {"model.mlpackage"}, .output = "report"});
//   if (!gate) return Report(gate.failure());
//   return gate->exit_code;   // 0 PASS, 1 FAIL, 4 NOT MEASURED ...
//
// A `json` is the document that the command prints with --json: one function makes it for both. A
// verdict that is not good (a gate that fails, outputs that differ, damaged files) is a result; a
// Failure says that there is none.
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

#pragma GCC visibility push(default)
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

// What the gate decided on all models together.
struct GateResult {
  std::string verdict;  // of the worst model: "PASS", "FAIL", "NOT MEASURED" ...
  int exit_code = 4;    // what the command ends with for it
  std::string json;
  std::string text;  // for a terminal
};

// Gathers the evidence that the policy asks for and judges it; writes the reports into
// GateOptions::output. A model that fails is a result.
Expected<GateResult> Gate(const GateOptions& options, const Hooks& hooks = {});

// --- The matrix: the gate's verdict on each model and device that run records speak of.

// The table of models and devices.
struct MatrixResult {
  // One model on one device.
  struct Row {
    std::string verdict;
    std::string variant;  // "resnet50 fp16"
    std::string device;
    std::string decided_by;  // the checks behind a verdict other than PASS
  };
  std::vector<Row> rows;
  std::string json;  // table.json
};

// Writes table.csv, table.json and index.html into MatrixOptions::output. Nothing runs: run records
// are judged.
Expected<MatrixResult> Matrix(const MatrixOptions& options);

// --- The compression lab: a sweep of variants, a search for the smallest within a loss, a report.

// One compressed form of the model, with what it costs.
struct LabVariant {
  std::string name;
  std::string error;  // why there is no such variant; the rest says nothing then
  int64_t package_bytes = 0;
  double loss = 0;  // 0: as the reference
  int64_t samples = 0;
  std::optional<int64_t> top1;       // samples whose label is predicted; absent without labels
  std::optional<int64_t> agreement;  // samples that the reference classifies the same
};

// What a sweep found.
struct LabResult {
  std::vector<LabVariant> variants;
  std::string chosen;              // the smallest variant within `max_drop`; empty: none
  bool chosen_needs_data = false;  // it learns from calibration.txt in the folder
  std::string base;  // what the variants are made from: the model, or base.mlpackage in the folder
  int64_t jobs_found = 0;  // that an earlier run had finished
  int64_t jobs = 0;
  std::string json;
};

// Measures the variants and writes lab.html, lab.json, lab.sqlite and chosen.json into
// LabOptions::output; with LabOptions::resume it goes on from the lab.sqlite there.
Expected<LabResult> Lab(const LabOptions& options, const Hooks& hooks = {});

// --- Comparison of two models' outputs, whole or operator by operator.

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

// One operator of both models that has the same name; relative to its range in the reference.
struct OperatorComparison {
  std::string name;
  std::string type;
  double linf_relative = 0;
  double rmse_relative = 0;
  double psnr_db = 0;
};

// How far the variant is off, and whether that is within the limits.
struct CompareResult {
  bool passed = false;
  // The limits, and why it is these: "the variant computes in half precision (fp16)", "given".
  double limit_linf = 0;
  double limit_rmse = 0;
  std::string limits_reason;
  std::vector<OutputComparison> outputs;
  std::vector<OperatorComparison> operators;  // with per_op
  std::string first_drift;  // the first operator beyond the tolerance, of a failure; empty: none
  std::string json;
};

// Runs both models on the same inputs. Outputs beyond the limits are a result; a Failure: a model
// cannot be read, or their outputs do not match by name and shape.
Expected<CompareResult> Compare(const CompareOptions& options, const Hooks& hooks = {});

// --- Evaluation: top-1 and top-5 over labeled photographs.

// Accuracy over labeled photographs.
struct EvaluateResult {
  // One photograph; classes by their index.
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

// Runs the classifier on every photograph of EvaluateOptions::images.
Expected<EvaluateResult> Evaluate(const EvaluateOptions& options, const Hooks& hooks = {});

// --- Benchmark: latency percentiles, memory, a profile by operator.

// Latencies in nanoseconds.
struct BenchResult {
  // One model on one backend.
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

// Times single calls after a warm-up; with BenchOptions::against in turns with the other model, so that
// both meet the same machine.
Expected<BenchResult> Bench(const BenchOptions& options, const Hooks& hooks = {});

// --- Placement: what Core ML planned on a real machine beside what is predicted.

// How well predictions agree with plans.
struct PlacementResult {
  // Counts over the operations of one kind.
  struct Agreement {
    std::string name;  // of the operator or the rule; empty for all
    int64_t operations = 0;
    int64_t units_compared = 0;  // sets of units that could take the operation
    int64_t units_right = 0;
    int64_t preferred_compared = 0;
    int64_t preferred_right = 0;
  };
  // One operation whose plan is not what was predicted.
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

// Compares the plans in PlacementOptions::reports, made on a Mac, with what is predicted here.
Expected<PlacementResult> ScorePlacement(const PlacementOptions& options);

// --- The doctor: this machine, and what stands in a model's way on Apple's.

// The findings.
struct DoctorResult {
  std::string json;
};

// Looks at this machine and, with a model, at what it needs: converts and runs it in memory.
Expected<DoctorResult> Doctor(const DoctorOptions& options);

// --- The compiler: what an app ships (.mlmodelc), made without a Mac.

// What was written.
struct CompileResult {
  // One file of the compiled model.
  struct File {
    std::string path;  // in the folder
    int64_t bytes = 0;
  };
  std::string output;
  std::vector<File> files;
  // What is written by a rule that no public output of Apple's compiler shows.
  std::vector<std::string> unconfirmed;
  // Where CompileOptions::coremlc asked Apple's compiler: what differs from its output, a sentence
  // each; empty when the two are equal.
  std::optional<std::vector<std::string>> differences;
  std::string json;
};

// Writes CompileOptions::output, whole or not at all. What no public file shows how to write is a
// Failure with that name.
Expected<CompileResult> Compile(const CompileOptions& options);

// --- Downloads into the cache, and the cache.

// What was fetched, or was in the cache.
struct FetchResult {
  // One file in the cache.
  struct File {
    std::string path;  // to open it
    std::string file_name;
    int64_t size_bytes = 0;
    std::string sha256;
    bool from_cache = false;
    std::string
        checked_against;  // "catalog", "lock file" ..., "nothing"; "seed" of made-up weights
  };
  std::vector<File> files;  // the first is the one to open
  std::string json;
};

// Downloads what the cache does not have, and checks it. Failures: not found, a wrong digest, no
// network.
Expected<FetchResult> Fetch(const FetchOptions& options, const Hooks& hooks = {});

// The models that can be had by name.
struct CatalogResult {
  // One model.
  struct Row {
    std::string name;
    std::string title;
    std::string import;   // "zoo" or "onnx"
    std::string license;  // empty: unknown
    std::string digest;   // what is known of the SHA-256
  };
  std::vector<Row> rows;
  std::string json;
};

// The catalog of models.
Expected<CatalogResult> Catalog();

// What the cache holds. Sizes in bytes.
struct CacheListResult {
  // A model that Core ML compiled (macOS).
  struct Compiled {
    std::string name;
    int64_t size_bytes = 0;
    std::string content_sha256;
    std::string os_build;
    std::string compute_units;
    bool in_use = false;
  };
  // What a first load in a child process found.
  struct FirstLoad {
    std::string path;  // of the verdict
    bool passed = false;
    std::string text;  // "ok", or what failed
  };
  // A downloaded file.
  struct Download {
    std::string name;  // of the catalog; empty for a plain URL
    std::string url;
    int64_t size_bytes = 0;
    std::string sha256;
  };
  std::string root;
  std::vector<Compiled> compiled;
  std::vector<FirstLoad> first_loads;
  std::vector<Download> downloads;
  int64_t compiled_bytes = 0;
  int64_t downloaded_bytes = 0;
  int64_t partial_bytes = 0;  // of downloads that are not finished
  std::string json;
};

// Reads the cache; nothing is changed.
Expected<CacheListResult> CacheList(const CacheListOptions& options = {});

// What was deleted.
struct CacheClearResult {
  std::string root;
  int64_t freed_bytes = 0;  // of compiled models
  int64_t downloads_freed_bytes = 0;
  int64_t left_in_use = 0;  // compiled models
  std::string json;
};

// Deletes what is not in use.
Expected<CacheClearResult> CacheClear(const CacheClearOptions& options = {});

// What is damaged.
struct CacheVerifyResult {
  // One file that is not as it was downloaded.
  struct Problem {
    std::string url;  // empty: of no download
    std::string path;
    std::string what;
  };
  std::string root;
  int64_t files = 0;
  std::vector<Problem> problems;
  std::string json;
};

// Reads all downloads again, and checks them.
Expected<CacheVerifyResult> CacheVerify(const CacheVerifyOptions& options = {},
                                        const Hooks& hooks = {});

// --- From a model to a package, with NAME.manifest.json beside it.

// The package that was written.
struct ConvertFileResult {
  std::string output;
  std::string minimum_deployment_target;  // "iOS17"
  int64_t size_bytes = 0;
  int64_t operations_before = 0;
  int64_t operations = 0;
  std::vector<std::string> warnings;  // what the user should know of how the model was read
  std::vector<std::string> notes;     // what the passes have to say
  int64_t duration_ns = 0;
  std::string json;
};

// Reads a model of any kind and writes ConvertFileOptions::output as a package, whole or not at all.
Expected<ConvertFileResult> ConvertFile(const ConvertFileOptions& options, const Hooks& hooks = {});

// The compressed package that was written.
struct CompressFileResult {
  // A weight that stays as it was.
  struct Skipped {
    std::string tensor;
    std::string reason;
  };
  std::string deployment_target;
  std::string raised_from;  // the target before it was raised to hold the form; empty: it was not
  int64_t compressed = 0;   // tensors
  std::vector<Skipped> skipped;
  std::vector<std::string> warnings;  // what the user should know, each one line
  int64_t weight_bytes_before = 0;
  int64_t weight_bytes_after = 0;
  int64_t size_bytes = 0;
  std::string json;
};

// Compresses the weights of a model and writes CompressFileOptions::output as a package, whole or not
// at all.
Expected<CompressFileResult> CompressFile(const CompressFileOptions& options,
                                          const Hooks& hooks = {});

// --- What a model holds, and one or more inferences.

// The description of a model.
struct InspectResult {
  std::string text;  // for a terminal
  std::string json;
};

// Describes inputs, outputs, operators, weights and, with InspectOptions::placement, where each operator
// would run. Nothing runs.
Expected<InspectResult> Inspect(const InspectOptions& options);

// The page that was written.
struct ViewResult {
  std::string output;      // the page
  int64_t operators = 0;   // of all models on it
  int64_t size_bytes = 0;  // of the page
  std::string json;        // the page's data
};

// One page for a browser, without a network: the model's graph, folded by block, with shapes,
// weights, placement and, with `float16`, what half precision adds to the error. The page is
// written whole or not at all.
Expected<ViewResult> View(const ViewOptions& options, const Hooks& hooks = {});

// The outputs, or where their files are, and who answered.
struct RunResult {
  std::string json;
};

// Serves the model through a session, as the options say.
Expected<RunResult> Run(const RunOptions& options);

// --- A server: the model behind HTTP.

// What a server did until it ended.
struct ServeResult {
  std::string url;       // "http://127.0.0.1:8000"
  std::string name;      // of the model in paths: /v2/models/NAME
  int64_t requests = 0;  // that were answered
  std::string json;
};

// Serves the V2 inference protocol, /predict, /metrics and, for classifiers of images, a page, until
// `hooks.cancelled` says so; what has arrived is answered then, and the result is no failure.
// `hooks.progress` is told "serving at URL" when requests are answered.
Expected<ServeResult> Serve(const ServeOptions& options, const Hooks& hooks);

// --- The demo: the whole job on the catalog models, offline: build, convert, compress, verify.

// Every variant that was made, with its differences.
struct DemoResult {
  // One package, judged against the float32 original.
  struct Variant {
    std::string model;
    std::string precision;  // "fp32", "fp16", "int8"
    std::string form;       // the same, or "int8 per tensor"
    bool shipped = true;    // false: made for comparison
    std::string package;
    int64_t package_size_bytes = 0;
    double limit_linf = 0;
    double limit_rmse = 0;
    std::vector<OutputComparison> outputs;
    std::string first_drift;             // the first operator beyond the limits; empty: none
    std::vector<std::string> kept_wide;  // int8: weights that stay in half precision
    bool passed = false;
  };
  std::vector<Variant> variants;
  int64_t missed = 0;  // shipped variants that miss a limit
  std::string page;    // report.html: the same for a browser
  std::string json;
};

// Makes the networks of DemoOptions::models as packages of each precision, checks them, and writes
// manifests and report.html.
Expected<DemoResult> Demo(const DemoOptions& options, const Hooks& hooks = {});

// The JSON Schemas (draft 2020-12) of the documents that people write: "compression" of a compression's
// configuration, "gate_policy" of a gate's policy, "options" of the options of every tool.
std::string SchemasJson();

}  // namespace anemone
#pragma GCC visibility pop
