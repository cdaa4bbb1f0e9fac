// Loads a MODEL of any kind as a predictor on feature values: programs and neural networks through a
// session, all other types of Core ML models as they are. Thread rules: pure functions. Errors: what
// the readers and the session report.
#pragma once

#include <memory>

#include "anemone/options.h"
#include "base/status.h"
#include "facade/model_source.h"
#include "feature_models/predictor.h"

namespace anemone::facade {

struct LoadedPredictor {
  std::unique_ptr<feature_models::Predictor> predictor;
  std::string type;  // the specification's name: "treeEnsembleClassifier"; "mlProgram" of an .onnx
  std::string name;  // of the file, without folder and extension
  int32_t spec_version = 0;
};

// MODEL's file, opened once for whoever asks of what type it is and then loads it; null when MODEL is
// no model file of Core ML that is there (then LoadModel loads it, or says why not).
Result<std::shared_ptr<const format::ModelFile>> OpenModelFile(const std::string& model);

// Whether the file's model is no program: what `inspect` and `run` treat in their own way. False of
// null.
bool IsFeatureModel(const format::ModelFile* file);

// `options` are of the sessions, of the model itself or of the programs inside a pipeline.
Result<LoadedPredictor> LoadPredictor(const ModelSource& source, const SessionOptions& options);

// The same to be described only, of a model that is not a program: no session is opened for the
// programs inside.
Result<LoadedPredictor> DescribePredictor(const format::ModelFile& file);

}  // namespace anemone::facade
