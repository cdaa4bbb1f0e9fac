// Writing a compiled model, .mlmodelc, as Core ML's compiler does: what an app ships.
//
//   ANEMONE_ASSIGN(const ModelFile file, ModelFile::Open("model.mlpackage"));
//   ANEMONE_ASSIGN(const CompiledModel compiled, CompileModel(file, {.class_name = "model"}));
//   ANEMONE_TRY(WriteCompiled(compiled, "model.mlmodelc"));
//
// The parts of an ML Program: the program as text, its description, the weight files as they are; of
// a pipeline of ML Programs, those of each program in a folder of its own. docs/compiled-models.md
// says what was compared with Apple's. What no public compiled model
// shows is refused by name. Thread rules: values and pure functions, but for writing. Errors:
// kUnsupported for what is not known to be right, with the way on; those of package.h.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"
#include "format/compiled_form.h"
#include "format/model_file.h"

namespace anemone::format {

struct CompileNames {
  std::string class_name;  // of the model in an app; any characters
  CompilerVersions versions = {};
};

struct CompiledModel {
  int32_t specification_version = 0;
  std::string program;    // model.mil; empty for a pipeline
  std::string data;       // coremldata.bin
  std::string metadata;   // metadata.json; empty for a part of a pipeline
  std::string analytics;  // analytics/coremldata.bin
  std::string names;      // modelNames/coremldata.bin; empty when its models have no names
  struct WeightFile {
    std::string path;  // in the folder: "weights/weight.bin"
    Bytes bytes;       // mapped from the source
  };
  std::vector<WeightFile> weights;
  std::vector<CompiledModel> parts;  // model0, model1 ... of a pipeline
  // What is written by a rule that no public compiled model shows for it, one sentence each.
  std::set<std::string> unconfirmed;
};
// Also reads the program's text and the description back, and compares them with the source: what
// is written opens, and is the same model (kInternal when not).
Result<CompiledModel> CompileModel(const ModelFile& file, const CompileNames& names);

// The files of the folder, with their paths in it. The bytes are those of `model`, or mapped.
struct CompiledFile {
  std::string path;
  std::span<const std::byte> bytes;
};
std::vector<CompiledFile> FilesOf(const CompiledModel& model);

// Writes `path` atomically; an existing compiled model there is replaced, anything else is left
// alone (kUsage).
Status WriteCompiled(const CompiledModel& model, const std::string& path);

}  // namespace anemone::format
