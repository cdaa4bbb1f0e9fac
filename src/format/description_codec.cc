#include "format/description_codec.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "format/data_types.h"
#include "format/int64_results.h"
#include "format/model_file.h"
#include "format/proto/model.pb.h"
#include "format/type_codec.h"

namespace anemone::format {
namespace {

using ir::ArrayFeature;
using ir::Feature;
using ir::ImageFeature;
using ir::SizeRange;

struct ColorSpaceRow {
  int32_t wire;
  ImageFeature::ColorSpace color_space;
};
constexpr ColorSpaceRow kColorSpaces[] = {
    {10, ImageFeature::ColorSpace::kGrayscale},
    {20, ImageFeature::ColorSpace::kRgb},
    {30, ImageFeature::ColorSpace::kBgr},
    {40, ImageFeature::ColorSpace::kGrayscaleFp16},
};

// ---- reading ----

Result<int64_t> DecodeSize(uint64_t size) {
  if (size > static_cast<uint64_t>(kMaxTensorElements)) {
    return InvalidInput("size {} is out of range (0 to {})", static_cast<int64_t>(size),
                        kMaxTensorElements);
  }
  return static_cast<int64_t>(size);
}

Result<SizeRange> DecodeRange(const proto::SizeRange& wire) {
  SizeRange range;
  ANEMONE_ASSIGN(range.lower, DecodeSize(wire.lowerbound()));
  if (wire.upperbound() >= 0) {
    if (wire.upperbound() < range.lower) {
      return InvalidInput("the range {} to {} is empty", range.lower, wire.upperbound());
    }
    range.upper = wire.upperbound();
  }
  return range;
}

template <typename Repeated>
Result<ir::Shape> DecodeShape(const Repeated& wire) {
  ir::Shape shape;
  for (const int64_t size : wire) {
    ANEMONE_ASSIGN(const int64_t checked, DecodeSize(static_cast<uint64_t>(size)));
    shape.push_back(checked);
  }
  const std::optional<int64_t> count = ir::ElementCount(shape);
  if (!count || *count > kMaxTensorElements) {
    return InvalidInput("the shape exceeds the limit of {} elements", kMaxTensorElements);
  }
  return shape;
}

Result<ArrayFeature> DecodeArray(const proto::ArrayFeatureType& wire) {
  ArrayFeature feature;
  ANEMONE_ASSIGN(feature.dtype, DTypeOfFeature(wire.datatype()));
  ANEMONE_ASSIGN(feature.shape, DecodeShape(wire.shape()));
  for (const auto& shape : wire.enumeratedshapes().shapes()) {
    ANEMONE_ASSIGN(ir::Shape checked, DecodeShape(shape.shape()));
    feature.enumerated.push_back(std::move(checked));
  }
  for (const proto::SizeRange& range : wire.shaperange().sizeranges()) {
    ANEMONE_ASSIGN(const SizeRange checked, DecodeRange(range));
    feature.shape_range.push_back(checked);
  }
  using Wire = proto::ArrayFeatureType;
  switch (wire.defaultOptionalValue_case()) {
    case Wire::kIntDefaultValue:
      feature.default_value = wire.intdefaultvalue();
      break;
    case Wire::kFloatDefaultValue:
      feature.default_value = wire.floatdefaultvalue();
      break;
    case Wire::kDoubleDefaultValue:
      feature.default_value = wire.doubledefaultvalue();
      break;
    case Wire::DEFAULTOPTIONALVALUE_NOT_SET:
      break;
  }
  return feature;
}

Result<ImageFeature::Size> DecodeImageSize(uint64_t width, uint64_t height) {
  ImageFeature::Size size;
  ANEMONE_ASSIGN(size.width, DecodeSize(width));
  ANEMONE_ASSIGN(size.height, DecodeSize(height));
  return size;
}

Result<ImageFeature> DecodeImage(const proto::ImageFeatureType& wire) {
  ImageFeature feature;
  const auto row = std::ranges::find(kColorSpaces, wire.colorspace(), &ColorSpaceRow::wire);
  if (row == std::end(kColorSpaces)) {
    return InvalidInput("color space {} is not known", wire.colorspace());
  }
  feature.color_space = row->color_space;
  ANEMONE_ASSIGN(feature.size, DecodeImageSize(static_cast<uint64_t>(wire.width()),
                                               static_cast<uint64_t>(wire.height())));
  for (const auto& size : wire.enumeratedsizes().sizes()) {
    ANEMONE_ASSIGN(const ImageFeature::Size checked, DecodeImageSize(size.width(), size.height()));
    feature.enumerated.push_back(checked);
  }
  if (wire.has_imagesizerange()) {
    ImageFeature::Range range;
    ANEMONE_ASSIGN(range.width, DecodeRange(wire.imagesizerange().widthrange()));
    ANEMONE_ASSIGN(range.height, DecodeRange(wire.imagesizerange().heightrange()));
    feature.size_range = range;
  }
  return feature;
}

Result<decltype(Feature::type)> DecodeFeatureType(const proto::FeatureType& wire) {
  using Wire = proto::FeatureType;
  using Type = decltype(Feature::type);
  switch (wire.Type_case()) {
    case Wire::kInt64Type:
      return Type(ir::ScalarFeature::kInt64);
    case Wire::kDoubleType:
      return Type(ir::ScalarFeature::kDouble);
    case Wire::kStringType:
      return Type(ir::ScalarFeature::kString);
    case Wire::kImageType: {
      ANEMONE_ASSIGN(ImageFeature image, DecodeImage(wire.imagetype()));
      return Type(std::move(image));
    }
    case Wire::kMultiArrayType: {
      ANEMONE_ASSIGN(ArrayFeature array, DecodeArray(wire.multiarraytype()));
      return Type(std::move(array));
    }
    case Wire::kDictionaryType:
      return Type(ir::DictionaryFeature{
          wire.dictionarytype().has_int64keytype() ? ir::KeyType::kInt64 : ir::KeyType::kString});
    case Wire::kSequenceType: {
      ir::SequenceFeature sequence;
      sequence.element =
          wire.sequencetype().has_int64type() ? ir::KeyType::kInt64 : ir::KeyType::kString;
      ANEMONE_ASSIGN(sequence.length, DecodeRange(wire.sequencetype().sizerange()));
      return Type(sequence);
    }
    case Wire::kStateType: {
      ANEMONE_ASSIGN(ArrayFeature array, DecodeArray(wire.statetype().arraytype()));
      return Type(ir::StateFeature{std::move(array)});
    }
    case Wire::TYPE_NOT_SET:
      break;
  }
  return InvalidInput("the feature has no type");
}

using Features = google::protobuf::RepeatedPtrField<proto::FeatureDescription>;
constexpr std::string_view kOutputFeature = "output feature";

// Converters list an output twice when a network returns one value twice; predictions have it once.
Result<std::vector<Feature>> DecodeFeatures(const Features& wire, std::string_view kind) {
  std::vector<Feature> features;
  std::unordered_map<std::string, const proto::FeatureDescription*> known;
  for (const proto::FeatureDescription& entry : wire) {
    Feature feature;
    ANEMONE_ASSIGN(feature.name, CheckedName(entry.name(), "a feature's name"));
    const std::string place = fmt::format("{} '{}'", kind, feature.name);
    if (const auto [first, fresh] = known.emplace(feature.name, &entry); !fresh) {
      const bool same = entry.SerializeAsString() == first->second->SerializeAsString();
      if (same && kind == kOutputFeature) continue;
      return InvalidInput("the name occurs twice").At(place);
    }
    ANEMONE_ASSIGN(feature.description,
                   CheckedText(entry.shortdescription(), "the description").At(place));
    ANEMONE_ASSIGN(feature.type, DecodeFeatureType(entry.type()).At(place));
    feature.optional = entry.type().isoptional();
    features.push_back(std::move(feature));
  }
  return features;
}

// For both places where the format describes a function: ModelDescription itself, and its list of
// functions.
template <typename Wire>
Status DecodeFunction(const Wire& wire, ir::FunctionDescription* function) {
  ANEMONE_ASSIGN(function->inputs, DecodeFeatures(wire.input(), "input feature"));
  ANEMONE_ASSIGN(function->outputs, DecodeFeatures(wire.output(), kOutputFeature));
  ANEMONE_ASSIGN(function->states, DecodeFeatures(wire.state(), "state feature"));
  ANEMONE_ASSIGN(function->predicted_feature_name,
                 CheckedText(wire.predictedfeaturename(), "predictedFeatureName"));
  ANEMONE_ASSIGN(function->predicted_probabilities_name,
                 CheckedText(wire.predictedprobabilitiesname(), "predictedProbabilitiesName"));
  return {};
}

Status DecodeMetadata(const proto::Metadata& wire, ir::Metadata* metadata) {
  ANEMONE_ASSIGN(metadata->description, CheckedText(wire.shortdescription(), "shortDescription"));
  ANEMONE_ASSIGN(metadata->version, CheckedText(wire.versionstring(), "versionString"));
  ANEMONE_ASSIGN(metadata->author, CheckedText(wire.author(), "author"));
  ANEMONE_ASSIGN(metadata->license, CheckedText(wire.license(), "license"));
  for (const auto& entry : wire.userdefined()) {
    ANEMONE_ASSIGN(std::string key, CheckedText(entry.key(), "a user-defined key"));
    ANEMONE_ASSIGN(std::string value, CheckedText(entry.value(), "a user-defined value"));
    if (!metadata->user_defined.emplace(key, std::move(value)).second) {
      return InvalidInput("user-defined key '{}' occurs twice", key);
    }
  }
  return {};
}

// ---- writing ----

void EncodeRange(const SizeRange& range, proto::SizeRange* wire) {
  wire->set_lowerbound(static_cast<uint64_t>(range.lower));
  wire->set_upperbound(range.upper.value_or(-1));
}

Status EncodeArray(const ArrayFeature& feature, proto::ArrayFeatureType* wire) {
  ANEMONE_ASSIGN(const int32_t data_type, FeatureOfDType(feature.dtype));
  wire->set_datatype(data_type);
  for (const int64_t size : feature.shape) wire->add_shape(size);
  for (const ir::Shape& shape : feature.enumerated) {
    auto* entry = wire->mutable_enumeratedshapes()->add_shapes();
    for (const int64_t size : shape) entry->add_shape(size);
  }
  for (const SizeRange& range : feature.shape_range) {
    EncodeRange(range, wire->mutable_shaperange()->add_sizeranges());
  }
  if (const auto* i = std::get_if<int32_t>(&feature.default_value)) wire->set_intdefaultvalue(*i);
  if (const auto* f = std::get_if<float>(&feature.default_value)) wire->set_floatdefaultvalue(*f);
  if (const auto* d = std::get_if<double>(&feature.default_value)) wire->set_doubledefaultvalue(*d);
  return {};
}

void EncodeImage(const ImageFeature& feature, proto::ImageFeatureType* wire) {
  const auto row =
      std::ranges::find(kColorSpaces, feature.color_space, &ColorSpaceRow::color_space);
  wire->set_colorspace(row->wire);
  wire->set_width(feature.size.width);
  wire->set_height(feature.size.height);
  for (const ImageFeature::Size& size : feature.enumerated) {
    auto* entry = wire->mutable_enumeratedsizes()->add_sizes();
    entry->set_width(static_cast<uint64_t>(size.width));
    entry->set_height(static_cast<uint64_t>(size.height));
  }
  if (feature.size_range) {
    EncodeRange(feature.size_range->width, wire->mutable_imagesizerange()->mutable_widthrange());
    EncodeRange(feature.size_range->height, wire->mutable_imagesizerange()->mutable_heightrange());
  }
}

struct FeatureTypeEncoder {
  proto::FeatureType* wire;

