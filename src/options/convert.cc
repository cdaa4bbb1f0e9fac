#include "options/shared_rows.h"

namespace anemone::options {

Table TableOf(ConvertOptions& options) {
  return {
      TargetRow(options.minimum_deployment_target, "the oldest system that must run the result"),
      PrecisionRow(options.compute_precision, "what operators compute in"),
      KeepFloat32Row(options.keep_float32),
  };
}

Table TableOf(ConvertFileOptions& options) {
  Table table = ModelRows(options);
  table.push_back({.name = "output",
                   .field = &options.output,
                   .help = "the .mlpackage to write; MODEL's name by default",
                   .example = "model.mlpackage",
                   .holds = Holds::kPath,
                   .flag = "-o,--output"});
  Append(table, TableOf(options.convert));
  Append(table, TableOf(options.download));
  return table;
}

Table TableOf(CompileOptions& options) {
  Table table = ModelRows(options);
  table.push_back({.name = "output",
                   .field = &options.output,
                   .help = "the .mlmodelc to write; MODEL's name by default",
                   .example = "model.mlmodelc",
                   .holds = Holds::kPath,
                   .flag = "-o,--output"});
  table.push_back({.name = "coremlc",
                   .field = &options.coremlc,
                   .help =
                       "Apple's compiler, asked too so that its output can be compared; 'xcrun' "
                       "finds Xcode's on a Mac",
                   .example = "xcrun",
                   .holds = Holds::kPath});
  return table;
}

}  // namespace anemone::options
