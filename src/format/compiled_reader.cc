#include "format/compiled_reader.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/json.h"
#include "base/mapped_file.h"
#include "format/package.h"
#include "format/weight_files.h"
#include "ir/text.h"

namespace anemone::format {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxTextBytes = size_t{256} << 20;  // large constants are in weight files

std::string_view TextOf(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

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

Result<ir::Literal> LoadBlob(void* context, std::string_view path, uint64_t offset,
                             const ir::Type& type) {
  const std::optional<int64_t> count = type.is_tensor() ? type.element_count() : std::nullopt;
  if (!count) {
    return InvalidInput("a constant in a weight file cannot have the type {}", type.ToString());
  }
  auto* weights = static_cast<WeightFiles*>(context);
  ANEMONE_ASSIGN(Bytes bytes, weights->Read(std::string(path), offset, type.dtype(), *count));
  return ir::Literal::FromBytes(type, std::move(bytes));
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

Result<ir::Model> ReadCompiled(const std::string& path) {
  const std::string program_path = (fs::path(path) / kCompiledProgramName).string();
  ANEMONE_ASSIGN(const Bytes text, MapFile(program_path));
  if (text.size() > kMaxTextBytes) {
    return InvalidInput("{} bytes exceed the limit of {} for a program's text", text.size(),
                        kMaxTextBytes)
        .At(program_path);
  }
  WeightFiles weights(path);
  const ir::ParseOptions options{.load_blob = LoadBlob, .load_blob_context = &weights};
  ANEMONE_ASSIGN(ir::Program program, ir::ParseText(TextOf(text), options).At(program_path));
  ANEMONE_ASSIGN(ir::Model model, ir::MakeModel(std::move(program)).At(program_path));
  const std::string metadata_path = (fs::path(path) / kCompiledMetadataName).string();
  std::error_code error;
  if (fs::exists(metadata_path, error)) {
    ANEMONE_ASSIGN(const Bytes metadata, MapFile(metadata_path));
    ANEMONE_TRY(ApplyCompiledMetadata(TextOf(metadata), &model).At(metadata_path));
  }
  return model;
}

}  // namespace anemone::format
