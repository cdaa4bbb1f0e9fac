#include "facade/compress.h"
#include "cli/command.h"
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

Status RunCompress(const CompressFlags& flags, const Globals& globals) {
  Progress progress(globals);
  progress.Step("reading " + flags.model.source.model);
  ANEMONE_ASSIGN(auto loaded, Load(flags.model));
  compress::Report report;
  facade::CompressOptions options = flags.options;
  if (flags.target_sparsity >= 0) options.target_sparsity = flags.target_sparsity;
  if (flags.threshold >= 0) options.threshold = flags.threshold;
  options.compute_float16 = !flags.storage_only;
  options.threads = globals.threads;
  options.progress = [&](std::string_view what, int64_t done, int64_t total) {
    progress.Count(done, total, std::string(what));
  };
  progress.Step("compressing");
  ANEMONE_TRY(facade::Compress(*loaded.model, options, &report).At(flags.model.source.model));
  progress.Step("writing " + flags.output);
  ANEMONE_TRY(facade::Save(*loaded.model, flags.output));
  ANEMONE_ASSIGN(const int64_t size, SizeOnDisk(flags.output));
  if (globals.json) {
    Json document = Document("anemone.compress");
    document["model"] = flags.model.source.model;
    document["output"] = flags.output;
    document["mode"] = options.mode;
    document["dtype"] = options.dtype;
    document["weight_threshold"] = options.weight_threshold;
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
      fmt::format("{}: {} of {} tensors compressed, weights {} -> {}, package {}", flags.output,
                  report.compressed.size(), report.compressed.size() + report.skipped.size(),
                  SizeText(report.bytes_before), SizeText(report.bytes_after), SizeText(size)));
  return {};
}

}  // namespace

void AddCompress(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("compress", "make a compressed variant");
  auto flags = std::make_shared<CompressFlags>();
  AddModelFlags(*command, flags->model, true);
  command->add_option("-o,--output", flags->output, "the .mlpackage to write")->required();
  facade::CompressOptions& options = flags->options;
  command
      ->add_option("--mode", options.mode,
                   "linear (or linear_symmetric, linear_asymmetric), palettize, prune")
      ->capture_default_str();
  command->add_option("--dtype", options.dtype, "linear: int8, uint8, int4, uint4; or float16")
      ->capture_default_str();
  command->add_option("--nbits", options.nbits, "palettize: 1, 2, 3, 4, 6 or 8 (default 4)");
  command->add_option("--palette", options.palette, "palettize: kmeans, uniform or unique")
      ->capture_default_str();
  command->add_option("--granularity", options.granularity,
                      "linear: per_channel (default), per_tensor or per_block; palettize: "
                      "per_tensor (default) or per_grouped_channel");
  command->add_option("--block-size", options.block_size,
                      "per_block: input channels that share a scale (default 32); prune: channels "
                      "that become zero together");
  command
      ->add_option("--group-size", options.group_size,
                   "per_grouped_channel: channels that share a table")
      ->capture_default_str();
  command->add_option("--cluster-dim", options.cluster_dim, "palettize: values of a table entry")
      ->capture_default_str();
  command->add_flag("--per-channel-scale", options.per_channel_scale,
                    "palettize: scale the weights to one range first");
  command->add_option("--lut-dtype", options.lut_dtype, "palettize: tables of int8 or uint8");
  command->add_option("--target-sparsity", flags->target_sparsity,
                      "prune: the share of zeros, 0 to 1");
  command->add_option("--nm", options.nm, "prune: N:M, of every M channels N become zero");
  command->add_option("--threshold", flags->threshold, "prune: values up to this become zero");
  command
      ->add_option("--weight-threshold", options.weight_threshold,
                   "tensors of at most this many elements stay as they are")
      ->capture_default_str();
  command->add_flag("--joint", options.joint,
                    "compress further what the model has compressed already");
  command->add_flag("--storage-only", flags->storage_only,
                    "float16: store the weights in half precision and go on computing in float32");
  command->footer(
      "Example: anemone compress model.mlpackage -o model_4bit.mlpackage --mode palettize "
      "--nbits 4");
  OnRun(*command, context, [flags, &context] { return RunCompress(*flags, context.globals); });
}

}  // namespace anemone::cli
