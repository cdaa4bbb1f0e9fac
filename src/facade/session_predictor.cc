#include "facade/session_predictor.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "exec/function_inputs.h"
#include "facade/session_options.h"
#include "facade/state.h"
#include "runtime/session.h"

namespace anemone::facade {
namespace {

using feature_models::FeatureValue;
using feature_models::FeatureValues;
using feature_models::Image;

bool IsGray(ir::ImageFeature::ColorSpace space) {
  return space == ir::ImageFeature::ColorSpace::kGrayscale ||
         space == ir::ImageFeature::ColorSpace::kGrayscaleFp16;
}

// Where a pixel's channel is in the program's tensor.
int64_t ProgramChannel(ir::ImageFeature::ColorSpace space, int64_t channel) {
  return space == ir::ImageFeature::ColorSpace::kBgr ? 2 - channel : channel;
}

bool AllowsSize(const ir::ImageFeature& feature, const ir::ImageFeature::Size& size) {
  const auto within = [](const ir::SizeRange& range, int64_t value) {
    return value >= range.lower && (!range.upper || value <= *range.upper);
  };
  if (size == feature.size ||
      std::ranges::find(feature.enumerated, size) != feature.enumerated.end())
    return true;
  return feature.size_range && within(feature.size_range->width, size.width) &&
         within(feature.size_range->height, size.height);
}

// The pixels as float32 [1, channels, height, width].
Result<exec::Tensor> TensorOfImage(const Image& image, const ir::ImageFeature& feature) {
  const int64_t channels = IsGray(feature.color_space) ? 1 : 3;
  if (image.channels() != channels) {
    return Usage("it takes an image of {} channels, not of {}", channels, image.channels());
  }
  if (!AllowsSize(feature, {image.width(), image.height()})) {
    return Usage("it takes an image of {}x{} pixels, not of {}x{}", feature.size.width,
                 feature.size.height, image.width(), image.height())
        .Advise("resize it first");
  }
  ANEMONE_ASSIGN(const exec::Tensor pixels, feature_models::WithDType(image.pixels, DType::kFp32));
  const int64_t area = image.width() * image.height();
  ANEMONE_ASSIGN(
      exec::Tensor tensor,
      exec::Tensor::Allocate(DType::kFp32, {1, channels, image.height(), image.width()}));
  for (int64_t channel = 0; channel < channels; ++channel) {
    float* plane = tensor.As<float>() + ProgramChannel(feature.color_space, channel) * area;
    for (int64_t i = 0; i < area; ++i) plane[i] = pixels.As<float>()[i * channels + channel];
  }
  return tensor;
}

// A result [..., channels, height, width] as pixels; 8-bit ones are rounded and kept within 0 and 255.
Result<Image> ImageOf(const exec::Tensor& tensor, const ir::ImageFeature& feature) {
  const ir::Shape& shape = tensor.shape();
  const int64_t channels = IsGray(feature.color_space) ? 1 : 3;
  const size_t rank = shape.size();
  if (rank < 3 || shape[rank - 3] != channels ||
      tensor.count() != channels * shape[rank - 2] * shape[rank - 1]) {
    return InvalidInput("an image of {} channels is declared, but the model gives the shape {}",
                        channels, ir::ShapeToString(shape));
  }
  const int64_t area = shape[rank - 2] * shape[rank - 1];
  ANEMONE_ASSIGN(const exec::Tensor values, feature_models::WithDType(tensor, DType::kFp32));
  const bool half = feature.color_space == ir::ImageFeature::ColorSpace::kGrayscaleFp16;
  ir::Shape pixel_shape = {shape[rank - 2], shape[rank - 1]};
  if (channels == 3) pixel_shape.push_back(3);
  ANEMONE_ASSIGN(exec::Tensor pixels, exec::Tensor::Allocate(half ? DType::kFp32 : DType::kUInt8,
                                                             std::move(pixel_shape)));
  for (int64_t channel = 0; channel < channels; ++channel) {
    const float* plane = values.As<float>() + ProgramChannel(feature.color_space, channel) * area;
    for (int64_t i = 0; i < area; ++i) {
      const int64_t place = i * channels + channel;
      if (half) {
        pixels.As<float>()[place] = plane[i];
      } else {
        // NaN becomes 0.
        const float bounded = plane[i] > 0 ? std::min(plane[i], 255.0f) : 0.0f;
        pixels.As<uint8_t>()[place] = static_cast<uint8_t>(std::nearbyint(bounded));
      }
    }
  }
  return Image{std::move(pixels)};
}

class SessionPredictor : public feature_models::Predictor {
 public:
  SessionPredictor(format::ModelInterface interface, std::shared_ptr<runtime::Session> session)
      : Predictor(std::move(interface)), session_(std::move(session)) {}

  Json Parameters() const override {
    return {{"operators", session_->function().block->operations().size()}};
  }

 protected:
  Result<FeatureValues> Run(const FeatureValues& inputs, exec::State* state) const override {
    ANEMONE_TRY(CheckStateIsGiven(session_->function(), state));
    std::map<std::string, exec::Tensor> tensors;
    for (const auto& [name, value] : inputs) {
      ANEMONE_ASSIGN(tensors[name], InputTensor(name, value).At(fmt::format("input '{}'", name)));
    }
    ANEMONE_ASSIGN(const auto results, session_->Predict(tensors, state));
    FeatureValues outputs;
    for (const ir::Feature& feature : description().outputs) {
      const auto found = results.find(feature.name);
      if (found == results.end()) {
        return Internal("the session gave no output '{}'", feature.name);
      }
      ANEMONE_ASSIGN(
          FeatureValue value,
          OutputValue(feature, found->second).At(fmt::format("output '{}'", feature.name)));
      outputs.emplace(feature.name, std::move(value));
    }
    return outputs;
  }

