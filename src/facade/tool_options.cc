#include "facade/tool_options.h"

namespace anemone::facade {

ModelSource SourceOf(const ModelOptions& options, const std::string& target) {
  ModelSource source;
  source.model = options.model;
  source.options.weights = options.weights;
  source.options.seed = options.seed;
  source.options.input_shapes = options.input_shapes;
  source.options.minimum_deployment_target = target;
  return source;
}

Result<LoadedModel> LoadModel(const ModelOptions& options, const std::string& target) {
  return LoadModel(SourceOf(options, target));
}

Result<LoadedModel> LoadModel(const std::string& model) {
  ModelOptions options;
  options.model = model;
  return LoadModel(options);
}

Status CheckCancelled(const Hooks& hooks) {
  if (hooks.cancelled && hooks.cancelled()) return Cancelled("interrupted");
  return {};
}

}  // namespace anemone::facade
