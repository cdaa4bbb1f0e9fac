#include "format/compiled_reader.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <unordered_map>

#include "base/json.h"
#include "base/mapped_file.h"
#include "format/compiled_data.h"
#include "format/espresso/network_reader.h"
#include "format/int64_results.h"
#include "format/mil_text.h"
#include "format/model_file.h"
#include "format/package.h"
#include "format/program_codec.h"
#include "format/weight_files.h"

namespace anemone::format {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxTextBytes = size_t{256} << 20;  // large constants are in weight files

std::string StringOr(const Json& object, const char* key, std::string fallback = {}) {
  const Json* it = object.Find(key);
  return it != nullptr && it->is_text() ? it->text() : fallback;
}

// Sizes are decimal text.
std::optional<int64_t> SizeAt(const Json& object, const char* key) {
  const std::string text = StringOr(object, key);
  int64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || end != text.data() + text.size() || size <= 0) return std::nullopt;
  return size;
}

std::optional<ir::ImageFeature::ColorSpace> ColorSpaceNamed(std::string_view name) {
  if (name == "RGB") return ir::ImageFeature::ColorSpace::kRgb;
  if (name == "BGR") return ir::ImageFeature::ColorSpace::kBgr;
  if (name == "Grayscale") return ir::ImageFeature::ColorSpace::kGrayscale;
  if (name == "GrayscaleFloat16") return ir::ImageFeature::ColorSpace::kGrayscaleFp16;
  return std::nullopt;
}

Status ApplySchema(const Json& json, const char* key, std::vector<ir::Feature>* features) {
  const Json* schema = json.Find(key);
  if (schema == nullptr || !schema->is_array()) return {};
  for (const Json& entry : *schema) {
    if (!entry.is_object()) return InvalidInput("an entry of '{}' is not an object", key);
    const auto feature = std::ranges::find(*features, StringOr(entry, "name"), &ir::Feature::name);
    if (feature == features->end()) continue;
    feature->description = StringOr(entry, "shortDescription");
    feature->optional = StringOr(entry, "isOptional") == "1";
    if (StringOr(entry, "type") != "Image") continue;
    const auto color_space = ColorSpaceNamed(StringOr(entry, "colorspace"));
    const auto width = SizeAt(entry, "width");
    const auto height = SizeAt(entry, "height");
    if (!color_space || !width || !height) {
      return InvalidInput("the image '{}' has no valid colorspace, width and height",
                          feature->name);
    }
    feature->type = ir::ImageFeature{*color_space, {*width, *height}, {}, {}};
  }
  return {};
}

std::string PathIn(const std::string& folder, std::string_view name) {
  return (fs::path(folder) / name).string();
}

// The file as text, which `bytes` keeps mapped.
Result<std::string_view> TextOfFile(const std::string& folder, std::string_view name,
                                    Bytes* bytes) {
  ANEMONE_ASSIGN(*bytes, MapFile(PathIn(folder, name)));
  if (bytes->size() > kMaxTextBytes) {
    return InvalidInput("{} bytes exceed the limit of {} for this file", bytes->size(),
                        kMaxTextBytes)
        .At(PathIn(folder, name));
  }
  return bytes->text();
}

bool Holds(const std::string& folder, std::string_view name) {
  std::error_code error;
  return fs::exists(fs::path(folder) / name, error);
}

// Why a compiled model of a type that is not read is refused, and the way on.
Error RefuseType(std::string_view type, const std::string& path) {
  return Unsupported(
             "the folder is a compiled model of type {}: no public file shows how its parameters "
             "are compiled; ML Programs, neural networks and pipelines of them are read",
             type)
      .At(path)
      .Advise("bring the .mlmodel that it was compiled from");
}

// The list of a pipeline's models; null for another type.
proto::Pipeline* PipelineOf(uint32_t type, proto::Model* model) {
  switch (type) {
    case proto::Model::kPipelineClassifierFieldNumber:
      return model->mutable_pipelineclassifier()->mutable_pipeline();
    case proto::Model::kPipelineRegressorFieldNumber:
      return model->mutable_pipelineregressor()->mutable_pipeline();
    case proto::Model::kPipelineFieldNumber:
      return model->mutable_pipeline();
    default:
      return nullptr;
  }
}

