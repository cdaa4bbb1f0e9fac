#include "facade/compress.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/command.h"
#include "compress/configuration_json.h"
#include "facade/convert.h"
#include "facade/package_manifest.h"
#include "facade/save.h"

namespace anemone::cli {
namespace {

struct CompressFlags {
  ModelFlags model;
  std::string output;
  facade::CompressOptions options;
  double target_sparsity = -1;
  double threshold = -1;
  bool storage_only = false;
  std::string target;  // empty: a package's own
  std::vector<float> mean{0.485f, 0.456f, 0.406f};
  std::vector<float> deviation{0.229f, 0.224f, 0.225f};
};

Json ReportJson(const compress::Report& report) {
  Json tensors = Json::array();
  const auto add = [&](const compress::TensorRecord& tensor) {
    Json row{{"name", tensor.name},
             {"operator", tensor.op},
             {"shape", tensor.shape},
             {"elements", ir::ElementCount(tensor.shape).value_or(0)},
             {"bytes_before", tensor.bytes_before},
             {"bytes_after", tensor.bytes_after},
             {"max_error", tensor.max_error},
             {"rms_error", tensor.rms_error}};
    row["form"] = tensor.form.empty() ? Json(nullptr) : Json(tensor.form);
    row["skipped"] = tensor.reason.empty() ? Json(nullptr) : Json(tensor.reason);
    tensors.push_back(std::move(row));
  };
  for (const auto& tensor : report.compressed) add(tensor);
  for (const auto& tensor : report.skipped) add(tensor);
  return tensors;
}

// What the key "precision" says of a variant.
std::string PrecisionName(const facade::CompressOptions& options) {
  if (!options.config.empty()) return "configured";
  if (options.dtype.starts_with("f")) return "fp16";
  if (options.mode == "palettize") {
    return options.nbits > 0 ? fmt::format("palette{}", options.nbits) : "palette";
  }
  if (options.mode == "prune") return "sparse";
  return options.mode == "activations" ? "w8a8" : options.dtype;
}

// What stands beside the package. Nothing was compared here: the deltas stay unknown.
Result<lab::Manifest> MakeManifest(const CompressFlags& flags,
                                   const facade::LoadedModel& compressed,
                                   const compress::Report& report) {
  lab::Manifest manifest;
  manifest.precision = PrecisionName(flags.options);
  for (const auto* tensors : {&report.compressed, &report.skipped}) {
    for (const auto& tensor : *tensors) {
      manifest.tensors.push_back(
          {tensor.name, tensor.bytes_before, tensor.bytes_after, tensor.reason});
    }
  }
  ANEMONE_TRY(facade::DescribePackage(flags.model.source.model, compressed, *compressed.model,
                                      flags.output, &manifest));
  return manifest;
}

// The model, a package for another target than its own converted to that.
Result<facade::LoadedModel> LoadForTarget(const CompressFlags& flags) {
  ModelFlags model = flags.model;
  if (!flags.target.empty()) model.target = flags.target;
  ANEMONE_ASSIGN(auto loaded, Load(model));
  const ir::Function* function = loaded.model->program.main();
  if (flags.target.empty() || !loaded.origin.starts_with("ml") || function == nullptr)
    return loaded;
  facade::ConvertOptions convert;
  ANEMONE_ASSIGN(convert.target, facade::ParseDeploymentTarget(flags.target));
  if (convert.target != function->opset)
    ANEMONE_TRY(facade::Convert(*loaded.model, convert).At(model.source.model));
  return loaded;
}

Status RunCompress(const CompressFlags& flags, const Globals& globals) {
  Progress progress(globals);
  progress.Step("reading " + flags.model.source.model);
  ANEMONE_ASSIGN(auto loaded, LoadForTarget(flags));
  compress::Report report;
  facade::CompressOptions options = flags.options;
  if (flags.target_sparsity >= 0) options.target_sparsity = flags.target_sparsity;
  if (flags.threshold >= 0) options.threshold = flags.threshold;
  if (flags.mean.size() != 3 || flags.deviation.size() != 3)
    return Usage("--mean and --std take three numbers");
  for (size_t i = 0; i < 3; ++i) {
    if (flags.deviation[i] == 0) return Usage("--std must not be zero");
    options.preprocess.mean[i] = flags.mean[i];
    options.preprocess.deviation[i] = flags.deviation[i];
  }
  options.compute_float16 = !flags.storage_only;
  options.threads = globals.threads;
  options.progress = [&](std::string_view what, int64_t done, int64_t total) {
    progress.Count(done, total, std::string(what));
  };
  progress.Step("compressing");
  const auto begin = std::chrono::steady_clock::now();
  ANEMONE_TRY(facade::Compress(*loaded.model, options, &report).At(flags.model.source.model));
  const int64_t duration_ns =
      std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin).count();
  progress.Step("writing " + flags.output);
  ANEMONE_TRY(facade::Save(*loaded.model, flags.output));
  // Described while it is read back.
  Result<lab::Manifest> manifest = Internal("not made");
  std::thread describe([&] { manifest = MakeManifest(flags, loaded, report); });
  const Status same = facade::CheckSaved(*loaded.model, flags.output);
  describe.join();
  ANEMONE_TRY(same);
  if (!manifest.ok()) return std::move(manifest).status();
  ANEMONE_TRY(lab::WriteManifest(*manifest, lab::ManifestPathOf(flags.output)));
  ANEMONE_ASSIGN(const int64_t size, SizeOnDisk(flags.output));
  if (globals.json) {
    Json document = Document("anemone.compress");
    document["model"] = flags.model.source.model;
    document["output"] = flags.output;
    const bool half = options.config.empty() && options.dtype.starts_with("f");
    if (half) {
      document["configuration"] = nullptr;
    } else {
      ANEMONE_ASSIGN(const auto configuration, facade::ConfigurationOf(options));
      document["configuration"] = Json::parse(compress::ConfigurationJson(configuration));
    }
    document["mode"] = options.config.empty() ? Json(options.mode) : Json(nullptr);
    document["dtype"] = options.config.empty() ? Json(options.dtype) : Json(nullptr);
    document["compress_duration_ns"] = duration_ns;
    document["size_bytes"] = size;
    document["weight_bytes_before"] = report.bytes_before;
    document["weight_bytes_after"] = report.bytes_after;
    document["tensors"] = ReportJson(report);
    Print(document);
  }
  if (globals.verbose > 0) {
    for (const auto& tensor : report.skipped)
      Say(globals, fmt::format("skipped {}: {}", tensor.name, tensor.reason));
  }
  Say(globals,
      fmt::format("{}: ok, {} of {} tensors compressed, weights {} -> {}, package {}", flags.output,
                  report.compressed.size(), report.compressed.size() + report.skipped.size(),
                  SizeText(report.bytes_before), SizeText(report.bytes_after), SizeText(size)));
  return {};
}

}  // namespace

