#include "options/shared_rows.h"

namespace anemone::options {

Option BackendRow(std::string& field) {
  return {.name = "backend",
          .field = &field,
          .help = "auto takes the first that this machine has",
          .example = "coreml",
          .choices = {"auto", "cpu", "coreml", "reference"}};
}

Option FunctionRow(std::string& field) {
  return {.name = "function",
          .field = &field,
          .help = "which function of a multi-function model; by default the model's own choice",
          .example = "main"};
}

Option NumericsRow(std::string& field) {
  return {.name = "numerics",
          .field = &field,
          .help =
              "as_typed rounds what the program declares fp16; float32 rounds nothing; float16 "
              "rounds everything; bfloat16, for speed, rounds what convolutions and linear layers "
              "multiply, where the CPU multiplies such numbers",
          .example = "float32",
          .choices = {"as_typed", "float32", "float16", "bfloat16"}};
}

Option ThreadsRow(int& field) {
  return {.name = "threads",
          .field = &field,
          .help = "threads to use; 0 is one for each core",
          .example = "2",
          .low = 0,
          .high = 1024,
          .command_wide = true};
}

Option ComputeUnitsRow(std::string& field) {
  return {.name = "compute_units",
          .field = &field,
          .help = "what Core ML may use",
          .example = "cpu_and_ne",
          .choices = {"all", "cpu_only", "cpu_and_gpu", "cpu_and_ne"},
          .environment = "ANEMONE_COMPUTE_UNITS"};
}

Option PlannedUnitsRow(std::string& field, std::string_view help, bool may_be_absent) {
  Option row = ComputeUnitsRow(field);
  row.help = help;
  row.may_be_absent = may_be_absent;
  row.environment = {};
  return row;
}

Option TargetRow(std::string& field, std::string_view help, bool may_be_absent) {
  return {
      .name = "minimum_deployment_target",
      .field = &field,
      .help = help,
      .example = "iOS18",
      .choices = {"iOS15", "iOS16", "iOS17", "iOS18", "macOS12", "macOS13", "macOS14", "macOS15"},
      .may_be_absent = may_be_absent,
      .ignore_case = true};
}

Option PrecisionRow(std::string& field, std::string_view help, bool may_be_absent) {
  return {.name = "compute_precision",
          .field = &field,
          .help = help,
          .example = "float16",
          .choices = {"float32", "float16"},
          .may_be_absent = may_be_absent};
}

Option KeepFloat32Row(std::vector<std::string>& field, std::string_view help) {
  return {.name = "keep_float32", .field = &field, .help = help, .example = "softmax"};
}

Option ModelRow(std::string& field) {
  return {.name = "model",
          .field = &field,
          .help = "an .onnx, .pt2, .mlpackage, .mlmodel or .mlmodelc, or a catalog name",
          .example = "model.onnx",
          .holds = Holds::kPath,
          .flag = "MODEL",
          .required = true};
}

Table ModelRows(ModelOptions& options) {
  return {ModelRow(options.model),
          WeightsRow(options.weights),
          SeedRow(options.seed),
          InputShapesRow(options.input_shapes),
          InputValueRow(options.input_value),
          LoweringRow(options.lowering),
          ClampInt64Row(options.clamp_int64)};
}

Option WeightsRow(std::string& field) {
  return {.name = "weights",
          .field = &field,
          .help =
              "catalog models: 'pretrained' (fetched unless it is in the cache; the default), "
              "'seeded' for deterministic values, a weight file, or its URL",
          .example = "seeded",
          .holds = Holds::kPath};
}

Option SeedRow(uint64_t& field) {
  return {.name = "seed", .field = &field, .help = "seed of seeded weights", .example = "7"};
}

Option InputShapesRow(Shapes& field) {
  return {.name = "input_shapes",
          .field = &field,
          .help =
              "shapes of flexible inputs: those of an ONNX model become fixed, or flexible where a "
              "dimension is a range [1..512], one with its default [1..512=128], a choice [1|2|4], "
              "or any size ?; those of another model become its defaults, within what it declares; "
              "as a flag NAME:SHAPE, given again for each",
          .example = "image:1x3x224x224",
          .flag = "--input"};
}

Option InputValueRow(std::vector<std::string>& field) {
  return {.name = "input_value",
          .field = &field,
          .help =
              "NAME=VALUE fixes an input of an ONNX model, which the result then lacks: a number "
              "for all elements, a list [1,2,3], or a FILE.npy; may be given again",
          .example = "sr=16000"};
}

Option LoweringRow(std::vector<std::string>& field) {
  return {.name = "lowering",
          .field = &field,
          .help =
              "a text file that says what operators of an ONNX model become, such as those of "
              "other domains: lower \"com.example\" Swoosh(x, alpha = 1.0) { ... } -> (y); in MIL; "
              "may be given again",
          .example = "swoosh.txt"};
}

Option ClampInt64Row(bool& field) {
  return {.name = "clamp_int64",
          .field = &field,
          .help =
              "constants of an ONNX or PyTorch model that the 32 bits of Core ML's integers cannot "
              "hold become the nearest that they can, and each is said; else they are an error"};
}

Option LabelsRow(std::string& field) {
  return {.name = "labels",
          .field = &field,
          .help = "CSV with the columns file and class_index",
          .example = "photos/labels.csv",
          .holds = Holds::kPath};
}

void Append(Table& table, const Table& more) {
  table.insert(table.end(), more.begin(), more.end());
}

}  // namespace anemone::options