Status CheckVersion(const CompiledData& parts, const std::string& folder) {
  if (parts.specification.major <= INT32_MAX) return {};
  return InvalidInput("specification version {} is not known", parts.specification.major)
      .At(PathIn(folder, kCompiledDataName));
}

// Fills `model` with the program of a folder.
Status FillProgram(CompiledData parts, std::string_view program, const std::string& folder,
                   proto::Model* model) {
  if (parts.model_type != kMlProgramType) {
    return RefuseType(TypeNameOfField(parts.model_type), folder);
  }
  ANEMONE_TRY(CheckVersion(parts, folder));
  ANEMONE_ASSIGN(MilText text, ParseMilText(program).At(PathIn(folder, kCompiledProgramName)));
  model->set_specificationversion(static_cast<int32_t>(parts.specification.major));
  *model->mutable_description() = std::move(parts.description);
  *model->mutable_mlprogram() = std::move(text.program);
  OrderInputs(model);
  return {};
}

// The class labels that metadata.json lists, as text; none when it lists none.
Result<std::vector<std::string>> LabelsOf(const std::string& folder) {
  std::vector<std::string> labels;
  if (!Holds(folder, kCompiledMetadataName)) return labels;
  Bytes bytes;
  ANEMONE_ASSIGN(const std::string_view text, TextOfFile(folder, kCompiledMetadataName, &bytes));
  ANEMONE_ASSIGN(const Json json, ParseJson(text).At(PathIn(folder, kCompiledMetadataName)));
  for (const Json& label : json[0]["classLabels"]) labels.push_back(label.text());
  return labels;
}

// Fills `model` with the neural network of a folder.
Status FillNetwork(CompiledData parts, const std::string& folder, proto::Model* model) {
  ANEMONE_TRY(CheckVersion(parts, folder));
  espresso::NetworkFiles files;
  Bytes layers, shapes;
  ANEMONE_ASSIGN(const auto layers_text, TextOfFile(folder, espresso::kLayersName, &layers));
  ANEMONE_TRY(ParseLayers(layers_text, &files).At(PathIn(folder, espresso::kLayersName)));
  ANEMONE_ASSIGN(const auto shapes_text, TextOfFile(folder, espresso::kShapesName, &shapes));
  ANEMONE_TRY(ParseShapes(shapes_text, &files).At(PathIn(folder, espresso::kShapesName)));
  const std::string weights = PathIn(folder, espresso::kWeightsName);
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(weights));
  ANEMONE_TRY(ParseWeights(bytes, &files).At(weights));
  ANEMONE_ASSIGN(const auto labels, LabelsOf(folder));
  model->set_specificationversion(static_cast<int32_t>(parts.specification.major));
  *model->mutable_description() = std::move(parts.description);
  return espresso::FillNetwork(files, parts.model_type, labels, model).At(folder);
}

Status FillFolder(const std::string& folder, int depth, proto::Model* model,
                  ModelFile::PartFolders* folders);

// Fills `pipeline` with the models in the folders model0, model1 ...
Status FillPipeline(const CompiledData& parts, const std::string& folder, int depth,
                    proto::Pipeline* pipeline, ModelFile::PartFolders* folders) {
  ANEMONE_ASSIGN(const uint64_t count,
                 ParseModelCount(parts).At(PathIn(folder, kCompiledDataName)));
  for (uint64_t i = 0; i < count; ++i) {  // a false count ends at the first folder that is missing
    const std::string part = PathIn(folder, fmt::format("model{}", i));
    if (!IsCompiledModel(part)) {
      return InvalidInput("the pipeline declares {} models, but model{} is no compiled model",
                          count, i)
          .At(folder)
          .Advise("copy the whole folder, with all that is in it");
    }
    ANEMONE_TRY(FillFolder(part, depth + 1, pipeline->add_models(), folders));
  }
  if (!Holds(folder, kModelNamesName)) return {};
  Bytes bytes;
  ANEMONE_ASSIGN(const std::string_view text, TextOfFile(folder, kModelNamesName, &bytes));
  ANEMONE_ASSIGN(const auto names, ParseModelNames(text).At(PathIn(folder, kModelNamesName)));
  for (const std::string& name : names) pipeline->add_names(name);
  return {};
}