  Status operator()(const ArrayFeature& array) const {
    return EncodeArray(array, wire->mutable_multiarraytype());
  }
  Status operator()(const ImageFeature& image) const {
    EncodeImage(image, wire->mutable_imagetype());
    return {};
  }
  Status operator()(ir::ScalarFeature scalar) const {
    switch (scalar) {
      case ir::ScalarFeature::kInt64:
        wire->mutable_int64type();
        break;
      case ir::ScalarFeature::kDouble:
        wire->mutable_doubletype();
        break;
      case ir::ScalarFeature::kString:
        wire->mutable_stringtype();
        break;
    }
    return {};
  }
  Status operator()(const ir::DictionaryFeature& dictionary) const {
    if (dictionary.key == ir::KeyType::kInt64) {
      wire->mutable_dictionarytype()->mutable_int64keytype();
    } else {
      wire->mutable_dictionarytype()->mutable_stringkeytype();
    }
    return {};
  }
  Status operator()(const ir::SequenceFeature& sequence) const {
    if (sequence.element == ir::KeyType::kInt64) {
      wire->mutable_sequencetype()->mutable_int64type();
    } else {
      wire->mutable_sequencetype()->mutable_stringtype();
    }
    EncodeRange(sequence.length, wire->mutable_sequencetype()->mutable_sizerange());
    return {};
  }
  Status operator()(const ir::StateFeature& state) const {
    return EncodeArray(state.array, wire->mutable_statetype()->mutable_arraytype());
  }
};

Status EncodeFeatures(const std::vector<Feature>& features, Features* wire) {
  for (const Feature& feature : features) {
    proto::FeatureDescription* entry = wire->Add();
    entry->set_name(feature.name);
    entry->set_shortdescription(feature.description);
    entry->mutable_type()->set_isoptional(feature.optional);
    ANEMONE_TRY(std::visit(FeatureTypeEncoder{entry->mutable_type()}, feature.type)
                    .At(fmt::format("feature '{}'", feature.name)));
  }
  return {};
}

template <typename Wire>
Status EncodeFunction(const ir::FunctionDescription& function, Wire* wire) {
  ANEMONE_TRY(EncodeFeatures(function.inputs, wire->mutable_input()));
  ANEMONE_TRY(EncodeFeatures(function.outputs, wire->mutable_output()));
  ANEMONE_TRY(EncodeFeatures(function.states, wire->mutable_state()));
  wire->set_predictedfeaturename(function.predicted_feature_name);
  wire->set_predictedprobabilitiesname(function.predicted_probabilities_name);
  return {};
}

void EncodeMetadata(const ir::Metadata& metadata, proto::ModelDescription* description) {
  if (metadata == ir::Metadata()) return;
  proto::Metadata* wire = description->mutable_metadata();
  wire->set_shortdescription(metadata.description);
  wire->set_versionstring(metadata.version);
  wire->set_author(metadata.author);
  wire->set_license(metadata.license);
  for (const auto& [key, value] : metadata.user_defined) {
    auto* entry = wire->add_userdefined();
    entry->set_key(key);
    entry->set_value(value);
  }
}

Status CheckFunctionDescription(const ir::FunctionDescription& description,
                                const ir::Function& function) {
  std::unordered_map<std::string_view, const ir::Value*> inputs;
  for (const auto& input : function.inputs()) inputs.emplace(input->name, input.get());
  const auto is_input = [&](const Feature& feature, bool state) {
    const auto found = inputs.find(feature.name);
    return found != inputs.end() && found->second->type.is_state() == state;
  };
  std::unordered_set<std::string_view> described;
  for (const Feature& feature : description.inputs) {
    if (!is_input(feature, false)) {
      return InvalidInput("feature '{}' is not an input of the function", feature.name);
    }
    described.insert(feature.name);
  }
  for (const Feature& feature : description.states) {
    if (!is_input(feature, true)) {
      return InvalidInput("feature '{}' is not a state of the function", feature.name);
    }
    described.insert(feature.name);
  }
  for (const auto& input : function.inputs()) {
    if (!described.contains(input->name)) {
      return InvalidInput("input '{}' of the function is not described", input->name);
    }
  }
  std::unordered_set<std::string_view> outputs;
  for (const ir::Value* output : function.outputs()) outputs.insert(output->name);
  for (const Feature& feature : description.outputs) {
    if (!outputs.contains(feature.name)) {
      return InvalidInput("feature '{}' is not an output of the function", feature.name);
    }
  }
  return {};
}

}  // namespace

Status DecodeDescription(const proto::ModelDescription& wire, ir::Model* model) {
  ANEMONE_TRY(DecodeMetadata(wire.metadata(), &model->metadata).At("metadata"));
  model->multi_function = wire.functions_size() != 0;
  if (!model->multi_function) {
    ir::FunctionDescription function;
    const ir::Function* main = model->program.main();
    if (main == nullptr) return InvalidInput("the program has no function 'main'");
    function.name = main->name;
    ANEMONE_TRY(DecodeFunction(wire, &function));
    model->functions.push_back(std::move(function));
    return {};
  }
  ANEMONE_ASSIGN(model->default_function,
                 CheckedText(wire.defaultfunctionname(), "defaultFunctionName"));
  std::unordered_set<std::string> names;
  for (const proto::FunctionDescription& entry : wire.functions()) {
    ir::FunctionDescription function;
    ANEMONE_ASSIGN(function.name, CheckedName(entry.name(), "a function's name"));
    const std::string place = fmt::format("function '{}'", function.name);
    if (!names.insert(function.name).second) {
      return InvalidInput("the function is described twice").At(place);
    }
    ANEMONE_TRY(DecodeFunction(entry, &function).At(place));
    model->functions.push_back(std::move(function));
  }
  return {};
}

Status DecodeInterface(const proto::ModelDescription& wire, ModelInterface* interface) {
  ANEMONE_TRY(DecodeMetadata(wire.metadata(), &interface->metadata).At("metadata"));
  interface->function.name = "main";
  return DecodeFunction(wire, &interface->function);
}

Status EncodeDescription(const ir::Model& model, proto::ModelDescription* wire) {
  ir::Metadata metadata = model.metadata;
  WriteInt64Results(model.program, &metadata.user_defined);
  EncodeMetadata(metadata, wire);
  if (!model.multi_function) {
    if (model.functions.size() != 1) {
      return Internal("{} functions are described, but the model is not multi-function",
                      model.functions.size());
    }
    return EncodeFunction(model.functions.front(), wire);
  }
  wire->set_defaultfunctionname(model.default_function);
  for (const ir::FunctionDescription& function : model.functions) {
    proto::FunctionDescription* entry = wire->add_functions();
    entry->set_name(function.name);
    ANEMONE_TRY(EncodeFunction(function, entry).At(fmt::format("function '{}'", function.name)));
  }
  return {};
}

Status CheckDescription(const ir::Model& model) {
  if (model.multi_function && model.FindFunction(model.default_function) == nullptr) {
    return InvalidInput("the default function '{}' is not described", model.default_function);
  }
  std::unordered_map<std::string_view, const ir::Function*> functions;
  for (const auto& function : model.program.functions) {
    functions.emplace(function->name, function.get());
  }
  for (const ir::FunctionDescription& description : model.functions) {
    const std::string place = fmt::format("function '{}'", description.name);
    const auto function = functions.find(description.name);
    if (function == functions.end()) {
      return InvalidInput("the function is described, but not in the program").At(place);
    }
    ANEMONE_TRY(CheckFunctionDescription(description, *function->second).At(place));
  }
  return {};
}

}  // namespace anemone::format
