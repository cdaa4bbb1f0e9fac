#include "facade/random_features.h"

#include "base/random.h"

namespace anemone::facade {
namespace {

using feature_models::FeatureValue;

std::vector<double> Normal(int64_t count, Random random) {
  std::vector<float> numbers(static_cast<size_t>(count));
  random.FillNormal(numbers, 0, 1);
  return {numbers.begin(), numbers.end()};
}

std::vector<double> Digits(int64_t count, Random random) {
  std::vector<double> numbers(static_cast<size_t>(count));
  for (double& number : numbers) number = static_cast<double>(random.NextBits() % 10);
  return numbers;
}

Result<FeatureValue> RandomArray(const ir::ArrayFeature& array, Random random) {
  const std::optional<int64_t> elements = ir::ElementCount(array.shape);
  if (array.shape.empty() || !elements) return Usage("it declares no shape of a known size");
  const int64_t count = *elements;
  const bool floats = IsFloat(array.dtype);
  ANEMONE_ASSIGN(exec::Tensor tensor,
                 feature_models::ArrayOf(array.dtype, array.shape,
                                         floats ? Normal(count, random) : Digits(count, random)));
  return FeatureValue(std::move(tensor));
}

Result<FeatureValue> RandomImage(const ir::ImageFeature& image, Random random) {
  using ColorSpace = ir::ImageFeature::ColorSpace;
  const bool gray = image.color_space == ColorSpace::kGrayscale ||
                    image.color_space == ColorSpace::kGrayscaleFp16;
  ir::Shape shape = {image.size.height, image.size.width};
  if (!gray) shape.push_back(3);
  ANEMONE_ASSIGN(exec::Tensor pixels, exec::Tensor::Allocate(DType::kUInt8, shape));
  for (int64_t i = 0; i < pixels.count(); ++i) {
    pixels.As<uint8_t>()[i] = static_cast<uint8_t>(random.NextBits() % 256);
  }
  return FeatureValue(feature_models::Image{std::move(pixels)});
}

Result<FeatureValue> RandomValue(const ir::Feature& feature, Random random) {
  if (const auto* array = feature.array()) return RandomArray(*array, random);
  if (const auto* image = feature.image()) return RandomImage(*image, random);
  if (const auto* scalar = std::get_if<ir::ScalarFeature>(&feature.type)) {
    if (*scalar == ir::ScalarFeature::kDouble) return FeatureValue(Normal(1, random)[0]);
    if (*scalar == ir::ScalarFeature::kInt64) {
      return FeatureValue(static_cast<int64_t>(Digits(1, random)[0]));
    }
  }
  return Usage("no random value is {}", feature_models::KindOf(feature));
}

}  // namespace

Result<feature_models::FeatureValues> RandomFeatures(const ir::FunctionDescription& description,
                                                     uint64_t seed) {
  feature_models::FeatureValues values;
  for (const ir::Feature& feature : description.inputs) {
    if (feature.optional) continue;
    auto value = RandomValue(feature, Random(seed, feature.name));
    if (!value.ok()) {
      return std::move(value)
          .error()
          .At("input " + feature.name)
          .Advise("give --input NAME=VALUE in place of --random-inputs");
    }
    values.emplace(feature.name, std::move(*value));
  }
  return values;
}

}  // namespace anemone::facade
