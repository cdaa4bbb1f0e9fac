#include "facade/model_source.h"

#include <algorithm>
#include <filesystem>

#include "base/mapped_file.h"
#include "format/package.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "onnx/import.h"
#include "zoo/zoo.h"

namespace anemone::facade {
namespace {

namespace fs = std::filesystem;

std::string LowerExtension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

Result<ir::Model> ReadMilText(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  ANEMONE_ASSIGN(
      ir::Program program,
      ir::ParseText({reinterpret_cast<const char*>(bytes.data()), bytes.size()}).At(path));
  return ir::MakeModel(std::move(program)).At(path);
}

Result<ir::Model> ReadCoreMl(const std::string& path) {
  ANEMONE_ASSIGN(ir::Model model, format::ReadModel(path));
  ANEMONE_TRY(ir::Verify(model.program).At(path));
  return model;
}

Result<ir::Model> BuildFromCatalogue(const ModelSource& source) {
  if (source.weights.empty()) {
    return Usage("catalogue model '{}' needs weights", source.model)
        .Advise("give --weights FILE.safetensors, or --weights seeded");
  }
  const zoo::WeightSource weights = source.weights == "seeded"
                                        ? zoo::WeightSource::Seeded(source.seed)
                                        : zoo::WeightSource::File(source.weights);
  return zoo::Build(source.model, weights, source.target);
}

}  // namespace

std::vector<std::string> CatalogueNames() {
  std::vector<std::string> names;
  for (const zoo::ZooEntry& entry : zoo::Entries()) names.emplace_back(entry.name);
  return names;
}

Result<LoadedModel> LoadModel(const ModelSource& source) {
  std::string text = source.model;
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  const fs::path path(text);
  const std::string extension = LowerExtension(path);
  LoadedModel loaded;
  loaded.name = path.stem().string();
  if (extension == ".mlpackage" || extension == ".mlmodel" || extension == ".mlmodelc") {
    ANEMONE_ASSIGN(ir::Model model, ReadCoreMl(text));
    loaded.model = std::make_shared<ir::Model>(std::move(model));
    loaded.origin = extension.substr(1);
  } else if (zoo::FindEntry(text) != nullptr) {
    ANEMONE_ASSIGN(ir::Model model, BuildFromCatalogue(source));
    loaded.model = std::make_shared<ir::Model>(std::move(model));
    loaded.origin = "catalogue";
  } else if (extension == ".onnx") {
    const onnx::ImportOptions options{.input_shapes = source.input_shapes, .target = source.target};
    ANEMONE_ASSIGN(ir::Model model, onnx::ImportOnnx(text, options));
    loaded.model = std::make_shared<ir::Model>(std::move(model));
    loaded.origin = "onnx";
  } else if (extension == ".mil") {
    ANEMONE_ASSIGN(ir::Model model, ReadMilText(text));
    loaded.model = std::make_shared<ir::Model>(std::move(model));
    loaded.origin = "mil";
  } else {
    std::string names;
    for (const std::string& name : CatalogueNames()) names += (names.empty() ? "" : ", ") + name;
    return NotFound("'{}' is no model", source.model)
        .Advise("name an .onnx, .mlpackage, .mlmodel or .mlmodelc, or a catalogue model: " + names);
  }
  return loaded;
}

}  // namespace anemone::facade
