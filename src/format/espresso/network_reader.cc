#include "format/espresso/network_reader.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "format/espresso/layers.h"

namespace anemone::format::espresso {
namespace {

constexpr int32_t kBgr = 30;  // proto::ImageFeatureType::colorSpace
constexpr int32_t kGrays[] = {10, 40};
constexpr int32_t kFirstVersionOfExactShapes = 4;

// The five dimensions of an array of the old mapping; empty for a rank that it does not have.
ir::Shape MappedDims(const ir::Shape& shape) {
  if (shape.size() == 1) return {1, 1, shape[0], 1, 1};
  if (shape.size() == 3) return {1, 1, shape[0], shape[1], shape[2]};
  return shape.size() == 5 ? shape : ir::Shape();
}

ir::Shape AtRankFive(ir::Shape dims) {
  dims.insert(dims.begin(), 5 - dims.size(), 1);
  return dims;
}

// Whether blobs are [sequence, batch, channel, height, width]: what the inputs' declared shapes and
// those of their blobs have in common.
Result<bool> IsRank5(const NetworkFiles& files, const proto::Model& model) {
  bool exact = model.specificationversion() >= kFirstVersionOfExactShapes, mapped = true;
  for (const proto::FeatureDescription& input : model.description().input()) {
    const auto found = files.shapes.find(input.name());
    if (found == files.shapes.end()) {
      return InvalidInput("{} does not have the shape of the input '{}'", kShapesName,
                          input.name());
    }
    const BlobShape& blob = found->second;
    exact = exact && blob.ranked;
    if (!input.type().has_multiarraytype()) continue;
    const auto& declared = input.type().multiarraytype().shape();
    const ir::Shape shape(declared.begin(), declared.end());
    exact = exact && shape == blob.dims;
    mapped = mapped && MappedDims(shape) == AtRankFive(blob.dims);
    if (!exact && !mapped) {
      return NotKnown("how the input '{}', {}, becomes a blob of {}", input.name(),
                      ir::ShapeToString(shape), ir::ShapeToString(blob.dims));
    }
  }
  return !exact;
}

Result<float> TransformNumber(const Json& transform, std::string_view key) {
  const Json& value = transform[key];
  if (!value.is_number()) return InvalidInput("its '{}' is {}", key, value.Dump());
  return static_cast<float>(value.number());
}

Status AddScaler(const std::string& name, const proto::ImageFeatureType& image,
                 const Json& transform, nn::NeuralNetwork* network) {
  if (!transform.is_object()) return NotKnown("how the image is preprocessed");
  static const std::set<std::string_view> kKnown = {
      "scale", "bias_r", "bias_g", "bias_b", "bias_a", "center_mean", "is_network_bgr"};
  for (const auto& [key, value] : transform.items()) {
    if (!kKnown.contains(key)) return NotKnown("its '{}' is not known", key);
  }
  ANEMONE_ASSIGN(const float scale, TransformNumber(transform, "scale"));
  ANEMONE_ASSIGN(const float red, TransformNumber(transform, "bias_r"));
  ANEMONE_ASSIGN(const float green, TransformNumber(transform, "bias_g"));
  ANEMONE_ASSIGN(const float blue, TransformNumber(transform, "bias_b"));
  if (scale == 0) return NotKnown("its scale is 0");
  if (transform["center_mean"].number() != 0 || transform["bias_a"].number() != 0) {
    return NotKnown("its 'center_mean' or 'bias_a' is not 0");
  }
  const bool bgr = transform["is_network_bgr"].number() != 0;
  if (bgr != (image.colorspace() == kBgr)) {
    return NotKnown("its 'is_network_bgr' is {}, but its color space {}", bgr, image.colorspace());
  }
  const bool gray = std::ranges::find(kGrays, image.colorspace()) != std::end(kGrays);
  if (gray && (red != 0 || green != 0 || blue != 0)) return NotKnown("the bias of a gray image");
  auto* step = network->add_preprocessing();
  step->set_featurename(name);
  auto* scaler = step->mutable_scaler();
  scaler->set_channelscale(scale);
  scaler->set_redbias(red);
  scaler->set_greenbias(green);
  scaler->set_bluebias(blue);
  return {};
}

Status AddPreprocessing(const NetworkFiles& files, const proto::ModelDescription& description,
                        nn::NeuralNetwork* network) {
  std::set<std::string> images;
  for (const proto::FeatureDescription& input : description.input()) {
    if (!input.type().has_imagetype()) continue;
    images.insert(input.name());
    ANEMONE_TRY(
        AddScaler(input.name(), input.type().imagetype(), files.transforms[input.name()], network)
            .At(fmt::format("input '{}'", input.name())));
  }
  for (const auto& [name, transform] : files.transforms.items()) {
    if (!images.contains(name)) return NotKnown("preprocessing of '{}', which is no image", name);
  }
  return {};
}

// Only the default shapes are known to be those of the blobs.
void KeepDefaultShapes(proto::ModelDescription* description) {
  bool flexible = false;
  for (proto::FeatureDescription& input : *description->mutable_input()) {
    proto::FeatureType& type = *input.mutable_type();
    if (type.has_multiarraytype() && type.multiarraytype().ShapeFlexibility_case() != 0) {
      type.mutable_multiarraytype()->clear_ShapeFlexibility();
      flexible = true;
    }
    if (type.has_imagetype() && type.imagetype().SizeFlexibility_case() != 0) {
      type.mutable_imagetype()->clear_SizeFlexibility();
      flexible = true;
    }
  }
  if (!flexible) return;
  auto* note = description->mutable_metadata()->add_userdefined();
  note->set_key("neural_network.fixed_shapes");
  note->set_value("a compiled network is read at its default shapes");
}

Status SetLabels(const std::vector<std::string>& labels, const proto::ModelDescription& description,
                 nn::NeuralNetworkClassifier* classifier) {
  const auto predicted = std::ranges::find(description.output(), description.predictedfeaturename(),
                                           &proto::FeatureDescription::name);
  if (labels.empty() || predicted == description.output().end()) {
    return NotKnown("the class labels (metadata.json) or the output that gives one");
  }
  if (!predicted->type().has_int64type()) {
    for (const std::string& label : labels)
      classifier->mutable_stringclasslabels()->add_vector(label);
    return {};
  }
  for (const std::string& label : labels) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), number);
    if (error != std::errc() || end != label.data() + label.size()) {
      return InvalidInput("the class label '{}' is not an integer", label);
    }
    classifier->mutable_int64classlabels()->add_vector(number);
  }
  return {};
}

