#include "facade/model_source.h"

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "acquire/url.h"
#include "base/mapped_file.h"
#include "base/nearest_names.h"
#include "facade/convert.h"
#include "facade/input_value.h"
#include "ir/feature_shapes.h"
#include "ir/text.h"
#include "ir/text_template.h"
#include "ir/verifier.h"
#include "neural_network/lift.h"
#include "onnx/import.h"
#include "options/option.h"
#include "torch/import.h"
#include "zoo/zoo.h"

namespace anemone::facade {
namespace {

namespace fs = std::filesystem;

Result<ir::Model> ReadMilText(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  ANEMONE_ASSIGN(ir::Program program, ir::ParseText(bytes.text()).At(path));
  return ir::MakeModel(std::move(program)).At(path);
}

Result<ir::Model> ReadCoreMl(const ModelSource& source, const std::string& path,
                             std::string* type) {
  ir::Model model;
  if (source.file != nullptr) {
    *type = source.file->type_name();
    ANEMONE_ASSIGN(model, DecodeModel(*source.file));
  } else {
    ANEMONE_ASSIGN(model, neural_network::ReadModel(path, type));
  }
  ANEMONE_TRY(ir::Verify(model.program).At(path));
  return model;
}

// Where fetched bytes came from, as the model's metadata keeps it.
void NoteProvenance(const acquire::Fetched& fetched, ir::Metadata* metadata) {
  const acquire::CacheRecord& record = fetched.main();
  auto& notes = metadata->user_defined;
  notes[zoo::kKeyWeights] = fetched.entry != nullptr ? "pretrained" : "file";
  notes[zoo::kKeyUrl] = record.url;
  notes[zoo::kKeySha256] = record.sha256;
  if (!record.license.empty()) {
    notes[zoo::kKeyLicense] = record.license;
    metadata->license = record.license;
  }
}

// The catalog's files, or an error that says how to go on without them. Never another model.
Result<acquire::Fetched> FetchOrExplain(const std::string& what, const acquire::CatalogEntry* entry,
                                        const acquire::FetchOptions& options) {
  auto fetched = acquire::Fetch(what, options);
  if (fetched.ok() || fetched.error().code() == ErrorCode::kCancelled) return fetched;
  std::string advice = fetched.error().advice();
  if (!advice.empty()) advice += "; ";
  if (entry != nullptr) {
    const std::string& url = entry->files.front().url;
    advice += fmt::format(
        "or bring the file here: download {} elsewhere, then 'anemone fetch {} --from FILE'", url,
        entry->name);
    if (entry->import == "zoo") {
      advice += "; or '--weights seeded' for the same network with made-up weights";
    }
  } else {
    advice += "or download it elsewhere and name the file";
  }
  return std::move(fetched).error().Advise(advice);
}

// The shapes and the target of the options, for importers that make shapes part of the program.
Result<onnx::ImportOptions> ImportOptionsOf(const ModelSource& source) {
  ANEMONE_ASSIGN(const ir::Opset target,
                 ParseDeploymentTarget(source.options.minimum_deployment_target));
  onnx::ImportOptions options{.input_shapes = {}, .target = target};
  options.clamp_int64 = source.options.clamp_int64;
  for (const auto& [name, shape] : source.options.input_shapes) {
    for (const Dimension& dimension : shape) {
      onnx::InputSize& size = options.input_shapes[name].emplace_back(dimension.size);
      size.lower = dimension.lower;
      size.upper = dimension.upper;
      size.choices = dimension.choices;
    }
  }
  for (const std::string& text : source.options.input_value) {
    ANEMONE_ASSIGN(auto named, ReadInputValue(text));
    if (!options.input_values.insert(std::move(named)).second)
      return Usage("the input of '{}' has a value already", text).At("input_value");
  }
  for (const std::string& file : source.options.lowering) {
    ANEMONE_ASSIGN(const Bytes text, MapFile(file));
    auto given = ir::ParseTemplates(text.text());
    if (!given.ok()) return std::move(given).status().At(file).error();
    std::ranges::move(*given, std::back_inserter(options.lowerings));
  }
  return options;
}

Result<ir::Model> ReadOnnx(const std::string& path, const ModelSource& source) {
  ANEMONE_ASSIGN(const onnx::ImportOptions options, ImportOptionsOf(source));
  return onnx::ImportOnnx(path, options);
}

Result<ir::Model> ReadTorch(const std::string& path, const ModelSource& source) {
  ANEMONE_ASSIGN(const onnx::ImportOptions options, ImportOptionsOf(source));
  return torch::ImportTorch(path, options);
}

// Files of PyTorch: exported programs, and what is refused by what it is.
bool IsTorchExtension(const std::string& extension) {
  return extension == ".pt2" || extension == ".pt" || extension == ".pth" || extension == ".ep";
}

// The shapes of a model that is no ONNX graph: its flexibility is its own.
Result<std::map<std::string, ir::Shape>> ChosenShapes(const LoadOptions& options) {
  std::map<std::string, ir::Shape> chosen;
  for (const auto& [name, shape] : options.input_shapes) {
    for (const Dimension& dimension : shape) {
      if (!dimension.is_fixed()) {
        return Usage(
                   "'{}' is given open dimensions, which only the conversion of an ONNX or "
                   "PyTorch model can make",
                   name)
            .Advise("give one of the shapes that the model takes");
      }
      chosen[name].push_back(dimension.size);
    }
  }
  return chosen;
}

// An ONNX graph that the catalog names.
Result<LoadedModel> LoadOnnxEntry(const acquire::CatalogEntry& entry, const ModelSource& source) {
  const std::string& weights = source.options.weights;
  if (!weights.empty() && weights != "pretrained") {
    return Usage("'{}' is an ONNX graph of its publisher: its weights cannot be replaced",
                 entry.name)
        .Advise("leave --weights out, or name an .onnx file of your own as MODEL");
  }
  ANEMONE_ASSIGN(const auto fetched, FetchOrExplain(entry.name, &entry, source.fetch));
  ModelSource shaped = source;
  for (const acquire::CatalogInput& input : entry.inputs) {
    shaped.options.input_shapes.emplace(
        input.name, std::vector<Dimension>(input.shape.begin(), input.shape.end()));
  }
  ANEMONE_ASSIGN(ir::Model model, ReadOnnx(fetched.main().path, shaped));
  NoteProvenance(fetched, &model.metadata);
  model.metadata.user_defined[zoo::kKeyArchitecture] = entry.architecture;
  return LoadedModel{std::make_shared<ir::Model>(std::move(model)), entry.name, "catalog",
                     "pretrained"};
}

// A network of the zoo, with the weights that are asked for.
Result<LoadedModel> LoadZooEntry(const std::string& name, const acquire::CatalogEntry* entry,
                                 const ModelSource& source) {
  const std::string architecture = entry != nullptr ? entry->architecture : name;
  const std::string& named = source.options.weights;
  LoadedModel loaded{nullptr, name, "catalog", named};
  zoo::WeightSource weights;
  acquire::Fetched fetched;
  if (named == "seeded") {
    weights = zoo::WeightSource::Seeded(source.options.seed);
  } else if (named.empty() || named == "pretrained") {
    if (entry == nullptr) {
      return NotFound("the catalog knows no published weights of '{}'", name)
          .Advise("give --weights FILE, or --weights seeded");
    }
    ANEMONE_ASSIGN(fetched, FetchOrExplain(name, entry, source.fetch));
    weights = zoo::WeightSource::File(fetched.main().path);
    loaded.weights = "pretrained";
  } else if (acquire::LooksLikeUrl(named)) {
    ANEMONE_ASSIGN(fetched, FetchOrExplain(named, nullptr, source.fetch));
    weights = zoo::WeightSource::File(fetched.main().path);
    loaded.weights = "file";
  } else {
    weights = zoo::WeightSource::File(named);
    loaded.weights = "file";
  }
  ANEMONE_ASSIGN(const ir::Opset target,
                 ParseDeploymentTarget(source.options.minimum_deployment_target));
  ANEMONE_ASSIGN(ir::Model model, zoo::Build(architecture, weights, target));
  if (!fetched.files.empty()) {
    const std::string digest = model.metadata.user_defined[zoo::kKeySha256];
    if (digest != fetched.main().sha256) {
      return InvalidInput("the cached file has the SHA-256 {}, its record says {}", digest,
                          fetched.main().sha256)
          .At(fetched.main().path)
          .Advise("'anemone fetch --verify --repair' removes what is damaged; then fetch it again");
    }
    NoteProvenance(fetched, &model.metadata);
  }
  loaded.model = std::make_shared<ir::Model>(std::move(model));
  return loaded;
}

}  // namespace

std::string LowerExtension(const std::string& path) {
  std::string extension = fs::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension;
}

std::string NameOfModelFile(const std::string& path) {
  std::string text = path;
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  const std::string stem = fs::path(text).stem().string();
  return LowerExtension(text) == ".zip" ? fs::path(stem).stem().string() : stem;
}

Result<ir::Model> DecodeModel(const format::ModelFile& file) {
  if (neural_network::IsNeuralNetwork(file)) return neural_network::Lift(file);
  return format::DecodeProgramModel(file);
}

std::vector<std::string> CatalogNames() {
  std::vector<std::string> names;
  for (const acquire::CatalogEntry& entry : acquire::Catalog()) names.push_back(entry.name);
  for (const zoo::ZooEntry& entry : zoo::Entries()) {
    if (acquire::FindInCatalog(entry.name) == nullptr) names.emplace_back(entry.name);
  }
  return names;
}

namespace {

bool IsModelFile(const std::string& name) {
  const std::string extension = LowerExtension(name);
  return extension == ".mlpackage" || extension == ".mlmodel" || extension == ".mlmodelc" ||
         extension == ".zip" || extension == ".onnx" || extension == ".mil" ||
         IsTorchExtension(extension);
}

// A model that is not in the catalog: by the extension of its file.
Result<LoadedModel> LoadFile(const ModelSource& source) {
  std::string text = source.model;
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  const std::string extension = LowerExtension(text);
  LoadedModel loaded;
  loaded.name = NameOfModelFile(text);
  if (extension == ".mlpackage" || extension == ".mlmodel" || extension == ".mlmodelc") {
    ANEMONE_ASSIGN(ir::Model model, ReadCoreMl(source, text, &loaded.type));
    loaded.model = std::make_shared<ir::Model>(std::move(model));
    // Core ML itself opens the package of a program as it is; of a lifted network, one written anew.
    loaded.origin = loaded.type == "mlProgram" ? extension.substr(1) : "mlmodel";
  } else if (extension == ".zip") {
    ANEMONE_ASSIGN(ir::Model model, ReadCoreMl(source, text, &loaded.type));
    loaded.model = std::make_shared<ir::Model>(std::move(model));
    loaded.origin = "zip";
  } else if (extension == ".onnx") {
    ANEMONE_ASSIGN(ir::Model model, ReadOnnx(text, source));
    loaded.model = std::make_shared<ir::Model>(std::move(model));
    loaded.origin = "onnx";
  } else if (IsTorchExtension(extension)) {
    ANEMONE_ASSIGN(ir::Model model, ReadTorch(text, source));
    loaded.model = std::make_shared<ir::Model>(std::move(model));
    loaded.origin = "pytorch";
  } else if (extension == ".mil") {
    ANEMONE_ASSIGN(ir::Model model, ReadMilText(text));
    loaded.model = std::make_shared<ir::Model>(std::move(model));
    loaded.origin = "mil";
  } else {
    const std::vector<std::string> names = CatalogNames();
    const std::vector<std::string_view> known(names.begin(), names.end());
    return NotFound("'{}' is not a model", source.model)
        .Advise(
            "name an .onnx, .pt2, .mlpackage (zipped or not), .mlmodel or .mlmodelc, or a catalog "
            "model: " +
            (NearestNames(source.model, known).empty()
                 ? "`anemone fetch --list` has them"
                 : SuggestNames(source.model, known, "catalog models")));
  }
  return loaded;
}

Result<LoadedModel> LoadUrl(const ModelSource& source) {
  ANEMONE_ASSIGN(const auto fetched, FetchOrExplain(source.model, nullptr, source.fetch));
  ModelSource file = source;
  file.model = fetched.main().path;
  ANEMONE_ASSIGN(LoadedModel loaded, LoadFile(file).At(source.model));
  NoteProvenance(fetched, &loaded.model->metadata);
  return loaded;
}

}  // namespace

Result<LoadedModel> LoadModel(const ModelSource& source) {
  ANEMONE_TRY(options::Check(source.options));
  // Names of the catalog have no slash and no such ending; reading it takes longer than a file.
  const bool file = source.model.find('/') != std::string::npos || IsModelFile(source.model);
  const acquire::CatalogEntry* entry = file ? nullptr : acquire::FindInCatalog(source.model);
  Result<LoadedModel> loaded = [&]() -> Result<LoadedModel> {
    if (entry != nullptr && entry->import == "onnx") return LoadOnnxEntry(*entry, source);
    if (entry != nullptr || zoo::FindEntry(source.model) != nullptr) {
      return LoadZooEntry(source.model, entry, source);
    }
    if (acquire::LooksLikeUrl(source.model)) return LoadUrl(source);
    return LoadFile(source);
  }();
  if (!loaded.ok()) return std::move(loaded).error();
  // The importers of ONNX and PyTorch have made their shapes part of the program.
  const bool imported = loaded->origin == "onnx" || loaded->origin == "pytorch";
  if (!imported && (entry == nullptr || entry->import != "onnx")) {
    if (!source.options.lowering.empty()) {
      return Usage("'{}' is not an ONNX or PyTorch model: it has nothing to lower", source.model)
          .At("lowering")
          .Advise("give it when the model is converted");
    }
    if (!source.options.input_value.empty()) {
      return Usage("'{}' is not an ONNX or PyTorch model: its inputs cannot be fixed", source.model)
          .At("input_value")
          .Advise("fix them when the model is converted");
    }
    if (source.options.clamp_int64) {
      return Usage("'{}' is not an ONNX or PyTorch model: it has no integers of 64 bits",
                   source.model)
          .At("clamp_int64")
          .Advise("give it when the model is converted");
    }
    ANEMONE_ASSIGN(const auto chosen, ChosenShapes(source.options));
    ANEMONE_TRY(ir::ChooseInputShapes(chosen, loaded->model.get()).At(source.model));
  }
  if (loaded->model->metadata.user_defined.contains(zoo::kKeyWeights)) {
    loaded->model->metadata.user_defined[zoo::kKeyToolVersion] = ANEMONE_VERSION;
  }
  return loaded;
}

}  // namespace anemone::facade
