// The types of Core ML models, one row each: whether files of the type are read, run and lifted into
// programs, why not where not, and what makes a predictor of one. docs/model-types.md is printed
// from it (python3 tools/model_types.py). Thread rules: immutable tables.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "feature_models/predictor.h"

namespace anemone::feature_models {

using MakeFn = Result<std::unique_ptr<Predictor>> (*)(const format::ModelFile& file,
                                                      format::ModelInterface interface,
                                                      const Context& context);

struct ModelType {
  std::string_view name;  // the specification's: "treeEnsembleClassifier"
  MakeFn make;            // null: a program, which the caller makes (Context::make_program)
  bool runs;
  bool lifts;               // becomes a MIL program, which is compiled, compressed, placed
  std::string_view reason;  // what does not run or lift, and why; how it runs otherwise
};

std::span<const ModelType> ModelTypes();
// Null for a name that is not a type.
const ModelType* FindModelType(std::string_view name);
// The table as JSON: [{"type", "read", "run", "lift", "reason"}].
Json ModelTypesJson();

// One function for each type, in a file of its own name.
#define ANEMONE_MODEL_TYPE(name, Name, lifts, reason) \
  Result<std::unique_ptr<Predictor>> Make##Name(      \
      const format::ModelFile& file, format::ModelInterface interface, const Context& context);
#define ANEMONE_REFUSED_TYPE(name, Name, reason) ANEMONE_MODEL_TYPE(name, Name, false, reason)
#define ANEMONE_PROGRAM_TYPE(name, reason)
#include "feature_models/model_types.inc"
#undef ANEMONE_MODEL_TYPE
#undef ANEMONE_REFUSED_TYPE
#undef ANEMONE_PROGRAM_TYPE

}  // namespace anemone::feature_models
