// The main job on embedded defaults: the three catalog models, each as fp32, fp16 and int8
// packages with manifests, each variant verified by running it beside the fp32 original.
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "facade/compress.h"
#include "facade/convert.h"
#include "facade/package_manifest.h"
#include "facade/save.h"
#include "lab/manifest.h"
#include "lab/verify.h"
#include "runtime/backends.h"

namespace anemone::cli {
namespace {

namespace fs = std::filesystem;

struct DemoFlags {
  std::string directory = "models";
  std::vector<std::string> models{"fastvit_t8", "mobilenetv3_small", "resnet50"};
  std::string weights = "seeded";
  uint64_t seed = 0;
  std::string target = "iOS17";
  lab::VerifyOptions verify;
  bool strict = false;
};

struct Variant {
  std::string precision;
  lab::ParityLimits limits;
};

// The fp32 package is held to what reordering float32 sums can do.
constexpr lab::ParityLimits kFp32Limits{1e-4, 1e-5};

struct Row {
  std::string model;
  lab::Manifest manifest;
};

Status MakeVariant(ir::Model& model, const std::string& precision, const std::string& target,
                   lab::Manifest& manifest) {
  ConvertOptions convert;
  convert.minimum_deployment_target = target;
  // int8 weights go with half-precision arithmetic: what the Neural Engine takes.
  convert.compute_precision = precision == "fp32" ? "float32" : "float16";
  ANEMONE_TRY(facade::Convert(model, convert));
  if (precision != "int8") return {};
  // One scale for each tensor: the plainest form, which every target from iOS16 on has.
  CompressOptions compress;
  compress.granularity = "per_tensor";
  compress::Report report;
  ANEMONE_TRY(facade::Compress(model, compress, &report));
  for (const auto* tensors : {&report.compressed, &report.skipped}) {
    for (const auto& tensor : *tensors) {
      manifest.tensors.push_back(
          {tensor.name, tensor.bytes_before, tensor.bytes_after, tensor.reason});
    }
  }
  return {};
}

Result<Row> RunVariant(const DemoFlags& flags, const facade::LoadedModel& original,
                       const Variant& variant, const exec::Backend& backend) {
  Row row;
  row.model = original.name;
  lab::Manifest& manifest = row.manifest;
  manifest.precision = variant.precision;
  manifest.parity_inputs = lab::DescribeInputs(flags.verify);

  ir::Model model = facade::CloneModel(*original.model);
  ANEMONE_TRY(MakeVariant(model, variant.precision, flags.target, manifest));
  const std::string stem =
      (fs::path(flags.directory) / (original.name + "_" + variant.precision)).string();
  const std::string package = stem + ".mlpackage";
  ANEMONE_TRY(facade::Save(model, package));

  // What is verified is what was written, read back.
  ANEMONE_ASSIGN(const auto written, Load(package));
  ANEMONE_ASSIGN(manifest.outputs,
                 lab::Verify(backend, original.model, written.model, variant.limits, flags.verify));
  if (!manifest.passed()) {
    ANEMONE_ASSIGN(const ir::Function* function, [&]() -> Result<const ir::Function*> {
      if (const ir::Function* main = original.model->program.main()) return main;
      return Internal("the model has no main function");
    }());
    ANEMONE_ASSIGN(const auto inputs, exec::SyntheticInputs(*original.model, *function, flags.verify.seed, 0));
    ANEMONE_ASSIGN(const auto drifts, lab::CompareOperators(backend, original.model, written.model,
                                                            inputs, flags.verify));
    manifest.first_drift = lab::FirstDrift(drifts, variant.limits);
  }
  ANEMONE_TRY(facade::DescribePackage(original.name, original, *written.model, package, &manifest));
  ANEMONE_TRY(lab::WriteManifest(manifest, stem + ".manifest.json"));
  return row;
}

std::string Verdict(const lab::OutputParity& output) {
  return output.judged.passed ? "PASSED" : "MISSED";
}

void PrintTable(const std::vector<Row>& rows, const std::string& weights) {
  std::cout << fmt::format("{:26} {:>22}  {:14} {:>9} {:>9} {:>9} {:>9} {:>7} {:>6}  {:19} {}\n",
                           "variant", "size", "output", "L-inf", "RMSE", "L-inf/rng", "RMSE/rng",
                           "PSNR", "top-1", "limits", "verdict");
  for (const Row& row : rows) {
    bool first = true;
    for (const auto& output : row.manifest.outputs) {
      const lab::Parity& p = output.parity;
      std::cout << fmt::format(
          "{:26} {:>22}  {:14} {:9.2e} {:9.2e} {:9.2e} {:9.2e} {:7.1f} {:6.3f}  {:g}/{:g} {:4} "
          "{}\n",
          first ? row.model + " " + row.manifest.precision : "",
          first ? SizeText(row.manifest.package_size_bytes) : "", output.output, p.linf, p.rmse,
          p.linf_relative, p.rmse_relative, p.psnr_db, p.top1_agreement(), output.limits.linf,
          output.limits.rmse, output.judged.relative ? "rel." : "abs.", Verdict(output));
      first = false;
    }
    if (!row.manifest.first_drift.empty()) {
      std::cout << fmt::format("{:26} first drift: {}\n", "", row.manifest.first_drift);
    }
  }
  std::cout << fmt::format("weights: {}; top-1 is agreement with the fp32 original\n", weights);
}

Status RunDemo(DemoFlags flags, const Globals& globals) {
  flags.verify.threads = globals.threads;
  std::error_code error;
  fs::create_directories(flags.directory, error);
  if (error) return IoError("cannot make the folder: {}", error.message()).At(flags.directory);
  ANEMONE_ASSIGN(const exec::Backend* backend, runtime::FindBackend("auto"));
  static const std::vector<Variant> kVariants{
      {"fp32", kFp32Limits}, {"fp16", lab::kFp16Limits}, {"int8", lab::kInt8Limits}};
  std::vector<Row> rows;
  int64_t missed = 0;
  Progress progress(globals);
  for (const std::string& name : flags.models) {
    ModelFlags source;
    source.source.model = name;
    source.source.options.weights = flags.weights;
    source.source.options.seed = flags.seed;
    source.source.options.minimum_deployment_target = flags.target;
    progress.Count(static_cast<int64_t>(rows.size()),
                   static_cast<int64_t>(flags.models.size() * kVariants.size()),
                   "building " + name);
    ANEMONE_ASSIGN(const auto original, Load(source));
    for (const Variant& variant : kVariants) {
      progress.Count(static_cast<int64_t>(rows.size()),
                     static_cast<int64_t>(flags.models.size() * kVariants.size()),
                     name + " " + variant.precision);
      auto row = RunVariant(flags, original, variant, *backend).At(name + " " + variant.precision);
      if (!row.ok()) return std::move(row).error();
      missed += row->manifest.passed() ? 0 : 1;
      rows.push_back(std::move(row).value());
    }
  }
  if (globals.json) {
    Json document = Document("anemone.demo");
    Json list = Json::array();
    for (const Row& row : rows) list.push_back(Json::parse(lab::ToJson(row.manifest)));
    document["variants"] = std::move(list);
    document["missed"] = missed;
    Print(document);
  } else {
    PrintTable(rows, flags.weights == "seeded" ? fmt::format("seeded (seed {})", flags.seed)
                                               : flags.weights);
  }
  Say(globals, fmt::format("{} packages with manifests in {}; {} of {} miss a limit", rows.size(),
                           flags.directory, missed, rows.size()));
  if (flags.strict && missed > 0)
    return Mismatch("{} of {} variants miss a limit", missed, rows.size());
  return {};
}

}  // namespace

void AddDemo(Command app, Context& context) {
  Command command = app.AddCommand(
      "demo", "the whole job on the catalog models, offline: build, convert, compress, verify");
  auto flags = std::make_shared<DemoFlags>();
  command.AddOption("--models-dir", flags->directory, "where the packages and manifests go")
      .ShowDefault();
  command.AddOption("--models", flags->models, "which catalog models").Delimiter(',').ShowDefault();
  command
      .AddOption("--weights", flags->weights,
                 "'seeded', 'pretrained', or a weight file for a single model")
      .ShowDefault();
  command.AddOption("--seed", flags->seed, "seed of seeded weights").ShowDefault();
  command
      .AddOption("--minimum-deployment-target", flags->target, "iOS16 to iOS18 (int8 needs iOS16)")
      .ShowDefault();
  command.AddOption("--samples", flags->verify.samples, "inputs to verify each variant on")
      .ShowDefault();
  command.AddFlag("--strict", flags->strict, "end with exit code 1 when a variant misses a limit");
  command.Footer("Example: anemone demo --models-dir models");
  OnRun(command, context, [flags, &context] { return RunDemo(*flags, context.globals); });
}

}  // namespace anemone::cli