Status FillFolder(const std::string& folder, int depth, proto::Model* model,
                  ModelFile::PartFolders* folders) {
  constexpr int kMaxDepth = 16;  // of pipelines in pipelines
  if (depth > kMaxDepth) {
    return InvalidInput("pipelines hold pipelines more than {} deep", kMaxDepth).At(folder);
  }
  if (!Holds(folder, kCompiledDataName)) {
    return InvalidInput("the compiled model has no {}, which describes it", kCompiledDataName)
        .At(folder);
  }
  (*folders)[model] = folder;
  Bytes data;
  ANEMONE_ASSIGN(const std::string_view data_text, TextOfFile(folder, kCompiledDataName, &data));
  ANEMONE_ASSIGN(CompiledData parts,
                 ParseCompiledData(data_text).At(PathIn(folder, kCompiledDataName)));
  if (proto::Pipeline* pipeline = PipelineOf(parts.model_type, model)) {
    ANEMONE_TRY(CheckVersion(parts, folder));
    ANEMONE_TRY(FillPipeline(parts, folder, depth, pipeline, folders));
    model->set_specificationversion(static_cast<int32_t>(parts.specification.major));
    *model->mutable_description() = std::move(parts.description);
    return {};
  }
  if (espresso::IsNetworkType(parts.model_type)) {
    return FillNetwork(std::move(parts), folder, model);
  }
  if (parts.model_type != kMlProgramType) {
    return RefuseType(TypeNameOfField(parts.model_type), folder);
  }
  if (!Holds(folder, kCompiledProgramName)) {
    return InvalidInput("the compiled program has no {}, its text", kCompiledProgramName)
        .At(folder)
        .Advise("copy the whole folder, with all that is in it");
  }
  Bytes program;
  ANEMONE_ASSIGN(const std::string_view program_text,
                 TextOfFile(folder, kCompiledProgramName, &program));
  return FillProgram(std::move(parts), program_text, folder, model);
}

Status ApplyFlexibleShapes(const std::map<std::string, FlexibleShapes>& flexible,
                           ir::Model* model) {
  for (const auto& [name, shapes] : flexible) {
    const auto function = std::ranges::find(model->functions, name, &ir::FunctionDescription::name);
    if (function == model->functions.end()) continue;
    for (ir::Feature& input : function->inputs) {
      const auto found = shapes.find(input.name);
      auto* array = std::get_if<ir::ArrayFeature>(&input.type);
      if (found == shapes.end() || array == nullptr) continue;
      const FlexibleShape& shape = found->second;
      const size_t rank = array->shape.size();
      const bool fits =
          shape.default_shape.size() == rank &&
          (shape.ranges.empty() || shape.ranges.size() == rank) &&
          std::ranges::all_of(shape.enumerated, [&](const auto& s) { return s.size() == rank; });
      if (!fits) {
        return InvalidInput("the flexible shapes of '{}' do not have the rank of its type",
                            input.name);
      }
      array->shape = shape.default_shape;
      array->shape_range = shape.ranges;
      array->enumerated = shape.enumerated;
    }
  }
  return {};
}

// A folder without coremldata.bin: what the program's types and metadata.json say.
Result<ir::Model> DescribeByTypes(MilText text, const std::string& path) {
  WeightFiles weights(path);
  ANEMONE_ASSIGN(ir::Program program, DecodeProgram(text.program, weights));
  ANEMONE_ASSIGN(ir::Model model, ir::MakeModel(std::move(program)));
  ANEMONE_TRY(ApplyFlexibleShapes(text.flexible, &model));
  return model;
}

}  // namespace

