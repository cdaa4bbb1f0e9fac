#include "facade/inspect_json.h"

#include <map>

#include "facade/document.h"

namespace anemone::facade {
namespace {

template <typename Value>
Json ObjectOf(const std::map<std::string, Value>& values) {
  Json json = Json::Object();
  for (const auto& [name, value] : values) json[name] = value;
  return json;
}

// "int64", "double", "string", "dictionary", "sequence" or "state".
std::string_view KindOf(const ir::Feature& feature) {
  if (const auto* scalar = std::get_if<ir::ScalarFeature>(&feature.type)) {
    constexpr std::string_view kNames[] = {"int64", "double", "string"};
    return kNames[static_cast<size_t>(*scalar)];
  }
  if (std::holds_alternative<ir::DictionaryFeature>(feature.type)) return "dictionary";
  return std::holds_alternative<ir::SequenceFeature>(feature.type) ? "sequence" : "state";
}

Json FeatureJson(const ir::Feature& feature) {
  Json json{
      {"name", feature.name}, {"text", DescribeFeature(feature)}, {"optional", feature.optional}};
  if (const auto* array = feature.array()) {
    json["kind"] = "array";
    json["dtype"] = DTypeName(array->dtype);
    json["shape"] = array->shape;
  } else if (const auto* image = feature.image()) {
    json["kind"] = "image";
    json["width"] = image->size.width;
    json["height"] = image->size.height;
    json["channels"] = image->color_space == ir::ImageFeature::ColorSpace::kGrayscale ||
                               image->color_space == ir::ImageFeature::ColorSpace::kGrayscaleFp16
                           ? 1
                           : 3;
    json["half"] = image->color_space == ir::ImageFeature::ColorSpace::kGrayscaleFp16;
  } else {
    json["kind"] = KindOf(feature);
  }
  return json;
}

Json FeaturesJson(const std::vector<ir::Feature>& features) {
  Json list = Json::Array();
  for (const ir::Feature& feature : features) list.push_back(FeatureJson(feature));
  return list;
}

Json MetadataJson(const ir::Metadata& metadata) {
  return {{"description", metadata.description},
          {"author", metadata.author},
          {"license", metadata.license},
          {"version", metadata.version},
          {"user_defined", ObjectOf(metadata.user_defined)}};
}

}  // namespace

Json InspectPredictor(const feature_models::Predictor& predictor, const std::string& type,
                      const std::string& name, int32_t spec_version) {
  const ir::FunctionDescription& description = predictor.description();
  Json json = Document("anemone.inspect");
  json["model"] = name;
  json["specification_version"] = spec_version;
  json["type"] = type;
  json["inputs"] = FeaturesJson(description.inputs);
  json["outputs"] = FeaturesJson(description.outputs);
  json["states"] = FeaturesJson(description.states);
  json["predicted_feature"] = description.predicted_feature_name;
  json["predicted_probabilities"] = description.predicted_probabilities_name;
  json["metadata"] = MetadataJson(predictor.interface().metadata);
  json["parameters"] = predictor.Parameters();
  return json;
}

Json InspectJson(const ir::Model& model, const Summary& summary, const std::string& name,
                 bool operators, bool weights) {
  Json json = Document("anemone.inspect");
  json["model"] = name;
  json["specification_version"] = summary.spec_version;
  json["minimum_deployment_target"] = summary.target;
  json["function"] = summary.function;
  json["functions"] = summary.functions;
  if (const auto* description = model.FindFunction(summary.function)) {
    json["inputs"] = FeaturesJson(description->inputs);
    json["outputs"] = FeaturesJson(description->outputs);
    json["states"] = FeaturesJson(description->states);
  }
  json["metadata"] = MetadataJson(model.metadata);
  json["operations"] = summary.operations;
  json["operator_counts"] = ObjectOf(summary.operator_counts);
  json["flops"] = summary.flops;
  json["parameters"] = summary.parameters;
  json["weight_bytes"] = summary.weight_bytes;
  json["weight_bytes_by_dtype"] = ObjectOf(summary.weight_bytes_by_dtype);
  if (operators) {
    Json rows = Json::Array();
    for (const OperatorRow& row : summary.operators) {
      Json item{{"name", row.name},
                {"type", row.type},
                {"output", row.output},
                {"weight_bytes", row.weight_bytes}};
      item["flops"] = row.flops < 0 ? Json(nullptr) : Json(row.flops);
      rows.push_back(std::move(item));
    }
    json["operators"] = std::move(rows);
  }
  if (weights) {
    Json rows = Json::Array();
    for (const WeightRow& row : summary.weights) {
      rows.push_back({{"name", row.name}, {"type", row.type}, {"bytes", row.bytes}});
    }
    json["weights"] = std::move(rows);
  }
  return json;
}

}  // namespace anemone::facade