// The only blob that is an output of the layers and not one of the model's arrays.
Result<std::string> ProbabilitiesOf(const NetworkFiles& files,
                                    const proto::ModelDescription& description) {
  std::vector<std::string> found;
  for (const Json& layer : files.layers) {
    if (layer["attributes"]["is_output"].number() == 0) continue;
    const std::string& top = layer["top"].text();
    const auto output =
        std::ranges::find(description.output(), top, &proto::FeatureDescription::name);
    const bool is_array = output != description.output().end() &&
                          (output->type().has_multiarraytype() || output->type().has_imagetype());
    if (!is_array) found.push_back(top);
  }
  if (found.size() != 1) return NotKnown("which of {} blobs has the probabilities", found.size());
  return found.front();
}

template <typename Network>
void MoveInto(nn::NeuralNetwork& from, Network* to) {
  to->mutable_layers()->Swap(from.mutable_layers());
  to->mutable_preprocessing()->Swap(from.mutable_preprocessing());
  to->set_arrayinputshapemapping(from.arrayinputshapemapping());
  to->set_imageinputshapemapping(from.imageinputshapemapping());
}

}  // namespace

bool IsNetworkType(uint32_t type) {
  return type == proto::Model::kNeuralNetworkFieldNumber ||
         type == proto::Model::kNeuralNetworkClassifierFieldNumber ||
         type == proto::Model::kNeuralNetworkRegressorFieldNumber;
}

Status FillNetwork(const NetworkFiles& files, uint32_t type, const std::vector<std::string>& labels,
                   proto::Model* model) {
  KeepDefaultShapes(model->mutable_description());
  const proto::ModelDescription& description = model->description();
  nn::NeuralNetwork network;
  NetworkSoFar so_far{.files = &files, .network = &network};
  ANEMONE_ASSIGN(so_far.rank5, IsRank5(files, *model));
  if (!so_far.rank5) {
    network.set_arrayinputshapemapping(nn::EXACT_ARRAY_MAPPING);
    network.set_imageinputshapemapping(nn::RANK4_IMAGE_MAPPING);
  }
  ANEMONE_TRY(AddPreprocessing(files, description, &network));
  for (const Json& layer : files.layers) ANEMONE_TRY(ConvertLayer(layer, so_far));
  if (type == proto::Model::kNeuralNetworkClassifierFieldNumber) {
    nn::NeuralNetworkClassifier classifier;
    ANEMONE_TRY(SetLabels(labels, description, &classifier));
    ANEMONE_ASSIGN(const std::string probabilities, ProbabilitiesOf(files, description));
    classifier.set_labelprobabilitylayername(probabilities);
    MoveInto(network, &classifier);
    model->set_neuralnetworkclassifier(classifier.SerializeAsString());
  } else if (type == proto::Model::kNeuralNetworkRegressorFieldNumber) {
    nn::NeuralNetworkRegressor regressor;
    MoveInto(network, &regressor);
    model->set_neuralnetworkregressor(regressor.SerializeAsString());
  } else {
    model->set_neuralnetwork(network.SerializeAsString());
  }
  return {};
}

}  // namespace anemone::format::espresso
