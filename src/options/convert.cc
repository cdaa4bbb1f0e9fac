#include "options/shared_rows.h"

namespace anemone::options {

Table TableOf(ConvertOptions& options) {
  return {
      TargetRow(options.minimum_deployment_target, "the oldest system that must run the result"),
      PrecisionRow(options.compute_precision, "what operators compute in"),
      KeepFloat32Row(
          options.keep_float32,
          "what stays in float32 where all else is float16: 'auto' (the default) runs both and "
          "keeps the operators that float16 would break; 'none' keeps and checks nothing; else "
          "operator types or names, as regular expressions, alone or beside 'auto'"),
      {.name = "check_inputs",
       .field = &options.check_inputs,
       .help = "photographs or .npy files on which float16 is compared with float32; random inputs "
               "by default",
       .example = "photos/",
       .holds = Holds::kPath},
      {.name = "image_input",
       .field = &options.image_input,
       .help = "makes the input of this name an image, whose pixels from 0 to 255 become "
               "(pixel * scale - mean) / std in the model; may be given again",
       .example = "image"},
      {.name = "scale",
       .field = &options.scale,
       .help = "image inputs: what pixels are multiplied by first",
       .example = "0.00392156862745098",
       .above = 0},
      {.name = "mean",
       .field = &options.mean,
       .help = "image inputs: the mean of each channel, or one for all, of scaled pixels",
       .example = "0.485,0.456,0.406"},
      {.name = "std",
       .field = &options.deviation,
       .help = "image inputs: the deviation of each channel, or one for all, of scaled pixels",
       .example = "0.229,0.224,0.225",
       .above = 0},
      {.name = "color",
       .field = &options.color,
       .help = "image inputs: the channels that the network takes, in their order",
       .example = "BGR",
       .choices = {"RGB", "BGR", "GRAY"}},
      {.name = "labels",
       .field = &options.labels,
       .help = "makes a classifier: a file with the label of each class on a line, or a .json list "
               "of texts or integers",
       .example = "labels.txt",
       .holds = Holds::kPath},
      {.name = "probabilities_output",
       .field = &options.probabilities_output,
       .help = "with labels: the output that scores the classes; by default the one with as many "
               "elements as labels",
       .example = "probabilities"},
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