 private:
  Result<exec::Tensor> InputTensor(const std::string& name, const FeatureValue& value) const {
    const ir::Value* input = nullptr;
    for (const auto& candidate : session_->function().inputs()) {
      if (candidate->name == name) input = candidate.get();
    }
    if (input == nullptr) return Internal("the program has no input of that name");
    const DType dtype = exec::StorageDType(input->type.dtype());
    const bool fixed = input->type.is_static();
    exec::Tensor tensor;
    if (const auto* image = std::get_if<Image>(&value)) {
      ANEMONE_ASSIGN(tensor, TensorOfImage(*image, *description().FindInput(name)->image()));
    } else if (const auto* array = std::get_if<exec::Tensor>(&value)) {
      tensor = *array;
    } else if (const auto* integer = std::get_if<int64_t>(&value)) {
      const auto number = static_cast<double>(*integer);
      return feature_models::ArrayOf(dtype, fixed ? input->type.shape() : ir::Shape{1},
                                     {&number, 1});
    } else if (const auto* number = std::get_if<double>(&value)) {
      return feature_models::ArrayOf(dtype, fixed ? input->type.shape() : ir::Shape{1},
                                     {number, 1});
    } else {
      return Usage("a program takes no value that is {}", feature_models::KindOf(value));
    }
    ANEMONE_ASSIGN(tensor, feature_models::WithDType(tensor, dtype));
    // One element of any rank, and an image whose program has no batch, are what the program means.
    const bool same_elements = fixed &&
                               (tensor.count() == 1 || std::holds_alternative<Image>(value)) &&
                               ir::ElementCount(input->type.shape()) == tensor.count();
    if (!same_elements || tensor.shape() == input->type.shape()) return tensor;
    return exec::Tensor::Copy({dtype, input->type.shape(), tensor.view().data});
  }

  Result<FeatureValue> OutputValue(const ir::Feature& feature, const exec::Tensor& tensor) const {
    const std::optional<exec::Classes>& classes = session_->classes();
    if (classes && feature.name == classes->label) {
      return ClassName(*classes, static_cast<size_t>(*tensor.As<int32_t>()));
    }
    if (classes && feature.name == classes->probabilities) {
      return Probabilities(*classes, feature_models::NumbersOf(tensor));
    }
    if (const ir::ImageFeature* image = feature.image()) {
      ANEMONE_ASSIGN(Image made, ImageOf(tensor, *image));
      return FeatureValue(std::move(made));
    }
    const ir::ArrayFeature* array = feature.array();
    if (array == nullptr)
      return feature_models::OutputOf(feature, feature_models::NumbersOf(tensor));
    const DType dtype = array->dtype == DType::kFp16 ? DType::kFp32 : array->dtype;
    ANEMONE_ASSIGN(exec::Tensor typed, feature_models::WithDType(tensor, dtype));
    if (typed.shape().empty()) {
      ANEMONE_ASSIGN(typed, exec::Tensor::Copy({dtype, {1}, typed.view().data}));
    }
    return FeatureValue(std::move(typed));
  }

  static Result<FeatureValue> ClassName(const exec::Classes& classes, size_t index) {
    if (index >= classes.names.size()) return Internal("there is no class {}", index);
    if (!classes.integers) return FeatureValue(classes.names[index]);
    return FeatureValue(IntegerOf(classes.names[index]));
  }
  static FeatureValue Probabilities(const exec::Classes& classes, std::span<const double> numbers) {
    const size_t count = std::min(numbers.size(), classes.names.size());
    if (classes.integers) {
      feature_models::Int64Dictionary dictionary;
      for (size_t i = 0; i < count; ++i) dictionary[IntegerOf(classes.names[i])] = numbers[i];
      return dictionary;
    }
    feature_models::StringDictionary dictionary;
    for (size_t i = 0; i < count; ++i) dictionary[classes.names[i]] = numbers[i];
    return dictionary;
  }
  static int64_t IntegerOf(const std::string& name) {
    int64_t number = 0;
    std::from_chars(name.data(), name.data() + name.size(), number);
    return number;
  }

  std::shared_ptr<runtime::Session> session_;
};

}  // namespace

Result<std::unique_ptr<feature_models::Predictor>> MakeSessionPredictor(
    const LoadedModel& model, const std::string& argument, const SessionOptions& options) {
  const ir::FunctionDescription* description =
      options.function.empty() ? model.model->main() : model.model->FindFunction(options.function);
  if (description == nullptr) {
    ANEMONE_TRY(exec::ChooseFunction(*model.model, options.function).status());
    return InvalidInput("the function is not described");
  }
  ANEMONE_ASSIGN(auto session, OpenSession(model, argument, options));
  return std::unique_ptr<feature_models::Predictor>(std::make_unique<SessionPredictor>(
      format::ModelInterface{*description, model.model->metadata}, std::move(session)));
}

}  // namespace anemone::facade
