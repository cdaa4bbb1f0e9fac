// The body of include/anemone/model.h.
#include "anemone/model.h"

#include <mutex>

#include "exec/backend.h"
#include "exec/function_inputs.h"
#include "facade/arrays.h"
#include "facade/compress.h"
#include "facade/convert_checked.h"
#include "facade/document.h"
#include "facade/inspect.h"
#include "facade/inspect_json.h"
#include "facade/inspect_placement.h"
#include "facade/model_handle.h"
#include "facade/model_source.h"
#include "facade/save.h"
#include "facade/session_options.h"
#include "facade/state.h"
#include "facade/structure.h"
#include "ir/text.h"
#include "runtime/session.h"

namespace anemone {
namespace {

std::string ColorName(ir::ImageFeature::ColorSpace color_space) {
  switch (color_space) {
    case ir::ImageFeature::ColorSpace::kGrayscale:
      return "gray";
    case ir::ImageFeature::ColorSpace::kGrayscaleFp16:
      return "gray_float16";
    case ir::ImageFeature::ColorSpace::kRgb:
      return "rgb";
    case ir::ImageFeature::ColorSpace::kBgr:
      return "bgr";
  }
  return "rgb";
}

std::string ScalarName(ir::ScalarFeature scalar) {
  switch (scalar) {
    case ir::ScalarFeature::kInt64:
      return "int64";
    case ir::ScalarFeature::kDouble:
      return "float64";
    case ir::ScalarFeature::kString:
      return "string";
  }
  return "other";
}

FeatureInfo ToInfo(const ir::Feature& feature) {
  FeatureInfo info{.name = feature.name, .dtype = "other", .shape = {}};
  info.optional = feature.optional;
  const auto* state = std::get_if<ir::StateFeature>(&feature.type);
  const auto* array = state != nullptr ? &state->array : feature.array();
  if (array != nullptr) {
    info.dtype = facade::NumpyNameOf(array->dtype);
    info.shape = array->shape;
  } else if (const auto* image = feature.image()) {
    info.dtype = "image";
    info.color = ColorName(image->color_space);
    const int64_t channels = info.color.starts_with("gray") ? 1 : 3;
    info.shape = {1, channels, image->size.height, image->size.width};
  } else if (const auto* scalar = std::get_if<ir::ScalarFeature>(&feature.type)) {
    info.dtype = ScalarName(*scalar);
  } else if (std::holds_alternative<ir::DictionaryFeature>(feature.type)) {
    info.dtype = "dictionary";
  }
  return info;
}

std::vector<FeatureInfo> ToInfos(const std::vector<ir::Feature>& features) {
  std::vector<FeatureInfo> infos;
  for (const ir::Feature& feature : features) infos.push_back(ToInfo(feature));
  return infos;
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
  const auto* description = impl_->description();
  return description != nullptr ? ToInfos(description->inputs) : std::vector<FeatureInfo>();
}

std::vector<FeatureInfo> Model::outputs() const {
  const auto* description = impl_->description();
  return description != nullptr ? ToInfos(description->outputs) : std::vector<FeatureInfo>();
}

std::vector<FeatureInfo> Model::states() const {
  const auto* description = impl_->description();
  return description != nullptr ? ToInfos(description->states) : std::vector<FeatureInfo>();
}

std::vector<std::string> Model::notes() const { return impl_->loaded.model->notes; }

std::optional<Classes> Model::classes() const {
  const auto function = exec::ChooseFunction(*impl_->loaded.model, impl_->options.function);
  return function.ok() ? facade::ToClasses(exec::ClassesOf(**function)) : std::nullopt;
}

Expected<std::map<std::string, Array>> Model::Predict(const std::map<std::string, Array>& inputs,
                                                      State* state) const {
  const ForkGate::Call entered = impl_->gate.Enter();
  const Status usable = entered.status();
  if (!usable.ok()) return facade::ToFailure(usable.error());
  const auto session = impl_->Open();
  if (!session.ok()) return facade::ToFailure(session.error());
  const auto tensors =
      facade::ToTensors(inputs, (*session)->function(), impl_->loaded.model->metadata);
  if (!tensors.ok()) return facade::ToFailure(tensors.error());
  exec::State* const values = state != nullptr ? &facade::ValuesOf(*state) : nullptr;
  const Status given = facade::CheckStateIsGiven((*session)->function(), values);
  if (!given.ok()) return facade::ToFailure(given.error());
  auto outputs = (*session)->Predict(*tensors, values);
  if (!outputs.ok()) return facade::ToFailure(std::move(outputs).At(impl_->loaded.name).error());
  auto arrays = facade::ToArrays(*outputs);
  if (!arrays.ok()) return facade::ToFailure(arrays.error());
  return std::move(*arrays);
}

Expected<State> Model::MakeState() const {
  const auto function = exec::ChooseFunction(*impl_->loaded.model, impl_->options.function);
  if (!function.ok()) return facade::ToFailure(function.error());
  auto state = facade::MakeState(**function);
  if (!state.ok()) return facade::ToFailure(state.error());
  return std::move(*state);
}

Expected<Model> Model::Convert(const ConvertOptions& options) const {
  auto impl = impl_->Clone();
  const Status status = facade::ConvertChecked(*impl->loaded.model, options);
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

Expected<std::string> Model::PlacementJson(const std::string& chip,
                                           const std::string& compute_units) const {
  const auto report = [&]() -> Result<facade::PlacementReport> {
    ANEMONE_ASSIGN(const auto chips, placement::ParseChips(chip));
    ANEMONE_ASSIGN(const ComputeUnits units, ComputeUnitsFromName(compute_units));
    return facade::AnalyzePlacement(*impl_->loaded.model, impl_->options.function, chips, units);
  }();
  if (!report.ok()) return facade::ToFailure(report.error());
  return facade::DocumentText(facade::PlacementJson(*report));
}

std::string Model::StructureJson() const {
  return facade::StructureJson(impl_->loaded.model->program);
}

std::string Model::Text() const { return ir::PrintText(impl_->loaded.model->program); }

}  // namespace anemone
