// The body of include/anemone/feature_model.h.
#include "anemone/feature_model.h"

#include "facade/arrays.h"
#include "facade/document.h"
#include "facade/inspect_json.h"
#include "facade/predictor_source.h"
#include "facade/state.h"
#include "feature_models/model_types.h"

namespace anemone {
namespace {

// The elements are copied: the caller's memory may go away while a pipeline still runs.
Result<exec::Tensor> TensorOfArray(const Array& array) {
  const DType dtype = facade::DTypeOfNumpy(array.dtype);
  if (dtype == DType::kInvalid) return Usage("'{}' is not a dtype", array.dtype);
  const size_t size = ByteSize(dtype, ir::ElementCount(array.shape).value_or(-1)).value_or(0);
  if (array.data == nullptr && size != 0) return Usage("the array has no data");
  return exec::Tensor::Copy({dtype, array.shape, array.data.get()});
}

struct ToInternal {
  Result<feature_models::FeatureValue> operator()(const Array& array) const {
    ANEMONE_ASSIGN(exec::Tensor tensor, TensorOfArray(array));
    return feature_models::FeatureValue(std::move(tensor));
  }
  Result<feature_models::FeatureValue> operator()(const Image& image) const {
    ANEMONE_ASSIGN(exec::Tensor pixels, TensorOfArray(image.pixels));
    const size_t rank = pixels.shape().size();
    if (rank != 2 && (rank != 3 || (pixels.shape()[2] != 1 && pixels.shape()[2] != 3))) {
      return Usage("pixels have the shape [height, width] or [height, width, 3], not {}",
                   ir::ShapeToString(pixels.shape()));
    }
    return feature_models::FeatureValue(feature_models::Image{std::move(pixels)});
  }
  template <typename T>
  Result<feature_models::FeatureValue> operator()(const T& value) const {
    return feature_models::FeatureValue(value);
  }
};

struct ToPublic {
  Result<FeatureValue> operator()(const exec::Tensor& tensor) const {
    ANEMONE_ASSIGN(Array array, facade::ToArray(tensor));
    return FeatureValue(std::move(array));
  }
  Result<FeatureValue> operator()(const feature_models::Image& image) const {
    ANEMONE_ASSIGN(Array array, facade::ToArray(image.pixels));
    return FeatureValue(Image{std::move(array)});
  }
  template <typename T>
  Result<FeatureValue> operator()(const T& value) const {
    return FeatureValue(FeatureValue::Value(value));
  }
};

Result<FeatureValues> PredictWith(const feature_models::Predictor& predictor,
                                  const FeatureValues& inputs, exec::State* state) {
  feature_models::FeatureValues given;
  for (const auto& [name, value] : inputs) {
    ANEMONE_ASSIGN(auto converted,
                   std::visit(ToInternal{}, value.value).At(fmt::format("input '{}'", name)));
    given.emplace(name, std::move(converted));
  }
  ANEMONE_ASSIGN(const auto results, predictor.Predict(given, state));
  FeatureValues outputs;
  for (const auto& [name, value] : results) {
    ANEMONE_ASSIGN(FeatureValue converted, std::visit(ToPublic{}, value));
    outputs.emplace(name, std::move(converted));
  }
  return outputs;
}

}  // namespace

struct FeatureModel::Impl {
  facade::LoadedPredictor loaded;
};

Expected<FeatureModel> FeatureModel::Load(const std::string& model, const LoadOptions& options) {
  facade::ModelSource source;
  source.model = model;
  source.options = options;
  SessionOptions session;
  session.backend = options.backend;
  session.function = options.function;
  session.numerics = options.numerics;
  session.threads = options.threads;
  session.warm_up = false;
  auto loaded = facade::LoadPredictor(source, session);
  if (!loaded.ok()) return facade::ToFailure(loaded.error());
  return FeatureModel(std::make_shared<const Impl>(Impl{std::move(loaded).value()}));
}

Expected<FeatureValues> FeatureModel::Predict(const FeatureValues& inputs, State* state) const {
  auto outputs = PredictWith(*impl_->loaded.predictor, inputs,
                             state != nullptr ? &facade::ValuesOf(*state) : nullptr);
  if (!outputs.ok()) {
    return facade::ToFailure(std::move(outputs).At(impl_->loaded.name).error());
  }
  return std::move(outputs).value();
}

std::string FeatureModel::type() const { return impl_->loaded.type; }

std::string FeatureModel::InspectJson() const {
  return facade::DocumentText(facade::InspectPredictor(*impl_->loaded.predictor, impl_->loaded.type,
                                                       impl_->loaded.name,
                                                       impl_->loaded.spec_version));
}

std::string ModelTypesJson() { return facade::DocumentText(feature_models::ModelTypesJson()); }

}  // namespace anemone
