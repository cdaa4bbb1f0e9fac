// The options of the tools that look at models and machines: inspect, placement and doctor.
#include "options/shared_rows.h"

namespace anemone::options {
namespace {

Option ChipsRow(std::string& field) {
  return {.name = "chip",
          .field = &field,
          .help = "chips to ask about: m1 to m5, a14 to a18pro, with commas between",
          .example = "m1,m4,a17pro"};
}

}  // namespace

Table TableOf(InspectOptions& options) {
  // "weights" lists them here.
  Option weights_from = WeightsRow(options.weights);
  weights_from.name = "weights_from";
  return {
      ModelRow(options.model),
      weights_from,
      SeedRow(options.seed),
      InputShapesRow(options.input_shapes),
      InputValueRow(options.input_value),
      LoweringRow(options.lowering),
      ClampInt64Row(options.clamp_int64),
      TargetRow(options.minimum_deployment_target,
                "the oldest system that must run what an importer writes"),
      FunctionRow(options.function),
      {.name = "operators",
       .field = &options.operators,
       .help = "list every operator",
       .flag = "--ops"},
      {.name = "weights", .field = &options.list_weights, .help = "list every weight tensor"},
      {.name = "placement",
       .field = &options.placement,
       .help = "where each operator would run, and why (an estimate, without a Mac)"},
      ChipsRow(options.chip),
      PlannedUnitsRow(options.compute_units, "what Core ML may use"),
  };
}

Table TableOf(PlacementOptions& options) {
  Table table = ModelRows(options);
  Append(table, {{.name = "reports",
                  .field = &options.reports,
                  .help = "plans: dump_plan.py's or WhisperKit's JSON, the text of ExecuTorch's "
                          "script, or a run.jsonl",
                  .example = "plan.json",
                  .flag = "REPORT",
                  .required = true},
                 FunctionRow(options.function),
                 {.name = "chip",
                  .field = &options.chip,
                  .help = "the chip, when the report does not name it",
                  .example = "m4"},
                 PlannedUnitsRow(options.compute_units,
                                 "what Core ML might use, when the report does not say", true)});
  return table;
}

Table TableOf(ViewOptions& options) {
  Table table = ModelRows(options);
  Append(table,
         {{.name = "output",
           .field = &options.output,
           .help = "the page to write",
           .example = "model.html",
           .holds = Holds::kPath,
           .flag = "-o,--output",
           .required = true},
          {.name = "compare",
           .field = &options.compare,
           .help = "another variant of the model, shown beside it",
           .example = "model_int8.mlpackage",
           .holds = Holds::kPath},
          TargetRow(options.minimum_deployment_target,
                    "the oldest system that must run what an importer writes"),
          FunctionRow(options.function),
          {.name = "float16",
           .field = &options.float16,
           .help = "run a float32 model in both precisions, to color operators by the error that "
                   "half precision adds"},
          ChipsRow(options.chip),
          PlannedUnitsRow(options.compute_units, "what Core ML may use"),
          ThreadsRow(options.threads)});
  return table;
}

Table TableOf(DoctorOptions& options) {
  Table table = ModelRows(options);
  table.front().required = false;
  Append(table,
         {{.name = "images",
           .field = &options.images,
           .help = "folder of photographs or .npy files to run the model on; seeded inputs "
                   "when absent",
           .example = "photos",
           .holds = Holds::kPath},
          {.name = "samples",
           .field = &options.samples,
           .help = "how many inputs",
           .example = "8",
           .low = 1,
           .high = 1000},
          {.name = "no_float16", .field = &options.no_float16, .help = "do not run the model"},
          ChipsRow(options.chip),
          ThreadsRow(options.threads)});
  return table;
}

}  // namespace anemone::options
