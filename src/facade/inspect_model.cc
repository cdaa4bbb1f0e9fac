// RunInspect and MilText: what a model holds, as text and as the document "anemone.inspect".
#include "facade/document.h"
#include "facade/inspect.h"
#include "facade/inspect_json.h"
#include "facade/inspect_placement.h"
#include "facade/predictor_source.h"
#include "facade/predictor_tools.h"
#include "facade/tool_options.h"
#include "facade/tools.h"
#include "ir/text.h"
#include "options/option.h"

namespace anemone::facade {
namespace {

std::string SummaryText(const ir::Model& model, const Summary& summary,
                        const InspectOptions& options) {
  std::string out = fmt::format("specification version {} ({}), function {}\n",
                                summary.spec_version, summary.target, summary.function);
  if (summary.functions.size() > 1) {
    out += "functions:";
    for (const std::string& name : summary.functions) out += " " + name;
    out += "\n";
  }
  if (const auto* description = model.FindFunction(summary.function)) {
    const auto list = [&](std::string_view kind, const std::vector<ir::Feature>& features) {
      for (const ir::Feature& feature : features)
        out += fmt::format("{:8}{}\n", kind, DescribeFeature(feature));
    };
    list("input", description->inputs);
    list("state", description->states);
    list("output", description->outputs);
  }
  out += fmt::format("{} operators, {:.3f} GFLOP, {} parameters, weights {}\n", summary.operations,
                     static_cast<double>(summary.flops) * 1e-9, summary.parameters,
                     SizeText(summary.weight_bytes));
  for (const auto& [dtype, bytes] : summary.weight_bytes_by_dtype)
    out += fmt::format("  {:8} {}\n", dtype, SizeText(bytes));
  for (const auto& [type, count] : summary.operator_counts)
    out += fmt::format("  {:5} x {}\n", count, type);
  for (const auto& [key, value] : model.metadata.user_defined)
    out += fmt::format("metadata {} = {}\n", key, value);
  if (options.operators) {
    for (const OperatorRow& row : summary.operators) {
      const std::string flops = row.flops < 0 ? "?" : std::to_string(row.flops);
      out += fmt::format("{:32} {:24} {:32} {:>14} flop {:>12} B weights\n", row.name, row.type,
                         row.output, flops, row.weight_bytes);
    }
  }
  if (options.list_weights) {
    for (const WeightRow& row : summary.weights)
      out += fmt::format("{:40} {:36} {}\n", row.name, row.type, SizeText(row.bytes));
  }
  return out;
}

// Where the model comes from, its file opened.
Result<ModelSource> OpenInspected(const InspectOptions& options) {
  ANEMONE_TRY(options::Check(options));
  ModelSource source = SourceOf(options, options.minimum_deployment_target);
  ANEMONE_ASSIGN(source.file, OpenModelFile(options.model));
  return source;
}

}  // namespace

Result<InspectResult> RunInspect(const InspectOptions& options) {
  ANEMONE_ASSIGN(const ModelSource source, OpenInspected(options));
  if (IsFeatureModel(source.file.get())) return InspectFeatureModel(*source.file, options);
  ANEMONE_ASSIGN(const LoadedModel loaded, LoadModel(source));
  const ir::Model& model = *loaded.model;
  ANEMONE_ASSIGN(const Summary summary, Inspect(model, options.function).At(options.model));
  InspectResult result;
  Json document =
      InspectJson(model, summary, options.model, options.operators, options.list_weights);
  if (options.placement) {
    ANEMONE_ASSIGN(const auto chips, placement::ParseChips(options.chip));
    ANEMONE_ASSIGN(const ComputeUnits units, ComputeUnitsFromName(options.compute_units));
    ANEMONE_ASSIGN(const PlacementReport report,
                   AnalyzePlacement(model, options.function, chips, units));
    document["placement"] = PlacementJson(report);
    result.text = PlacementText(report, options.operators);
  } else {
    result.text = SummaryText(model, summary, options);
  }
  result.json = DocumentText(document);
  return result;
}

Result<std::string> MilText(const InspectOptions& options) {
  ANEMONE_ASSIGN(const ModelSource source, OpenInspected(options));
  if (IsFeatureModel(source.file.get())) {
    return Usage("a {} has no operators, so that there is no text of it", source.file->type_name())
        .At(options.model);
  }
  ANEMONE_ASSIGN(const LoadedModel loaded, LoadModel(source));
  ir::PrintOptions print;
  print.value_elements = 64;
  return ir::PrintText(loaded.model->program, print);
}

}  // namespace anemone::facade
