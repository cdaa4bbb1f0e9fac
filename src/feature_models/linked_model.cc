// linkedModel: another model file, looked up beside this one.
#include <filesystem>

#include "feature_models/model_types.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

namespace fs = std::filesystem;

class LinkedModel : public Predictor {
 public:
  LinkedModel(format::ModelInterface interface, std::string path, std::unique_ptr<Predictor> linked)
      : Predictor(std::move(interface)), path_(std::move(path)), linked_(std::move(linked)) {}

  Json Parameters() const override {
    return {{"file", path_}, {"parameters", linked_->Parameters()}};
  }

 protected:
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State* state) const override {
    ANEMONE_ASSIGN(FeatureValues given, linked_->Predict(inputs, state).At(path_));
    FeatureValues outputs;
    for (const ir::Feature& feature : description().outputs) {
      const auto found = given.find(feature.name);
      if (found == given.end()) {
        return InvalidInput("the linked model has no output '{}'", feature.name).At(path_);
      }
      outputs.emplace(feature.name, found->second);
    }
    return outputs;
  }

 private:
  std::string path_;
  std::unique_ptr<Predictor> linked_;
};

// The file as it is named, or the source of a compiled one that is not there. Search paths are
// separated by colons and relative to this file's folder; none means that folder. Only files below it
// are looked up, so that a file from elsewhere cannot make others be read.
Result<std::string> Locate(const std::string& folder, const std::string& name,
                           const std::string& search_path) {
  std::vector<std::string> folders;
  size_t begin = 0;
  while (true) {
    const size_t end = search_path.find(':', begin);
    folders.push_back(search_path.substr(begin, end - begin));
    if (end == std::string::npos) break;
    begin = end + 1;
  }
  std::vector<std::string> names = {name};
  const fs::path stem = fs::path(name).replace_extension();
  for (const char* extension : {".mlmodel", ".mlpackage", ".mlmodelc"}) {
    names.push_back(stem.string() + extension);
  }
  std::error_code error;
  const fs::path root = fs::weakly_canonical(folder, error);
  for (const std::string& below : folders) {
    for (const std::string& candidate : names) {
      const fs::path path = fs::weakly_canonical(root / below / candidate, error);
      const fs::path relative = path.lexically_relative(root);
      if (error || relative.empty() || *relative.begin() == "..") continue;
      if (fs::exists(path, error)) return path.string();
    }
  }
  return NotFound("the linked model '{}' is not there", ToUtf8(name))
      .Advise(fmt::format("put it into {}", folder));
}

}  // namespace

Result<std::unique_ptr<Predictor>> MakeLinkedModel(const format::ModelFile& file,
                                                   format::ModelInterface interface,
                                                   const Context& context) {
  const auto& wire = file.message().linkedmodel();
  if (!wire.has_linkedmodelfile()) return InvalidInput("the model links to nothing");
  if (file.folder().empty()) {
    return Unsupported("the model links to a file, which an archive cannot give")
        .Advise("unzip the archive, and name the .mlpackage in it");
  }
  const std::string& name = wire.linkedmodelfile().linkedmodelfilename().defaultvalue();
  if (name.empty()) return InvalidInput("the linked model has no name");
  ANEMONE_ASSIGN(
      const std::string path,
      Locate(file.folder(), name, wire.linkedmodelfile().linkedmodelsearchpath().defaultvalue()));
  ANEMONE_ASSIGN(const format::ModelFile linked, format::ModelFile::Open(path));
  Context inner = context;
  ++inner.depth;
  ANEMONE_ASSIGN(std::unique_ptr<Predictor> predictor, MakePredictor(linked, inner));
  return std::unique_ptr<Predictor>(
      std::make_unique<LinkedModel>(std::move(interface), path, std::move(predictor)));
}

}  // namespace anemone::feature_models
