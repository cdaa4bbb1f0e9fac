// The body of include/anemone/model.h.
#include "anemone/model.h"

#include <mutex>

#include "exec/backend.h"
#include "exec/session_inputs.h"
#include "facade/arrays.h"
#include "facade/compress.h"
#include "facade/convert.h"
#include "facade/document.h"
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

std::shared_ptr<Model::Impl> Model::Impl::Clone() const {
  auto impl = std::make_shared<Impl>();
  impl->loaded.model = std::make_shared<ir::Model>(facade::CloneModel(*loaded.model));
  impl->loaded.name = loaded.name;
  impl->options = options;
  return impl;
}

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
  source.options = options;
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
  auto impl = impl_->Clone();
  const Status status = facade::Convert(*impl->loaded.model, options);
  if (!status.ok()) return facade::ToFailure(status.error());
  return Model(std::move(impl));
}

Expected<Model> Model::Compress(const CompressOptions& options) const {
  auto impl = impl_->Clone();
  const Status status = facade::Compress(*impl->loaded.model, options);
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
  return facade::DocumentText(
      facade::InspectJson(*impl_->loaded.model, *summary, impl_->loaded.name, operators, weights));
}

std::string Model::Text() const { return ir::PrintText(impl_->loaded.model->program); }

}  // namespace anemone
