#include "options/shared_rows.h"

namespace anemone::options {

// coremltools' configuration files call linear_asymmetric "linear". Here no mode is called so: the
// command once meant linear_symmetric by it.
Table TableOf(CompressOptions& options) {
  Table table{
      {.name = "mode",
       .field = &options.mode,
       .help = "linear: integers with a scale, asymmetric with an offset too; palettize: tables of "
               "values; prune: zeros; activations: 8 bits, with weights as linear_symmetric",
       .example = "palettize",
       .choices = {"linear_symmetric", "linear_asymmetric", "palettize", "prune", "activations"}},
      {.name = "dtype",
       .field = &options.dtype,
       .help = "linear: the integers; or float16 for half precision instead of a mode",
       .example = "int4",
       .choices = {"int8", "uint8", "int4", "uint4", "float16"}},
      {.name = "granularity",
       .field = &options.granularity,
       .help = "what shares a scale or a table; linear: per_channel (default), per_tensor or "
               "per_block; palettize: per_tensor (default) or per_grouped_channel",
       .example = "per_block",
       .choices = {"per_tensor", "per_channel", "per_grouped_channel", "per_block"},
       .may_be_absent = true},
      {.name = "weight_threshold",
       .field = &options.weight_threshold,
       .help = "tensors of at most this many elements stay as they are; by default 2048, but with "
               "activations every weight of conv and linear is compressed",
       .example = "512",
       .low = 0},
      {.name = "nbits",
       .field = &options.nbits,
       .help = "palettize: bits of an index (default 4)",
       .example = "6",
       .choices = {"1", "2", "3", "4", "6", "8"},
       .may_be_absent = true},
      {.name = "palette",
       .field = &options.palette,
       .help = "palettize: how the values of a table are chosen",
       .example = "uniform",
       .choices = {"kmeans", "uniform", "unique"}},
      {.name = "block_size",
       .field = &options.block_size,
       .help = "per_block: input channels that share a scale (default 32); prune: channels that "
               "become zero together",
       .example = "64",
       .low = 0},
      {.name = "group_size",
       .field = &options.group_size,
       .help = "per_grouped_channel: channels that share a table",
       .example = "16",
       .low = 1},
      {.name = "cluster_dim",
       .field = &options.cluster_dim,
       .help = "palettize: values of a table entry",
       .example = "2",
       .low = 1},
      {.name = "per_channel_scale",
       .field = &options.per_channel_scale,
       .help = "palettize: scale the weights to one range first"},
      {.name = "lut_dtype",
       .field = &options.lut_dtype,
       .help = "palettize: integers for the tables too",
       .example = "int8",
       .choices = {"int8", "uint8"},
       .may_be_absent = true},
      {.name = "target_sparsity",
       .field = &options.target_sparsity,
       .help = "prune: the share of zeros",
       .example = "0.5",
       .low = 0,
       .high = 1},
      {.name = "nm",
       .field = &options.nm,
       .help = "prune: N:M, of every M channels N become zero",
       .example = "2:4"},
      {.name = "threshold",
       .field = &options.threshold,
       .help = "prune: values up to this become zero",
       .example = "0.001",
       .low = 0},
      {.name = "joint",
       .field = &options.joint,
       .help = "compress further what the model has compressed already"},
      {.name = "calibration",
       .field = &options.calibration,
       .help = "folder (or .txt list) of images, .npy or .npz files to run the model on: for "
               "activations, gptq, adaround, bias correction and weighted palettes",
       .example = "photos",
       .holds = Holds::kPath},
      {.name = "calibration_limit",
       .field = &options.calibration_limit,
       .help = "at most that many of the files, evenly spread; 0 for all",
       .example = "64",
       .low = 0},
  };
  Append(table, TableOf(options.preprocess));
  Append(
      table,
      {
          {.name = "observer",
           .field = &options.observer,
           .help = "activations: how the range of values follows from what was seen",
           .example = "percentile",
           .choices = {"min_max", "percentile", "mse", "entropy"}},
          {.name = "percentile",
           .field = &options.percentile,
           .help = "of the observer percentile",
           .example = "99.9",
           .above = 50,
           .high = 100},
          {.name = "equalize",
           .field = &options.equalize,
           .help = "scale the channels of neighboring layers to similar ranges first"},
          {.name = "correct_bias",
           .field = &options.correct_bias,
           .help = "take the mean error of each channel out of the biases"},
          {.name = "rounding",
           .field = &options.rounding,
           .help = "linear: to the nearest integer, or so that the operator's output errs least",
           .example = "gptq",
           .choices = {"nearest", "gptq", "adaround"}},
          {.name = "storage_only",
           .field = &options.storage_only,
           .help = "float16: store the weights in half precision and go on computing in float32"},
          {.name = "config",
           .field = &options.config,
           .help =
               "JSON or YAML file as for coremltools' OptimizationConfig, or a configuration of "
               "our own, instead of the other options",
           .example = "chosen.json",
           .holds = Holds::kPath},
          TargetRow(
              options.minimum_deployment_target,
              "the oldest system that must run the result; a package keeps its own by default, "
              "others get iOS17",
              true),
          ThreadsRow(options.threads),
      });
  return table;
}

Table TableOf(CompressFileOptions& options) {
  Table table = ModelRows(options);
  table.push_back({.name = "output",
                   .field = &options.output,
                   .help = "the .mlpackage to write",
                   .example = "model_int8.mlpackage",
                   .holds = Holds::kPath,
                   .flag = "-o,--output",
                   .required = true});
  Append(table, TableOf(options.compress));
  return table;
}

}  // namespace anemone::options
