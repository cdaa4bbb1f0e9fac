// The options of the tools that run models: compare, evaluate, bench and run, and of the demo.
#include "options/shared_rows.h"

namespace anemone::options {

Table TableOf(CompareOptions& options) {
  Option shapes = InputShapesRow(options.input_shapes);
  shapes.flag = "--input-shape";  // here --input names files
  return {
      {.name = "reference",
       .field = &options.reference,
       .help = "the reference MODEL",
       .example = "model.onnx",
       .holds = Holds::kPath,
       .flag = "A",
       .required = true},
      {.name = "variant",
       .field = &options.variant,
       .help = "the MODEL to judge",
       .example = "model.mlpackage",
       .holds = Holds::kPath,
       .flag = "B",
       .required = true},
      {.name = "inputs",
       .field = &options.inputs,
       .help = "NAME=FILE.npy, .png or .jpg; seeded normal inputs when absent. NAME:SHAPE is "
               "--input-shape NAME:SHAPE",
       .example = "image=cat.jpg",
       .flag = "--input"},
      shapes,
      InputValueRow(options.input_value),
      LoweringRow(options.lowering),
      ClampInt64Row(options.clamp_int64),
      {.name = "seed", .field = &options.seed, .help = "seed of the inputs", .example = "7"},
      {.name = "samples",
       .field = &options.samples,
       .help = "how many seeded inputs",
       .example = "16",
       .low = 1,
       .high = 100000},
      {.name = "per_op", .field = &options.per_op, .help = "list every operator's drift"},
      {.name = "tolerance_linf",
       .field = &options.tolerance_linf,
       .help = "largest difference allowed; when absent, by what the variant is: 1e-4 in float32, "
               "1e-2 in half precision, 5e-2 with compressed weights",
       .example = "0.05",
       .low = 0},
      {.name = "tolerance_rmse",
       .field = &options.tolerance_rmse,
       .help = "root-mean-square difference allowed; when absent, likewise 1e-5, 1e-3 or 5e-3",
       .example = "0.01",
       .low = 0},
      {.name = "min_psnr",
       .field = &options.min_psnr,
       .help = "smallest PSNR allowed, in dB; 0 allows any",
       .example = "30"},
      BackendRow(options.backend),
      NumericsRow(options.numerics),
      ThreadsRow(options.threads),
  };
}

Table TableOf(EvaluateOptions& options) {
  Table table = ModelRows(options);
  Option labels = LabelsRow(options.labels);
  labels.required = true;
  Append(table, {{.name = "images",
                  .field = &options.images,
                  .help = "folder of PNG and JPEG files",
                  .example = "photos",
                  .holds = Holds::kPath,
                  .required = true},
                 labels,
                 {.name = "reference",
                  .field = &options.reference,
                  .help = "MODEL whose predictions to agree with",
                  .example = "model.onnx",
                  .holds = Holds::kPath}});
  Append(table, TableOf(options.preprocess));
  Append(table, {{.name = "limit",
                  .field = &options.limit,
                  .help = "evaluate only the first N images; 0 for all",
                  .example = "100",
                  .low = 0},
                 {.name = "rows", .field = &options.rows, .help = "list every image's prediction"},
                 BackendRow(options.backend),
                 NumericsRow(options.numerics),
                 FunctionRow(options.function),
                 ThreadsRow(options.threads)});
  return table;
}

Table TableOf(BenchOptions& options) {
  Table table = ModelRows(options);
  Append(table,
         {{.name = "iterations",
           .field = &options.iterations,
           .help = "timed inferences",
           .example = "1000",
           .low = 1},
          {.name = "duration",
           .field = &options.duration,
           .help = "seconds to measure, instead of the iterations",
           .example = "10",
           .low = 0},
          {.name = "warmup",
           .field = &options.warmup,
           .help = "inferences before the timed ones",
           .example = "50",
           .low = 0},
          {.name = "warmup_time",
           .field = &options.warmup_time,
           .help = "seconds of warm-up, then until two blocks of 50 agree within 5 %",
           .example = "2",
           .low = 0},
          {.name = "percentile",
           .field = &options.percentile,
           .help = "percentiles to report",
           .example = "50,95",
           .above = 0,
           .high = 100},
          {.name = "against",
           .field = &options.against,
           .help = "a MODEL or a backend to measure beside, in A B B A blocks",
           .example = "reference",
           .holds = Holds::kPath},
          PlannedUnitsRow(options.compute_units, "what Core ML may use"),
          {.name = "export_profile",
           .field = &options.export_profile,
           .help = "write one inference as a Chrome trace",
           .example = "profile.json",
           .holds = Holds::kPath},
          {.name = "export_times",
           .field = &options.export_times,
           .help = "write a run record (run.jsonl); with another subject a second one beside it",
           .example = "run.jsonl",
           .holds = Holds::kPath},
          {.name = "input_seed",
           .field = &options.input_seed,
           .help = "seed of the inputs",
           .example = "7"},
          BackendRow(options.backend),
          NumericsRow(options.numerics),
          FunctionRow(options.function),
          ThreadsRow(options.threads)});
  return table;
}

Table TableOf(RunOptions& options) {
  Option shapes = InputShapesRow(options.input_shapes);
  shapes.flag = "--input-shape";  // here --input names files
  Table table{
      ModelRow(options.model),
      WeightsRow(options.weights),
      SeedRow(options.seed),
      shapes,
      InputValueRow(options.input_value),
      LoweringRow(options.lowering),
      ClampInt64Row(options.clamp_int64),
      {.name = "inputs",
       .field = &options.inputs,
       .help = "NAME=FILE.npy, .png or .jpg; NAME may be left out for one input. Models that are "
               "not programs also take NAME=VALUE: a number, a text, a dictionary or list as JSON "
               "or FILE.json; and one FILE.json with all inputs. NAME:SHAPE is --input-shape "
               "NAME:SHAPE",
       .example = "image=cat.jpg",
       .flag = "--input"},
      {.name = "random_inputs",
       .field = &options.random_inputs,
       .help = "seeded standard-normal inputs instead of files"},
      {.name = "input_seed",
       .field = &options.input_seed,
       .help = "seed of those inputs",
       .example = "7"},
      {.name = "output_dir",
       .field = &options.output_dir,
       .help = "write every output there as NAME.npy, images as NAME.png too",
       .example = "out",
       .holds = Holds::kPath},
      {.name = "iterations",
       .field = &options.iterations,
       .help = "how often to run",
       .example = "10"},
  };
  Append(table, TableOf(options.session));
  return table;
}

Table TableOf(DemoOptions& options) {
  return {
      {.name = "models_dir",
       .field = &options.models_dir,
       .help = "where the packages and manifests go",
       .example = "packages",
       .holds = Holds::kPath},
      {.name = "models",
       .field = &options.models,
       .help = "which catalog models",
       .example = "resnet50",
       .comma_separated = true},
      {.name = "weights",
       .field = &options.weights,
       .help = "'seeded', 'pretrained', or a weight file for a single model",
       .example = "pretrained",
       .holds = Holds::kPath},
      SeedRow(options.seed),
      TargetRow(options.minimum_deployment_target,
                "the oldest system that must run the packages; int8 needs iOS16"),
      {.name = "samples",
       .field = &options.samples,
       .help = "inputs to verify each variant on",
       .example = "16",
       .low = 1,
       .high = 100000},
      ThreadsRow(options.threads),
  };
}

}  // namespace anemone::options
