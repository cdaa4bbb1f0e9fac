// The body of include/anemone/model.h.
#include "anemone/model.h"

#include <mutex>

#include "exec/backend.h"
#include "exec/session_inputs.h"
#include "facade/arrays.h"
#include "facade/compress.h"
#include "facade/convert.h"
#include "facade/inspect.h"
#include "facade/inspect_json.h"
#include "facade/model_handle.h"
#include "facade/model_source.h"
#include "facade/save.h"
#include "facade/session_options.h"
#include "ir/text.h"
#include "runtime/session.h"

namespace anemone {
namespace {

FeatureInfo ToInfo(const ir::Feature& feature) {
  if (const auto* array = feature.array())
    return {feature.name, facade::NumpyNameOf(array->dtype), array->shape};
  if (const auto* image = feature.image()) {
    const bool gray = image->color_space == ir::ImageFeature::ColorSpace::kGrayscale ||
                      image->color_space == ir::ImageFeature::ColorSpace::kGrayscaleFp16;
    return {feature.name, "image", {1, gray ? 1 : 3, image->size.height, image->size.width}};
  }
  if (const auto* scalar = std::get_if<ir::ScalarFeature>(&feature.type)) {
    switch (*scalar) {
      case ir::ScalarFeature::kInt64:
        return {feature.name, "int64", {}};
      case ir::ScalarFeature::kDouble:
        return {feature.name, "float64", {}};
      case ir::ScalarFeature::kString:
        return {feature.name, "string", {}};
    }
  }
  if (std::holds_alternative<ir::DictionaryFeature>(feature.type)) {
    return {feature.name, "dictionary", {}};
  }
  return {feature.name, "other", {}};
}

}  // namespace

Result<std::shared_ptr<runtime::Session>> Model::Impl::Open() {
  const std::lock_guard<std::mutex> lock(mutex);
  if (session != nullptr) return session;
  SessionOptions open;
  open.backend = options.backend;
  open.function = options.function;
  open.numerics = options.numerics;
  open.threads = options.threads;
  open.warm_up = false;
  ANEMONE_ASSIGN(session, facade::OpenSession(loaded, argument, open));
  return session;
}

Expected<Model> Model::Load(const std::string& model, const LoadOptions& options) {
  facade::ModelSource source;
  source.model = model;
  source.weights = options.weights;
  source.seed = options.seed;
  for (const auto& [name, shape] : options.input_shapes) source.input_shapes[name] = shape;
  const auto target = facade::ParseDeploymentTarget(options.minimum_deployment_target);
  if (!target.ok()) return facade::ToFailure(target.error());
  source.target = *target;
  auto loaded = facade::LoadModel(source);
  if (!loaded.ok()) return facade::ToFailure(loaded.error());
  auto impl = std::make_shared<Impl>();
  impl->loaded = std::move(*loaded);
  impl->argument = model;
  impl->options = options;
  if (!options.function.empty()) {
    const auto function = exec::ChooseFunction(*impl->loaded.model, options.function);
    if (!function.ok()) return facade::ToFailure(function.error());
  }
  return Model(std::move(impl));
}

std::vector<FeatureInfo> Model::inputs() const {
  std::vector<FeatureInfo> infos;
  if (const auto* description = impl_->description()) {
    for (const auto& feature : description->inputs) infos.push_back(ToInfo(feature));
  }
  return infos;
}

std::vector<FeatureInfo> Model::outputs() const {
  std::vector<FeatureInfo> infos;
  if (const auto* description = impl_->description()) {
    for (const auto& feature : description->outputs) infos.push_back(ToInfo(feature));
  }
  return infos;
}

std::optional<Classes> Model::classes() const {
  const auto function = exec::ChooseFunction(*impl_->loaded.model, impl_->options.function);
  return function.ok() ? facade::ToClasses(exec::ClassesOf(**function)) : std::nullopt;
}

Expected<std::map<std::string, Array>> Model::Predict(const std::map<std::string, Array>& inputs,
                                                      State* state) const {
  const auto session = impl_->Open();
  if (!session.ok()) return facade::ToFailure(session.error());
  const auto tensors = facade::ToTensors(inputs, (*session)->function());
  if (!tensors.ok()) return facade::ToFailure(tensors.error());
  auto outputs =
      (*session)->Predict(*tensors, state != nullptr ? &facade::ValuesOf(*state) : nullptr);
  if (!outputs.ok()) return facade::ToFailure(std::move(outputs).At(impl_->loaded.name).error());
  auto arrays = facade::ToArrays(*outputs);
  if (!arrays.ok()) return facade::ToFailure(arrays.error());
  return std::move(*arrays);
}

Expected<Model> Model::Convert(const ConvertOptions& options) const {
  facade::ConvertOptions internal;
  const auto target = facade::ParseDeploymentTarget(options.minimum_deployment_target);
  if (!target.ok()) return facade::ToFailure(target.error());
  internal.target = *target;
  if (options.compute_precision == "float16") {
    internal.precision = facade::Precision::kFloat16;
  } else if (options.compute_precision != "float32") {
    return facade::ToFailure(Usage("unknown compute precision '{}'", options.compute_precision)
                                 .Advise("choose float32 or float16"));
  }
  internal.keep_float32 = options.keep_float32;
  auto impl = std::make_shared<Impl>();
  impl->loaded.model = std::make_shared<ir::Model>(facade::CloneModel(*impl_->loaded.model));
  impl->loaded.name = impl_->loaded.name;
  impl->options = impl_->options;
  const Status status = facade::Convert(*impl->loaded.model, internal);
  if (!status.ok()) return facade::ToFailure(status.error());
  return Model(std::move(impl));
}

Expected<Model> Model::Compress(const CompressOptions& options) const {
  facade::CompressOptions internal;
  internal.mode = options.mode;
  internal.dtype = options.dtype;
  internal.granularity = options.granularity;
  internal.weight_threshold = options.weight_threshold;
  internal.nbits = options.nbits;
  internal.palette = options.palette;
  internal.block_size = options.block_size;
  internal.group_size = options.group_size;
  internal.cluster_dim = options.cluster_dim;
  internal.per_channel_scale = options.per_channel_scale;
  internal.lut_dtype = options.lut_dtype;
  internal.target_sparsity = options.target_sparsity;
  internal.nm = options.nm;
  internal.threshold = options.threshold;
  internal.joint = options.joint;
  internal.calibration = options.calibration;
  internal.calibration_limit = options.calibration_limit;
  internal.observer = options.observer;
  internal.equalize = options.equalize;
  internal.correct_bias = options.correct_bias;
  internal.rounding = options.rounding;
  internal.config = options.config;
  auto impl = std::make_shared<Impl>();
  impl->loaded.model = std::make_shared<ir::Model>(facade::CloneModel(*impl_->loaded.model));
  impl->loaded.name = impl_->loaded.name;
  impl->options = impl_->options;
  const Status status = facade::Compress(*impl->loaded.model, internal);
  if (!status.ok()) return facade::ToFailure(status.error());
  return Model(std::move(impl));
}

std::optional<Failure> Model::Save(const std::string& path) const {
  const Status status = facade::Save(*impl_->loaded.model, path);
  if (status.ok()) return std::nullopt;
  return facade::ToFailure(status.error());
}

Expected<std::string> Model::InspectJson(bool operators, bool weights) const {
  const auto summary = facade::Inspect(*impl_->loaded.model, impl_->options.function);
  if (!summary.ok()) return facade::ToFailure(summary.error());
  return facade::InspectJson(*impl_->loaded.model, *summary, impl_->loaded.name, operators,
                             weights);
}

std::string Model::Text() const { return ir::PrintText(impl_->loaded.model->program); }

}  // namespace anemone
