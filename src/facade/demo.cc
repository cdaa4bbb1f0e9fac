// RunDemo: the catalog models, each as fp32, fp16 and int8 packages with manifests, each variant
// verified by running it beside the fp32 original; with the document "anemone.demo".
#include <filesystem>

#include "facade/compress.h"
#include "facade/convert.h"
#include "facade/convert_checked.h"
#include "facade/document.h"
#include "facade/output_comparison.h"
#include "facade/package_manifest.h"
#include "facade/save.h"
#include "facade/tool_options.h"
#include "facade/tools.h"
#include "lab/manifest.h"
#include "lab/verify.h"
#include "options/option.h"
#include "runtime/backends.h"

namespace anemone::facade {
namespace {

namespace fs = std::filesystem;

struct Variant {
  std::string precision;
  lab::ParityLimits limits;
};

// The fp32 package is held to what reordering float32 sums can do.
constexpr lab::ParityLimits kFp32Limits{1e-4, 1e-5};

Status MakeVariant(ir::Model& model, const std::string& precision, const std::string& target,
                   lab::Manifest* manifest) {
  ConvertOptions convert;
  convert.minimum_deployment_target = target;
  // int8 weights go with half-precision arithmetic: what the Neural Engine takes.
  convert.compute_precision = precision == "fp32" ? "float32" : "float16";
  ANEMONE_TRY(ConvertChecked(model, convert));
  if (precision != "int8") return {};
  // One scale for each tensor: the plainest form, which every target from iOS16 on has.
  CompressOptions compress;
  compress.granularity = "per_tensor";
  compress::Report report;
  ANEMONE_TRY(Compress(model, compress, &report));
  NoteTensors(report, manifest);
  return {};
}

// Runs what was written beside the original; of a failure, finds the first operator that drifts.
Status Judge(const LoadedModel& original, const LoadedModel& written, const Variant& variant,
             const exec::Backend& backend, const lab::VerifyOptions& verify,
             lab::Manifest* manifest) {
  manifest->parity_inputs = lab::DescribeInputs(verify);
  ANEMONE_ASSIGN(manifest->outputs,
                 lab::Verify(backend, original.model, written.model, variant.limits, verify));
  if (manifest->passed()) return {};
  const ir::Function* function = original.model->program.main();
  if (function == nullptr) return Internal("the model has no main function");
  ANEMONE_ASSIGN(const auto inputs,
                 exec::SyntheticInputs(*original.model, *function, verify.seed, 0));
  ANEMONE_ASSIGN(const auto drifts,
                 lab::CompareOperators(backend, original.model, written.model, inputs, verify));
  manifest->first_drift = lab::FirstDrift(drifts, variant.limits);
  return {};
}

Result<lab::Manifest> RunVariant(const DemoOptions& options, const LoadedModel& original,
                                 const Variant& variant, const exec::Backend& backend) {
  lab::Manifest manifest;
  manifest.precision = variant.precision;
  ir::Model model = CloneModel(*original.model);
  ANEMONE_TRY(MakeVariant(model, variant.precision, options.minimum_deployment_target, &manifest));
  const std::string stem =
      (fs::path(options.models_dir) / (original.name + "_" + variant.precision)).string();
  const std::string package = stem + ".mlpackage";
  ANEMONE_TRY(Save(model, package));
  // What is verified is what was written, read back.
  ANEMONE_ASSIGN(const LoadedModel written, LoadModel(package));
  const lab::VerifyOptions verify{.samples = options.samples, .threads = options.threads};
  ANEMONE_TRY(Judge(original, written, variant, backend, verify, &manifest));
  ANEMONE_TRY(DescribePackage(original.name, original, *written.model, package, &manifest));
  ANEMONE_TRY(lab::WriteManifest(manifest, stem + ".manifest.json"));
  return manifest;
}

DemoResult::Variant VariantRow(const lab::Manifest& manifest, const lab::ParityLimits& limits) {
  DemoResult::Variant row;
  row.model = manifest.model;
  row.precision = manifest.precision;
  row.package_size_bytes = manifest.package_size_bytes;
  row.limit_linf = limits.linf;
  row.limit_rmse = limits.rmse;
  for (const lab::OutputParity& output : manifest.outputs) row.outputs.push_back(ToRow(output));
  row.first_drift = manifest.first_drift;
  row.passed = manifest.passed();
  return row;
}

}  // namespace

Result<DemoResult> RunDemo(const DemoOptions& options, const Hooks& hooks) {
  ANEMONE_TRY(options::Check(options));
  std::error_code error;
  fs::create_directories(options.models_dir, error);
  if (error) return IoError("cannot make the folder: {}", error.message()).At(options.models_dir);
  ANEMONE_ASSIGN(const exec::Backend* backend, runtime::FindBackend("auto"));
  const std::vector<Variant> variants{
      {"fp32", kFp32Limits}, {"fp16", lab::kFp16Limits}, {"int8", lab::kInt8Limits}};
  DemoResult result;
  Json list = Json::Array();
  const auto tell = [&](const std::string& stage) {
    Tell(hooks, stage, static_cast<int64_t>(result.variants.size()),
         static_cast<int64_t>(options.models.size() * variants.size()));
    return CheckCancelled(hooks);
  };
  for (const std::string& name : options.models) {
    ANEMONE_TRY(tell("building " + name));
    ModelOptions source;
    source.model = name;
    source.weights = options.weights;
    source.seed = options.seed;
    ANEMONE_ASSIGN(const LoadedModel original,
                   LoadModel(source, options.minimum_deployment_target));
    for (const Variant& variant : variants) {
      ANEMONE_TRY(tell(name + " " + variant.precision));
      ANEMONE_ASSIGN(
          const lab::Manifest manifest,
          RunVariant(options, original, variant, *backend).At(name + " " + variant.precision));
      result.variants.push_back(VariantRow(manifest, variant.limits));
      if (!manifest.passed()) ++result.missed;
      ANEMONE_ASSIGN(Json json, ParseJson(lab::ToJson(manifest)));
      list.push_back(std::move(json));
    }
  }
  Json document = Document("anemone.demo");
  document["variants"] = std::move(list);
  document["missed"] = result.missed;
  result.json = DocumentText(document);
  return result;
}

}  // namespace anemone::facade
