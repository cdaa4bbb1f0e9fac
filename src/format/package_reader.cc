#include <climits>
#include <filesystem>

#include "base/mapped_file.h"
#include "format/compiled_reader.h"
#include "format/description_codec.h"
#include "format/package.h"
#include "format/package_layout.h"
#include "format/program_codec.h"
#include "format/proto/model.pb.h"
#include "format/weight_files.h"

namespace anemone::format {
namespace {

namespace fs = std::filesystem;

// The names of the model types other than ML Programs, for the error.
std::string_view NameOfType(proto::Model::TypeCase type) {
  using M = proto::Model;
  switch (type) {
    case M::kPipelineClassifier:
      return "pipelineClassifier";
    case M::kPipelineRegressor:
      return "pipelineRegressor";
    case M::kPipeline:
      return "pipeline";
    case M::kGlmRegressor:
      return "glmRegressor";
    case M::kSupportVectorRegressor:
      return "supportVectorRegressor";
    case M::kTreeEnsembleRegressor:
      return "treeEnsembleRegressor";
    case M::kNeuralNetworkRegressor:
      return "neuralNetworkRegressor";
    case M::kBayesianProbitRegressor:
      return "bayesianProbitRegressor";
    case M::kGlmClassifier:
      return "glmClassifier";
    case M::kSupportVectorClassifier:
      return "supportVectorClassifier";
    case M::kTreeEnsembleClassifier:
      return "treeEnsembleClassifier";
    case M::kNeuralNetworkClassifier:
      return "neuralNetworkClassifier";
    case M::kKNearestNeighborsClassifier:
      return "kNearestNeighborsClassifier";
    case M::kNeuralNetwork:
      return "neuralNetwork";
    case M::kItemSimilarityRecommender:
      return "itemSimilarityRecommender";
    case M::kMlProgram:
      return "mlProgram";
    case M::kCustomModel:
      return "customModel";
    case M::kLinkedModel:
      return "linkedModel";
    case M::kClassConfidenceThresholding:
      return "classConfidenceThresholding";
    case M::kOneHotEncoder:
      return "oneHotEncoder";
    case M::kImputer:
      return "imputer";
    case M::kFeatureVectorizer:
      return "featureVectorizer";
    case M::kDictVectorizer:
      return "dictVectorizer";
    case M::kScaler:
      return "scaler";
    case M::kCategoricalMapping:
      return "categoricalMapping";
    case M::kNormalizer:
      return "normalizer";
    case M::kArrayFeatureExtractor:
      return "arrayFeatureExtractor";
    case M::kNonMaximumSuppression:
      return "nonMaximumSuppression";
    case M::kIdentity:
      return "identity";
    case M::kTextClassifier:
      return "textClassifier";
    case M::kWordTagger:
      return "wordTagger";
    case M::kVisionFeaturePrint:
      return "visionFeaturePrint";
    case M::kSoundAnalysisPreprocessing:
      return "soundAnalysisPreprocessing";
    case M::kGazetteer:
      return "gazetteer";
    case M::kWordEmbedding:
      return "wordEmbedding";
    case M::kAudioFeaturePrint:
      return "audioFeaturePrint";
    case M::kSerializedModel:
      return "serializedModel";
    case M::TYPE_NOT_SET:
      break;
  }
  return "none";
}

Status CheckKind(const proto::Model& wire) {
  if (wire.Type_case() == proto::Model::TYPE_NOT_SET) {
    return InvalidInput("the file holds no model (specification version {})",
                        wire.specificationversion());
  }
  if (wire.Type_case() != proto::Model::kMlProgram) {
    return Unsupported("the model is of type {}; only ML Programs are supported",
                       NameOfType(wire.Type_case()))
        .Advise("convert the original model again, with a deployment target of iOS15 or later");
  }
  if (wire.specificationversion() < ir::SpecVersionOf(ir::Opset::kIOS15)) {
    return InvalidInput("specification version {} has no ML Programs", wire.specificationversion());
  }
  if (!ir::OpsetOfSpecVersion(wire.specificationversion())) {
    return Unsupported("specification version {} is newer than {} (iOS18), the newest supported",
                       wire.specificationversion(), ir::SpecVersionOf(ir::Opset::kIOS18));
  }
  return {};
}

Result<ir::Model> DecodeModel(const Bytes& bytes, const std::string& folder) {
  if (bytes.size() > INT_MAX) {
    return InvalidInput("{} bytes exceed protobuf's limit of 2 GiB for a model file", bytes.size());
  }
  proto::Model wire;
  if (!wire.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return InvalidInput("the file is not a Core ML model: it is malformed or nested too deeply");
  }
  ANEMONE_TRY(CheckKind(wire));
  ir::Model model;
  model.spec_version = wire.specificationversion();
  WeightFiles weights(folder);
  ANEMONE_ASSIGN(model.program, DecodeProgram(wire.mlprogram(), weights));
  for (const auto& function : model.program.functions) {
    if (ir::SpecVersionOf(function->opset) > model.spec_version) {
      return InvalidInput("function '{}' needs specification version {}, but the model declares {}",
                          function->name, ir::SpecVersionOf(function->opset), model.spec_version);
    }
  }
  ANEMONE_TRY(DecodeDescription(wire.description(), &model).At("description"));
  ANEMONE_TRY(CheckDescription(model).At("description"));
  return model;
}

}  // namespace

Result<ir::Model> ReadModelBytes(const Bytes& bytes, const std::string& name,
                                 const std::string& folder) {
  return DecodeModel(bytes, folder).At(name);
}

Result<ir::Model> ReadModelFile(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  const std::string folder = fs::path(path).parent_path().string();
  return ReadModelBytes(bytes, path, folder.empty() ? "." : folder);
}

Result<ir::Model> ReadPackage(const std::string& path) {
  ANEMONE_ASSIGN(const std::string model_file, FindModelFile(path));
  return ReadModelFile(model_file);
}

Result<ir::Model> ReadModel(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return ReadModelFile(path);
  if (fs::exists(fs::path(path) / kCompiledProgramName, error)) return ReadCompiled(path);
  return ReadPackage(path);
}

}  // namespace anemone::format