Status ApplyCompiledMetadata(std::string_view text, ir::Model* model) {
  Json json = ParseJsonOrNull(text);
  // A list with one entry for each model of the package.
  if (json.is_array() && json.size() == 1) json = Json(json[0]);
  if (!json.is_object()) return InvalidInput("expected a JSON list of one object");
  model->metadata.description = StringOr(json, "shortDescription");
  model->metadata.author = StringOr(json, "author");
  model->metadata.license = StringOr(json, "license");
  model->metadata.version = StringOr(json, "version");
  const Json* user_defined = json.Find("userDefinedMetadata");
  if (user_defined != nullptr && user_defined->is_object()) {
    for (const auto& [key, value] : user_defined->items()) {
      if (value.is_text()) model->metadata.user_defined[key] = value.text();
    }
  }
  ReadInt64Results(&model->metadata.user_defined, &model->program);
  const Json* version = json.Find("specificationVersion");
  if (version != nullptr && version->is_integer()) {
    const int64_t declared = version->integer();
    if (declared < model->spec_version || declared > INT32_MAX) {
      return InvalidInput("specificationVersion {} does not have the program's op set", declared);
    }
    model->spec_version = static_cast<int32_t>(declared);
  }
  if (model->multi_function || model->functions.empty()) return {};
  ANEMONE_TRY(ApplySchema(json, "inputSchema", &model->functions[0].inputs));
  return ApplySchema(json, "outputSchema", &model->functions[0].outputs);
}

bool IsCompiledModel(const std::string& path) {
  return Holds(path, kCompiledProgramName) || Holds(path, kCompiledDataName) ||
         Holds(path, espresso::kLayersName);
}

void OrderInputs(proto::Model* model) {
  const proto::ModelDescription& description = model->description();
  for (auto& entry : *model->mutable_mlprogram()->mutable_functions()) {
    std::vector<std::string_view> order;
    const auto add = [&](const auto& features) {
      for (const proto::FeatureDescription& feature : features) order.push_back(feature.name());
    };
    const auto described =
        std::ranges::find(description.functions(), entry.key(), &proto::FunctionDescription::name);
    if (described != description.functions().end()) {
      add(described->input());
      add(described->state());
    } else {
      add(description.input());
      add(description.state());
    }
    std::unordered_map<std::string_view, size_t> places;
    for (size_t i = 0; i < order.size(); ++i) places.emplace(order[i], i);
    auto* inputs = entry.mutable_value()->mutable_inputs();
    std::stable_sort(inputs->begin(), inputs->end(), [&](const auto& a, const auto& b) {
      const auto place = [&](const proto::NamedValueType& value) {
        const auto found = places.find(value.name());
        return found == places.end() ? order.size() : found->second;
      };
      return place(a) < place(b);
    });
  }
}

Result<ModelFile> AssembleCompiled(std::string_view program, std::string_view data,
                                   const std::string& folder) {
  ANEMONE_ASSIGN(CompiledData parts, ParseCompiledData(data).At(PathIn(folder, kCompiledDataName)));
  auto model = std::make_shared<proto::Model>();
  ANEMONE_TRY(FillProgram(std::move(parts), program, folder, model.get()));
  return ModelFile::Of(std::move(model), folder, folder);
}

bool DescribesItself(const std::string& path) { return Holds(path, kCompiledDataName); }

Result<ModelFile> OpenCompiled(const std::string& path) {
  auto model = std::make_shared<proto::Model>();
  ModelFile::PartFolders folders;
  ANEMONE_TRY(FillFolder(path, 0, model.get(), &folders));
  ModelFile file = ModelFile::Of(std::move(model), path, path);
  file.SetPartFolders(std::move(folders));
  return file;
}

Result<ir::Model> ReadCompiled(const std::string& path) {
  if (DescribesItself(path)) {
    ANEMONE_ASSIGN(const ModelFile file, OpenCompiled(path));
    return DecodeProgramModel(file);
  }
  if (!Holds(path, kCompiledProgramName)) {
    return InvalidInput("the compiled network has no {}, which describes it", kCompiledDataName)
        .At(path)
        .Advise("copy the whole folder, with all that is in it");
  }
  Bytes program;
  ANEMONE_ASSIGN(const std::string_view program_text,
                 TextOfFile(path, kCompiledProgramName, &program));
  const std::string program_path = PathIn(path, kCompiledProgramName);
  ANEMONE_ASSIGN(MilText text, ParseMilText(program_text).At(program_path));
  ANEMONE_ASSIGN(ir::Model model, DescribeByTypes(std::move(text), path).At(program_path));
  if (Holds(path, kCompiledMetadataName)) {
    Bytes metadata;
    ANEMONE_ASSIGN(const std::string_view json, TextOfFile(path, kCompiledMetadataName, &metadata));
    ANEMONE_TRY(ApplyCompiledMetadata(json, &model).At(PathIn(path, kCompiledMetadataName)));
  }
  return model;
}

}  // namespace anemone::format
