#include "format/compiled_metadata.h"

#include <algorithm>
#include <array>

#include "format/compiled_precision.h"
#include "format/data_types.h"
#include "format/model_file.h"

namespace anemone::format {
namespace {

using Features = google::protobuf::RepeatedPtrField<proto::FeatureDescription>;

// The first releases of the systems that read a specification version.
struct Release {
  int32_t specification;
  std::string_view macos;
  std::string_view ios;  // tvOS's and macCatalyst's too
  std::string_view watchos;
  std::string_view visionos;
};
constexpr std::array<Release, 4> kReleases{{
    {6, "12.0", "15.0", "8.0", "1.0"},
    {7, "13.0", "16.0", "9.0", "1.0"},
    {8, "14.0", "17.0", "10.0", "1.0"},
    {9, "15.0", "18.0", "11.0", "2.0"},
}};

// "[1, 4]".
template <typename Sizes>
std::string ListText(const Sizes& sizes) {
  std::string text = "[";
  for (const auto size : sizes) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

// "1 × 4".
template <typename Sizes>
std::string ProductText(const Sizes& sizes) {
  std::string text;
  for (const auto size : sizes) text += (text.empty() ? "" : " × ") + std::to_string(size);
  return text;
}

std::string RangeText(const proto::SizeRange& range) {
  if (range.upperbound() < 0) return std::to_string(range.lowerbound()) + "...";
  if (static_cast<uint64_t>(range.upperbound()) == range.lowerbound()) {
    return std::to_string(range.lowerbound());
  }
  return fmt::format("{}...{}", range.lowerbound(), range.upperbound());
}

Json JsonOf(const Histogram& histogram) {
  Json json = Json::Object();
  for (const auto& [name, count] : histogram) json[name] = count;
  return json;
}

// What is summed up over the programs of a model.
struct Summary {
  std::set<std::string> compute, storage;
  Histogram histogram;
};

class Writer {
 public:
  Writer(const proto::Model& model, std::set<std::string>* unconfirmed)
      : model_(model), unconfirmed_(unconfirmed) {}

  Result<Json> Write(const std::string& class_name) {
    const proto::ModelDescription& description = model_.description();
    Json json = Json::Object();
    json["metadataOutputVersion"] = "3.0";
    WriteMetadata(description.metadata(), &json);
    json["specificationVersion"] = model_.specificationversion();
    ANEMONE_TRY(WriteSummary(&json));
    ANEMONE_TRY(WriteSchemas(description, &json));
    json["modelParameters"] = Json::Array();
    json["isUpdatable"] = model_.isupdatable() ? "1" : "0";
    WriteAvailability(&json);
    json["modelType"] = TypeOf(model_);
    json["generatedClassName"] = class_name;
    json["method"] = "predict";
    return json;
  }

 private:
  static Json TypeOf(const proto::Model& model) {
    Json type{{"name", "MLModelType_" + std::string(TypeName(model))}};
    if (!model.has_pipeline()) return type;
    Json parts = Json::Array();
    for (const proto::Model& part : model.pipeline().models()) parts.push_back(TypeOf(part));
    type["structure"] = std::move(parts);
    return type;
  }

  void WriteMetadata(const proto::Metadata& metadata, Json* json) const {
    const auto set = [&](const char* key, const std::string& value) {
      if (!value.empty()) (*json)[key] = value;
    };
    set("shortDescription", metadata.shortdescription());
    set("author", metadata.author());
    set("version", metadata.versionstring());
    set("license", metadata.license());
    Json user_defined = Json::Object();
    for (const auto& entry : metadata.userdefined()) user_defined[entry.key()] = entry.value();
    (*json)["userDefinedMetadata"] = std::move(user_defined);
  }

  void WriteAvailability(Json* json) const {
    const auto release =
        std::ranges::find(kReleases, model_.specificationversion(), &Release::specification);
    if (release == kReleases.end()) return;
    (*json)["availability"] = Json{
        {"macOS", release->macos},       {"iOS", release->ios},
        {"tvOS", release->ios},          {"watchOS", release->watchos},
        {"visionOS", release->visionos}, {"macCatalyst", release->ios},
    };
  }

  // Of the function that runs when none is named.
  static const proto::Function* DefaultFunction(const proto::Model& model) {
    const auto& functions = model.mlprogram().functions();
    const std::string& name = model.description().defaultfunctionname();
    for (const auto& entry : functions) {
      if (entry.key() == (name.empty() ? "main" : name)) return &entry.value();
    }
    return functions.empty() ? nullptr : &functions[0].value();
  }

  Status Add(const proto::Model& model, Summary* summary) {
    for (const proto::Model& part : model.pipeline().models()) ANEMONE_TRY(Add(part, summary));
    if (!model.has_mlprogram()) return {};
    const proto::Program& program = model.mlprogram();
    const proto::Function* main = DefaultFunction(model);
    if (main == nullptr) return InvalidInput("the program has no function");
    ANEMONE_ASSIGN(auto compute, ComputePrecisionOf(*main, unconfirmed_));
    summary->compute.merge(compute);
    ANEMONE_ASSIGN(auto storage, StoragePrecisionOf(program, unconfirmed_));
    if (!storage.empty() && program.functions_size() > 1) {
      unconfirmed_->insert("metadata.json: storagePrecision of several functions");
    }
    summary->storage.merge(storage);
    ANEMONE_ASSIGN(const Histogram histogram, HistogramOf(*main, unconfirmed_));
    for (const auto& [name, count] : histogram) summary->histogram[name] += count;
    return {};
  }

  Status WriteSummary(Json* json) {
    Summary summary;
    ANEMONE_TRY(Add(model_, &summary));
    (*json)["computePrecision"] = MixedText(summary.compute);
    if (!summary.storage.empty()) (*json)["storagePrecision"] = MixedText(summary.storage);
    (*json)["mlProgramOperationTypeHistogram"] = JsonOf(summary.histogram);
    return {};
  }

  Status WriteSchemas(const proto::ModelDescription& description, Json* json) {
    if (description.functions_size() == 0) return WriteInterface(description, json);
    Json functions = Json::Array();
    for (const proto::FunctionDescription& function : description.functions()) {
      Json entry{{"name", function.name()}};
      ANEMONE_TRY(WriteInterface(function, &entry));
      for (const auto& body : model_.mlprogram().functions()) {
        if (body.key() != function.name()) continue;
        ANEMONE_ASSIGN(const auto compute, ComputePrecisionOf(body.value(), unconfirmed_));
        entry["computePrecision"] = MixedText(compute);
        ANEMONE_ASSIGN(const Histogram histogram, HistogramOf(body.value(), unconfirmed_));
        entry["mlProgramOperationTypeHistogram"] = JsonOf(histogram);
      }
      if (function.name() == description.defaultfunctionname()) {
        ANEMONE_TRY(WriteInterface(function, json));
      }
      functions.push_back(std::move(entry));
    }
    (*json)["functions"] = std::move(functions);
    (*json)["defaultFunctionName"] = description.defaultfunctionname();
    return {};
  }

  template <typename Wire>
  Status WriteInterface(const Wire& wire, Json* json) {
    ANEMONE_ASSIGN((*json)["inputSchema"], Schema(wire.input()));
    ANEMONE_ASSIGN((*json)["outputSchema"], Schema(wire.output()));
    ANEMONE_ASSIGN((*json)["stateSchema"], Schema(wire.state()));
    return {};
  }

  Result<Json> Schema(const Features& features) {
    Json schema = Json::Array();
    for (const proto::FeatureDescription& feature : features) {
      ANEMONE_ASSIGN(const std::string name, CheckedName(feature.name(), "a feature's name"));
      Json entry{{"name", name}, {"shortDescription", feature.shortdescription()}};
      entry["isOptional"] = feature.type().isoptional() ? "1" : "0";
      Status status = DescribeType(feature.type(), &entry);
      if (!status.ok()) return std::move(status).At(fmt::format("feature '{}'", name)).error();
      if (feature.type().isoptional()) {
        unconfirmed_->insert("metadata.json: the form of an optional feature");
        entry["formattedType"] = entry["formattedType"].text() + "?";
      }
      schema.push_back(std::move(entry));
    }
    return schema;
  }

  Status DescribeType(const proto::FeatureType& type, Json* entry) {
    using Wire = proto::FeatureType;
    const auto scalar = [&](const char* name) {
      (*entry)["type"] = name;
      (*entry)["formattedType"] = name;
      return Status();
    };
    switch (type.Type_case()) {
      case Wire::kMultiArrayType:
        return DescribeArray(type.multiarraytype(), entry);
      case Wire::kImageType:
        return DescribeImage(type.imagetype(), entry);
      case Wire::kInt64Type:
        return scalar("Int64");
      case Wire::kDoubleType:
        return scalar("Double");
      case Wire::kStringType:
        unconfirmed_->insert("metadata.json: the form of a string feature");
        return scalar("String");
      case Wire::kDictionaryType: {
        const char* key = type.dictionarytype().has_int64keytype() ? "Int64" : "String";
        (*entry)["type"] = "Dictionary";
        (*entry)["keyType"] = key;
        (*entry)["formattedType"] = fmt::format("Dictionary ({} → Double)", key);
        return {};
      }
      case Wire::kSequenceType:
      case Wire::kStateType:
        return Unsupported("no public compiled model shows how a sequence or a state is described");
      case Wire::TYPE_NOT_SET:
        break;
    }
    return InvalidInput("the feature has no type");
  }

  Result<std::string> ArrayTypeName(int32_t data_type) {
    ANEMONE_ASSIGN(const DType dtype, DTypeOfFeature(data_type));
    if (dtype == DType::kFp16) return std::string("Float16");
    if (dtype == DType::kFp32) return std::string("Float32");
    if (dtype == DType::kInt32) return std::string("Int32");
    unconfirmed_->insert("metadata.json: the name of the element type of a feature");
    return std::string(dtype == DType::kFp64 ? "Double" : "Int8");
  }

  Status DescribeArray(const proto::ArrayFeatureType& array, Json* entry) {
    ANEMONE_ASSIGN(const std::string name, ArrayTypeName(array.datatype()));
    (*entry)["type"] = "MultiArray";
    (*entry)["dataType"] = name;
    (*entry)["shape"] = ListText(array.shape());
    (*entry)["formattedType"] =
        array.shape().empty() ? fmt::format("MultiArray ({})", name)
                              : fmt::format("MultiArray ({} {})", name, ProductText(array.shape()));
    (*entry)["hasShapeFlexibility"] = "0";
    if (array.has_shaperange()) {
      std::string ranges;
      std::string text;
      for (const proto::SizeRange& range : array.shaperange().sizeranges()) {
        ranges += fmt::format("{}[{}, {}]", ranges.empty() ? "" : ", ", range.lowerbound(),
                              range.upperbound() < 0 ? -1 : range.upperbound());
        text += (text.empty() ? "" : " × ") + RangeText(range);
      }
      (*entry)["hasShapeFlexibility"] = "1";
      (*entry)["shapeRange"] = "[" + ranges + "]";
      (*entry)["shapeFlexibility"] = text;
    } else if (array.has_enumeratedshapes()) {
      std::string shapes;
      std::string text;
      for (const auto& shape : array.enumeratedshapes().shapes()) {
        shapes += (shapes.empty() ? "" : ", ") + ListText(shape.shape());
        text += (text.empty() ? "" : " | ") + ProductText(shape.shape());
      }
      (*entry)["hasShapeFlexibility"] = "1";
      (*entry)["enumeratedShapes"] = "[" + shapes + "]";
      (*entry)["shapeFlexibility"] = text;
    }
    return {};
  }

  Status DescribeImage(const proto::ImageFeatureType& image, Json* entry) {
    struct Row {
      int32_t wire;
      const char* color_space;
      const char* text;
    };
    constexpr std::array<Row, 4> kColors{{{10, "Grayscale", "Grayscale"},
                                          {20, "RGB", "Color"},
                                          {30, "BGR", "Color"},
                                          {40, "GrayscaleFloat16", "GrayscaleFloat16"}}};
    const auto row = std::ranges::find(kColors, image.colorspace(), &Row::wire);
    if (row == kColors.end()) {
      return InvalidInput("color space {} is not known", image.colorspace());
    }
    unconfirmed_->insert("metadata.json: the form of an image feature");
    (*entry)["type"] = "Image";
    (*entry)["width"] = std::to_string(image.width());
    (*entry)["height"] = std::to_string(image.height());
    (*entry)["colorspace"] = row->color_space;
    (*entry)["isColor"] = row->wire == 20 || row->wire == 30 ? "1" : "0";
    (*entry)["hasSizeFlexibility"] = "0";
    (*entry)["formattedType"] =
        fmt::format("Image ({} {} × {})", row->text, image.width(), image.height());
    return {};
  }

  const proto::Model& model_;
  std::set<std::string>* unconfirmed_;
};

}  // namespace

std::string ClassNameOf(std::string_view name) {
  std::string identifier(name);
  for (char& c : identifier) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!fits) c = '_';
  }
  return identifier;
}

Result<CompiledMetadata> DescribeForApps(const proto::Model& model, const std::string& class_name) {
  CompiledMetadata metadata;
  ANEMONE_ASSIGN(Json json, Writer(model, &metadata.unconfirmed).Write(class_name));
  metadata.json = Json::Array({std::move(json)});
  return metadata;
}

}  // namespace anemone::format
