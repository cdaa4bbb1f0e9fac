#include "facade/tool_options.h"

#include <algorithm>

namespace anemone::facade {

ModelSource SourceOf(const ModelOptions& options, const std::string& target) {
  ModelSource source;
  source.model = options.model;
  source.options.weights = options.weights;
  source.options.seed = options.seed;
  source.options.input_shapes = options.input_shapes;
  source.options.input_value = options.input_value;
  source.options.lowering = options.lowering;
  source.options.clamp_int64 = options.clamp_int64;
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

std::map<std::string, std::vector<int64_t>> FixedShapes(
    const std::map<std::string, std::vector<Dimension>>& shapes) {
  std::map<std::string, std::vector<int64_t>> fixed;
  for (const auto& [name, shape] : shapes) {
    if (!std::ranges::all_of(shape, &Dimension::is_fixed)) continue;
    for (const Dimension& dimension : shape) fixed[name].push_back(dimension.size);
  }
  return fixed;
}

Status CheckCancelled(const Hooks& hooks) {
  if (hooks.cancelled && hooks.cancelled()) return Cancelled("interrupted");
  return {};
}

}  // namespace anemone::facade
