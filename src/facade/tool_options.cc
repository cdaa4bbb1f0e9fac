#include "facade/tool_options.h"

#include "facade/convert.h"

namespace anemone::facade {

Result<LoadedModel> LoadModel(const ModelOptions& options, const std::string& target) {
  ModelSource source;
  source.model = options.model;
  source.weights = options.weights;
  source.seed = options.seed;
  for (const auto& [name, shape] : options.input_shapes) source.input_shapes[name] = shape;
  ANEMONE_ASSIGN(source.target, ParseDeploymentTarget(target));
  return LoadModel(source);
}

Result<LoadedModel> LoadModel(const std::string& model) {
  ModelOptions options;
  options.model = model;
  return LoadModel(options);
}

Result<lab::Preprocess> PreprocessOf(const PreprocessOptions& options) {
  lab::Preprocess preprocess;
  preprocess.resize = options.resize;
  preprocess.crop = options.crop;
  preprocess.mean = options.mean;
  preprocess.deviation = options.deviation;
  for (const float deviation : options.deviation) {
    if (deviation == 0) return Usage("--std must not be zero");
  }
  const auto filter = media::FilterFromName(options.interpolation);
  if (!filter) {
    return Usage("unknown interpolation '{}'", options.interpolation)
        .Advise("choose box, bilinear, bicubic or lanczos");
  }
  preprocess.filter = *filter;
  return preprocess;
}

Status CheckCancelled(const Hooks& hooks) {
  if (hooks.cancelled && hooks.cancelled()) return Cancelled("interrupted");
  return {};
}

}  // namespace anemone::facade
