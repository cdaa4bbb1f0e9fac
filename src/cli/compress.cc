#include "facade/compress.h"
#include "cli/command.h"
#include "facade/save.h"

namespace anemone::cli {
namespace {

struct CompressFlags {
  ModelFlags model;
  std::string output;
  facade::CompressOptions options;
  bool storage_only = false;
};

Status RunCompress(const CompressFlags& flags, const Globals& globals) {
  Progress progress(globals);
  progress.Step("reading " + flags.model.source.model);
  ANEMONE_ASSIGN(auto loaded, Load(flags.model));
  facade::CompressReport report;
  facade::CompressOptions options = flags.options;
  options.compute_float16 = !flags.storage_only;
  options.threads = globals.threads;
  progress.Step("compressing");
  ANEMONE_TRY(facade::Compress(*loaded.model, options, &report).At(flags.model.source.model));
  progress.Step("writing " + flags.output);
  ANEMONE_TRY(facade::Save(*loaded.model, flags.output));
  ANEMONE_ASSIGN(const int64_t size, SizeOnDisk(flags.output));
  int64_t compressed = 0;
  for (const auto& tensor : report.tensors) compressed += tensor.skipped.empty() ? 1 : 0;
  if (globals.json) {
    Json document = Document("anemone.compress");
    document["model"] = flags.model.source.model;
    document["output"] = flags.output;
    document["mode"] = options.mode;
    document["dtype"] = options.dtype;
    document["granularity"] = options.granularity;
    document["weight_threshold"] = options.weight_threshold;
    document["size_bytes"] = size;
    document["weight_bytes_before"] = report.bytes_before;
    document["weight_bytes_after"] = report.bytes_after;
    Json tensors = Json::array();
    for (const auto& tensor : report.tensors) {
      Json row{{"name", tensor.name},
               {"elements", tensor.elements},
               {"bytes_before", tensor.bytes_before},
               {"bytes_after", tensor.bytes_after},
               {"max_error", tensor.max_error}};
      row["skipped"] = tensor.skipped.empty() ? Json(nullptr) : Json(tensor.skipped);
      tensors.push_back(std::move(row));
    }
    document["tensors"] = std::move(tensors);
    Print(document);
  }
  if (globals.verbose > 0) {
    for (const auto& tensor : report.tensors) {
      if (!tensor.skipped.empty())
        Say(globals, fmt::format("skipped {}: {}", tensor.name, tensor.skipped));
    }
  }
  Say(globals,
      fmt::format("{}: {} of {} tensors compressed, weights {} -> {}, package {}", flags.output,
                  compressed, report.tensors.size(), SizeText(report.bytes_before),
                  SizeText(report.bytes_after), SizeText(size)));
  return {};
}

}  // namespace

void AddCompress(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("compress", "make a compressed variant");
  auto flags = std::make_shared<CompressFlags>();
  AddModelFlags(*command, flags->model, true);
  command->add_option("-o,--output", flags->output, "the .mlpackage to write")->required();
  command
      ->add_option("--mode", flags->options.mode, "linear, linear_symmetric or linear_asymmetric")
      ->capture_default_str();
  command->add_option("--dtype", flags->options.dtype, "int8, uint8, int4, uint4 or float16")
      ->capture_default_str();
  command->add_option("--granularity", flags->options.granularity, "per_tensor or per_channel")
      ->capture_default_str();
  command
      ->add_option("--weight-threshold", flags->options.weight_threshold,
                   "tensors of at most this many elements stay as they are")
      ->capture_default_str();
  command->add_flag("--storage-only", flags->storage_only,
                    "float16: store the weights in half precision and go on computing in float32");
  command->footer("Example: anemone compress model.mlpackage -o model_int8.mlpackage --dtype int8");
  OnRun(*command, context, [flags, &context] { return RunCompress(*flags, context.globals); });
}

}  // namespace anemone::cli
