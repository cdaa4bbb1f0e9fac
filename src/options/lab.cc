#include "options/shared_rows.h"

namespace anemone::options {

Table TableOf(LabOptions& options) {
  Table table = ModelRows(options);
  Append(
      table,
      {
          {.name = "output",
           .field = &options.output,
           .help = "folder for lab.html, lab.json, lab.sqlite and chosen.json",
           .example = "lab",
           .holds = Holds::kPath,
           .flag = "-o,--output",
           .required = true},
          {.name = "config",
           .field = &options.config,
           .help =
               R"(a file {"variants": [{"name": ..., "configuration": ...}]}; the uniform forms )"
               "of the target when absent",
           .example = "variants.json",
           .holds = Holds::kPath},
          {.name = "max_drop",
           .field = &options.max_drop,
           .help =
               "search the smallest mix that loses at most so many percent: of top-1 with labels, "
               "else of agreement with the reference",
           .example = "0.5",
           .low = 0,
           .high = 100},
          TargetRow(options.minimum_deployment_target,
                    "the oldest system that must run the variants; a package keeps its own by "
                    "default, others get iOS17",
                    true),
          PrecisionRow(options.compute_precision,
                       "of the base that is compressed; a package keeps its own by default, others "
                       "get float16",
                       true),
          KeepFloat32Row(options.keep_float32,
                         "operators to keep in float32 where all else is float16: types or "
                         "names, as regular expressions"),
          {.name = "images",
           .field = &options.images,
           .help = "folder of photographs or of .npy files; seeded inputs when absent",
           .example = "photos",
           .holds = Holds::kPath},
          LabelsRow(options.labels),
          {.name = "calibration",
           .field = &options.calibration,
           .help =
               "folder (or .txt list) of other photographs or .npy files to learn from (weighted "
               "palettes, gptq, adaround, bias correction, activations)",
           .example = "others",
           .holds = Holds::kPath},
          {.name = "hold_out",
           .field = &options.hold_out,
           .help =
               "without calibration: the share of the samples to learn from, which are then not "
               "judged by; by default 0.25 when searching with images",
           .example = "0.2",
           .low = 0,
           .high = 0.5},
          {.name = "limit",
           .field = &options.limit,
           .help = "use only the first N files; 0 for all",
           .example = "100",
           .low = 0},
      });
  Append(table, TableOf(options.preprocess));
  Append(
      table,
      {
          {.name = "samples",
           .field = &options.samples,
           .help = "how many seeded inputs",
           .example = "64",
           .low = 1,
           .high = 100000},
          {.name = "input_seed",
           .field = &options.input_seed,
           .help = "seed of those inputs",
           .example = "7"},
          {.name = "sensitivity_samples",
           .field = &options.sensitivity_samples,
           .help = "samples that sensitivities are measured on, spread over all",
           .example = "16",
           .low = 1,
           .high = 100000},
          {.name = "refinements",
           .field = &options.refinements,
           .help = "evaluations that the search may spend on single steps",
           .example = "24",
           .low = 0,
           .high = 1000},
          {.name = "jobs",
           .field = &options.jobs,
           .help = "variants to work on at once",
           .example = "2",
           .low = 1,
           .high = 1024},
          {.name = "resume", .field = &options.resume, .help = "go on with the lab in the folder"},
          {.name = "ray",
           .field = &options.ray,
           .help =
               "run the sweep on a Ray cluster: its address; auto (the one that runs here, else "
               "one of this machine alone); or local",
           .example = "auto"},
          {.name = "python",
           .field = &options.python,
           .help = "the interpreter that has Ray; ANEMONE_PYTHON, or python3, when absent",
           .example = "python3",
           .holds = Holds::kPath},
          BackendRow(options.backend),
          {.name = "fidelity",
           .field = &options.fidelity,
           .help = "diagnose half precision; the flag skips it"},
          ThreadsRow(options.threads),
      });
  return table;
}

}  // namespace anemone::options