void AddCompress(Command app, Context& context) {
  Command command = app.AddCommand("compress", "make a compressed variant");
  auto flags = std::make_shared<CompressFlags>();
  AddModelFlags(command, flags->model, false);
  command.AddOption("--minimum-deployment-target", flags->target,
                    "iOS15 to iOS18, or macOS12 to macOS15; a package keeps its own by default, "
                    "others get iOS17");
  command.AddOption("-o,--output", flags->output, "the .mlpackage to write").Required();
  facade::CompressOptions& options = flags->options;
  command
      .AddOption("--mode", options.mode,
                 "linear (or linear_symmetric, linear_asymmetric), palettize, prune, "
                 "activations (8 bits, with weights as linear has it)")
      .ShowDefault();
  command.AddOption("--dtype", options.dtype, "linear: int8, uint8, int4, uint4; or float16")
      .ShowDefault();
  command.AddOption("--nbits", options.nbits, "palettize: 1, 2, 3, 4, 6 or 8 (default 4)");
  command.AddOption("--palette", options.palette, "palettize: kmeans, uniform or unique")
      .ShowDefault();
  command.AddOption("--granularity", options.granularity,
                    "linear: per_channel (default), per_tensor or per_block; palettize: "
                    "per_tensor (default) or per_grouped_channel");
  command.AddOption("--block-size", options.block_size,
                    "per_block: input channels that share a scale (default 32); prune: channels "
                    "that become zero together");
  command
      .AddOption("--group-size", options.group_size,
                 "per_grouped_channel: channels that share a table")
      .ShowDefault();
  command.AddOption("--cluster-dim", options.cluster_dim, "palettize: values of a table entry")
      .ShowDefault();
  command.AddFlag("--per-channel-scale", options.per_channel_scale,
                  "palettize: scale the weights to one range first");
  command.AddOption("--lut-dtype", options.lut_dtype, "palettize: tables of int8 or uint8");
  command.AddOption("--target-sparsity", flags->target_sparsity,
                    "prune: the share of zeros, 0 to 1");
  command.AddOption("--nm", options.nm, "prune: N:M, of every M channels N become zero");
  command.AddOption("--threshold", flags->threshold, "prune: values up to this become zero");
  command
      .AddOption("--weight-threshold", options.weight_threshold,
                 "tensors of at most this many elements stay as they are")
      .ShowDefault();
  command.AddOption(
      "--calibration", options.calibration,
      "folder (or .txt list) of images, .npy or .npz files to run the model on: for "
      "activations, gptq, adaround, bias correction, and palettes that heed how values are driven");
  command.AddOption("--calibration-limit", options.calibration_limit,
                    "at most that many of the files");
  command
      .AddOption("--observer", options.observer, "activations: min_max, percentile, mse or entropy")
      .ShowDefault();
  command.AddOption("--percentile", options.percentile, "of the observer percentile").ShowDefault();
  command.AddFlag("--equalize", options.equalize,
                  "scale the channels of neighboring layers to alike ranges first");
  command.AddFlag("--correct-bias", options.correct_bias,
                  "take the mean error of each channel out of the biases");
  command.AddOption("--rounding", options.rounding, "linear: nearest, gptq or adaround")
      .ShowDefault();
  command
      .AddOption("--crop", options.preprocess.crop,
                 "images: center crop, a share of the shorter side or pixels")
      .ShowDefault();
  command.AddOption("--resize", options.preprocess.resize,
                    "images: resize the shorter side first, when --crop is in pixels");
  command.AddOption("--mean", flags->mean, "images: three channel means of values in 0 to 1")
      .Delimiter(',')
      .Expect(3)
      .ShowDefault();
  command.AddOption("--std", flags->deviation, "images: three channel deviations")
      .Delimiter(',')
      .Expect(3)
      .ShowDefault();
  command.AddOption("--config", options.config,
                    "JSON or YAML as coremltools' OptimizationConfig has it, or a configuration "
                    "of our own, instead of the flags");
  command.AddFlag("--joint", options.joint,
                  "compress further what the model has compressed already");
  command.AddFlag("--storage-only", flags->storage_only,
                  "float16: store the weights in half precision and go on computing in float32");
  command.Footer(
      "Example: anemone compress model.mlpackage -o model_4bit.mlpackage --mode palettize "
      "--nbits 4");
  OnRun(command, context, [flags, &context] { return RunCompress(*flags, context.globals); });
}

}  // namespace anemone::cli
