// RunConvertFile: from a network to an ML Program with its manifest, with the document
// "anemone.convert".
#include <cmath>

#include "base/clock.h"
#include "facade/convert_checked.h"
#include "facade/document.h"
#include "facade/downloads.h"
#include "facade/package_manifest.h"
#include "facade/save.h"
#include "facade/tool_options.h"
#include "facade/tools.h"
#include "options/option.h"

namespace anemone::facade {
namespace {

// Beside a package; a .mil text has none. Nothing was compared here: the deltas stay unknown.
Status WriteManifestOf(const ConvertFileOptions& options, const LoadedModel& converted,
                       const std::string& output, SourceHash& hash, const TreeFacts& facts) {
  if (output.ends_with(".mil")) return {};
  lab::Manifest manifest;
  manifest.precision = options.convert.compute_precision == "float16" ? "fp16" : "fp32";
  ANEMONE_TRY(DescribePackage(hash, converted, *converted.model, output, &facts, &manifest));
  return lab::WriteManifest(manifest, lab::ManifestPathOf(output));
}

Json CheckJson(const ConvertReport::Float16& found) {
  const auto error = [](const std::optional<double>& value) {
    return value && std::isfinite(*value) ? Json(*value) : Json();
  };
  return {{"inputs", found.inputs.empty() ? Json() : Json(found.inputs)},
          {"skipped", found.skipped.empty() ? Json() : Json(found.skipped)},
          {"error_without_keeping", error(found.error_plain)},
          {"error", error(found.error)},
          {"keep_float32", found.keep_float32},
          {"rescaled_operators", found.rescaled},
          {"float32_share", found.float32_share},
          {"float32_operators", found.float32_operators},
          {"casts_added", found.casts_added}};
}

std::string ConvertJson(const ConvertFileOptions& options, const ConvertFileResult& result,
                        const LoadedModel& converted, const ConvertReport& report) {
  const std::string& output = result.output;
  Json document = Document("anemone.convert");
  document["model"] = options.model;
  document["output"] = output;
  document["manifest"] = output.ends_with(".mil") ? Json() : Json(lab::ManifestPathOf(output));
  document["size_bytes"] = result.size_bytes;
  document["minimum_deployment_target"] = result.minimum_deployment_target;
  document["compute_precision"] = options.convert.compute_precision;
  document["operations"] = result.operations;
  document["weights"] = converted.weights.empty() ? Json() : Json(converted.weights);
  Json metadata = Json::Object();
  for (const auto& [key, value] : converted.model->metadata.user_defined) metadata[key] = value;
  document["metadata"] = std::move(metadata);
  std::vector<std::string> notes = result.warnings;
  notes.insert(notes.end(), report.notes.begin(), report.notes.end());
  document["notes"] = notes;
  Json passes = Json::Array();
  for (const ConvertReport::Pass& pass : report.passes) {
    passes.push_back(
        {{"name", pass.name}, {"duration_ns", pass.duration_ns}, {"changed", pass.changed}});
  }
  document["passes"] = std::move(passes);
  document["float16"] = report.float16 ? CheckJson(*report.float16) : Json();
  document["duration_ns"] = result.duration_ns;
  return DocumentText(document);
}

}  // namespace

Result<ConvertFileResult> RunConvertFile(const ConvertFileOptions& options, const Hooks& hooks) {
  const int64_t start_ns = NowNs();
  ANEMONE_TRY(options::Check(options));  // before anything is fetched
  const std::string& target = options.convert.minimum_deployment_target;
  ConvertFileResult result;
  ANEMONE_ASSIGN(const ir::Opset opset, ParseDeploymentTarget(target));
  result.minimum_deployment_target = DeploymentTargetName(opset);
  if (!options.output.empty()) ANEMONE_TRY(CheckOutput(options.output));
  Tell(hooks, "reading " + options.model);
  ModelSource source = SourceOf(options, target);
  ANEMONE_ASSIGN(source.fetch, ToFetchOptions(options.download, hooks, options.model));
  SourceHash hash(options.output.ends_with(".mil") ? "" : options.model);
  ANEMONE_ASSIGN(const LoadedModel loaded, LoadModel(source));
  result.output = options.output.empty() ? loaded.name + ".mlpackage" : options.output;
  ConvertReport report;
  const auto on_pass = [&](std::string_view pass) {
    Tell(hooks, fmt::format("pass {}", pass));
    return CheckCancelled(hooks).ok();
  };
  ANEMONE_TRY(ConvertChecked(*loaded.model, options.convert, &report, on_pass).At(options.model));
  Tell(hooks, "writing " + result.output);
  TreeFacts facts;
  ANEMONE_TRY(Save(*loaded.model, result.output, &facts));
  ANEMONE_TRY(WriteManifestOf(options, loaded, result.output, hash, facts));
  result.duration_ns = NowNs() - start_ns;
  ANEMONE_ASSIGN(result.size_bytes, SizeOnDisk(result.output));
  result.operations_before = report.operations_before;
  result.operations = report.operations_after;
  result.warnings = loaded.model->notes;
  result.notes = report.notes;
  result.json = ConvertJson(options, result, loaded, report);
  return result;
}

}  // namespace anemone::facade
