#include "facade/gate_models.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/json.h"
#include "base/mapped_file.h"
#include "exec/function_inputs.h"
#include "facade/convert.h"
#include "facade/convert_checked.h"
#include "facade/save.h"
#include "facade/session_options.h"
#include "facade/tensor_files.h"
#include "facade/tool_options.h"
#include "lab/input_files.h"
#include "lab/manifest.h"

namespace anemone::facade {
namespace {

namespace fs = std::filesystem;

bool IsPackage(const std::string& path) {
  return path.ends_with(".mlpackage") || path.ends_with(".mlpackage/");
}

// The catalog's network that a manifest says it comes from, built anew; null when it does not.
Result<std::shared_ptr<const ir::Model>> Rebuilt(const std::string& manifest_path) {
  const std::shared_ptr<const ir::Model> none;
  const auto file = MapFile(manifest_path);
  if (!file.ok()) return none;
  const auto json = ParseJson(file->text());
  if (!json.ok()) return none;
  const Json& weights = (*json)["weights"];
  const Json& seed = weights["anemone.weights.seed"];
  const Json& name = weights["anemone.architecture"];
  if (weights["source"].text() != "seeded" || !seed.is_text() || !name.is_text()) return none;
  ModelOptions network;
  network.model = name.text();
  network.weights = "seeded";
  network.seed = std::strtoull(seed.text().c_str(), nullptr, 10);
  ANEMONE_ASSIGN(const auto loaded, LoadModel(network));
  return std::shared_ptr<const ir::Model>(loaded.model);
}

Status FindReference(const GateOptions& options, const std::string& package,
                     gate::LiveModel& live) {
  const std::string manifest_path = lab::ManifestPathOf(package);
  const auto manifest = lab::ReadManifest(manifest_path);
  if (manifest.ok()) live.precision = manifest->precision;
  std::string reference = options.reference;
  if (reference.empty() && manifest.ok()) {
    ANEMONE_ASSIGN(live.reference, Rebuilt(manifest_path));
    live.reference_name = manifest->model + " (built anew)";
    if (live.reference != nullptr) return {};
    const fs::path beside =
        fs::path(manifest_path).parent_path() / (manifest->model + "_fp32.mlpackage");
    std::error_code ignored;
    // A package beside itself would show nothing.
    if (fs::exists(beside, ignored) && !fs::equivalent(beside, package, ignored)) {
      reference = beside.string();
    }
  }
  if (reference.empty()) {
    live.reference_problem =
        "there is no original to compare with: --reference MODEL, or NAME_fp32.mlpackage beside it";
    return {};
  }
  ANEMONE_ASSIGN(const auto loaded, LoadModel(reference));
  live.reference = loaded.model;
  live.reference_name = fs::path(reference).filename().string();
  return {};
}

Result<std::vector<lab::Inputs>> RealInputs(const GateOptions& options, const ir::Model& model) {
  std::vector<lab::Inputs> sets;
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(model, ""));
  if (!options.inputs.empty()) {
    ANEMONE_ASSIGN(auto set, ReadInputs(model, *function, options.inputs));
    sets.push_back(std::move(set));
  }
  if (options.images.empty()) return sets;
  ANEMONE_ASSIGN(const auto files, lab::InputFiles::Open(options.images, model, {}, options.limit));
  for (int64_t i = 0; i < files.count(); ++i) {
    ANEMONE_ASSIGN(auto set, files.Sample(i));
    sets.push_back(std::move(set));
  }
  return sets;
}

Result<gate::LiveModel> FromPackage(const GateOptions& options, const std::string& package) {
  ANEMONE_ASSIGN(const auto loaded, LoadModel(package));
  gate::LiveModel live;
  live.name = fs::path(package.ends_with('/') ? package.substr(0, package.size() - 1) : package)
                  .stem()
                  .string();
  live.path = package;
  live.model = loaded.model;
  ANEMONE_ASSIGN(live.hash, ContentHash(loaded, package));
  ANEMONE_TRY(FindReference(options, package, live));
  return live;
}

Result<gate::LiveModel> Converted(const GateOptions& options, const std::string& model,
                                  const std::string& scratch) {
  ModelOptions source;
  source.model = model;
  source.weights = options.weights;
  source.seed = options.seed;
  ANEMONE_ASSIGN(const auto original, LoadModel(source, options.minimum_deployment_target));
  ir::Model converted = CloneModel(*original.model);
  const ConvertOptions convert{.minimum_deployment_target = options.minimum_deployment_target,
                               .compute_precision = "float16"};
  // As `anemone convert` does, so that what it would write is what is judged.
  ANEMONE_TRY(ConvertChecked(converted, convert).At(model));
  gate::LiveModel live;
  live.name = original.name + "_fp16";
  live.path = scratch + "/" + live.name + ".mlpackage";
  ANEMONE_TRY(Save(converted, live.path));
  // What is judged is what was written, read back.
  ANEMONE_ASSIGN(const auto written, LoadModel(live.path));
  live.model = written.model;
  live.precision = "fp16";
  ANEMONE_ASSIGN(live.hash, ContentHash(written, live.path));
  live.reference = original.model;
  live.reference_name = original.name;
  if (!options.reference.empty()) {
    ANEMONE_ASSIGN(const auto reference, LoadModel(options.reference));
    live.reference = reference.model;
    live.reference_name = fs::path(options.reference).filename().string();
  }
  return live;
}

}  // namespace

Result<gate::Policy> FindPolicy(const std::string& path) {
  if (path.empty()) return gate::BuiltInGateC();
  return gate::ReadPolicy(path);
}

Result<std::vector<std::string>> ExpandFolders(const std::vector<std::string>& models) {
  std::vector<std::string> expanded;
  for (const std::string& model : models) {
    std::error_code error;
    if (IsPackage(model) || model.ends_with(".mlmodelc") || !fs::is_directory(model, error)) {
      expanded.push_back(model);
      continue;
    }
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(model, error)) {
      if (entry.path().extension() == ".mlpackage") found.push_back(entry.path().string());
    }
    if (error) return IoError("cannot list: {}", error.message()).At(model);
    if (found.empty()) return NotFound("there is no .mlpackage in this folder").At(model);
    std::sort(found.begin(), found.end());
    expanded.insert(expanded.end(), found.begin(), found.end());
  }
  return expanded;
}

Result<gate::LiveModel> MakeLiveModel(const GateOptions& options, const std::string& model,
                                      const std::string& scratch) {
  ANEMONE_ASSIGN(gate::LiveModel live, IsPackage(model) ? FromPackage(options, model)
                                                        : Converted(options, model, scratch));
  ANEMONE_ASSIGN(live.real_inputs, RealInputs(options, *live.model));
  return live;
}

}  // namespace anemone::facade
