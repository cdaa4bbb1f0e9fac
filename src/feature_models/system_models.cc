// The types that only Apple's frameworks or the application can run, and one whose meaning is not
// published: what their files hold is described, and a prediction is refused by the type's name.
#include "feature_models/class_labels.h"
#include "feature_models/model_types.h"
#include "format/proto/model.pb.h"

namespace anemone::feature_models {
namespace {

class Described : public Predictor {
 public:
  Described(format::ModelInterface interface, std::string_view type, Json parameters)
      : Predictor(std::move(interface)), type_(type), parameters_(std::move(parameters)) {}

  Json Parameters() const override { return parameters_; }

 protected:
  Result<FeatureValues> Run(const FeatureValues&, exec::State*) const override {
    return Unsupported("a {} cannot be run here: {}", type_, FindModelType(type_)->reason)
        .Advise("run it on an Apple system, or 'anemone inspect' it");
  }

 private:
  std::string_view type_;
  Json parameters_;
};

Result<std::unique_ptr<Predictor>> Describe(const format::ModelFile& file,
                                            format::ModelInterface interface, Json parameters) {
  return std::unique_ptr<Predictor>(
      std::make_unique<Described>(std::move(interface), file.type_name(), std::move(parameters)));
}

Json Texts(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  Json list = Json::Array();
  for (const std::string& text : texts) list.push_back(ToUtf8(text));
  return list;
}

Json OfLanguage(const format::proto::TextClassifier& wire) {
  return {{"revision", wire.revision()},
          {"language", ToUtf8(wire.language())},
          {"parameter_bytes", wire.modelparameterdata().size()},
          {"classes", Texts(wire.stringclasslabels().vector())}};
}

Json OfValue(const format::proto::CustomModel::Value& wire) {
  using Wire = format::proto::CustomModel::Value;
  switch (wire.value_case()) {
    case Wire::kDoubleValue:
      return wire.doublevalue();
    case Wire::kStringValue:
      return ToUtf8(wire.stringvalue());
    case Wire::kIntValue:
      return wire.intvalue();
    case Wire::kLongValue:
      return wire.longvalue();
    case Wire::kBoolValue:
      return wire.boolvalue();
    case Wire::kBytesValue:
      return fmt::format("{} bytes", wire.bytesvalue().size());
    case Wire::VALUE_NOT_SET:
      break;
  }
  return nullptr;
}

}  // namespace

#define ANEMONE_DESCRIBED(Name)                                                \
  Result<std::unique_ptr<Predictor>> Make##Name(const format::ModelFile& file, \
                                                format::ModelInterface interface, const Context&)

ANEMONE_DESCRIBED(TextClassifier) {
  return Describe(file, std::move(interface), OfLanguage(file.message().textclassifier()));
}

ANEMONE_DESCRIBED(Gazetteer) {
  return Describe(file, std::move(interface), OfLanguage(file.message().gazetteer()));
}

ANEMONE_DESCRIBED(WordEmbedding) {
  return Describe(file, std::move(interface), OfLanguage(file.message().wordembedding()));
}

ANEMONE_DESCRIBED(WordTagger) {
  const auto& wire = file.message().wordtagger();
  return Describe(file, std::move(interface),
                  {{"revision", wire.revision()},
                   {"language", ToUtf8(wire.language())},
                   {"parameter_bytes", wire.modelparameterdata().size()},
                   {"tags", Texts(wire.stringtags().vector())},
                   {"tokens_output", ToUtf8(wire.tokensoutputfeaturename())},
                   {"tags_output", ToUtf8(wire.tokentagsoutputfeaturename())},
                   {"locations_output", ToUtf8(wire.tokenlocationsoutputfeaturename())},
                   {"lengths_output", ToUtf8(wire.tokenlengthsoutputfeaturename())}});
}

ANEMONE_DESCRIBED(VisionFeaturePrint) {
  const auto& wire = file.message().visionfeatureprint();
  Json json = Json::Object();
  if (wire.has_scene()) json["scene_version"] = wire.scene().version();
  if (wire.has_objects()) {
    json["objects_version"] = wire.objects().version();
    json["objects_outputs"] = Texts(wire.objects().output());
  }
  return Describe(file, std::move(interface), std::move(json));
}

ANEMONE_DESCRIBED(SoundAnalysisPreprocessing) {
  Json json = Json::Object();
  if (file.message().soundanalysispreprocessing().has_vggish()) json["transform"] = "vggish";
  return Describe(file, std::move(interface), std::move(json));
}

ANEMONE_DESCRIBED(AudioFeaturePrint) {
  const auto& wire = file.message().audiofeatureprint();
  Json json = Json::Object();
  if (wire.has_sound()) json["sound_version"] = wire.sound().version();
  return Describe(file, std::move(interface), std::move(json));
}

ANEMONE_DESCRIBED(CustomModel) {
  const auto& wire = file.message().custommodel();
  Json parameters = Json::Object();
  for (const auto& parameter : wire.parameters())
    parameters[ToUtf8(parameter.key())] = OfValue(parameter.value());
  return Describe(file, std::move(interface),
                  {{"class", ToUtf8(wire.classname())},
                   {"description", ToUtf8(wire.description())},
                   {"parameters", std::move(parameters)}});
}

ANEMONE_DESCRIBED(SerializedModel) {
  const auto& wire = file.message().serializedmodel();
  return Describe(
      file, std::move(interface),
      {{"identifier", ToUtf8(wire.identifier())}, {"model_bytes", wire.model().size()}});
}

ANEMONE_DESCRIBED(ClassConfidenceThresholding) {
  const auto& wire = file.message().classconfidencethresholding();
  Json curves = Json::Array();
  for (const auto& curve : wire.precisionrecallcurves()) {
    curves.push_back({{"precisions", curve.precisionvalues().vector_size()},
                      {"recalls", curve.recallvalues().vector_size()}});
  }
  return Describe(file, std::move(interface), {{"curves", std::move(curves)}});
}

}  // namespace anemone::feature_models
