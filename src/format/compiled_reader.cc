#include "format/compiled_reader.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <unordered_map>

#include "base/json.h"
#include "base/mapped_file.h"
#include "format/compiled_data.h"
#include "format/mil_text.h"
#include "format/model_file.h"
#include "format/package.h"
#include "format/program_codec.h"
#include "format/weight_files.h"

namespace anemone::format {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxTextBytes = size_t{256} << 20;  // large constants are in weight files
constexpr std::string_view kEspressoName = "model.espresso.net";

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

// The folders model0, model1 ... of a pipeline.
int CountModels(const std::string& pipeline) {
  int count = 0;
  std::error_code error;
  while (fs::is_directory(fs::path(pipeline) / fmt::format("model{}", count), error)) ++count;
  return count;
}

// Why a compiled model that is not an ML Program is refused, and the way on.
Error RefuseType(std::string_view type, const std::string& path) {
  if (type.find("eural") != std::string_view::npos) {
    return Unsupported(
               "the folder is a compiled {}: its layers are in Espresso's form ({}), not in a "
               "program's text",
               type, kEspressoName)
        .At(path)
        .Advise("bring the .mlmodel that it was compiled from");
  }
  if (type.starts_with("pipeline")) {
    return Unsupported("the folder is a compiled {} of {} models (model0, model1 ...)", type,
                       CountModels(path))
        .At(path)
        .Advise(
            "run a model of the pipeline by its own folder, or bring the package it was compiled "
            "from");
  }
  return Unsupported("the folder is a compiled model of type {}; only ML Programs are read", type)
      .At(path)
      .Advise("bring the .mlmodel that it was compiled from");
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
         Holds(path, kEspressoName);
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
  if (parts.model_type != kMlProgramType) {
    return RefuseType(TypeNameOfField(parts.model_type), folder);
  }
  if (parts.specification.major > INT32_MAX) {
    return InvalidInput("specification version {} is not known", parts.specification.major)
        .At(PathIn(folder, kCompiledDataName));
  }
  ANEMONE_ASSIGN(MilText text, ParseMilText(program).At(PathIn(folder, kCompiledProgramName)));
  auto model = std::make_shared<proto::Model>();
  model->set_specificationversion(static_cast<int32_t>(parts.specification.major));
  *model->mutable_description() = std::move(parts.description);
  *model->mutable_mlprogram() = std::move(text.program);
  OrderInputs(model.get());
  return ModelFile::Of(std::move(model), folder, folder);
}

Result<ir::Model> ReadCompiled(const std::string& path) {
  Bytes data;
  std::string_view data_text;
  const bool described = Holds(path, kCompiledDataName);
  if (described) {
    ANEMONE_ASSIGN(data_text, TextOfFile(path, kCompiledDataName, &data));
  }
  if (!Holds(path, kCompiledProgramName)) {
    if (described) {  // says of what type the model is, if it is not an ML Program
      ANEMONE_TRY(AssembleCompiled("", data_text, path).status());
    }
    return RefuseType("neuralNetwork", path);
  }
  Bytes program;
  ANEMONE_ASSIGN(const std::string_view program_text,
                 TextOfFile(path, kCompiledProgramName, &program));
  if (described) {
    ANEMONE_ASSIGN(const ModelFile file, AssembleCompiled(program_text, data_text, path));
    return DecodeProgramModel(file);
  }
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
