#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/option_flags.h"
#include "facade/convert.h"
#include "facade/package_manifest.h"
#include "facade/save.h"

namespace anemone::cli {
namespace {

struct ConvertFlags {
  ModelFlags model;
  std::string output;
  ConvertOptions options;
  FetchNetworkFlags network;
};

int64_t NanosSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
}

// Beside a package; a .mil text has none. Nothing was compared here: the deltas stay unknown.
Status WriteManifest(const ConvertFlags& flags, const facade::LoadedModel& converted,
                     const std::string& output) {
  if (output.ends_with(".mil")) return {};
  lab::Manifest manifest;
  manifest.precision = flags.options.compute_precision == "float16" ? "fp16" : "fp32";
  ANEMONE_TRY(facade::DescribePackage(flags.model.source.model, converted, *converted.model, output,
                                      &manifest));
  return lab::WriteManifest(manifest, lab::ManifestPathOf(output));
}

Status RunConvert(const ConvertFlags& flags, const Globals& globals) {
  const auto start = std::chrono::steady_clock::now();
  ANEMONE_TRY(options::Check(flags.options));  // before anything is fetched
  ANEMONE_ASSIGN(const ir::Opset target,
                 facade::ParseDeploymentTarget(flags.options.minimum_deployment_target));
  Progress progress(globals);
  const auto on_pass = [&](std::string_view pass) {
    progress.Step(fmt::format("pass {}", pass));
    return true;
  };
  progress.Step("reading " + flags.model.source.model);
  ModelFlags model = flags.model;
  model.source.options.minimum_deployment_target = flags.options.minimum_deployment_target;
  ANEMONE_ASSIGN(model.source.fetch,
                 MakeFetchOptions(flags.network, globals, progress, model.source.model));
  ANEMONE_ASSIGN(auto loaded, Load(model));
  const std::string output = flags.output.empty() ? loaded.name + ".mlpackage" : flags.output;
  facade::ConvertReport report;
  ANEMONE_TRY(
      facade::Convert(*loaded.model, flags.options, &report, on_pass).At(flags.model.source.model));
  progress.Step("writing " + output);
  ANEMONE_TRY(facade::Save(*loaded.model, output));
  ANEMONE_TRY(WriteManifest(flags, loaded, output));
  const int64_t duration_ns = NanosSince(start);
  ANEMONE_ASSIGN(const int64_t size, SizeOnDisk(output));
  if (globals.json) {
    Json document = Document("anemone.convert");
    document["model"] = flags.model.source.model;
    document["output"] = output;
    document["manifest"] =
        output.ends_with(".mil") ? Json(nullptr) : Json(lab::ManifestPathOf(output));
    document["size_bytes"] = size;
    document["minimum_deployment_target"] = facade::DeploymentTargetName(target);
    document["compute_precision"] = flags.options.compute_precision;
    document["operations"] = report.operations_after;
    document["weights"] = loaded.weights.empty() ? Json(nullptr) : Json(loaded.weights);
    document["metadata"] = loaded.model->metadata.user_defined;
    document["notes"] = report.notes;
    Json passes = Json::array();
    for (const auto& pass : report.passes) {
      passes.push_back(
          {{"name", pass.name}, {"duration_ns", pass.duration_ns}, {"changed", pass.changed}});
    }
    document["passes"] = std::move(passes);
    document["duration_ns"] = duration_ns;
    Print(document);
  }
  if (globals.verbose > 0) {
    for (const std::string& note : report.notes) Say(globals, "note: " + note);
  } else if (!report.notes.empty()) {
    Say(globals, fmt::format("{} notes from the passes; -v lists them", report.notes.size()));
  }
  Say(globals, fmt::format("{}: {}, {} operators ({} before the passes), {} in {:.2f} s", output,
                           facade::DeploymentTargetName(target), report.operations_after,
                           report.operations_before, SizeText(size),
                           static_cast<double>(duration_ns) * 1e-9));
  return {};
}

}  // namespace

void AddConvert(Command app, Context& context) {
  Command command = app.AddCommand("convert", "make an ML Program (.mlpackage) from a network");
  auto flags = std::make_shared<ConvertFlags>();
  AddModelFlags(command, flags->model, false);
  command.AddOption("-o,--output", flags->output,
                    "the .mlpackage to write; MODEL's name by default");
  AddOptions(command, options::TableOf(flags->options));
  AddFetchNetworkFlags(command, flags->network);
  command.Footer(
      "Example: anemone convert model.onnx -o model.mlpackage --compute-precision float16");
  OnRun(command, context, [flags, &context] { return RunConvert(*flags, context.globals); });
}

}  // namespace anemone::cli
