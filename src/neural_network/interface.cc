#include "neural_network/interface.h"

#include <algorithm>
#include <set>

#include "neural_network/weights.h"

namespace anemone::neural_network {
namespace {

using ColorSpace = ir::ImageFeature::ColorSpace;

Status CheckSizes(const ir::Shape& shape) {
  for (const int64_t size : shape) {
    if (size == 0 || size > INT32_MAX) {
      return InvalidInput("a dimension of its shape is {}", size)
          .Advise("convert the original model again, with the sizes that it takes");
    }
  }
  if (ir::ElementCount(shape).value_or(INT64_MAX) > kMaxElements) {
    return InvalidInput("the shape {} has more than 2^35 elements", ir::ShapeToString(shape));
  }
  return {};
}

// The default shape, with kDynamic for each dimension that may vary.
ir::Shape ShapeOf(const ir::ArrayFeature& array, bool flexible) {
  ir::Shape shape = array.shape;
  if (!flexible) return shape;
  for (size_t d = 0; d < shape.size(); ++d) {
    bool varies = false;
    if (array.shape_range.size() == shape.size()) {
      const ir::SizeRange& range = array.shape_range[d];
      varies = range.upper != range.lower;
    }
    for (const ir::Shape& other : array.enumerated) {
      varies = varies || (other.size() == shape.size() && other[d] != shape[d]);
    }
    if (varies) shape[d] = ir::kDynamic;
  }
  return shape;
}

bool IsGray(const ir::ImageFeature& image) {
  return image.color_space == ColorSpace::kGrayscale ||
         image.color_space == ColorSpace::kGrayscaleFp16;
}

ir::Shape ShapeOf(const ir::ImageFeature& image, bool flexible) {
  ir::Shape shape = {1, IsGray(image) ? 1 : 3, image.size.height, image.size.width};
  if (!flexible) return shape;
  bool tall = false, wide = false;
  if (image.size_range) {
    tall = image.size_range->height.lower != image.size_range->height.upper;
    wide = image.size_range->width.lower != image.size_range->width.upper;
  }
  for (const auto& size : image.enumerated) {
    tall = tall || size.height != image.size.height;
    wide = wide || size.width != image.size.width;
  }
  if (tall) shape[2] = ir::kDynamic;
  if (wide) shape[3] = ir::kDynamic;
  return shape;
}

// The dimensions of the blob of an array of the old mapping.
Result<ir::Shape> Rank5Dims(const ir::Shape& shape) {
  switch (shape.size()) {
    case 1:
      return ir::Shape{1, 1, shape[0], 1, 1};
    case 3:
      return ir::Shape{1, 1, shape[0], shape[1], shape[2]};
    case 5:
      return shape;
    default:
      return Unsupported("an array of rank {} in the mapping to five dimensions", shape.size())
          .Advise("declare it with rank 1 (channels) or 3 (channels, height, width)");
  }
}

Result<Blob> AddArray(const ir::Feature& feature, const ir::ArrayFeature& array, bool rank5,
                      ShapeMode mode, ir::Builder& builder) {
  const DType dtype = array.dtype == DType::kInt32 ? DType::kInt32 : DType::kFp32;
  ir::Shape shape = ShapeOf(array, mode == ShapeMode::kFlexible);
  ANEMONE_TRY(CheckSizes(array.shape));
  if (shape.empty()) return Unsupported("its shape is not declared");
  if (shape.size() > static_cast<size_t>(kMaxRank)) {
    return Unsupported("rank {} is beyond Core ML's limit of {}", shape.size(), kMaxRank);
  }
  Blob blob;
  blob.dims = shape;
  if (rank5) {
    ANEMONE_ASSIGN(blob.dims, Rank5Dims(shape));
    if (mode == ShapeMode::kSequences) {
      blob.dims[0] = ir::kDynamic;
      shape = blob.dims;
    }
  }
  blob.value = builder.Input(feature.name, ir::Type::Tensor(dtype, shape));
  return blob;
}

// Scale and bias of each channel, in the order of the image's colors.
Status Scale(const nn::NeuralNetworkImageScaler& scaler, const ir::ImageFeature& image,
             LayerContext& context, ir::Value** value) {
  // A scale that is missing is 1.
  const float scale = scaler.channelscale() == 0 ? 1 : scaler.channelscale();
  std::vector<float> biases = {scaler.redbias(), scaler.greenbias(), scaler.bluebias()};
  if (image.color_space == ColorSpace::kBgr) std::swap(biases[0], biases[2]);
  if (IsGray(image)) biases = {scaler.graybias()};
  if (scale != 1) *value = context.Binary("mul", *value, context.Float(scale));
  if (std::ranges::any_of(biases, [](float bias) { return bias != 0; })) {
    const auto channels = static_cast<int64_t>(biases.size());
    *value = context.Binary(
        "add", *value,
        context.Constant(ir::Literal::Fp32s(std::move(biases), {1, channels, 1, 1}), "bias"));
  }
  return context.status();
}

Status Subtract(const nn::NeuralNetworkMeanImage& mean, LayerContext& context, ir::Value** value) {
  const ir::Shape& shape = (*value)->type.shape();
  if (!IsStatic(shape)) return Unsupported("a mean image for an image of any size");
  const auto& numbers = mean.meanimage();
  if (numbers.size() != ir::ElementCount(shape)) {
    return InvalidInput("the mean image has {} values, the image {}", numbers.size(),
                        ir::ShapeToString(shape));
  }
  auto literal = ir::Literal::Fp32s({numbers.begin(), numbers.end()}, shape);
  *value = context.Binary("sub", *value, context.Constant(std::move(literal), "mean"));
  return context.status();
}

Status Preprocess(const nn::NeuralNetworkPreprocessing& step, const ir::ImageFeature& image,
                  LayerContext& context, ir::Value** value) {
  switch (step.preprocessor_case()) {
    case nn::NeuralNetworkPreprocessing::kScaler:
      return Scale(step.scaler(), image, context, value);
    case nn::NeuralNetworkPreprocessing::kMeanImage:
      return Subtract(step.meanimage(), context, value);
    case nn::NeuralNetworkPreprocessing::PREPROCESSOR_NOT_SET:
      break;
  }
  return InvalidInput("a preprocessing step of unknown type");
}

// Whether a network of exact shapes takes the image `name` as [C, H, W]: the first layer that reads
// it says so, by the rank of its input or an order of three dimensions.
bool TakesRank3(const Layers& layers, const std::string& name) {
  for (const auto& layer : layers) {
    for (int i = 0; i < layer.input_size(); ++i) {
      if (layer.input(i) != name) continue;
      if (layer.has_transpose()) return layer.transpose().axes_size() == 3;
      return i < layer.inputtensor_size() && layer.inputtensor(i).rank() == 3;
    }
  }
  return false;
}

Result<Blob> AddImage(const ir::Feature& feature, const ir::ImageFeature& image,
                      const NetworkView& network, bool flexible, Scope& scope,
                      ir::Builder& builder) {
  const ir::Shape shape = ShapeOf(image, flexible);
  ANEMONE_TRY(CheckSizes({image.size.height, image.size.width}));
  Blob blob;
  blob.value = builder.Input(feature.name, ir::Type::Tensor(DType::kFp32, shape));
  nn::NeuralNetworkLayer names;
  names.set_name(feature.name + "_preprocessed");
  const NetworkTraits none;
  LayerContext context(names, none, scope, builder, {});
  for (const auto& step : *network.preprocessing) {
    // A step without a name is for the only image.
    if (!step.featurename().empty() && step.featurename() != feature.name) continue;
    ANEMONE_TRY(Preprocess(step, image, context, &blob.value).At("preprocessing"));
  }
  blob.dims = shape;
  if (network.rank5_images) {
    blob.dims.insert(blob.dims.begin(), 1);
  } else if (TakesRank3(*network.layers, feature.name)) {
    blob.dims.erase(blob.dims.begin());
  }
  return blob;
}

// A step that is for no image would be left out in silence.
Status CheckPreprocessing(const NetworkView& network, const ir::FunctionDescription& features) {
  for (const auto& step : *network.preprocessing) {
    const ir::Feature* feature =
        step.featurename().empty() ? nullptr : features.FindInput(step.featurename());
    const bool some = std::ranges::any_of(
        features.inputs, [](const ir::Feature& input) { return input.image() != nullptr; });
    if (step.featurename().empty() ? some : feature != nullptr && feature->image() != nullptr) {
      continue;
    }
    return Unsupported("preprocessing of '{}', which is not an image input", step.featurename())
        .Advise("preprocess the array before the model is called");
  }
  return {};
}

bool DifferByOnes(const ir::Shape& a, const ir::Shape& b) {
  const auto rest = [](const ir::Shape& shape) {
    ir::Shape kept;
    std::ranges::copy_if(shape, std::back_inserter(kept), [](int64_t dim) { return dim != 1; });
    return kept;
  };
  return rest(a) == rest(b);
}

// The shape of an output, given its blob's dimensions: the declared one where the two differ by
// dimensions of size 1 only, or where five dimensions have as many elements; what is left of five
// for the declared rank, where sizes are unknown; else that of the blob.
ir::Shape OutputShape(const ir::Shape& dims, const ir::Shape& declared) {
  if (declared.empty()) return dims;
  if (IsStatic(dims) && DifferByOnes(dims, declared)) return declared;
  if (dims.size() != static_cast<size_t>(kMaxRank) || dims[0] != 1 || dims[1] != 1) return dims;
  if (IsStatic(dims)) {
    return ir::ElementCount(declared) == ir::ElementCount(dims) ? declared : dims;
  }
  if (declared.size() == 3) return {dims.begin() + 2, dims.end()};
  if (declared.size() == 1 && dims[3] == 1 && dims[4] == 1) return {dims[2]};
  return dims;
}

Result<ir::Literal> Labels(const nn::NeuralNetworkClassifier& classifier) {
  std::vector<ir::Literal> labels;
  DType dtype = DType::kString;
  if (classifier.has_int64classlabels()) {
    dtype = DType::kInt64;
    for (const int64_t label : classifier.int64classlabels().vector()) {
      ANEMONE_ASSIGN(ir::Literal literal,
                     ir::Literal::FromBytes(ir::Type::Scalar(dtype),
                                            Bytes::FromVector(std::vector<int64_t>{label})));
      labels.push_back(std::move(literal));
    }
  } else {
    for (const std::string& label : classifier.stringclasslabels().vector()) {
      labels.push_back(ir::Literal::String(label));
    }
  }
  if (labels.empty()) return InvalidInput("the classifier has no class labels");
  const auto count = static_cast<int64_t>(labels.size());
  return ir::Literal::Compound(ir::Type::List(ir::Type::Scalar(dtype), count), std::move(labels));
}

// The operation that makes label and probabilities.
Result<ir::Operation*> AddClassify(const NetworkView& network, const Scope& scope,
                                   LayerContext& context) {
  const nn::NeuralNetworkClassifier& classifier = *network.classifier;
  std::string name = classifier.labelprobabilitylayername();
  if (name.empty() && !network.layers->empty()) {
    const auto& last = network.layers->Get(network.layers->size() - 1);
    if (last.output_size() > 0) name = last.output(0);
  }
  const Blob* blob = scope.Find(name);
  if (blob == nullptr) return InvalidInput("no layer makes the probabilities '{}'", name);
  ANEMONE_ASSIGN(ir::Literal labels, Labels(classifier));
  ir::Value* probabilities = context.Cast(blob->value, DType::kFp32);
  probabilities = context.View(probabilities, {labels.type().list_length()});
  ir::Value* classes = context.Constant(std::move(labels), "classes");
  ANEMONE_TRY(context.status());
  return context.builder().Add("classify", {{"probabilities", probabilities}, {"classes", classes}},
                               "classify");
}

Result<ir::Value*> TensorOutput(const ir::Feature& feature, const Scope& scope,
                                LayerContext& context) {
  const Blob* blob = scope.Find(feature.name);
  if (blob == nullptr) return InvalidInput("no layer makes it");
  DType dtype = DType::kFp32;
  ir::Shape dims = blob->dims;
  if (const ir::ArrayFeature* array = feature.array()) {
    if (array->dtype == DType::kInt32) dtype = DType::kInt32;
    dims = OutputShape(dims, array->shape);
  } else if (const ir::ImageFeature* image = feature.image()) {
    if (!blob->ranked || dims.size() < 3) {
      return InvalidInput("an image of rank {}", dims.size());
    }
    dims = {1, IsGray(*image) ? 1 : 3, dims.end()[-2], dims.end()[-1]};
  } else {
    return Unsupported("an output of this type");
  }
  ir::Value* value = context.Cast(blob->value, dtype);
  if (blob->ranked) value = context.View(value, dims);
  ANEMONE_TRY(context.status());
  return value;
}

}  // namespace

bool HasFlexibleInputs(const ir::FunctionDescription& features) {
  return std::ranges::any_of(features.inputs, [](const ir::Feature& feature) {
    if (const auto* array = feature.array()) return !IsStatic(ShapeOf(*array, true));
    if (const auto* image = feature.image()) return !IsStatic(ShapeOf(*image, true));
    return false;
  });
}

Status AddInputs(const format::proto::ModelDescription& description, const NetworkView& network,
                 const ir::FunctionDescription& features, ShapeMode mode, Scope& scope,
                 ir::Builder& builder) {
  ANEMONE_TRY(CheckPreprocessing(network, features));
  if (description.state_size() > 0) return Unsupported("a neural network with states");
  // All names of the border are taken before any operator gets one.
  for (const ir::Feature& feature : features.outputs) {
    if (features.FindInput(feature.name) != nullptr) {
      return InvalidInput("'{}' is an input and an output", feature.name);
    }
    builder.UniqueName(feature.name);
  }
  for (const ir::Feature& feature : features.inputs) {
    Result<Blob> blob = [&]() -> Result<Blob> {
      if (const auto* array = feature.array()) {
        return AddArray(feature, *array, network.rank5_arrays, mode, builder);
      }
      if (const auto* image = feature.image()) {
        return AddImage(feature, *image, network, mode == ShapeMode::kFlexible, scope, builder);
      }
      return Unsupported("neural networks take arrays and images only");
    }();
    if (!blob.ok()) return std::move(blob).status().At(fmt::format("input '{}'", feature.name));
    scope.Write(feature.name, std::move(*blob));
  }
  return {};
}

Status AddOutputs(const NetworkView& network, const ir::FunctionDescription& features,
                  const Scope& scope, ir::Builder& builder) {
  std::set<const ir::Value*> named;
  std::vector<ir::Value*> outputs;
  ir::Operation* classify = nullptr;
  for (const ir::Feature& feature : features.outputs) {
    const std::string place = fmt::format("output '{}'", feature.name);
    nn::NeuralNetworkLayer names;
    names.set_name(feature.name + "_out");
    const NetworkTraits none;
    Scope empty;
    LayerContext context(names, none, empty, builder, {});
    ir::Value* value = nullptr;
    const auto* scalar = std::get_if<ir::ScalarFeature>(&feature.type);
    const auto* dictionary = std::get_if<ir::DictionaryFeature>(&feature.type);
    if (network.classifier != nullptr && (scalar != nullptr || dictionary != nullptr)) {
      if (classify == nullptr) {
        ANEMONE_ASSIGN(classify, AddClassify(network, scope, context));
      }
      const bool ints = network.classifier->has_int64classlabels();
      const bool fits =
          scalar != nullptr
              ? *scalar == (ints ? ir::ScalarFeature::kInt64 : ir::ScalarFeature::kString)
              : dictionary->key == (ints ? ir::KeyType::kInt64 : ir::KeyType::kString);
      if (!fits) {
        return InvalidInput("the class labels are {}", ints ? "integers" : "strings").At(place);
      }
      value = classify->output(scalar != nullptr ? 0 : 1);
    } else {
      ANEMONE_ASSIGN(value, TensorOutput(feature, scope, context).At(place));
    }
    // Only a value that an operator made can carry the name of the feature.
    const bool fresh = value->producer != nullptr && !value->is_const() && !named.contains(value);
    if (!fresh) {
      value = context.Op("identity", {{"x", value}});
      ANEMONE_TRY(context.status().At(place));
    }
    value->name = feature.name;
    named.insert(value);
    outputs.push_back(value);
  }
  builder.SetOutputs(std::move(outputs));
  return {};
}

namespace {

const ir::Value* FindValue(const std::vector<const ir::Value*>& values, const std::string& name) {
  const auto found = std::ranges::find(values, name, &ir::Value::name);
  return found == values.end() ? nullptr : *found;
}

// A sequence of any length from 1 on, 1 by default.
void DescribeSequence(const ir::Type& type, ir::ArrayFeature* array) {
  array->shape = type.shape();
  for (int64_t& size : array->shape) {
    const bool open = size == ir::kDynamic;
    if (open) size = 1;
    array->shape_range.push_back({size, open ? std::nullopt : std::optional(size)});
  }
}

}  // namespace

Status DescribeFeatures(const ir::Function& function, ir::FunctionDescription* features) {
  std::vector<const ir::Value*> inputs;
  for (const auto& input : function.inputs()) inputs.push_back(input.get());
  const std::vector<const ir::Value*> outputs(function.outputs().begin(), function.outputs().end());
  for (ir::Feature& feature : features->inputs) {
    const ir::Value* value = FindValue(inputs, feature.name);
    if (value == nullptr) return Internal("input '{}' is missing", feature.name);
    if (auto* array = std::get_if<ir::ArrayFeature>(&feature.type)) {
      array->dtype = value->type.dtype();
      if (value->type.is_static() || value->type.shape().size() != array->shape.size()) {
        array->enumerated.clear();
        array->shape_range.clear();
      }
      if (value->type.shape().size() != array->shape.size()) DescribeSequence(value->type, array);
      // Core ML fills a missing optional input of a network with zeros.
      if (feature.optional) array->default_value = 0.0f;
    } else if (auto* image = std::get_if<ir::ImageFeature>(&feature.type)) {
      if (value->type.is_static()) {
        image->enumerated.clear();
        image->size_range.reset();
      }
    }
  }
  for (ir::Feature& feature : features->outputs) {
    auto* array = std::get_if<ir::ArrayFeature>(&feature.type);
    if (array == nullptr) continue;
    const ir::Value* value = FindValue(outputs, feature.name);
    if (value == nullptr) return Internal("output '{}' is missing", feature.name);
    *array = ir::ArrayFeature();
    array->dtype = value->type.dtype();
    // A shape that is known only at run time is left out.
    if (value->type.is_static()) array->shape = value->type.shape();
  }
  return {};
}

}  // namespace anemone::neural_network
