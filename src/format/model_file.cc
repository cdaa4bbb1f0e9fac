#include "format/model_file.h"

#include <climits>
#include <filesystem>

#include "base/mapped_file.h"
#include "base/zip_reader.h"
#include "format/compiled_reader.h"
#include "format/description_codec.h"
#include "format/int64_results.h"
#include "format/package_layout.h"
#include "format/program_codec.h"
#include "format/proto/model.pb.h"

namespace anemone::format {

namespace fs = std::filesystem;

std::string_view TypeName(const proto::Model& message) {
  using M = proto::Model;
  switch (message.Type_case()) {
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

int32_t ModelFile::spec_version() const { return message_->specificationversion(); }

std::string_view ModelFile::type_name() const { return TypeName(*message_); }

Result<ModelFile> ModelFile::Parse(const Bytes& bytes, const std::string& name,
                                   const std::string& folder) {
  if (bytes.size() > INT_MAX) {
    return InvalidInput("{} bytes exceed protobuf's limit of 2 GiB for a model file", bytes.size())
        .At(name);
  }
  auto message = std::make_shared<proto::Model>();
  if (!message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return InvalidInput("the file is not a Core ML model: it is malformed or nested too deeply")
        .At(name);
  }
  if (message->Type_case() == proto::Model::TYPE_NOT_SET) {
    return InvalidInput("the file holds no model (specification version {})",
                        message->specificationversion())
        .At(name);
  }
  return Of(std::move(message), name, folder);
}

ModelFile ModelFile::Of(std::shared_ptr<const proto::Model> message, const std::string& name,
                        const std::string& folder) {
  ModelFile file;
  file.message_ = std::move(message);
  file.name_ = name;
  file.folder_ = folder;
  return file;
}

ModelFile ModelFile::Part(const proto::Model& part, const std::string& name) const {
  ModelFile file;
  file.message_ = std::shared_ptr<const proto::Model>(message_, &part);
  file.name_ = name;
  file.folder_ = folder_;
  file.package_ = package_;
  file.part_folders_ = part_folders_;
  if (part_folders_ != nullptr) {
    const auto found = part_folders_->find(&part);
    if (found != part_folders_->end()) file.folder_ = found->second;
  }
  return file;
}

void ModelFile::SetPartFolders(PartFolders folders) {
  part_folders_ = std::make_shared<const PartFolders>(std::move(folders));
}

bool ModelFile::compiled() const {
  return part_folders_ != nullptr && part_folders_->contains(message_.get());
}

Result<ModelInterface> DecodeInterface(const ModelFile& file) {
  ModelInterface interface;
  ANEMONE_TRY(
      DecodeInterface(file.message().description(), &interface).At("description").At(file.name()));
  return interface;
}

Result<ModelFile> ModelFile::OpenZipped(const Bytes& archive, const std::string& path) {
  ANEMONE_ASSIGN(auto package, ZippedPackage::Open(archive).At(path));
  ANEMONE_ASSIGN(ModelFile file, Parse(package->model(), path + "/" + package->model_path(), ""));
  file.package_ = std::move(package);
  return file;
}

WeightFiles ModelFile::weights() const {
  return package_ != nullptr ? WeightFiles(package_) : WeightFiles(folder_);
}

Result<ModelFile> ModelFile::Open(const std::string& path) {
  std::string model_file = path;
  std::error_code error;
  if (fs::is_directory(path, error)) {
    if (IsCompiledModel(path)) return OpenCompiled(path);
    ANEMONE_ASSIGN(model_file, FindModelFile(path));
  }
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(model_file));
  if (IsZip(bytes)) return OpenZipped(bytes, model_file);
  const std::string folder = fs::path(model_file).parent_path().string();
  return Parse(bytes, model_file, folder.empty() ? "." : folder);
}

namespace {

constexpr int32_t kNewestSpecVersion = 10;

Status CheckKind(const ModelFile& file) {
  const int32_t version = file.message().specificationversion();
  if (file.message().Type_case() != proto::Model::kMlProgram) {
    return Unsupported("the model is a {}, not a program of operators", file.type_name())
        .Advise(
            "'anemone run' runs it and 'anemone inspect' describes it; what works on operators "
            "(convert, compress, placement, bench ...) needs an ML Program or a neural network");
  }
  if (version < ir::SpecVersionOf(ir::Opset::kIOS15)) {
    return InvalidInput("specification version {} has no ML Programs", version);
  }
  if (!ir::OpsetOfSpecVersion(version)) {
    return Unsupported("specification version {} is newer than {} (iOS26), the newest supported",
                       version, kNewestSpecVersion)
        .Advise("convert the original model again, with a deployment target of iOS26 or earlier");
  }
  return {};
}

Result<ir::Model> Decode(const ModelFile& file) {
  ANEMONE_TRY(CheckKind(file));
  const proto::Model& wire = file.message();
  ir::Model model;
  model.spec_version = wire.specificationversion();
  WeightFiles weights = file.weights();
  ANEMONE_ASSIGN(model.program, DecodeProgram(wire.mlprogram(), weights));
  for (const auto& function : model.program.functions) {
    if (ir::SpecVersionOf(function->opset) > model.spec_version) {
      return InvalidInput("function '{}' needs specification version {}, but the model declares {}",
                          function->name, ir::SpecVersionOf(function->opset), model.spec_version);
    }
  }
  ANEMONE_TRY(DecodeDescription(wire.description(), &model).At("description"));
  ReadInt64Results(&model.metadata.user_defined, &model.program);
  ANEMONE_TRY(CheckDescription(model).At("description"));
  return model;
}

}  // namespace

Result<ir::Model> DecodeProgramModel(const ModelFile& file) { return Decode(file).At(file.name()); }

}  // namespace anemone::format
