#include "facade/predictor_source.h"

#include <filesystem>

#include "facade/session_predictor.h"
#include "feature_models/model_types.h"
#include "format/compiled_reader.h"
#include "format/model_file.h"
#include "ir/verifier.h"

namespace anemone::facade {
namespace {

namespace fs = std::filesystem;

// A program inside a pipeline, or at the end of a link.
Result<std::unique_ptr<feature_models::Predictor>> PredictorOfProgram(
    const format::ModelFile& file, const SessionOptions& options) {
  ANEMONE_ASSIGN(ir::Model model, DecodeModel(file));
  ANEMONE_TRY(ir::Verify(model.program).At(file.name()));
  LoadedModel loaded{std::make_shared<ir::Model>(std::move(model)), file.name(), "mlmodel", ""};
  return MakeSessionPredictor(loaded, file.name(), options);
}

// A program inside a pipeline that is described, not run.
class UnopenedProgram : public feature_models::Predictor {
 public:
  explicit UnopenedProgram(format::ModelInterface interface) : Predictor(std::move(interface)) {}
  Json Parameters() const override { return Json::Object(); }

 protected:
  Result<feature_models::FeatureValues> Run(const feature_models::FeatureValues&,
                                            exec::State*) const override {
    return Usage("the model was loaded to be described");
  }
};

Result<LoadedPredictor> Load(const format::ModelFile& file,
                             feature_models::Context::MakeProgram make_program) {
  feature_models::Context context;
  context.make_program = std::move(make_program);
  LoadedPredictor loaded;
  ANEMONE_ASSIGN(loaded.predictor, feature_models::MakePredictor(file, context));
  loaded.type = std::string(file.type_name());
  loaded.name = fs::path(file.name()).stem().string();
  loaded.spec_version = file.spec_version();
  return loaded;
}

}  // namespace

Result<LoadedPredictor> DescribePredictor(const format::ModelFile& file) {
  return Load(
      file,
      [](const format::ModelFile& part) -> Result<std::unique_ptr<feature_models::Predictor>> {
        ANEMONE_ASSIGN(format::ModelInterface interface, format::DecodeInterface(part));
        return std::unique_ptr<feature_models::Predictor>(
            std::make_unique<UnopenedProgram>(std::move(interface)));
      });
}

Result<std::shared_ptr<const format::ModelFile>> OpenModelFile(const std::string& model) {
  std::string path = model;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::string extension = LowerExtension(path);
  std::error_code error;
  const bool readable = extension == ".mlmodel" || extension == ".mlpackage" ||
                        extension == ".zip" ||
                        (extension == ".mlmodelc" && format::DescribesItself(path));
  if (!readable || !fs::exists(path, error)) return std::shared_ptr<const format::ModelFile>();
  ANEMONE_ASSIGN(format::ModelFile file, format::ModelFile::Open(path));
  return std::make_shared<const format::ModelFile>(std::move(file));
}

bool IsFeatureModel(const format::ModelFile* file) {
  if (file == nullptr) return false;
  const feature_models::ModelType* type = feature_models::FindModelType(file->type_name());
  return type != nullptr && type->make != nullptr;
}

Result<LoadedPredictor> LoadPredictor(const ModelSource& source, const SessionOptions& options) {
  ModelSource opened = source;
  if (opened.file == nullptr) {
    ANEMONE_ASSIGN(opened.file, OpenModelFile(source.model));
  }
  LoadedPredictor loaded;
  if (!IsFeatureModel(opened.file.get())) {
    ANEMONE_ASSIGN(const LoadedModel model, LoadModel(opened));
    ANEMONE_ASSIGN(loaded.predictor, MakeSessionPredictor(model, source.model, options));
    loaded.type = model.type;
    loaded.name = model.name;
    loaded.spec_version = model.model->spec_version;
    return loaded;
  }
  if (!source.options.input_shapes.empty()) {
    return Usage(
               "a {} takes its inputs in the shapes that they have, so that a chosen shape says "
               "nothing",
               opened.file->type_name())
        .At(source.model)
        .Advise("leave the shape out, and give a value of that shape");
  }
  ANEMONE_ASSIGN(loaded, Load(*opened.file, [options](const format::ModelFile& part) {
                   return PredictorOfProgram(part, options);
                 }));
  loaded.name = NameOfModelFile(source.model);
  return loaded;
}

}  // namespace anemone::facade
