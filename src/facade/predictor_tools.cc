#include "facade/predictor_tools.h"

#include <algorithm>

#include "base/clock.h"
#include "facade/document.h"
#include "facade/feature_files.h"
#include "facade/inspect.h"
#include "facade/inspect_json.h"
#include "facade/predictor_source.h"
#include "facade/random_features.h"

namespace anemone::facade {
namespace {

// Parameters of any depth, one line each: "trees: 40", "stages: 2" and below it each stage.
std::string ParametersText(const Json& json, const std::string& indent) {
  constexpr size_t kShown = 8;  // elements of a list
  std::string text;
  for (const JsonMember& member : json.items()) {
    const Json& value = member.value;
    const bool nested = value.is_array() && !value.empty() && value[0].is_object();
    if (value.is_object()) {
      if (!value.empty()) text += indent + member.key + ":\n";
      text += ParametersText(value, indent + "  ");
    } else if (nested) {
      text += fmt::format("{}{}: {}\n", indent, member.key, value.size());
      for (const Json& element : value)
        text += indent + "-\n" + ParametersText(element, indent + "  ");
    } else if (value.is_array() && value.size() > kShown) {
      text += fmt::format("{}{}: {} values, the first {} and the last {}\n", indent, member.key,
                          value.size(), value.front().Dump(), value.back().Dump());
    } else {
      text += fmt::format("{}{}: {}\n", indent, member.key,
                          value.is_text() ? value.text() : value.Dump());
    }
  }
  return text;
}

std::string InspectText(const LoadedPredictor& loaded) {
  const ir::FunctionDescription& description = loaded.predictor->description();
  std::string text =
      fmt::format("specification version {}, {}\n", loaded.spec_version, loaded.type);
  for (const ir::Feature& feature : description.inputs) {
    text += fmt::format("input   {}{}\n", DescribeFeature(feature),
                        feature.optional ? " (optional)" : "");
  }
  for (const ir::Feature& feature : description.outputs)
    text += "output  " + DescribeFeature(feature) + "\n";
  text += ParametersText(loaded.predictor->Parameters(), "");
  for (const auto& [key, value] : loaded.predictor->interface().metadata.user_defined)
    text += fmt::format("metadata {} = {}\n", key, value);
  return text;
}

}  // namespace

Result<InspectResult> InspectFeatureModel(const format::ModelFile& file,
                                          const InspectOptions& options) {
  if (options.placement || options.operators || options.list_weights) {
    return Usage("a {} has no operators, so that --placement, --ops and --weights say nothing",
                 file.type_name())
        .At(options.model);
  }
  ANEMONE_ASSIGN(const LoadedPredictor loaded, DescribePredictor(file));
  InspectResult result;
  result.json = DocumentText(
      InspectPredictor(*loaded.predictor, loaded.type, options.model, loaded.spec_version));
  result.text = InspectText(loaded);
  return result;
}

Result<RunResult> RunFeatureModel(const ModelSource& source, const RunOptions& options) {
  const int64_t load_start_ns = NowNs();
  ANEMONE_ASSIGN(const LoadedPredictor loaded, LoadPredictor(source, options.session));
  const ir::FunctionDescription& description = loaded.predictor->description();
  ANEMONE_ASSIGN(const auto inputs, options.random_inputs
                                        ? RandomFeatures(description, options.input_seed)
                                        : ReadFeatures(description, options.inputs));
  const int64_t start_ns = NowNs();
  feature_models::FeatureValues outputs;
  const int64_t calls = std::max<int64_t>(1, options.iterations);
  for (int64_t i = 0; i < calls; ++i) {
    ANEMONE_ASSIGN(outputs, loaded.predictor->Predict(inputs).At(options.model));
  }
  const int64_t end_ns = NowNs();
  if (!options.output_dir.empty()) ANEMONE_TRY(WriteFeatures(outputs, options.output_dir));
  Json document = Document("anemone.run");
  document["model"] = options.model;
  document["type"] = loaded.type;
  document["load_ns"] = start_ns - load_start_ns;
  document["run_ns"] = end_ns - start_ns;
  document["iterations"] = calls;
  Json list = Json::Array();
  for (const auto& [name, value] : outputs) list.push_back(FeatureValueJson(name, value));
  document["outputs"] = std::move(list);
  return RunResult{DocumentText(document)};
}

}  // namespace anemone::facade
